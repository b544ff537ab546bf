"""Accepting an invitation: as somebody new, signed in, signed out, somebody else; and links that do not work."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test import Client
from django.utils import timezone

from orgs.models import AuditEntry, Invitation, Membership, Org, Person, Refused, Role
from tests.cast import PASSWORD
from tests.factories.orgs import InvitationFactory, PersonFactory

SignIn = Callable[[Person], Client]
MembershipOf = Callable[[Person], Membership]
TOKEN = "t" * 43
LINK = f"/invitations/{TOKEN}/"
NEW_PERSON = {"name": "  Gil   Novo ", "password1": "girassol-azul-42"}


@pytest.fixture
def invitation(acme: Org, ana: Person) -> Invitation:
    invited: Invitation = InvitationFactory(
        org=acme, email="gil@example.com", role=Role.ADMIN, invited_by=ana, token=TOKEN
    )
    return invited


@pytest.fixture
def gil(db: None) -> Person:
    """Has an account with the invited address, and no org."""
    person: Person = PersonFactory(email="gil@example.com", name="Gil")
    return person


def members(org: Org) -> int:
    return Membership.objects.filter(org=org).count()


# --- Somebody new ----------------------------------------------------------------------------------------------------
def test_somebody_new_signs_up_and_is_in(invitation: Invitation) -> None:
    browser = Client()
    page = browser.get(LINK).content.decode()
    assert 'value="gil@example.com"' in page
    answer = browser.post(f"{LINK}signup/", NEW_PERSON)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/")
    assert browser.get("/o/acme/people/").status_code == 200
    person = Person.objects.get(email="gil@example.com")
    assert person.name == "Gil Novo"
    assert person.check_password(NEW_PERSON["password1"])
    assert Membership.objects.get(person=person).role == Role.ADMIN
    assert EmailAddress.objects.get(user=person).verified
    assert AuditEntry.objects.get(action="invitation.accepted").actor == "gil@example.com"


def test_the_address_is_the_invitations_whatever_is_posted(invitation: Invitation) -> None:
    Client().post(f"{LINK}signup/", {**NEW_PERSON, "email": "attacker@example.com"})
    assert not Person.objects.filter(email="attacker@example.com").exists()
    assert Person.objects.filter(email="gil@example.com").exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({**NEW_PERSON, "name": ""}, "name"),
        ({**NEW_PERSON, "name": "x" * 121}, "name"),
        ({**NEW_PERSON, "password1": "2short"}, "password1"),
        ({**NEW_PERSON, "password1": "gil@example.com"}, "password1"),
        ({}, "name"),
    ],
)
def test_a_bad_sign_up_says_why_and_makes_nothing(invitation: Invitation, given: dict[str, str], field: str) -> None:
    browser = Client()
    answer = browser.post(f"{LINK}signup/", given)
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert given.get("password1", "too-short") not in answer.content.decode().replace("gil@example.com", "")
    assert not Person.objects.filter(email="gil@example.com").exists()
    invitation.refresh_from_db()
    assert invitation.problem == ""


def test_signing_up_twice_makes_one_person(invitation: Invitation) -> None:
    assert Client().post(f"{LINK}signup/", NEW_PERSON).status_code == 302
    assert Client().post(f"{LINK}signup/", NEW_PERSON).status_code == 410
    assert Person.objects.filter(email="gil@example.com").count() == 1


def test_an_account_made_meanwhile_is_not_overwritten(invitation: Invitation, gil: Person, acme: Org) -> None:
    answer = Client().post(f"{LINK}signup/", NEW_PERSON)
    assert (answer.status_code, answer.headers["Location"]) == (302, LINK)
    gil.refresh_from_db()
    assert gil.check_password(PASSWORD)
    assert members(acme) == 4


# --- Somebody we know ------------------------------------------------------------------------------------------------
def test_somebody_signed_out_signs_in_and_joins(invitation: Invitation, gil: Person) -> None:
    browser = Client()
    page = browser.get(LINK).content.decode()
    sign_in_url = f"/accounts/login/?next=%2Finvitations%2F{TOKEN}%2F"
    assert sign_in_url in page
    answer = browser.post(sign_in_url, {"login": gil.email, "password": PASSWORD, "next": LINK})
    assert answer.headers["Location"] == LINK
    assert browser.get(LINK).status_code == 200
    assert browser.post(LINK).headers["Location"] == "/o/acme/"
    assert Membership.objects.get(person=gil).role == Role.ADMIN


def test_looking_does_not_accept(sign_in: SignIn, invitation: Invitation, gil: Person, acme: Org) -> None:
    assert sign_in(gil).get(LINK).status_code == 200
    assert members(acme) == 4


def test_somebody_else_is_told_and_may_switch(
    sign_in: SignIn, invitation: Invitation, carla: Person, acme: Org
) -> None:
    browser = sign_in(carla)
    page = browser.get(LINK)
    assert page.status_code == 409
    assert "gil@example.com" in page.content.decode()
    assert browser.post(LINK).status_code == 409
    assert members(acme) == 4
    answer = browser.post("/accounts/logout/", {"next": LINK})
    assert answer.headers["Location"] == LINK
    assert 'name="password1"' in browser.get(LINK).content.decode()


def test_a_member_keeps_the_role_they_have(
    sign_in: SignIn, acme: Org, ana: Person, membership_of: MembershipOf
) -> None:
    InvitationFactory(org=acme, email=ana.email, role=Role.VIEWER, token=TOKEN)
    assert sign_in(ana).post(LINK).headers["Location"] == "/o/acme/"
    assert membership_of(ana).role == Role.OWNER
    assert Invitation.objects.get().problem == "used"


def test_accepting_again_leads_home(sign_in: SignIn, invitation: Invitation, gil: Person, acme: Org) -> None:
    browser = sign_in(gil)
    browser.post(LINK)
    for answer in (browser.get(LINK), browser.post(LINK)):
        assert answer.headers["Location"] == "/o/acme/"
    assert members(acme) == 5


def test_a_confirmed_address_joins_without_the_link(sign_in: SignIn, invitation: Invitation, gil: Person) -> None:
    browser = sign_in(gil)
    path = f"/invitations/mine/{invitation.pk}/"
    assert browser.get(path).status_code == 200
    assert browser.post(path).headers["Location"] == "/o/acme/"
    assert Membership.objects.get(person=gil).role == Role.ADMIN


def test_an_unconfirmed_address_does_not(sign_in: SignIn, invitation: Invitation, gil: Person, acme: Org) -> None:
    EmailAddress.objects.filter(user=gil).update(verified=False)
    assert sign_in(gil).post(f"/invitations/mine/{invitation.pk}/").status_code == 404
    assert members(acme) == 4


def test_nobody_elses_invitation_can_be_guessed(sign_in: SignIn, invitation: Invitation, carla: Person) -> None:
    assert sign_in(carla).get(f"/invitations/mine/{invitation.pk}/").status_code == 404
    assert Client().get(f"/invitations/mine/{invitation.pk}/").status_code == 302


# --- Links that do not work ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("token", ["x", "u" * 43, "..%2F", "%00", "ã"])
def test_an_unknown_link_is_a_clear_404(db: None, token: str) -> None:
    answer = Client().get(f"/invitations/{token}/", headers={"accept-language": "en"})
    assert answer.status_code == 404
    assert Client().post(f"/invitations/{token}/signup/", NEW_PERSON).status_code == 404


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expired"),
        ({"revoked_at": timezone.now()}, "revoked"),
        ({"accepted_at": timezone.now()}, "used"),
    ],
)
def test_a_dead_link_says_why_and_lets_nobody_in(
    sign_in: SignIn, invitation: Invitation, acme: Org, change: dict[str, object], problem: str
) -> None:
    Invitation.objects.filter(pk=invitation.pk).update(**change)
    browser = Client()
    answers = [browser.get(LINK), browser.post(f"{LINK}signup/", NEW_PERSON)]
    assert not Person.objects.filter(email="gil@example.com").exists()
    gil = PersonFactory(email="gil@example.com")
    answers += [browser.get(LINK), sign_in(gil).get(LINK), sign_in(gil).post(LINK)]
    assert [answer.status_code for answer in answers] == [410] * 5
    assert len({answer.content.decode().split("<h1>")[1].split("</h1>")[0] for answer in answers}) == 1
    with pytest.raises(Refused) as refused:
        invitation.accept(gil)
    assert refused.value.code == problem
    assert members(acme) == 4


@pytest.mark.parametrize("status", ["suspended", "deleting"])
def test_nobody_joins_a_closed_org(
    sign_in: SignIn, invitation: Invitation, gil: Person, acme: Org, status: str
) -> None:
    Org.objects.filter(pk=acme.pk).update(status=status, delete_after=timezone.now())
    browser = sign_in(gil)
    assert browser.get(LINK).status_code == 410
    assert browser.post(LINK).status_code == 410
    assert browser.post(f"/invitations/mine/{invitation.pk}/").status_code == 404
    assert members(acme) == 4


# --- At the same moment ----------------------------------------------------------------------------------------------
def test_accepting_twice_at_once_makes_one_membership(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    person = PersonFactory(email="gil@example.com")
    invitation = InvitationFactory(org=acme, email=person.email, token=TOKEN)
    barrier = threading.Barrier(8)

    def accept(_: int) -> int:
        try:
            connection.ensure_connection()
            barrier.wait(20)
            return int(Invitation.objects.get(pk=invitation.pk).accept(person).pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(accept, range(8)))
    assert made == {Membership.objects.get(person=person).pk}
    assert AuditEntry.objects.filter(action="invitation.accepted").count() == 1


def test_signing_up_twice_at_once_makes_one_person(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    InvitationFactory(org=acme, email="gil@example.com", token=TOKEN)
    barrier = threading.Barrier(2)

    def sign_up(_: int) -> int:
        try:
            connection.ensure_connection()
            barrier.wait(20)
            return int(Client().post(f"{LINK}signup/", NEW_PERSON).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(sign_up, range(2)))
    assert set(statuses) <= {302, 410}
    assert Person.objects.filter(email="gil@example.com").count() == 1
    assert members(acme) == 5
