"""How shifts follow one another: tasks of a django-q2 cluster of their own (DESIGN 3), run by `manage.py shifts`.

A worker that is born calls for a shift, and each shift calls for its successor before it ends, so there is always one
per worker. Should the chain break all the same, the cluster's first process notices within RESTART_AFTER seconds, as
shifts give signs of life into memory they share: it calls anew, and when no worker answers (one that was killed while
it waited takes the lock of django-q2's queue with it) it ends them all and starts over. With that, work rests for 35 s
at most; `shift_silence_seconds` and `shift_recoveries` tell. A schedule of the other cluster (`orgs.tasks.call_shift`)
is the net for a cluster whose first process is gone too. However many calls there are, at most MOST shifts run in the
whole installation.
"""

import mmap
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum

from django.db import Error, connection
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from orgs import shifts
from orgs.models import Heartbeat
from sdr.lib import metrics

QUEUE = "shifts"  # name of the cluster and of its queue: settings.Q_CLUSTER
TASK = "orgs.tasks.shift"
HEARTBEAT = "shift"
CALL_AGAIN_SECONDS = 1.0
MOST = 16  # shifts at once, over all machines
SLOT_LOCKS = 0x5D4_0004  # first key of the advisory locks; the second is the slot

ALIVE_SECONDS = 5.0  # since its last sign; a shift gives several a second
CALL_AFTER = 8.0  # seconds with fewer shifts at work than workers; and between two such calls
RESTART_AFTER = 16.0  # seconds without a sign of anybody, though the database took a call

# Forked workers share it: for each slot, and at last for whoever found none, the `time.monotonic()` of the last sign.
_signs = mmap.mmap(-1, 8 * (MOST + 1))
# One byte that forked workers share: setting it is all that a signal handler does. An Event has a lock, which a worker
# killed while it looked would keep for ever.
_stop = mmap.mmap(-1, 1)


def stop() -> None:
    """Tell the shifts of all processes forked from this one to end."""
    _stop[0] = 1


def is_stopping() -> bool:
    """Whether `stop` was called here or in the process we were forked from."""
    return bool(_stop[0])


def call() -> None:
    """Have some worker of the shifts' cluster work a shift."""
    async_task(TASK, cluster=QUEUE, group=QUEUE, save=False)


def call_if_none_waits() -> bool:
    """The net under the chain: a call, unless one waits to be answered. Out: whether one was made."""
    if waiting():
        return False
    call()
    return True


def work() -> int:
    """One shift, if a slot is free, and a call for the next. Out: how many rows were worked on."""
    if is_stopping():
        return 0
    with slot() as number:
        if number is None:  # enough of them work already, and each calls its own successor
            give_sign(MOST)
            return 0

        def stop() -> bool:
            give_sign(number)
            return is_stopping()

        try:
            beat()
            return shifts.run_shift(stop=stop)
        finally:
            call_next()


def call_next() -> None:
    """A call for the next shift, as soon as the database answers; none while stopping, or when plenty wait."""
    while not is_stopping():
        try:
            if waiting() < MOST:
                call()
        except Error:
            connection.close()  # the next query opens another
            time.sleep(CALL_AGAIN_SECONDS)
        else:
            return


def waiting() -> int:
    """Calls that no worker has taken."""
    count: int = OrmQ.objects.filter(key=QUEUE, lock__lte=timezone.now()).count()
    return count


def working() -> int:
    """Shifts at work at present, over all machines."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND classid = %s AND datname = current_database()",
            [SLOT_LOCKS],
        )
        return int(cursor.fetchone()[0])


@contextmanager
def slot() -> Iterator[int | None]:
    """One of the MOST slots of the installation while the block runs, None when all are taken.

    The lock belongs to this thread's connection: a process that dies gives its slot back.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n FROM generate_series(0, %s) n WHERE pg_try_advisory_lock(%s, n) LIMIT 1", [MOST - 1, SLOT_LOCKS]
        )
        row = cursor.fetchone()
    if row is None:
        yield None
        return
    try:
        yield row[0]
    finally:
        with suppress(Error), connection.cursor() as cursor:  # a lost connection has given it back
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [SLOT_LOCKS, row[0]])


def give_sign(place: int) -> None:
    """Whoever works in this slot is alive."""
    struct.pack_into("d", _signs, 8 * place, time.monotonic())


def signs() -> list[float]:
    """When each slot's shift of this cluster gave its last sign, by `time.monotonic()`; 0.0: never."""
    return list(struct.unpack(f"{MOST + 1}d", _signs[:]))


class Finding(Enum):
    """What the cluster's first process is to do about its shifts."""

    WELL = "well"
    CALLED = "call"
    DEAD = "restart"


class Watch:
    """Looks after the shifts of one cluster; call `look` about once a second, from one thread."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._born = self._enough_at = time.monotonic()
        self._called_at: float | None = None  # the last call that the database took since somebody gave a sign

    def look(self) -> Finding:
        """Call for a shift when one is missing. Out: what was found; DEAD when nobody answers calls any more."""
        now = time.monotonic()
        latest = max(self._born, *signs())
        metrics.tell("shift_silence_seconds", now - latest)
        if self._called_at is not None and latest > self._called_at:
            self._called_at = None
        if sum(now - sign < ALIVE_SECONDS for sign in signs()[:MOST]) >= self._workers:
            self._enough_at = now
        if self._called_at is not None and now - latest >= RESTART_AFTER:
            metrics.incr("shift_recoveries", action=Finding.DEAD.value)
            return Finding.DEAD
        if now - self._enough_at < CALL_AFTER:
            return Finding.WELL
        try:
            call_if_none_waits()
        except Error:  # the database is away: that nobody works says nothing
            connection.close()
            self._born, self._called_at = now, None
            return Finding.WELL
        self._enough_at = now
        self._called_at = self._called_at or now
        metrics.incr("shift_recoveries", action=Finding.CALLED.value)
        return Finding.CALLED


def beat() -> None:
    """Sign of life: this machine works shifts."""
    Heartbeat.objects.update_or_create(
        name=f"{HEARTBEAT}@{socket.gethostname()}"[:120], defaults={"kind": HEARTBEAT, "beat_at": timezone.now()}
    )
