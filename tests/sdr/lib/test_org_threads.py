"""Database threads have an affinity for orgs, and nobody starves for it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait

import pytest

from sdr.lib import org_threads
from sdr.lib.org_threads import OrgThreads

COUNT = 4
LONG_SECONDS = 60.0


@pytest.fixture
def threads() -> Iterator[OrgThreads]:
    pool = OrgThreads(COUNT)
    yield pool
    pool.close(LONG_SECONDS)


def name() -> str:
    return threading.current_thread().name


def held(pool: OrgThreads, *homes: int) -> threading.Event:
    """Keep these threads busy until the event is set."""
    may_go, on = threading.Event(), threading.Barrier(len(homes) + 1)

    def hold() -> None:
        on.wait(LONG_SECONDS)
        may_go.wait(LONG_SECONDS)

    for home in homes:
        pool.submit(home, hold)
    on.wait(LONG_SECONDS)
    return may_go


def test_work_of_an_org_goes_home_when_that_is_free(threads: OrgThreads) -> None:
    seen = {threads.submit(org, name).result(LONG_SECONDS) for org in [5, 5, 9, 1] for _ in range(5)}
    assert seen == {"org-work-1"}


def test_what_waits_behind_its_home_is_taken_by_a_thread_with_nothing_to_do(threads: OrgThreads) -> None:
    may_go = held(threads, 1)
    try:
        assert threads.submit(5, name).result(LONG_SECONDS) != "org-work-1"
    finally:
        may_go.set()


def test_many_orgs_of_one_home_use_all_threads(threads: OrgThreads) -> None:
    meet = threading.Barrier(COUNT)  # passes only when all threads are in it at once
    meetings = [threads.submit(4, lambda: meet.wait(LONG_SECONDS)) for _ in range(COUNT)]
    assert sorted(meeting.result(LONG_SECONDS) for meeting in meetings) == list(range(COUNT))


def test_a_freed_thread_prefers_its_own_orgs(threads: OrgThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(org_threads, "PATIENCE_SECONDS", LONG_SECONDS)
    first, others = held(threads, 0), None
    try:
        others = held(threads, 1, 2, 3)
        order: list[str] = []
        foreign = threads.submit(1, lambda: order.append("foreign"))
        time.sleep(0.05)  # the foreign one has waited longer
        own = threads.submit(0, lambda: order.append("own"))
        first.set()
        wait([foreign, own], LONG_SECONDS)
        assert order == ["own", "foreign"]
    finally:
        first.set()
        if others:
            others.set()


def test_nobody_starves_behind_a_home_that_hangs(threads: OrgThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(org_threads, "PATIENCE_SECONDS", 0.1)
    may_go = held(threads, 1)
    ended = threading.Event()
    busy = [0, 2, 3]

    def again(org: int) -> None:
        """Endless work of other orgs, always some of it waiting."""
        time.sleep(0.001)
        if not ended.is_set():
            threads.submit(org, lambda: again(org))

    try:
        for org in busy * 3:
            threads.submit(org, lambda org=org: again(org))  # type: ignore[misc]
        assert threads.submit(1, name).result(LONG_SECONDS) != "org-work-1"
    finally:
        ended.set()
        may_go.set()


def test_what_waits_is_done_before_the_threads_end() -> None:
    exits: list[str] = []
    pool = OrgThreads(2, on_exit=lambda: exits.append(name()))
    may_go = held(pool, 0, 1)
    left = [pool.submit(org, name) for org in range(6)]
    assert not pool.close(0)
    with pytest.raises(RuntimeError):
        pool.submit(1, name)
    may_go.set()
    assert pool.close(LONG_SECONDS)
    assert all(one.done() for one in left)
    assert sorted(exits) == ["org-work-0", "org-work-1"]


def test_what_is_cancelled_does_not_run_and_an_error_comes_back(threads: OrgThreads) -> None:
    may_go = held(threads, *range(COUNT))
    ran: list[int] = []
    cancelled = threads.submit(0, lambda: ran.append(1))
    assert cancelled.cancel()
    assert not threads.is_quiet
    may_go.set()
    with pytest.raises(ZeroDivisionError):
        threads.submit(0, lambda: 1 // 0).result(LONG_SECONDS)
    assert ran == []
