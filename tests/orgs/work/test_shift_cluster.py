"""One shift follows another, in as many processes as there are workers, until they are told to stop."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ

from orgs import ingest, shift_cluster, shifts, tasks
from orgs.models import Due, Heartbeat, Org
from sdr.lib import jobs
from tests.orgs.work.shift_process import shifts as shifts_process
from tests.orgs.work.shift_process import until

SOON = shifts.LENGTH.total_seconds() / 3


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], bool]]:
    """Shifts that end at once; each leaves what it was given to ask whether it must stop."""
    calls: list[Callable[[], bool]] = []

    def run_shift(*, stop: Callable[[], bool]) -> int:
        calls.append(stop)
        return 7

    monkeypatch.setattr(shifts, "run_shift", run_shift)
    return calls


@pytest.fixture
def stopping() -> Iterator[None]:
    shift_cluster.stop()
    yield
    shift_cluster._stop[0] = 0


def calls() -> int:
    return len(OrmQ.objects.filter(key=shift_cluster.QUEUE))


def test_a_shift_calls_its_successor_and_gives_a_sign_of_life(db: None, worked: list[Any]) -> None:
    assert tasks.shift() == 7
    assert (len(worked), calls()) == (1, 1)
    assert worked[0]() is False
    assert Heartbeat.objects.get(kind="shift").beat_at <= timezone.now()


def test_a_shift_that_fails_is_followed_too(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> int:
        raise RuntimeError("no shift today")

    monkeypatch.setattr(shifts, "run_shift", fail)
    with pytest.raises(RuntimeError):
        tasks.shift()
    assert calls() == 1


def test_calls_do_not_pile_up(db: None, worked: list[Any]) -> None:
    for _ in range(shift_cluster.MOST + 5):
        tasks.shift()
    assert calls() == shift_cluster.MOST


def test_the_schedule_calls_only_when_no_call_waits(db: None) -> None:
    tasks.call_shift()
    tasks.call_shift()
    assert calls() == 1


def test_no_more_shifts_work_than_there_are_slots(db: None, worked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift_cluster, "MOST", 1)
    with psycopg.connect(**ingest.parameters()) as other:
        other.execute("SELECT pg_advisory_lock(%s, 0)", [shift_cluster.SLOT_LOCKS])
        assert tasks.shift() == 0
        assert (worked, calls()) == ([], 0)
        other.execute("SELECT pg_advisory_unlock(%s, 0)", [shift_cluster.SLOT_LOCKS])  # closing alone takes its time
    assert tasks.shift() == 7
    assert tasks.shift() == 7  # the slot was given back


def test_nothing_begins_and_nobody_is_called_while_stopping(db: None, worked: list[Any], stopping: None) -> None:
    assert tasks.shift() == 0
    assert (worked, calls()) == ([], 0)


def test_a_task_is_given_more_time_than_a_shift_can_take() -> None:
    every: Any = settings.Q_CLUSTER
    cluster = every["ALT_CLUSTERS"][shift_cluster.QUEUE]
    longest = max(kind.policy.limit for kind in jobs.registry.kinds.values())
    assert cluster["timeout"] > (shifts.LENGTH + longest).total_seconds() + 10
    assert cluster["retry"] > cluster["timeout"]


def test_the_cluster_works_what_is_due_and_ends_soon_when_told_to(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with shifts_process() as process:
        until(lambda: shift_cluster.working() == 2)
        Due.objects.want(acme.pk, "turn", 10**9)  # a conversation that is gone: looked at, and done
        until(lambda: not Due.objects.exists())
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 0  # django-q2 alone would wait for the end of the shift
    assert shift_cluster.working() == 0
    assert calls() == 0  # none was made while stopping
