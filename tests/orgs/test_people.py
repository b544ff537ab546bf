"""The people of an org: the list, removal, leaving."""

from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from orgs.models import AuditEntry, Mail, Membership, Org, Person, Refused, Role
from tests.factories.orgs import InvitationFactory, MembershipFactory

SignIn = Callable[[Person], Client]
MembershipOf = Callable[[Person], Membership]


@pytest.mark.parametrize("name", ["ana", "davi", "beto", "vera"])
def test_every_member_sees_everybody(request: pytest.FixtureRequest, sign_in: SignIn, name: str) -> None:
    page = sign_in(request.getfixturevalue(name)).get("/o/acme/people/").content.decode()
    for email in ("ana", "davi", "beto", "vera"):
        assert f"{email}@example.com" in page
    assert "carla@example.com" not in page


def test_only_administrators_see_second_factors_and_invitations(
    sign_in: SignIn, acme: Org, davi: Person, vera: Person, beto: Person
) -> None:
    Authenticator.objects.create(user=beto, type=Authenticator.Type.TOTP, data={})
    InvitationFactory(org=acme, email="guest@example.com")
    seen = sign_in(davi).get("/o/acme/people/").content.decode()
    hidden = sign_in(vera).get("/o/acme/people/").content.decode()
    assert seen.count('href="#icon-shield"') == hidden.count('href="#icon-shield"') + 1
    assert "guest@example.com" in seen
    assert "guest@example.com" not in hidden
    assert "<form" not in hidden.split('id="main"')[1].split("</main>")[0]


def test_the_list_is_paged(sign_in: SignIn, acme: Org, vera: Person) -> None:
    for number in range(50):
        MembershipFactory(org=acme, person__name=f"Zoe {number:02}", person__email=f"zoe{number:02}@example.com")
    client = sign_in(vera)
    first, second = (client.get(f"/o/acme/people/?page={page}").content.decode() for page in (1, 2))
    assert ("zoe45@example.com" in first, "zoe46@example.com" in first) == (True, False)
    assert ("zoe45@example.com" in second, "zoe46@example.com" in second) == (False, True)


def test_removing_ends_access_at_once(sign_in: SignIn, davi: Person, beto: Person, membership_of: MembershipOf) -> None:
    browser = sign_in(beto)
    assert browser.get("/o/acme/").status_code == 200
    membership = membership_of(beto)
    answer = sign_in(davi).post(f"/o/acme/people/{membership.pk}/removal/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/people/")
    assert browser.get("/o/acme/").status_code == 404
    assert browser.get("/api/v1/orgs/acme/people/").status_code == 404
    beto.refresh_from_db()
    assert beto.last_org is None
    assert AuditEntry.objects.get(action="membership.removed").data == {"email": "beto@example.com", "role": "sdr"}
    assert Mail.objects.get().kind == "orgs/mail/removal"


def test_removing_withdraws_what_the_member_offered(
    acme: Org, ana: Person, davi: Person, membership_of: MembershipOf
) -> None:
    offered = InvitationFactory(org=acme, invited_by=davi)
    membership_of(davi).remove(by=membership_of(ana))
    offered.refresh_from_db()
    assert offered.problem == "revoked"


@pytest.mark.parametrize(
    ("actor", "member", "code"),
    [("beto", "vera", "role_too_low"), ("davi", "ana", "above_own_role"), ("ana", "ana", "yourself")],
)
def test_removing_is_refused(
    request: pytest.FixtureRequest, membership_of: MembershipOf, actor: str, member: str, code: str
) -> None:
    by, whom = (membership_of(request.getfixturevalue(name)) for name in (actor, member))
    with pytest.raises(Refused) as refused:
        whom.remove(by=by)
    assert refused.value.code == code
    assert Membership.objects.filter(pk=whom.pk).exists()
    assert not AuditEntry.objects.exists()


def test_removing_asks_first(sign_in: SignIn, davi: Person, beto: Person, membership_of: MembershipOf) -> None:
    membership = membership_of(beto)
    page = sign_in(davi).get(f"/o/acme/people/{membership.pk}/removal/")
    assert page.status_code == 200
    assert 'method="post"' in page.content.decode()
    assert Membership.objects.filter(pk=membership.pk).exists()


def test_removing_twice_is_a_friendly_404(
    sign_in: SignIn, davi: Person, beto: Person, membership_of: MembershipOf
) -> None:
    membership = membership_of(beto)
    client = sign_in(davi)
    client.post(f"/o/acme/people/{membership.pk}/removal/")
    assert client.post(f"/o/acme/people/{membership.pk}/removal/").status_code == 404


@pytest.mark.parametrize("name", ["beto", "vera", "carla"])
def test_removing_is_for_administrators_of_the_org(
    request: pytest.FixtureRequest, sign_in: SignIn, membership_of: MembershipOf, davi: Person, name: str
) -> None:
    membership = membership_of(davi)
    answer = sign_in(request.getfixturevalue(name)).post(f"/o/acme/people/{membership.pk}/removal/")
    assert answer.status_code == (404 if name == "carla" else 403)
    assert Membership.objects.filter(pk=membership.pk).exists()


def test_a_member_leaves(sign_in: SignIn, vera: Person) -> None:
    client = sign_in(vera)
    assert client.get("/o/acme/leave/").status_code == 200
    answer = client.post("/o/acme/leave/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert not Membership.objects.filter(person=vera).exists()
    assert client.get("/o/acme/").status_code == 404
    assert AuditEntry.objects.get(action="membership.left").actor == "vera@example.com"


def test_the_last_owner_does_not_leave(sign_in: SignIn, ana: Person, membership_of: MembershipOf) -> None:
    client = sign_in(ana)
    page = client.get("/o/acme/leave/").content.decode()
    assert "/o/acme/settings/ownership/" in page
    answer = client.post("/o/acme/leave/", follow=True)
    assert answer.redirect_chain == [("/o/acme/leave/", 302)]
    assert membership_of(ana).role == Role.OWNER
    assert not AuditEntry.objects.filter(action="membership.left").exists()


def test_one_of_two_owners_leaves(acme: Org, ana: Person, membership_of: MembershipOf) -> None:
    MembershipFactory(org=acme, role=Role.OWNER)
    membership_of(ana).leave()
    assert acme.memberships.owners().count() == 1
