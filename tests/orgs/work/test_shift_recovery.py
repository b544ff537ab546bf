"""Whatever is killed, work goes on within 35 seconds; whoever is told to stop leaves nothing leased."""

import signal
import time
from datetime import timedelta

import psutil
import psycopg
import pytest
from django.db import DatabaseError
from django.utils import timezone
from django_q.models import OrmQ

from orgs import ingest, shift_cluster
from orgs.models import Due, Org
from orgs.shift_cluster import CALL_AFTER, MOST, RESTART_AFTER, Finding, Watch
from tests.orgs.work.shift_process import shifts, until, workers_of

BOUND = 35.0  # seconds, DESIGN 3


class Clock:
    """The time a Watch goes by, and the signs it sees."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.signs = [0.0] * (MOST + 1)
        self.calls: list[float] = []
        self.is_away = False
        monkeypatch.setattr("orgs.shift_cluster.time.monotonic", lambda: self.now)
        monkeypatch.setattr(shift_cluster, "signs", lambda: self.signs)
        monkeypatch.setattr(shift_cluster, "call_if_none_waits", self.call)
        self.watch = Watch(2)

    def call(self) -> bool:
        if self.is_away:
            raise DatabaseError("away")
        self.calls.append(self.now)
        return True

    def run(self, seconds: float, *alive: int) -> list[Finding]:
        """Look every second; the shifts in these slots live."""
        found = []
        for _ in range(int(seconds)):
            self.now += 1
            for slot in alive:
                self.signs[slot] = self.now
            found.append(self.watch.look())
        return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_nothing_is_done_while_all_shifts_live(clock: Clock) -> None:
    assert set(clock.run(100, 3, 7)) == {Finding.WELL}
    assert clock.calls == []


def test_a_missing_shift_is_called_for_and_the_others_go_on(clock: Clock) -> None:
    clock.run(10, 3, 7)
    found = clock.run(40, 3)
    assert Finding.DEAD not in found
    assert len(clock.calls) == 4
    assert clock.calls[0] <= 1010 + shift_cluster.ALIVE_SECONDS + CALL_AFTER


def test_a_cluster_where_nobody_answers_is_given_up(clock: Clock) -> None:
    clock.run(10, 3, 7)
    found = clock.run(30)
    assert found.index(Finding.DEAD) + 1 == RESTART_AFTER
    assert found.index(Finding.CALLED) < found.index(Finding.DEAD)


def test_workers_who_find_no_free_slot_are_alive(clock: Clock) -> None:
    assert Finding.DEAD not in clock.run(100, MOST)


def test_a_database_that_is_away_condemns_nobody(clock: Clock) -> None:
    clock.is_away = True
    assert Finding.DEAD not in clock.run(100)
    clock.is_away = False
    assert Finding.DEAD not in clock.run(RESTART_AFTER - 1)
    assert Finding.DEAD in clock.run(CALL_AFTER * 2)


def test_killing_idle_workers_stops_the_work_for_a_moment_only(committed: None) -> None:
    """One of them holds the lock of the queue they are called by: those born after them wait for it for ever."""
    acme = Org.objects.get(slug="acme")
    with psycopg.connect(**ingest.parameters()) as other, shifts() as process:
        for number in range(MOST):
            other.execute("SELECT pg_advisory_lock(%s, %s)", [shift_cluster.SLOT_LOCKS, number])
        until(lambda: len(workers_of(process)) >= 4)  # with the two that fetch and put away
        until(lambda: not OrmQ.objects.exists())  # called, and no slot was free
        time.sleep(1)
        for worker in workers_of(process):
            worker.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        Due.objects.want(acme.pk, "turn", 10**9)
        other.execute("SELECT pg_advisory_unlock_all()")
        until(lambda: not Due.objects.exists(), within=BOUND)
        assert time.monotonic() - killed < BOUND


def test_a_killed_sentinel_is_replaced_and_leaves_nobody_behind(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with shifts() as process:
        until(lambda: shift_cluster.working() == 2)
        (sentinel,) = psutil.Process(process.pid).children()
        first = set(workers_of(process))
        for worker in first:
            worker.kill()
        until(lambda: len(set(workers_of(process)) - first) == len(first))
        orphans = workers_of(process)  # some were born a moment ago, since anybody last looked
        sentinel.kill()
        Due.objects.want(acme.pk, "turn", 10**9)
        until(lambda: not Due.objects.exists(), within=BOUND)
        until(lambda: not any(orphan.is_running() and orphan.status() != "zombie" for orphan in orphans))


def test_told_to_stop_it_gives_back_what_it_has(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    for number in range(3):
        Due.objects.want(acme.pk, "nap", number)
    with shifts() as process:
        until(lambda: Due.objects.filter(lease_until__gt=timezone.now()).count() == 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert list(Due.objects.values_list("token", "lease_until", "attempts")) == [(None, None, 0)] * 3
    assert Due.objects.waiting().filter(due_at__lt=timezone.now() + timedelta(seconds=1)).count() == 3
