"""How shifts follow one another: tasks of a django-q2 cluster of their own (DESIGN 3), run by `manage.py shifts`.

A worker that is born calls for a shift, and each shift calls for its successor before it ends, so there is always one
per worker. Should calls get lost all the same, `orgs.tasks.call_shift` makes a new one: within 90 s, as it is scheduled
every minute and the scheduler looks every 30 s. However many calls there are, at most MOST shifts run in the whole
installation.
"""

import mmap
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, connection
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from orgs import shifts
from orgs.models import Heartbeat

QUEUE = "shifts"  # name of the cluster and of its queue: settings.Q_CLUSTER
TASK = "orgs.tasks.shift"
HEARTBEAT = "shift"
CALL_AGAIN_SECONDS = 1.0
MOST = 16  # shifts at once, over all machines
SLOT_LOCKS = 0x5D4_0004  # first key of the advisory locks; the second is the slot

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
            return 0
        try:
            beat()
            return shifts.run_shift(stop=is_stopping)
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


def beat() -> None:
    """Sign of life: this machine works shifts."""
    Heartbeat.objects.update_or_create(
        name=f"{HEARTBEAT}@{socket.gethostname()}"[:120], defaults={"kind": HEARTBEAT, "beat_at": timezone.now()}
    )
