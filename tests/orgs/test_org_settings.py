"""An org's settings: name, address, language, time zone, and the demand for two-step sign-in."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client

from orgs.models import AuditEntry, Org, Person
from orgs.org_forms import MfaPolicyForm, OrgForm
from orgs.slugs import RESERVED, suggest_slug
from tests.cast import PASSWORD

SignIn = Callable[[Person], Client]
URL = "/o/acme/settings/"
GIVEN = {"name": "Acme", "slug": "acme", "language": "pt-br", "time_zone": "America/Sao_Paulo"}


def turn_on_mfa(person: Person) -> None:
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={})


def test_it_saves_what_changed_and_records_it(sign_in: SignIn, davi: Person, acme: Org) -> None:
    given = {**GIVEN, "name": "  Açme   Energia ", "language": "es", "time_zone": "america/bogota"}
    answer = sign_in(davi).post(URL, given)
    assert (answer.status_code, answer.headers["Location"]) == (302, URL)
    acme.refresh_from_db()
    assert (acme.name, acme.name_folded, acme.language) == ("Açme Energia", "acme energia", "es")
    assert acme.time_zone == "America/Bogota"
    data = {"name": "Açme Energia", "language": "es", "time_zone": "America/Bogota"}
    assert AuditEntry.objects.get(action="org.changed").data == data


def test_a_new_address_keeps_nothing_of_the_old_one(sign_in: SignIn, ana: Person) -> None:
    client = sign_in(ana)
    answer = client.post(URL, {**GIVEN, "slug": "acme-energia"})
    assert answer.headers["Location"] == "/o/acme-energia/settings/"
    assert client.get("/o/acme-energia/").status_code == 200
    assert client.get("/o/acme/").status_code == 404
    assert client.get("/api/v1/orgs/acme/").status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 121),
        ("slug", ""),
        ("slug", "a"),
        ("slug", "-acme"),
        ("slug", "Acme"),
        ("slug", "ação"),
        ("slug", "a" * 49),
        ("slug", "globex"),
        ("slug", "admin"),
        ("language", "xx"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", ""),
        ("time_zone", "../../etc/passwd"),
    ],
)
def test_it_says_what_is_wrong_beside_the_field(
    sign_in: SignIn, davi: Person, acme: Org, field: str, value: str
) -> None:
    answer = sign_in(davi).post(URL, {**GIVEN, field: value})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in html
    assert f'value="{value}"' in html or field == "language" or not value
    acme.refresh_from_db()
    assert {name: getattr(acme, name) for name in GIVEN} == GIVEN
    assert not AuditEntry.objects.exists()


def test_an_admin_decides_whether_events_carry_what_was_said(
    sign_in: SignIn, davi: Person, beto: Person, acme: Org
) -> None:
    assert 'name="shares_text"' in sign_in(davi).get(URL).content.decode()
    assert sign_in(beto).post(f"{URL}sharing/", {}).status_code == 403
    acme.refresh_from_db()
    assert acme.shares_text
    assert not AuditEntry.objects.exists()
    for given, shares in (({}, False), ({"shares_text": "on"}, True)):
        answer = sign_in(davi).post(f"{URL}sharing/", given)
        assert (answer.status_code, answer.headers["Location"]) == (302, URL)
        acme.refresh_from_db()
        assert acme.shares_text is shares
        entry = AuditEntry.objects.filter(action="org.changed").latest("pk")
        assert entry.data == {"shares_text": shares}


def test_a_nul_character_is_refused(sign_in: SignIn, davi: Person) -> None:
    assert sign_in(davi).post(URL, {**GIVEN, "name": "A\x00B"}).status_code == 422


@pytest.mark.parametrize(("name", "status"), [("beto", 403), ("vera", 403), ("carla", 404)])
def test_it_is_for_administrators_of_the_org(
    request: pytest.FixtureRequest, sign_in: SignIn, acme: Org, name: str, status: int
) -> None:
    client = sign_in(request.getfixturevalue(name))
    assert client.get(URL).status_code == status
    assert client.post(URL, {**GIVEN, "name": "Mine"}).status_code == status
    acme.refresh_from_db()
    assert acme.name == "Acme"


@pytest.mark.parametrize(("left", "status"), [("sdr", 403), (None, 404)])
@pytest.mark.parametrize("page", ["", "security/"])
def test_a_role_taken_away_meanwhile_counts(
    sign_in: SignIn, ana: Person, acme: Org, monkeypatch: pytest.MonkeyPatch, page: str, left: str | None, status: int
) -> None:
    """Ana's role goes after the door has let her in and before the change is written."""
    mine = acme.memberships.filter(person=ana)
    heir = acme.memberships.exclude(person=ana).order_by("pk")[0]

    def demote(form: OrgForm | MfaPolicyForm) -> None:
        acme.memberships.filter(pk=heir.pk).update(role="owner")
        mine.update(role=left) if left else mine.delete()

    monkeypatch.setattr(OrgForm, "_post_clean", demote)
    monkeypatch.setattr(MfaPolicyForm, "_post_clean", demote)
    assert sign_in(ana).post(URL + page, {**GIVEN, "name": "Mine"}).status_code == status
    acme.refresh_from_db()
    assert (acme.name, acme.requires_mfa) == ("Acme", False)
    assert not AuditEntry.objects.exists()


