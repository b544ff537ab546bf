"""Who may give which role, and that nobody gets above themself."""

from collections.abc import Callable

import pytest
from django.test import Client

from orgs.models import AuditEntry, Mail, Membership, Org, Person, Refused, Role
from tests.factories.orgs import InvitationFactory, MembershipFactory

SignIn = Callable[[Person], Client]
MembershipOf = Callable[[Person], Membership]


def test_it_changes_a_role_records_it_and_tells_the_member(
    beto: Person, ana: Person, membership_of: MembershipOf
) -> None:
    membership = membership_of(beto)
    membership.change_role(Role.ADMIN, by=membership_of(ana))
    membership.refresh_from_db()
    assert membership.role == Role.ADMIN
    entry = AuditEntry.objects.get(action="membership.role_changed")
    assert (entry.actor, entry.target) == ("ana@example.com", f"membership:{membership.pk}")
    assert entry.data == {"email": "beto@example.com", "from": "sdr", "to": "admin"}
    mail = Mail.objects.get()
    assert (mail.to, mail.kind) == ("beto@example.com", "orgs/mail/role_changed")


def test_it_does_nothing_when_the_role_stays(beto: Person, ana: Person, membership_of: MembershipOf) -> None:
    membership_of(beto).change_role(Role.SDR, by=membership_of(ana))
    assert not AuditEntry.objects.exists()
    assert not Mail.objects.exists()


@pytest.mark.parametrize(
    ("actor", "member", "to", "code"),
    [
        ("beto", "vera", "sdr", "role_too_low"),
        ("vera", "vera", "owner", "role_too_low"),
        ("davi", "beto", "owner", "above_own_role"),
        ("davi", "davi", "owner", "above_own_role"),
        ("davi", "ana", "viewer", "above_own_role"),
        ("ana", "ana", "admin", "last_owner"),
    ],
)
def test_it_refuses(
    request: pytest.FixtureRequest, membership_of: MembershipOf, actor: str, member: str, to: str, code: str
) -> None:
    by, whom = (membership_of(request.getfixturevalue(name)) for name in (actor, member))
    before = whom.role
    with pytest.raises(Refused) as refused:
        whom.change_role(to, by=by)
    assert refused.value.code == code
    whom.refresh_from_db()
    assert whom.role == before
    assert not AuditEntry.objects.exists()
    assert not Mail.objects.exists()


def test_it_reads_the_actors_role_anew(davi: Person, beto: Person, membership_of: MembershipOf) -> None:
    stale = membership_of(davi)
    Membership.objects.filter(pk=stale.pk).update(role=Role.VIEWER)
    with pytest.raises(Refused) as refused:
        membership_of(beto).change_role(Role.ADMIN, by=stale)
    assert refused.value.code == "role_too_low"
    assert membership_of(beto).role == Role.SDR


def test_it_withdraws_invitations_a_demoted_member_could_not_send(
    acme: Org, ana: Person, davi: Person, membership_of: MembershipOf
) -> None:
    offered = InvitationFactory(org=acme, invited_by=davi)
    other = InvitationFactory(org=acme, invited_by=ana)
    membership_of(davi).change_role(Role.SDR, by=membership_of(ana))
    offered.refresh_from_db()
    other.refresh_from_db()
    assert (offered.problem, other.problem) == ("revoked", "")


def test_an_owner_changes_a_role_on_the_page(
    sign_in: SignIn, ana: Person, beto: Person, membership_of: MembershipOf
) -> None:
    membership = membership_of(beto)
    client = sign_in(ana)
    page = client.get(f"/o/acme/people/{membership.pk}/role/")
    assert page.status_code == 200
    answer = client.post(f"/o/acme/people/{membership.pk}/role/", {"role": "viewer"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/people/")
    assert membership_of(beto).role == Role.VIEWER


def test_the_page_offers_no_role_above_ones_own(
    sign_in: SignIn, davi: Person, beto: Person, membership_of: MembershipOf
) -> None:
    membership = membership_of(beto)
    answer = sign_in(davi).post(f"/o/acme/people/{membership.pk}/role/", {"role": "owner"})
    assert answer.status_code == 422
    assert membership_of(beto).role == Role.SDR


def test_the_page_says_that_an_org_needs_an_owner(sign_in: SignIn, ana: Person, membership_of: MembershipOf) -> None:
    membership = membership_of(ana)
    answer = sign_in(ana).post(f"/o/acme/people/{membership.pk}/role/", {"role": "admin"})
    assert answer.status_code == 422
    assert 'id="id_role_error"' in answer.content.decode()
    assert membership_of(ana).role == Role.OWNER


@pytest.mark.parametrize("name", ["beto", "vera"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_the_page_is_for_administrators(
    request: pytest.FixtureRequest, sign_in: SignIn, membership_of: MembershipOf, name: str, method: str
) -> None:
    person = request.getfixturevalue(name)
    membership = membership_of(person)
    answer = getattr(sign_in(person), method)(f"/o/acme/people/{membership.pk}/role/", {"role": "admin"})
    assert answer.status_code == 403
    assert membership_of(person).role == membership.role


def test_the_page_hides_members_of_other_orgs(
    sign_in: SignIn, ana: Person, carla: Person, membership_of: MembershipOf
) -> None:
    theirs = membership_of(carla)
    assert sign_in(ana).post(f"/o/acme/people/{theirs.pk}/role/", {"role": "viewer"}).status_code == 404
    assert sign_in(carla).post(f"/o/acme/people/{membership_of(ana).pk}/role/", {"role": "viewer"}).status_code == 404
    assert (membership_of(carla).role, membership_of(ana).role) == (Role.OWNER, Role.OWNER)


def test_a_member_of_another_org_is_no_actor(
    acme: Org, ana: Person, carla: Person, membership_of: MembershipOf
) -> None:
    second = MembershipFactory(org=acme)
    with pytest.raises(Refused) as refused:
        second.change_role(Role.VIEWER, by=membership_of(carla))
    assert refused.value.code == "not_a_member"
