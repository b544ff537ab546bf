"""An org always has an owner: handing over, and two owners acting at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from orgs.models import AuditEntry, Mail, Membership, Org, Person, Refused, Role
from tests.factories.orgs import MembershipFactory

SignIn = Callable[[Person], Client]
MembershipOf = Callable[[Person], Membership]
TOGETHER_SECONDS = 20


def test_it_hands_over_in_one_step(acme: Org, ana: Person, beto: Person, membership_of: MembershipOf) -> None:
    acme.transfer_ownership(membership_of(beto), by=membership_of(ana))
    assert (membership_of(beto).role, membership_of(ana).role) == (Role.OWNER, Role.ADMIN)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.data) == ("ownership.transferred", ana.email, {"to": beto.email})
    assert Mail.objects.get().to == beto.email


@pytest.mark.parametrize(("by", "to", "code"), [("davi", "davi", "not_owner"), ("ana", "ana", "yourself")])
def test_it_refuses(
    request: pytest.FixtureRequest, acme: Org, membership_of: MembershipOf, by: str, to: str, code: str
) -> None:
    actor, heir = (membership_of(request.getfixturevalue(name)) for name in (by, to))
    with pytest.raises(Refused) as refused:
        acme.transfer_ownership(heir, by=actor)
    assert refused.value.code == code
    assert [row.person.email for row in acme.memberships.owners()] == ["ana@example.com"]


def test_it_does_not_reach_into_another_org(acme: Org, ana: Person, carla: Person, membership_of: MembershipOf) -> None:
    with pytest.raises(Refused) as refused:
        acme.transfer_ownership(membership_of(carla), by=membership_of(ana))
    assert refused.value.code == "member_gone"
    assert membership_of(ana).role == Role.OWNER


def test_the_page_hands_over(sign_in: SignIn, ana: Person, davi: Person, membership_of: MembershipOf) -> None:
    client = sign_in(ana)
    assert "carla@example.com" not in client.get("/o/acme/settings/ownership/").content.decode()
    answer = client.post("/o/acme/settings/ownership/", {"member": membership_of(davi).pk})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/people/")
    assert membership_of(davi).role == Role.OWNER


def test_the_page_refuses_a_stranger(sign_in: SignIn, ana: Person, carla: Person, membership_of: MembershipOf) -> None:
    answer = sign_in(ana).post("/o/acme/settings/ownership/", {"member": membership_of(carla).pk})
    assert answer.status_code == 422
    assert membership_of(ana).role == Role.OWNER


@pytest.mark.parametrize("name", ["davi", "beto", "vera"])
def test_the_page_is_for_owners(
    request: pytest.FixtureRequest, sign_in: SignIn, membership_of: MembershipOf, name: str
) -> None:
    person = request.getfixturevalue(name)
    answer = sign_in(person).post("/o/acme/settings/ownership/", {"member": membership_of(person).pk})
    assert answer.status_code == 403
    assert Membership.objects.owners().filter(org__slug="acme").count() == 1


def test_the_database_insists_on_an_owner(ana: Person, membership_of: MembershipOf) -> None:
    with pytest.raises(IntegrityError, match="would lose its last owner"), transaction.atomic():
        Membership.objects.filter(pk=membership_of(ana).pk).update(role=Role.ADMIN)
        connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert membership_of(ana).role == Role.OWNER


# --- At the same moment, on two connections --------------------------------------------------------------------------
def test_two_owners_who_demote_each_other_leave_one(committed: None) -> None:
    ana, dora = two_owners()
    outcomes = at_once(lambda: dora.change_role(Role.ADMIN, by=ana), lambda: ana.change_role(Role.ADMIN, by=dora))
    assert sorted(outcomes) == ["above_own_role", "done"]
    assert owners() == 1


def test_two_owners_who_demote_themselves_leave_one(committed: None) -> None:
    ana, dora = two_owners()
    outcomes = at_once(lambda: ana.change_role(Role.ADMIN, by=ana), lambda: dora.change_role(Role.ADMIN, by=dora))
    assert sorted(outcomes) == ["done", "last_owner"]
    assert owners() == 1


def test_two_owners_who_leave_leave_one(committed: None) -> None:
    ana, dora = two_owners()
    assert sorted(at_once(ana.leave, dora.leave)) == ["done", "last_owner"]
    assert owners() == 1


def test_two_owners_who_remove_each_other_leave_one(committed: None) -> None:
    ana, dora = two_owners()
    outcomes = at_once(lambda: dora.remove(by=ana), lambda: ana.remove(by=dora))
    assert sorted(outcomes) == ["done", "not_a_member"]
    assert owners() == 1


def test_the_database_refuses_the_second_of_two_that_bypass_the_verbs(committed: None) -> None:
    ana, dora = two_owners()
    barrier = threading.Barrier(2)

    def demote(membership: Membership) -> None:
        with transaction.atomic():
            Membership.objects.filter(pk=membership.pk).update(role=Role.ADMIN)
            barrier.wait(TOGETHER_SECONDS)  # both have written, neither has committed

    outcomes = at_once(lambda: demote(ana), lambda: demote(dora))
    assert sorted(outcomes) == ["IntegrityError", "done"]
    assert owners() == 1


def two_owners() -> tuple[Membership, Membership]:
    """Ana's membership of Acme and that of a second owner, committed."""
    acme = Org.objects.get(slug="acme")
    MembershipFactory(org=acme, role=Role.OWNER)
    first, second = acme.memberships.owners().select_related("org", "person").order_by("pk")
    return first, second


def owners() -> int:
    return Membership.objects.owners().filter(org__slug="acme").count()


def at_once(*acts: Callable[[], object]) -> list[str]:
    """Each act on its own thread and connection, started together; what came of each: done, the code, or the error."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> str:
        try:
            connection.ensure_connection()
            barrier.wait(TOGETHER_SECONDS)
            act()
        except Refused as refused:
            return refused.code
        except IntegrityError as error:
            return type(error).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))
