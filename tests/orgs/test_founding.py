"""Founding an org: its address, its owner, its schema, and two who want the same name."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from orgs import signup
from orgs.audit import Action
from orgs.models import AuditEntry, Invitation, Membership, Org, Person, Role
from tests.cast import make_person

SignIn = Callable[[Person], Client]
FORM = {"name": "Aurora Solar Ltda.", "slug": "", "language": "pt-br", "time_zone": "America/Sao_Paulo"}
PAGE = "/orgs/new/"


@pytest.fixture
def rita(db: None) -> Person:
    """Somebody with an account and nothing else."""
    return make_person("rita")


def schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'org\\_%%'")
        return {name for (name,) in cursor.fetchall()}


def test_it_makes_the_org_with_its_schema_and_owner(rita: Person, sign_in: SignIn) -> None:
    client = sign_in(rita)
    response = client.post(PAGE, FORM)
    org = Org.objects.get(slug="aurora-solar-ltda")
    assert response.headers["Location"] == "/o/aurora-solar-ltda/"
    assert (org.name, org.language, org.time_zone, org.status) == (
        "Aurora Solar Ltda.",
        "pt-br",
        "America/Sao_Paulo",
        "active",
    )
    assert Membership.objects.get(org=org).person == rita
    assert Membership.objects.get(org=org).role == Role.OWNER
    assert org.schema_name in schemas()
    assert client.get("/o/aurora-solar-ltda/").status_code == 200
    entry = AuditEntry.objects.get(action=Action.ORG_CREATED, org_id=org.pk)
    assert (entry.person_id, entry.target, entry.ip) == (rita.pk, f"org:{org.pk}", "127.0.0.1")


def test_it_opens_with_the_persons_language_and_the_browsers_zone(rita: Person, sign_in: SignIn) -> None:
    page = sign_in(rita).get(PAGE, headers={"Accept-Language": "es-MX,es;q=0.9"})
    assert page.context["form"].initial == {"language": "pt-br", "time_zone": "America/Mexico_City"}


@pytest.mark.parametrize(
    ("header", "zone"),
    [
        ("", "America/Sao_Paulo"),
        ("de-DE", "America/Sao_Paulo"),
        ("pt-PT,pt;q=0.8", "Europe/Lisbon"),
        (";;,,", "America/Sao_Paulo"),
    ],
)
def test_it_guesses_the_zone(header: str, zone: str) -> None:
    assert signup.likely_zone(header) == zone


def test_it_makes_a_free_address_from_a_name_that_is_taken(rita: Person, sign_in: SignIn) -> None:
    response = sign_in(rita).post(PAGE, {**FORM, "name": "Acme"})
    assert response.headers["Location"] == "/o/acme-2/"


def test_it_refuses_a_typed_address_that_is_taken_and_names_a_free_one(rita: Person, sign_in: SignIn) -> None:
    before = schemas()
    response = sign_in(rita).post(PAGE, {**FORM, "slug": "acme"})
    assert response.status_code == 422
    assert "acme-2" in response.context["form"].errors["slug"][0]
    assert 'value="acme"' in response.text
    assert 'value="Aurora Solar Ltda."' in response.text
    assert not Membership.objects.filter(person=rita).exists()
    assert schemas() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Aurora Solar"),
        ("slug", "-aurora"),
        ("slug", "admin"),
        ("slug", "x" * 49),
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 121),
        ("name", "a\x00b"),
        ("language", "xx"),
        ("time_zone", "Mars/Olympus"),
    ],
)
def test_it_says_beside_the_field_what_is_wrong(rita: Person, sign_in: SignIn, field: str, value: str) -> None:
    response = sign_in(rita).post(PAGE, {**FORM, field: value})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert not Membership.objects.filter(person=rita).exists()


def test_it_asks_for_an_address_when_the_name_gives_none(rita: Person, sign_in: SignIn) -> None:
    response = sign_in(rita).post(PAGE, {**FORM, "name": "株式会社"})
    assert list(response.context["form"].errors) == ["slug"]


def test_it_shortens_a_long_name(rita: Person, sign_in: SignIn) -> None:
    sign_in(rita).post(PAGE, {**FORM, "name": "a" * 100})
    assert Org.objects.filter(slug="a" * 48).exists()


def test_it_is_for_people_who_are_signed_in(db: None) -> None:
    assert Client().post(PAGE, FORM).headers["Location"].startswith("/accounts/login/?next=/orgs/new/")
    assert not Org.objects.filter(slug="aurora-solar-ltda").exists()


def test_it_offers_the_invitations_to_my_address(rita: Person, acme: Org, ana: Person, sign_in: SignIn) -> None:
    mine = Invitation.objects.create(org=acme, email=rita.email, token_hash="a" * 64, invited_by=ana)
    Invitation.objects.create(org=acme, email="other@example.com", token_hash="b" * 64, invited_by=ana)
    page = sign_in(rita).get(PAGE)
    assert page.context["invitations"] == [mine]
    assert f"/invitations/mine/{mine.pk}/" in page.text


def test_it_leaves_nothing_when_a_step_fails(rita: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schemas()

    def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("orgs.audit.record", fail)
    with pytest.raises(RuntimeError):
        signup.found_org(rita, "Aurora", slug="aurora", language="en", time_zone="UTC")
    assert not Org.objects.filter(slug="aurora").exists()
    assert schemas() == before


def test_it_gives_an_address_to_one_of_two_who_ask_at_once(committed: None) -> None:
    people = [make_person("rita"), make_person("joao")]
    before = schemas()
    barrier = threading.Barrier(2)
    answers: list[str] = []

    def found(person: Person) -> None:
        try:
            barrier.wait()
            answers.append(signup.found_org(person, "Aurora", slug="aurora", language="en", time_zone="UTC").slug)
        except signup.SlugTaken:
            answers.append("taken")
        finally:
            connection.close()

    threads = [threading.Thread(target=found, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["aurora", "taken"]
    assert len(schemas() - before) == 1
    assert Membership.objects.filter(person__in=people).count() == 1


def test_it_answers_the_second_of_two_beside_the_field(
    rita: Person, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orgs.signup.is_taken", lambda slug: False)  # taken between the check and the change
    response = sign_in(rita).post(PAGE, {**FORM, "slug": "acme"})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["slug"]
