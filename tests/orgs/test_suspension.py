"""Suspension: members see why and nothing else works; the other org notices nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from orgs.models import AuditEntry, Membership, Org, Person, Refused

SignIn = Callable[[Person], Client]
MembershipOf = Callable[[Person], Membership]
REASON = "Unpaid since March."


@pytest.mark.parametrize("name", ["ana", "davi", "beto", "vera"])
@pytest.mark.parametrize("path", ["", "people/", "settings/", "settings/deletion/", "rehearsal/"])
def test_every_page_leads_to_the_reason(
    request: pytest.FixtureRequest, sign_in: SignIn, acme: Org, name: str, path: str
) -> None:
    acme.suspend(REASON)
    client = sign_in(request.getfixturevalue(name))
    answer = client.get(f"/o/acme/{path}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/closed/")
    page = client.get("/o/acme/closed/")
    assert page.status_code == 200
    assert REASON in page.content.decode()


@pytest.mark.parametrize(
    "path", ["people/invitations/", "settings/", "settings/deletion/", "settings/deletion/end/", "rehearsal/create/"]
)
def test_nothing_can_be_changed(sign_in: SignIn, acme: Org, ana: Person, path: str) -> None:
    acme.suspend(REASON)
    entries = AuditEntry.objects.count()
    sign_in(ana).post(
        f"/o/acme/{path}", {"email": "guest@example.com", "role": "sdr", "language": "en", "slug": "acme"}
    )
    acme.refresh_from_db()
    assert (acme.status, acme.slug, acme.invitations.count()) == ("suspended", "acme", 0)
    assert AuditEntry.objects.count() == entries


@pytest.mark.parametrize("path", ["", "people/"])
def test_the_api_says_so_in_json(sign_in: SignIn, acme: Org, ana: Person, path: str) -> None:
    acme.suspend(REASON)
    answer = sign_in(ana).get(f"/api/v1/orgs/acme/{path}")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "org_suspended"


def test_strangers_and_the_other_org_notice_nothing(sign_in: SignIn, acme: Org, carla: Person) -> None:
    acme.suspend(REASON)
    client = sign_in(carla)
    assert client.get("/o/globex/").status_code == 200
    assert client.get("/o/acme/").status_code == 404
    assert client.get("/o/acme/closed/").status_code == 404


def test_it_ends_and_is_recorded(sign_in: SignIn, acme: Org, ana: Person) -> None:
    call_command("suspend_org", "acme", "--reason", REASON)
    call_command("suspend_org", "acme", "--lift")
    call_command("suspend_org", "acme", "--lift")
    assert sign_in(ana).get("/o/acme/").status_code == 200
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "data")) == [
        ("org.suspended", "", {"reason": REASON}),
        ("org.unsuspended", "", {}),
    ]
    assert sign_in(ana).get("/o/acme/closed/").headers["Location"] == "/o/acme/"


def test_a_member_may_still_leave(sign_in: SignIn, acme: Org, vera: Person) -> None:
    acme.suspend(REASON)
    client = sign_in(vera)
    assert client.get("/o/acme/leave/").status_code == 200
    assert client.post("/o/acme/leave/").status_code == 302
    assert not Membership.objects.filter(person=vera).exists()


def test_an_owner_does_not_escape_by_deleting_and_restoring(
    acme: Org, ana: Person, membership_of: MembershipOf
) -> None:
    acme.suspend(REASON)
    for verb in (acme.request_deletion, acme.cancel_deletion):
        with pytest.raises(Refused) as refused:
            verb(by=membership_of(ana))
        assert refused.value.code == "suspended"
    acme.refresh_from_db()
    assert acme.status == Org.Status.SUSPENDED


def test_a_deletion_waits_while_suspended_and_goes_on_with_time_to_restore(acme: Org) -> None:
    acme.request_deletion(by=None)
    acme.suspend(REASON)
    Org.objects.filter(pk=acme.pk).update(delete_after=timezone.now() - timedelta(days=1))
    assert not Org.objects.due_for_deletion(timezone.now()).exists()
    acme.unsuspend()
    acme.refresh_from_db()
    assert acme.status == Org.Status.DELETING
    assert acme.delete_after is not None
    assert acme.delete_after > timezone.now() + timedelta(days=6)


def test_the_command_says_when_there_is_no_such_org(db: None) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        call_command("suspend_org", "nowhere", "--lift")
