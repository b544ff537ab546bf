"""One's own profile: name, language, and leaving for good."""

import threading
from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from orgs.audit import Action
from orgs.departure import delete_account
from orgs.models import AuditEntry, Invitation, Membership, Org, Person, Refused, Role
from tests.factories.orgs import InvitationFactory
from tests.orgs.mailbox import last_mail
from tests.orgs.test_signin import prove, sign_in_by_form

SignIn = Callable[[Person], Client]
PAGE, DELETION = "/account/", "/account/deletion/"


@pytest.fixture
def browser(vera: Person) -> Client:
    """Vera, who has just proven who she is."""
    client = Client()
    sign_in_by_form(client, vera)
    prove(client)
    return client


def test_it_changes_name_and_language_at_once(vera: Person, browser: Client) -> None:
    response = browser.post(PAGE, {"name": "  Vera   Prado ", "language": "en"}, follow=True)
    vera.refresh_from_db()
    assert (vera.name, vera.language) == ("Vera Prado", "en")
    assert response.context["LANGUAGE_CODE"] == "en"
    assert "Your profile is saved." in response.text
    assert browser.cookies[settings.LANGUAGE_COOKIE_NAME].value == "en"
    entry = AuditEntry.objects.get(action=Action.PERSON_CHANGED)
    assert (entry.person_id, entry.data) == (vera.pk, {"fields": ["name", "language"]})


def test_it_writes_nothing_when_nothing_changed(vera: Person, browser: Client) -> None:
    assert browser.post(PAGE, {"name": vera.name, "language": vera.language}).status_code == 302
    assert not AuditEntry.objects.filter(action=Action.PERSON_CHANGED).exists()


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("name", "x" * 121), ("name", "a\x00"), ("language", "tlh")]
)
def test_it_says_what_is_wrong_and_keeps_what_was_typed(vera: Person, browser: Client, field: str, value: str) -> None:
    form = {"name": "Somebody", "language": "es", field: value}
    response = browser.post(PAGE, form)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert response.context["form"]["name"].value() == form["name"]
    assert response.context["user"].name == vera.name
    vera.refresh_from_db()
    assert (vera.name, vera.language) == ("Vera", "pt-br")


def test_it_cannot_be_used_to_become_staff(vera: Person, browser: Client) -> None:
    browser.post(
        PAGE, {"name": "Vera", "language": "en", "is_staff": "on", "email": "root@example.com", "is_superuser": "1"}
    )
    vera.refresh_from_db()
    assert (vera.is_staff, vera.is_superuser, vera.email) == (False, False, "vera@example.com")


def test_it_needs_a_sign_in(vera: Person) -> None:
    for path in (PAGE, DELETION):
        assert Client().post(path, {"name": "X", "language": "en"}).headers["Location"].startswith("/accounts/login/")
    assert Person.objects.filter(pk=vera.pk, name="Vera").exists()


def test_it_deletes_the_account_and_keeps_the_audit_log(
    vera: Person, acme: Org, browser: Client, sign_in: SignIn
) -> None:
    elsewhere = sign_in(vera)
    assert browser.get(DELETION).status_code == 200
    assert browser.post(DELETION).headers["Location"] == "/accounts/login/"
    assert not Person.objects.filter(email="vera@example.com").exists()
    assert not acme.memberships.filter(role=Role.VIEWER).exists()
    assert elsewhere.get("/o/acme/").headers["Location"].startswith("/accounts/login/")
    assert sign_in_by_form(Client(), vera) == ""
    entries = AuditEntry.objects.filter(person_id=vera.pk).values_list("action", "actor")
    assert (Action.PERSON_DELETED, "vera@example.com") in entries
    assert (Action.MEMBERSHIP_LEFT, "vera@example.com") in entries
    assert last_mail("vera@example.com").kind == "orgs/mail/account_deleted"


def test_it_ends_the_sessions(vera: Person, browser: Client) -> None:
    key = browser.session.session_key
    browser.post(DELETION)
    assert not Session.objects.filter(session_key=key).exists()


def test_it_takes_back_what_the_person_offered(vera: Person, acme: Org, browser: Client) -> None:
    """No role outlives its giver's, as when somebody leaves one org."""
    Membership.objects.filter(org=acme, person=vera).update(role=Role.ADMIN)
    offered = InvitationFactory(org=acme, invited_by=vera, role=Role.ADMIN)
    others = InvitationFactory(org=acme, invited_by=None)
    browser.post(DELETION)
    assert list(Invitation.objects.open()) == [others]
    assert Invitation.objects.get(pk=offered.pk).revoked_at


def test_it_asks_who_it_is_first(vera: Person, sign_in: SignIn) -> None:
    stale = sign_in(vera)
    assert "reauthenticate" in stale.post(DELETION).headers["Location"]
    assert Person.objects.filter(pk=vera.pk).exists()


def test_it_keeps_the_only_owner(ana: Person, acme: Org) -> None:
    client = Client()
    sign_in_by_form(client, ana)
    prove(client)
    page = client.get(DELETION)
    assert page.context["orphaned"] == [acme]
    response = client.post(DELETION)
    assert response.status_code == 409
    assert "Acme" in response.text
    assert Membership.objects.filter(person=ana, role=Role.OWNER).exists()
    assert not AuditEntry.objects.filter(action=Action.PERSON_DELETED).exists()


def test_it_lets_an_owner_go_who_is_not_the_only_one(ana: Person, davi: Person, acme: Org) -> None:
    Membership.objects.filter(org=acme, person=davi).update(role=Role.OWNER)
    client = Client()
    sign_in_by_form(client, ana)
    prove(client)
    assert client.post(DELETION).status_code == 302
    assert list(acme.memberships.owners().values_list("person__email", flat=True)) == ["davi@example.com"]


def test_it_keeps_support_staff(vera: Person, browser: Client) -> None:
    Person.objects.filter(pk=vera.pk).update(is_staff=True)
    assert browser.post(DELETION).status_code == 409
    assert Person.objects.filter(pk=vera.pk).exists()


def test_it_keeps_an_owner_when_both_go_at_once(committed: None, rf: object) -> None:
    acme = Org.objects.get(slug="acme")
    Membership.objects.filter(org=acme, person__email="davi@example.com").update(role=Role.OWNER)
    people = list(Person.objects.filter(email__in=["ana@example.com", "davi@example.com"]))
    barrier = threading.Barrier(2)
    answers: list[str] = []

    def leave(person: Person) -> None:
        try:
            barrier.wait()
            delete_account(person, request=rf.get("/"))  # type: ignore[attr-defined]
            answers.append("gone")
        except Refused as refused:
            answers.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["gone", "sole_owner"]
    assert acme.memberships.owners().count() == 1