def test_two_who_want_one_address_at_once_get_one_and_an_explanation(committed: None) -> None:
    browsers = [("acme", "ana@example.com"), ("globex", "carla@example.com")]
    barrier = threading.Barrier(2)

    def rename(entry: tuple[str, str]) -> int:
        slug, email = entry
        try:
            client = Client()
            client.post("/accounts/login/", {"login": email, "password": PASSWORD})
            barrier.wait(20)
            return client.post(f"/o/{slug}/settings/", {**GIVEN, "name": slug, "slug": "wanted"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(rename, browsers)) == [302, 422]
    assert Org.objects.filter(slug="wanted").count() == 1


def test_the_zones_can_be_searched_without_scripts(sign_in: SignIn, davi: Person) -> None:
    page = sign_in(davi).get(URL).content.decode()
    assert 'list="id_time_zone_zones"' in page
    assert '<datalist id="id_time_zone_zones">' in page
    assert '<option value="America/Sao_Paulo"></option>' in page


def test_no_reserved_word_is_suggested_wrongly() -> None:
    assert suggest_slug("Aurora Solar Ltda.") == "aurora-solar-ltda"
    assert suggest_slug("Ação & Reação") == "acao-reacao"
    assert suggest_slug("株式会社") == ""
    assert all(word == word.lower() for word in RESERVED)


# --- Two-step sign-in for everybody ----------------------------------------------------------------------------------
def test_an_owner_who_uses_it_demands_it_of_everybody(sign_in: SignIn, ana: Person, beto: Person, acme: Org) -> None:
    turn_on_mfa(ana)
    owner, seller = sign_in(ana), sign_in(beto)
    assert seller.get("/o/acme/").status_code == 200
    assert owner.post(f"{URL}security/", {"requires_mfa": "on"}).status_code == 302
    assert owner.get("/o/acme/").status_code == 200
    refused = seller.get("/o/acme/people/")
    assert refused.status_code == 403
    assert "/accounts/2fa/" in refused.content.decode()
    assert seller.get("/api/v1/orgs/acme/").json()["error"]["code"] == "mfa_required"
    assert seller.get("/o/acme/leave/").status_code == 200
    turn_on_mfa(beto)
    assert seller.get("/o/acme/people/").status_code == 200
    assert AuditEntry.objects.get(action="org.changed").data == {"requires_mfa": True}


def test_an_owner_without_it_does_not(sign_in: SignIn, ana: Person, acme: Org) -> None:
    sign_in(ana).post(f"{URL}security/", {"requires_mfa": "on"})
    acme.refresh_from_db()
    assert not acme.requires_mfa
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("name", ["davi", "beto", "vera"])
def test_the_demand_is_the_owners(request: pytest.FixtureRequest, sign_in: SignIn, acme: Org, name: str) -> None:
    person = request.getfixturevalue(name)
    turn_on_mfa(person)
    assert sign_in(person).post(f"{URL}security/", {"requires_mfa": "on"}).status_code == 403
    acme.refresh_from_db()
    assert not acme.requires_mfa
