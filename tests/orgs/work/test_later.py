"""What is due in hours waits beside the queue, and is back in it in time."""

import threading
from collections import Counter
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from orgs.models import Due, Later, Want
from orgs.models.queue import CALM, CROWD, LIVE, NEAR, SOON, SPREAD_MOST
from tests.orgs.work.test_due_races import at_once

LEASE = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WANT = [Want("remind", slots=10, share=10)]


def put_away(count: int, *, at: datetime, priority: int = CALM, kind: str = "remind") -> None:
    """Rows in Later, whenever they are due."""
    Later.objects.bulk_create([
        Later(org_id=1, kind=kind, ref=str(n), due_at=at, wanted_since=timezone.now(), priority=priority)
        for n in range(count)
    ])  # fmt: skip


def test_it_waits_in_later_when_it_is_far(db: None) -> None:
    at = timezone.now() + DAY
    Due.objects.want(1, "remind", 7, at=at, priority=CALM, context={"request_id": "r"})
    assert not Due.objects.exists()
    row = Later.objects.get()
    assert (row.org_id, row.kind, row.ref, row.due_at, row.priority, row.context) == (
        1, "remind", "7", at, CALM, {"request_id": "r"},
    )  # fmt: skip


def test_a_newer_wish_replaces_the_time_in_either_direction(db: None) -> None:
    now = timezone.now()
    Due.objects.want(1, "remind", 7, at=now + DAY)
    Due.objects.want(1, "remind", 7, at=now + 2 * DAY)
    assert (Due.objects.count(), Later.objects.get().due_at) == (0, now + 2 * DAY)
    Due.objects.want(1, "remind", 7, at=now + MINUTE)
    assert (Due.objects.get().due_at, Later.objects.count()) == (now + MINUTE, 0)
    Due.objects.want(1, "remind", 7, at=now + DAY)
    assert (Due.objects.count(), Later.objects.get().due_at) == (0, now + DAY)


def test_what_is_being_done_stays_and_is_put_away_when_it_is_done(db: None) -> None:
    Due.objects.want(1, "remind", 7)
    rows = Due.objects.claim(WANT, lease=LEASE)
    at = timezone.now() + DAY
    Due.objects.want(1, "remind", 7, at=at)
    assert Due.objects.renew(rows, lease=LEASE) == {rows[0].id}
    assert Due.objects.move() == 0
    assert Due.objects.finish(rows) == {rows[0].id}
    assert Due.objects.move() == 1
    assert (Due.objects.count(), Later.objects.get().due_at) == (0, at)


def test_a_long_pause_before_the_next_try_keeps_the_tries(db: None) -> None:
    Due.objects.want(1, "remind", 7)
    (row,) = Due.objects.claim(WANT, lease=LEASE)
    Due.objects.retry(row, at=timezone.now() + DAY, error="Closed until tomorrow.")
    assert Due.objects.move() == 1
    assert (Later.objects.get().attempts, Later.objects.get().last_error) == (1, "Closed until tomorrow.")
    Later.objects.update(due_at=timezone.now())
    assert Due.objects.move() == 1
    assert Due.objects.claim(WANT, lease=LEASE)[0].attempts == 2


def test_it_is_back_before_it_is_due(db: None) -> None:
    now = timezone.now()
    Due.objects.want(1, "remind", "far", at=now + NEAR + MINUTE)
    put_away(1, at=now + SOON - MINUTE)
    assert Due.objects.move() == 1
    assert [(row.ref, row.due_at) for row in Due.objects.all()] == [("0", now + SOON - MINUTE)]
    assert [row.ref for row in Later.objects.all()] == ["far"]
    assert Due.objects.move() == 0, "nothing goes to and fro"


def test_a_newer_row_in_due_wins_over_the_one_that_comes_back(db: None) -> None:
    now = timezone.now()
    Due.objects.want(1, "remind", 0, at=now + MINUTE)
    put_away(1, at=now)
    Due.objects.move()
    assert (Due.objects.get().due_at, Due.objects.get().generation, Later.objects.count()) == (now + MINUTE, 1, 0)


def test_a_dead_letter_comes_back_to_life(db: None) -> None:
    Due.objects.want(1, "remind", 0)
    (row,) = Due.objects.claim(WANT, lease=LEASE)
    assert Due.objects.bury(row, reason="No.")
    put_away(1, at=timezone.now())
    Due.objects.move()
    assert (Due.objects.get().dead_at, Due.objects.get().attempts) == (None, 0)


