"""Wanted once or often, a thing is done; whoever lost a row cannot finish it."""

from datetime import timedelta

from django.utils import timezone

from orgs.models import Due, Later, Want
from orgs.models.queue import URGENT

LEASE = timedelta(seconds=15)
WANT = [Want("turn", slots=10, share=10)]


def test_it_is_one_row_however_often_it_is_wanted(db: None) -> None:
    for _ in range(3):
        Due.objects.want(1, "turn", 7)
    assert Due.objects.get().generation == 3


def test_it_is_claimed_when_due_and_not_before(db: None) -> None:
    Due.objects.want(1, "turn", "now")
    Due.objects.want(1, "turn", "later", at=timezone.now() + timedelta(minutes=1))
    assert [row.ref for row in Due.objects.claim(WANT, lease=LEASE)] == ["now"]
    assert Due.objects.claim(WANT, lease=LEASE) == []


def test_finishing_removes_it(db: None) -> None:
    Due.objects.want(1, "turn", 7)
    rows = Due.objects.claim(WANT, lease=LEASE)
    assert Due.objects.finish(rows) == {rows[0].id}
    assert not Due.objects.exists()


def test_news_while_it_is_being_done_is_not_lost(db: None) -> None:
    Due.objects.want(1, "turn", 7)
    rows = Due.objects.claim(WANT, lease=LEASE)
    Due.objects.want(1, "turn", 7)
    assert Due.objects.claim(WANT, lease=LEASE) == [], "an upsert must not touch the lease"
    assert Due.objects.finish(rows) == {rows[0].id}
    again = Due.objects.claim(WANT, lease=LEASE)
    assert [(row.ref, row.generation, row.attempts) for row in again] == [("7", 2, 1)]


def test_whoever_lost_the_lease_finishes_nothing(db: None) -> None:
    Due.objects.want(1, "turn", 7)
    lost = Due.objects.claim(WANT, lease=-LEASE)
    held = Due.objects.claim(WANT, lease=LEASE)
    assert Due.objects.renew(lost, lease=LEASE) == set()
    assert Due.objects.finish(lost) == set()
    assert not Due.objects.retry(lost[0], at=timezone.now(), error="late")
    assert not Due.objects.bury(lost[0], reason="late")
    Due.objects.release(lost)
    assert Due.objects.renew(held, lease=LEASE) == {held[0].id}


def test_batching_pushes_it_no_further_than_its_cap(db: None) -> None:
    start = timezone.now()
    for seconds in (8, 20, 60):
        Due.objects.want(1, "turn", 7, at=start + timedelta(seconds=seconds), no_later_than=timedelta(seconds=24))
    row = Due.objects.get()
    assert abs((row.due_at - row.wanted_since) - timedelta(seconds=24)) < timedelta(milliseconds=1)


def test_urgent_rows_go_first(db: None) -> None:
    Due.objects.want(1, "turn", "plain", at=timezone.now() - timedelta(minutes=1))
    Due.objects.want(1, "turn", "urgent", priority=URGENT)
    rows = Due.objects.claim([Want("turn", slots=1, share=1)], lease=LEASE)
    assert [row.ref for row in rows] == ["urgent"]


def test_an_org_never_has_more_in_work_than_its_share(db: None) -> None:
    for number in range(10):
        Due.objects.want(1, "turn", number)
    want = [Want("turn", slots=8, share=3)]
    assert len(Due.objects.claim(want, lease=LEASE)) == 3
    assert Due.objects.claim(want, lease=LEASE) == []


def test_a_busy_org_does_not_hide_another(db: None) -> None:
    past = timezone.now() - timedelta(hours=1)
    Due.objects.bulk_create([
        Due(org_id=5, kind="turn", ref=str(number), due_at=past, wanted_since=past) for number in range(10_000)
    ])  # fmt: skip
    for org in (1, 9):
        Due.objects.want(org, "turn", "one")
    for after in (0, 5, 9, 100):
        rows = Due.objects.claim([Want("turn", slots=12, share=10)], lease=LEASE, after_org=after)
        assert {1, 9} <= {row.org_id for row in rows}
        Due.objects.release(rows)


def test_kinds_have_their_own_slots(db: None) -> None:
    for kind in ("turn", "send"):
        for number in range(4):
            Due.objects.want(number, kind, number)
    rows = Due.objects.claim([Want("turn", slots=1, share=5), Want("send", slots=3, share=5)], lease=LEASE)
    assert sorted(row.kind for row in rows) == ["send", "send", "send", "turn"]


def test_a_dead_letter_waits_for_replay_or_news(db: None) -> None:
    Due.objects.want(1, "send", 7)
    (row,) = Due.objects.claim([Want("send", 5, 5)], lease=LEASE)
    assert Due.objects.bury(row, reason="The number is not on WhatsApp.")
    assert Due.objects.claim([Want("send", 5, 5)], lease=LEASE) == []
    assert Due.objects.dead().get().last_error == "The number is not on WhatsApp."
    assert Due.objects.all().replay() == 1
    (row,) = Due.objects.claim([Want("send", 5, 5)], lease=LEASE)
    assert row.attempts == 1
    Due.objects.bury(row, reason="again")
    Due.objects.want(1, "send", 7)
    assert [again.ref for again in Due.objects.claim([Want("send", 5, 5)], lease=LEASE)] == ["7"]


def test_a_retry_keeps_what_was_wanted_meanwhile(db: None) -> None:
    Due.objects.want(1, "send", 7)
    (row,) = Due.objects.claim([Want("send", 5, 5)], lease=LEASE)
    Due.objects.want(1, "send", 7)
    assert Due.objects.retry(row, at=timezone.now() + timedelta(hours=1), error="503")
    assert [again.ref for again in Due.objects.claim([Want("send", 5, 5)], lease=LEASE)] == ["7"]


def test_a_lease_that_was_lost_is_counted_apart_and_one_given_back_is_not(db: None) -> None:
    Due.objects.want(1, "turn", 7)
    want, over = [Want("turn", 1, 1)], timedelta(seconds=-1)
    seen = []
    for lease in (over, over, LEASE):
        (row,) = Due.objects.claim(want, lease=lease)
        seen.append((row.attempts, row.losses))
    Due.objects.retry(row, at=timezone.now(), error="Busy.")
    (row,) = Due.objects.claim(want, lease=LEASE)
    seen.append((row.attempts, row.losses))
    Due.objects.release([row])
    (row,) = Due.objects.claim(want, lease=LEASE)
    seen.append((row.attempts, row.losses))
    assert seen == [(1, 0), (2, 1), (3, 2), (4, 2), (4, 2)]
    Due.objects.bury(row, reason="No.")
    Due.objects.all().replay()
    (row,) = Due.objects.claim(want, lease=LEASE)
    assert (row.attempts, row.losses) == (1, 0)


def test_lost_leases_do_not_follow_a_row_into_later(db: None) -> None:
    Due.objects.want(1, "turn", 7)
    want = [Want("turn", 1, 1)]
    for _ in range(3):
        assert Due.objects.claim(want, lease=timedelta(seconds=-1))
    Due.objects.want(1, "turn", 7, at=timezone.now() + timedelta(hours=3))
    assert not Due.objects.exists()
    assert Later.objects.get().attempts == 1
