"""Due rows plugged into the shift of `sdr.lib.jobs`: claims, leases, the bell, and one shift per worker."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from orgs import bell
from orgs.context import in_org, recycle_connection
from orgs.models import Claimed, Due, Org, Want
from sdr.lib import jobs
from sdr.lib.org_threads import OrgThreads

REMEMBERED_SECONDS = 15.0
REMEMBERED_MOST = 10_000  # orgs
LENGTH = timedelta(seconds=45)  # then the shift finishes what it has and starts its successor (DESIGN 3)


class DueQueue:
    """`sdr.lib.jobs.Queue` over the Due table."""

    def __init__(self) -> None:
        self._orgs: dict[int, tuple[float, Org]] = {}  # by id: when it was read, and the row

    def claim(self, wants: Sequence[tuple[str, int, int]], *, lease: timedelta, after_org: int) -> list[Claimed]:
        return Due.objects.claim([Want(*want) for want in wants], lease=lease, after_org=after_org)

    def renew(self, rows: Iterable[Claimed], *, lease: timedelta) -> set[int]:
        return Due.objects.renew(rows, lease=lease)

    def finish(self, rows: Iterable[Claimed]) -> set[int]:
        return Due.objects.finish(rows)

    def retry(self, row: Claimed, *, at: datetime, error: str) -> bool:
        return Due.objects.retry(row, at=at, error=error)

    def release(self, rows: Iterable[Claimed]) -> None:
        Due.objects.release(rows)

    def bury(self, row: Claimed, *, reason: str) -> bool:
        return Due.objects.bury(row, reason=reason)

    def _org(self, org_id: int) -> Org:
        seen = self._orgs.get(org_id)
        if seen is not None and time.monotonic() - seen[0] < REMEMBERED_SECONDS:
            return seen[1]
        org = Org.objects.filter(pk=org_id).first()
        if org is None:
            raise jobs.OrgGone(org_id)
        if len(self._orgs) >= REMEMBERED_MOST:
            self._orgs.clear()
        self._orgs[org_id] = (time.monotonic(), org)
        return org

    @contextmanager
    def enter(self, org_id: int) -> Iterator[Org]:
        """The org's schema for one piece of work. Raises OrgGone for an org that was dropped.

        For a few seconds an org is remembered, and work in one that was dropped meanwhile fails and is tried again.
        """
        org = self._org(org_id)
        try:
            with in_org(org):
                yield org
        finally:
            recycle_connection()


def run_shift(
    *, length: timedelta = LENGTH, stop: Callable[[], bool] = lambda: False, threads: int = jobs.THREADS
) -> int:
    """Work for `length`, woken by the bell; ends early when `stop` says so or the parent process is gone.

    The next shift of this process goes on with the same threads, whose connections know the orgs they have met. Out:
    how many rows were worked on.
    """
    parent = os.getppid()

    def ends() -> bool:
        return stop() or os.getppid() != parent

    pool = _take_threads(threads)
    shift = jobs.Shift(DueQueue(), length=length, stop=ends, threads=pool)
    ended = threading.Event()
    listener = threading.Thread(target=bell.listen, args=(shift.ring, ended), name="bell-listener", daemon=True)
    listener.start()
    is_whole = False
    try:
        worked = shift.run()
        is_whole = not ends()
        return worked
    finally:
        ended.set()
        if is_whole:
            _put_back(pool)
        else:  # whoever stops the process must find everything written
            pool.close(shift.grace.total_seconds())


# At most one entry: the threads the last shift of this process has left, by (process, how many).
_left: dict[tuple[int, int], OrgThreads] = {}


def _take_threads(count: int) -> OrgThreads:
    return _left.pop((os.getpid(), count), None) or jobs.org_threads(count)


def _put_back(threads: OrgThreads) -> None:
    """Keep the threads for the next shift, unless one of them hangs."""
    if not threads.is_quiet or _left.setdefault((os.getpid(), threads.count), threads) is not threads:
        threads.close(0)
