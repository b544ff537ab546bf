"""Quarantine: kept whole for 30 days in its org, and put back once somebody can read it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations import tasks
from integrations.models import KEPT_FOR, Quarantine
from orgs.context import in_org
from orgs.models import Due, Org, Received
from tests.integrations.whatsapp.arrivals import make_number, raw, text

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


def test_a_readable_body_can_be_put_back_into_the_queue(acme: Org) -> None:
    address = make_number()
    body = raw(text("M1"))
    with in_org(acme):
        one = Quarantine.objects.keep(address.number_id, body, reason=Reason.FAILED, context={"request_id": "r1"})
        assert one.can_replay
        assert one.replay(address.pk)
        assert Quarantine.objects.get().replayed_at is not None
    received = Received.objects.get()
    assert (received.org_id, received.address_id, received.number_id, received.body.encode()) == (
        acme.pk,
        address.pk,
        address.number_id,
        body,
    )
    assert Due.objects.get().ref == str(received.pk)


@pytest.mark.parametrize(
    ("body", "size"), [(b"\xff", None), (b"[]", None), (b"{}", 70_000)], ids=["bytes", "list", "cut"]
)
def test_what_is_no_whole_object_is_not_put_back(acme: Org, body: bytes, size: int | None) -> None:
    with in_org(acme):
        one = keep(body, size=size)
        assert not one.can_replay
        assert not one.replay(1)
        assert Quarantine.objects.get().replayed_at is None
    assert not Received.objects.exists()
    assert not Due.objects.exists()
