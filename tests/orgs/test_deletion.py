"""The end of an org: asked for, taken back, and after the grace really gone, the other org untouched."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from orgs import deletion, flags
from orgs.context import in_org
from orgs.models import AuditEntry, Due, FlagOverride, Invitation, Later, Mail, Membership, Org, Person, Refused, Role
from tests.factories.orgs import InvitationFactory, MembershipFactory
from tests.rehearsal.models import Note01

SignIn = Callable[[Person], Client]
MembershipOf = Callable[[Person], Membership]
URL = "/o/acme/settings/deletion/"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def schemas_of(*orgs: Org) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", [[org.schema_name for org in orgs]])
        return {row[0] for row in cursor.fetchall()}


def test_an_owner_closes_the_org_by_typing_its_address(sign_in: SignIn, acme: Org, ana: Person, beto: Person) -> None:
    MembershipFactory(org=acme, role=Role.OWNER, person__email="dora@example.com", person__language="es")
    client = sign_in(ana)
    assert client.get(URL).status_code == 200
    answer = client.post(URL, {"slug": "acme"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/closed/")
    acme.refresh_from_db()
    assert acme.status == Org.Status.DELETING
    assert acme.delete_after is not None
    assert timedelta(days=29, hours=23) < acme.delete_after - timezone.now() <= timedelta(days=30)
    assert dict(Mail.objects.values_list("to", "language")) == {"ana@example.com": "pt-br", "dora@example.com": "es"}
    assert set(Mail.objects.values_list("kind", flat=True)) == {"orgs/mail/deletion"}
    assert AuditEntry.objects.get().actor == "ana@example.com"
    page = sign_in(beto).get("/o/acme/", follow=True)
    assert page.redirect_chain == [("/o/acme/closed/", 302)]
    assert "/settings/deletion/end/" not in page.content.decode()
    assert sign_in(beto).get("/api/v1/orgs/acme/").json()["error"]["code"] == "org_deleting"


@pytest.mark.parametrize("typed", ["", "globex", "ACME", "acme "])
def test_another_address_deletes_nothing(sign_in: SignIn, acme: Org, ana: Person, typed: str) -> None:
    answer = sign_in(ana).post(URL, {"slug": typed})
    acme.refresh_from_db()
    if typed.strip() == "acme":  # blanks around it are the keyboard's
        assert acme.status == Org.Status.DELETING
        return
    assert answer.status_code == 422
    assert 'id="id_slug_error"' in answer.content.decode()
    assert acme.status == Org.Status.ACTIVE
    assert not Mail.objects.exists()


@pytest.mark.parametrize(("name", "status"), [("davi", 403), ("beto", 403), ("vera", 403), ("carla", 404)])
def test_it_is_for_owners_of_the_org(
    request: pytest.FixtureRequest, sign_in: SignIn, acme: Org, name: str, status: int
) -> None:
    client = sign_in(request.getfixturevalue(name))
    assert client.post(URL, {"slug": "acme"}).status_code == status
    acme.refresh_from_db()
    assert acme.status == Org.Status.ACTIVE
    acme.request_deletion(by=None)
    assert client.post(f"{URL}end/").status_code == status
    acme.refresh_from_db()
    assert acme.status == Org.Status.DELETING


def test_an_owner_restores_it(sign_in: SignIn, acme: Org, ana: Person) -> None:
    acme.request_deletion(by=None)
    client = sign_in(ana)
    assert "/o/acme/settings/deletion/end/" in client.get("/o/acme/closed/").content.decode()
    assert client.post(f"{URL}end/").headers["Location"] == "/o/acme/"
    assert client.get("/o/acme/").status_code == 200
    acme.refresh_from_db()
    assert (acme.status, acme.delete_after) == (Org.Status.ACTIVE, None)
    assert Mail.objects.latest("pk").kind == "orgs/mail/restoration"


def test_asking_twice_keeps_the_first_date(acme: Org, ana: Person, membership_of: MembershipOf) -> None:
    with time_machine.travel(timezone.now() - timedelta(days=3)):
        acme.request_deletion(by=membership_of(ana))
    first = acme.delete_after
    acme.request_deletion(by=membership_of(ana))
    assert acme.delete_after == first
    assert AuditEntry.objects.count() == 1
    assert Mail.objects.count() == 1


def test_nobody_restores_once_the_grace_is_over(acme: Org, ana: Person, membership_of: MembershipOf) -> None:
    acme.request_deletion(by=None)
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1)):
        with pytest.raises(Refused) as refused:
            acme.cancel_deletion(by=membership_of(ana))
        with pytest.raises(Refused):
            acme.suspend("too late")
    assert refused.value.code == "too_late"


def test_it_is_really_gone_after_the_grace(acme: Org, globex: Org, ana: Person, media: Path) -> None:
    for org in (acme, globex):
        with in_org(org):
            Note01._default_manager.create(pk=1, title=f"secret of {org.slug}")
        InvitationFactory(org=org)
        flags.set_override("FEATURE_ANALYTICS", org, is_on=True)
        default_storage.save(f"{org.media_folder}/whatsapp/2026-11-22/voice.ogg", ContentFile(b"sound"))
    acme.request_deletion(by=None)
    Person.objects.filter(pk=ana.pk).update(last_org=acme)

    with time_machine.travel(timezone.now() + timedelta(days=29, hours=23)):
        assert deletion.purge() == []
    assert schemas_of(acme, globex) == {acme.schema_name, globex.schema_name}

    for org in (acme, globex):
        Due.objects.want(org.pk, "turn", 1)
        Due.objects.want(org.pk, "turn", 2, at=timezone.now() + timedelta(days=40))
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1)):
        assert deletion.purge() == ["acme"]
        assert deletion.purge() == []
    for queue in (Due, Later):
        assert list(queue._default_manager.values_list("org_id", flat=True)) == [globex.pk]
    assert schemas_of(acme, globex) == {globex.schema_name}
    assert list(Org.objects.values_list("slug", flat=True)) == ["globex"]
    for model in (Membership, Invitation, FlagOverride):
        assert set(model.objects.values_list("org__slug", flat=True)) == {"globex"}
    assert not Mail.objects.filter(org_id=acme.pk).exists()
    assert sorted(path.name for path in media.iterdir()) == [globex.media_folder]
    assert (media / globex.media_folder / "whatsapp/2026-11-22/voice.ogg").read_bytes() == b"sound"
    with in_org(globex):
        assert Note01._default_manager.get().title == "secret of globex"
    ana.refresh_from_db()
    assert ana.last_org is None
    actions = list(AuditEntry.objects.filter(org_id=acme.pk).order_by("pk").values_list("action", flat=True))
    assert actions[-2:] == ["org.deletion_requested", "org.deleted"]


def test_its_address_is_free_again(acme: Org, globex: Org) -> None:
    Org.objects.filter(pk=acme.pk).update(status="deleting", delete_after=timezone.now())
    assert deletion.purge() == ["acme"]
    globex.slug = "acme"
    globex.save(update_fields=["slug"])
    assert Org.objects.get(slug="acme").pk == globex.pk


def test_one_restored_between_look_and_drop_stays(acme: Org) -> None:
    Org.objects.filter(pk=acme.pk).update(status="deleting", delete_after=timezone.now())
    seen = Org.objects.due_for_deletion(timezone.now()).get()
    Org.objects.filter(pk=acme.pk).update(status="active", delete_after=None)
    assert deletion.purge_org(seen, now=timezone.now()) is False
    assert schemas_of(acme) == {acme.schema_name}


def test_the_command_starts_it_and_takes_it_back(acme: Org) -> None:
    call_command("delete_org", "acme")
    acme.refresh_from_db()
    assert acme.status == Org.Status.DELETING
    call_command("delete_org", "acme", "--restore")
    acme.refresh_from_db()
    assert acme.status == Org.Status.ACTIVE
    call_command("delete_org", "--purge")
    assert Org.objects.filter(slug="acme").exists()


def test_one_that_fails_does_not_hold_up_the_others(acme: Org, globex: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    Org.objects.update(status=Org.Status.DELETING, delete_after=timezone.now() - timedelta(days=1))
    real = deletion.delete_files

    def refuse_acme(storage: object, folder: str) -> None:
        if folder == acme.media_folder:
            raise RuntimeError("the object store says no, in its own words")
        real(default_storage, folder)

    monkeypatch.setattr(deletion, "delete_files", refuse_acme)
    assert deletion.purge() == ["globex"]
    assert schemas_of(acme, globex) == {acme.schema_name}
    monkeypatch.undo()
    assert deletion.purge() == ["acme"]
