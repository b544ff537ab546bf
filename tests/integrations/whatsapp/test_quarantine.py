"""Quarantine: kept whole for 30 days in its org, and put back once somebody can read it."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from integrations import quarantine, tasks
from integrations.models import KEPT_FOR, Quarantine
from orgs.context import in_org
from orgs.models import AuditEntry, Due, Org, Received
from tests.integrations.whatsapp.arrivals import make_number, raw, text
from tests.orgs.work.test_due_races import at_once

Reason = Quarantine.Reason


def keep(body: bytes, reason: Reason = Reason.UNREADABLE, *, size: int | None = None) -> Quarantine:
    return Quarantine.objects.keep(1, body, reason=reason, size=size, context={"request_id": "r1"})


def test_any_bytes_are_kept_as_they_came(in_acme: Org) -> None:
    body = bytes(range(256)) * 3
    pk = keep(body).pk
    one = Quarantine.objects.get(pk=pk)
    assert (bytes(one.body), one.size, one.is_whole, one.can_replay) == (body, 768, True, False)


def test_after_thirty_days_it_goes(acme: Org, globex: Org) -> None:
    now = timezone.now()
    for org in (acme, globex):
        with in_org(org):
            keep(b"young")
            Quarantine.objects.filter(pk=keep(b"old").pk).update(received_at=now - KEPT_FOR - timedelta(seconds=1))
    assert tasks.prune()["quarantine"] == 2
    for org in (acme, globex):
        with in_org(org):
            assert [bytes(one.body) for one in Quarantine.objects.all()] == [b"young"]


def test_a_readable_body_is_queued_again_once_without_its_secrets(acme: Org) -> None:
    address = make_number()
    body = text("M1") | {"apikey": "an-api-key"}
    with in_org(acme):
        one = Quarantine.objects.keep(address.number_id, raw(body), reason=Reason.FAILED, context={"request_id": "r1"})
        assert one.can_replay
    assert quarantine.replay(acme) == quarantine.Replayed(queued=1)
    assert quarantine.replay(acme) == quarantine.Replayed()
    received = Received.objects.get()
    assert (received.org_id, received.address_id, received.number_id) == (acme.pk, address.pk, address.number_id)
    assert received.context == {"request_id": "r1"}
    assert "M1" in received.body
    assert "an-api-key" not in received.body
    assert Due.objects.get().ref == str(received.pk)
    entry = AuditEntry.objects.get(action="quarantine.replayed")
    assert (entry.org_id, entry.data) == (acme.pk, {"queued": 1, "ignored": 0, "refused": 0})


@pytest.mark.parametrize(
    ("body", "size"), [(b"\xff", None), (b"[]", None), (b"{}", 70_000)], ids=["bytes", "list", "cut"]
)
def test_what_is_no_whole_object_stays(acme: Org, body: bytes, size: int | None) -> None:
    address = make_number()
    with in_org(acme):
        one = Quarantine.objects.keep(address.number_id, body, reason=Reason.UNREADABLE, size=size)
        assert not one.can_replay
    assert quarantine.replay(acme) == quarantine.Replayed(refused=int(size is None))
    with in_org(acme):
        assert Quarantine.objects.get().replayed_at is None
    assert not Received.objects.exists()
    assert not Due.objects.exists()
    assert not AuditEntry.objects.filter(action="quarantine.replayed").exists()


def test_one_whose_number_is_gone_stays(acme: Org) -> None:
    with in_org(acme):
        keep(raw(text("M1")), Reason.NUMBER_GONE)
    assert quarantine.replay(acme) == quarantine.Replayed(refused=1)
    assert not Received.objects.exists()


def test_only_the_asked_reason_and_org_are_replayed(acme: Org, globex: Org) -> None:
    for org, number in ((acme, make_number("acme")), (globex, make_number("globex"))):
        with in_org(org):
            Quarantine.objects.keep(number.number_id, raw(text("M1")), reason=Reason.FAILED)
            Quarantine.objects.keep(number.number_id, raw(text("M2")), reason=Reason.UNSTORABLE)
    out = StringIO()
    call_command("replay_quarantine", "--org", "acme", "--reason", "failed", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"queued": 1, "ignored": 0, "refused": 0}
    assert quarantine.counts_of(acme) == {"unstorable": 1}
    assert quarantine.counts_of(globex) == {"failed": 1, "unstorable": 1}
    assert Received.objects.get().org_id == acme.pk


def test_two_replays_at_once_queue_it_once(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    address = make_number()
    with in_org(acme):
        for n in range(20):
            Quarantine.objects.keep(address.number_id, raw(text(f"M{n}")), reason=Reason.FAILED)
    counts = at_once(lambda: quarantine.replay(acme).queued, lambda: quarantine.replay(acme).queued)
    assert sum(counts) == Received.objects.count() == 20  # type: ignore[arg-type]
