"""Staff see how the queues stand and bring back what was given up; each time is recorded."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from orgs import backlog, staffing
from orgs.models import AuditEntry, Due, Later, Org, Person
from orgs.staffing import StaffRole
from sdr.lib.metrics import GAUGES
from tests.cast import make_person
from tests.orgs.test_staff import prove

LIST = "/staff/orgs/due/"


@pytest.fixture
def rows(acme: Org, globex: Org) -> None:
    """Two dead turns of acme, one of globex, a dead send, one that is overdue, one far ahead."""
    now = timezone.now()
    for org, kind, ref in ((acme, "turn", 1), (acme, "turn", 2), (globex, "turn", 1), (acme, "send", 1)):
        Due.objects.want(org.pk, kind, ref)
    Due.objects.update(dead_at=now, attempts=8, last_error="The model is busy.")
    Due.objects.want(acme.pk, "turn", 3, at=now - timedelta(seconds=90))
    Due.objects.want(acme.pk, "turn", 4, at=now + timedelta(days=1))


@pytest.fixture
def sign_in_as(db: None, sign_in: Callable[[Person], Client]) -> Callable[[StaffRole], Client]:
    def make(role: StaffRole) -> Client:
        person = make_person("sofia", is_staff=True)
        staffing.grant(person, role)
        TOTP.activate(person, generate_totp_secret())
        return prove(sign_in(person), person)

    return make


def command(*words: str) -> Any:
    out = StringIO()
    call_command("queue", *words, stdout=out)
    return json.loads(out.getvalue()) if "--json" in words else out.getvalue()


def dead() -> set[tuple[str, str]]:
    return set(Due.objects.dead().values_list("kind", "ref"))


def pick(client: Client, action: str, *rows: Due) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


def test_the_figures_are_by_kind(rows: None) -> None:
    turn = next(kind for kind in backlog.state().kinds if kind.kind == "turn")
    assert (turn.due, turn.dead, turn.later, turn.leased, turn.ahead) == (1, 3, 1, 0, 0)
    assert 89 < turn.oldest_seconds < 120


def test_the_figures_are_metrics(rows: None) -> None:
    backlog.measure()
    assert GAUGES["queue_rows"].labels(queue="dead", kind="turn")._value.get() == 3
    assert GAUGES["queue_oldest_seconds"].labels(kind="turn")._value.get() > 89


def test_staff_see_figures_dead_letters_and_counted_invariants(
    rows: None, sign_in_as: Callable[[StaffRole], Client]
) -> None:
    backlog.note_invariants({"queued_without_send": 3})
    client = sign_in_as(StaffRole.SUPPORT)
    page = client.get(f"{LIST}overview/").content.decode()
    assert "queued_without_send" in page
    page = client.get(f"{LIST}?dead=yes").content.decode()
    assert page.count("The model is busy.") == 4
    assert client.get(f"{LIST}?q=globex").content.decode().count("The model is busy.") == 1
    assert Later.objects.get().ref in client.get("/staff/orgs/later/").content.decode()


def test_a_lead_brings_back_what_was_picked(rows: None, acme: Org, sign_in_as: Callable[[StaffRole], Client]) -> None:
    client = sign_in_as(StaffRole.LEAD)
    pick(client, "replay", Due.objects.get(org_id=acme.pk, ref="1", kind="turn"), Due.objects.get(ref="3"))
    assert dead() == {("turn", "1"), ("turn", "2"), ("send", "1")}
    row = Due.objects.get(org_id=acme.pk, ref="1", kind="turn")
    assert (row.dead_at, row.attempts, row.generation) == (None, 0, 2)
    entry = AuditEntry.objects.get(action="queue.replayed")
    assert (entry.org_id, entry.target, entry.data, entry.actor) == (
        acme.pk, "kind:turn", {"count": 1}, "sofia@example.com",
    )  # fmt: skip


def test_a_lead_brings_back_a_kind_of_all_orgs(rows: None, sign_in_as: Callable[[StaffRole], Client]) -> None:
    pick(sign_in_as(StaffRole.LEAD), "replay_kinds", Due.objects.get(ref="2"))
    assert dead() == {("send", "1")}
    assert AuditEntry.objects.filter(action="queue.replayed").count() == 2, "one for each org"


def test_support_brings_nothing_back(rows: None, sign_in_as: Callable[[StaffRole], Client]) -> None:
    before = dead()
    pick(sign_in_as(StaffRole.SUPPORT), "replay", *Due.objects.dead())
    assert dead() == before
    assert not AuditEntry.objects.filter(action="queue.replayed").exists()


def test_the_command_tells_and_replays(rows: None, acme: Org) -> None:
    status = command("status", "--json")
    assert next(kind for kind in status["kinds"] if kind["kind"] == "turn")["dead"] == 3
    assert "turn" in command("status")
    letters = command("dead", "--org", "acme", "--kind", "turn", "--json")
    assert letters["count"] == 2
    assert {(row["org"], row["reason"]) for row in letters["rows"]} == {("acme", "The model is busy.")}
    assert "acme turn 1 after 8: The model is busy." in command("dead")
    assert command("replay", "--org", "acme", "--kind", "turn", "--json") == {"replayed": 2}
    assert dead() == {("turn", "1"), ("send", "1")}
    assert command("replay", "--org", "acme", "--kind", "turn") == "0 brought back.\n"
    assert AuditEntry.objects.filter(action="queue.replayed").count() == 1


def test_the_command_refuses_orgs_that_do_not_exist(rows: None) -> None:
    before = dead()
    with pytest.raises(CommandError, match="nobody"):
        command("replay", "--org", "nobody")
    assert dead() == before