def test_a_crowd_of_one_minute_is_spread_and_the_live_go_first(db: None) -> None:
    nine = timezone.now().replace(second=0, microsecond=0)
    put_away(4 * CROWD, at=nine)
    put_away(CROWD + 1, at=nine, priority=LIVE, kind="turn")
    put_away(CROWD, at=nine, kind="digest")
    while Due.objects.move():
        pass
    minutes = Counter((row.due_at - nine) // MINUTE for row in Due.objects.filter(kind="remind"))
    assert set(minutes) == {0, 1, 2, 3}
    assert max(minutes.values()) < CROWD * 1.3
    for calm in ("turn", "digest"):
        assert set(Due.objects.filter(kind=calm).values_list("due_at", flat=True)) == {nine}


def test_a_huge_crowd_is_late_by_ten_minutes_at_most(db: None) -> None:
    nine = timezone.now().replace(second=0, microsecond=0)
    put_away(CROWD * 12, at=nine)
    while Due.objects.move():
        pass
    times = sorted(Due.objects.values_list("due_at", flat=True))
    assert len(times) == CROWD * 12
    assert nine + SPREAD_MOST * 0.9 < times[-1] <= nine + SPREAD_MOST


def test_cancelling_takes_it_out_of_both(db: None) -> None:
    Due.objects.want(1, "remind", 7, at=timezone.now() + DAY)
    Due.objects.want(1, "remind", 8)
    Due.objects.want(2, "remind", 7)
    assert Due.objects.cancel(1, "remind", 7)
    assert Due.objects.cancel(1, "remind", 8)
    assert not Due.objects.cancel(1, "remind", 8)
    assert (Due.objects.get().org_id, Later.objects.count()) == (2, 0)


def test_what_is_being_done_cannot_be_cancelled(db: None) -> None:
    Due.objects.want(1, "remind", 7)
    rows = Due.objects.claim(WANT, lease=LEASE)
    assert not Due.objects.cancel(1, "remind", 7)
    assert Due.objects.finish(rows) == {rows[0].id}


def test_movers_and_wishes_at_once_lose_nothing_and_double_nothing(committed: None) -> None:
    """Rows go to and fro between the tables on several connections while newer wishes for them come in."""
    keys, rounds = 12, 25
    ended = threading.Event()
    wanted: dict[str, datetime] = {}

    def wish(half: int) -> None:
        for turn in range(rounds):
            for number in range(half, keys, 2):
                far = (turn + number) % 3 > 0
                at = timezone.now() + (DAY if far else SOON / 2) + timedelta(seconds=turn)
                with transaction.atomic():
                    Due.objects.want(1, "remind", number, at=at)
                wanted[str(number)] = at
        if half:
            ended.set()

    def mover() -> None:
        while not ended.is_set():
            Due.objects.move(batch=3)
            with connection.cursor() as cursor:  # what is far comes near all the time
                cursor.execute(
                    "UPDATE orgs_later SET due_at = due_at WHERE id = (SELECT id FROM orgs_later ORDER BY random()"
                    " LIMIT 1 FOR UPDATE SKIP LOCKED)"
                )

    at_once(lambda: wish(0), lambda: wish(1), mover, mover)
    while Due.objects.move():
        pass
    near = dict(Due.objects.values_list("ref", "due_at"))
    far = dict(Later.objects.values_list("ref", "due_at"))
    assert not near.keys() & far.keys()
    assert near | far == wanted


def test_a_wish_beats_the_move_it_meets(committed: None) -> None:
    """The row is on its way back, in a transaction that is still open; the wish neither waits for it nor is undone."""
    for _ in range(40):
        put_away(1, at=timezone.now())
        at = timezone.now() + MINUTE

        def want(at: datetime = at) -> None:
            Due.objects.want(1, "remind", 0, at=at)

        at_once(Due.objects.move, Due.objects.move, want)
        assert (Due.objects.get().due_at, Later.objects.count()) == (at, 0)
        Due.objects.all().delete()


def test_a_cancelled_row_does_not_hide_between_the_tables(committed: None) -> None:
    for _ in range(40):
        put_away(1, at=timezone.now())
        _, was_there = at_once(Due.objects.move, lambda: Due.objects.cancel(1, "remind", 0))
        assert was_there
        assert (Due.objects.count(), Later.objects.count()) == (0, 0)
