"""Taking in what arrives: many requests, one INSERT, one commit, and only then their answers (HOTPATH 1, DESIGN 2).

A batch is whatever came in while the last one was being committed; no timer waits for more. Each arrival becomes a
Received row and the Due row of its intake, in one statement. The connection is one of its own, outside of Django's, on
the event loop that asks.
"""

import asyncio
import json
import logging
import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection
from psycopg import errors

from orgs import bell
from orgs.models.queue import LIVE

KIND = "intake"
LONGEST_QUEUE = 2000  # arrivals
MOST_BYTES = 64 * 1024 * 1024  # of bodies that wait
BATCH = 200  # arrivals in one statement
BATCH_BYTES = 8 * 1024 * 1024
ANSWER_WITHIN = 1.5  # seconds from `put` to its end, whatever the database does
STORE_WITHIN = 1.4  # seconds for one statement; then the connection is given up
CONNECT_WITHIN = 1.2  # seconds
TRIES = 3  # of one batch, after deadlocks or with a connection that had died unnoticed

# %b: texts travel in binary, or each quote in each body would be escaped by Python code.
INSERT = f"""
WITH batch AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %b::text[], %b::text[], %b::text[])
        AS b(org_id, address_id, number_id, dedupe_key, body, context)
),
stored AS (
    INSERT INTO public.orgs_received (org_id, address_id, number_id, dedupe_key, body, context, received_at)
    SELECT org_id, address_id, number_id, dedupe_key, body, context::jsonb, statement_timestamp() FROM batch
    ON CONFLICT (address_id, dedupe_key) DO NOTHING
    RETURNING id, org_id, context
)
INSERT INTO public.orgs_due
       (org_id, kind, ref, due_at, wanted_since, generation, priority, context, attempts, last_error)
SELECT org_id, '{KIND}', id::text, statement_timestamp(), statement_timestamp(), 1, {LIVE}, context, 0, '' FROM stored
"""  # noqa: S608  # both are constants of ours

# What only says something about the rows themselves. Encoding errors are raised before anything is sent.
OF_THE_ROWS = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded, UnicodeError, ValueError)
WORTH_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)

ENCODER = json.JSONEncoder()
logger = logging.getLogger("sdr.ingest")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What an authentic sender posted. `body` is JSON text fit to be kept; (address, dedupe_key) is stored once."""

    org_id: int
    address_id: int
    number_id: int
    dedupe_key: str
    body: str = field(repr=False)
    context: Mapping[str, Any] = field(default_factory=dict)


class Unavailable(Exception):
    """Whether it is stored is not known, or it is not: the sender should try again, which is harmless."""


class QueueFull(Unavailable):
    """More is waiting than may."""


class Unstorable(Exception):
    """The database refuses exactly this row, now and later."""


class Ingest:
    """The group insert of one process. All methods belong to one event loop.

    `put` returns once the arrival is committed (or had been before). Nothing is kept of one that raises.
    """

    def __init__(self, *, longest_queue: int = LONGEST_QUEUE, most_bytes: int = MOST_BYTES) -> None:
        self._longest_queue = longest_queue
        self._most_bytes = most_bytes
        self._waiting: deque[_Waiter] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._is_closed = False

    async def put(self, arrival: Arrival, *, within: float = ANSWER_WITHIN) -> None:
        """Store one arrival. Raises QueueFull, Unavailable (after at most `within` seconds) or Unstorable."""
        size = len(arrival.body)
        if self._is_closed:
            raise Unavailable("closing")
        if len(self._waiting) >= self._longest_queue or self._bytes + size > self._most_bytes:
            raise QueueFull
        loop = asyncio.get_running_loop()
        waiter = _Waiter(arrival, loop.create_future())
        self._waiting.append(waiter)
        self._bytes += size
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._store_all())
        alarm = loop.call_later(within, waiter.fail, Unavailable("the database did not answer in time"))
        try:
            await waiter.stored
        finally:
            alarm.cancel()

    async def close(self, seconds: float = 5.0) -> None:
        """Take nothing more, store what waits (for at most `seconds`), close the connection."""
        self._is_closed = True
        if self._task is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._task), seconds)
        for waiter in self._waiting:
            waiter.fail(Unavailable("closing"))
        await self._disconnect()

    async def _store_all(self) -> None:
        while self._waiting:
            batch = [waiter for waiter in self._take() if not waiter.stored.done()]
            if not batch:
                continue
            # In the order of the unique index: two processes with the same keys then wait for each other only one way.
            batch.sort(key=lambda waiter: (waiter.arrival.address_id, waiter.arrival.dedupe_key))
            try:
                await self._store(batch)
            except Exception as error:
                logger.exception("a batch could not be stored")
                for waiter in batch:
                    waiter.fail(Unavailable(type(error).__name__))

    def _take(self) -> "list[_Waiter]":
        taken: list[_Waiter] = []
        size = 0
        while self._waiting and len(taken) < BATCH and size < BATCH_BYTES:
            waiter = self._waiting.popleft()
            size += len(waiter.arrival.body)
            taken.append(waiter)
        self._bytes -= size
        return taken

    async def _store(self, batch: "Sequence[_Waiter]") -> None:
        """One statement for all; when the rows are to blame, halves, until the guilty ones stand alone."""
        try:
            await self._insert([waiter.arrival for waiter in batch])
        except OF_THE_ROWS as error:
            if len(batch) == 1:
                batch[0].fail(Unstorable(type(error).__name__))
                return
            await self._store(batch[: len(batch) // 2])
            await self._store(batch[len(batch) // 2 :])
        except (psycopg.Error, OSError, TimeoutError) as error:
            logger.warning("arrivals could not be stored", extra={"count": len(batch), "reason": type(error).__name__})
            for waiter in batch:
                waiter.fail(Unavailable(type(error).__name__))
        else:
            for waiter in batch:
                waiter.succeed()
            bell.ring_now()

    async def _insert(self, arrivals: Sequence[Arrival]) -> None:
        """Commit these rows. After a deadlock once more; with a dead connection once more on a new one."""
        rows = columns(arrivals)
        for left in reversed(range(TRIES)):
            database = self._connection
            is_new = database is None or database.closed
            try:
                if database is None or database.closed:
                    database = self._connection = await self._connect()
                await self._execute(database, rows)
                return
            except WORTH_AGAIN:
                if not left:
                    raise
            except errors.QueryCanceled:
                raise  # its time was over; the connection is fine
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError):
                await self._disconnect()
                if is_new or not left:
                    raise

    async def _execute(self, database: psycopg.AsyncConnection[Any], rows: Sequence[Sequence[Any]]) -> None:
        """Run the statement, never longer than STORE_WITHIN even if the server hangs: then its socket is shut down.

        Cancelling would first wait for the server to confirm the cancellation, which one that hangs never does.
        """
        statement = asyncio.ensure_future(database.execute(INSERT, rows, prepare=True))
        done, _ = await asyncio.wait([statement], timeout=STORE_WITHIN)
        if not done:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(database.fileno())) as twin:
                twin.shutdown(socket.SHUT_RDWR)
        await statement

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        async with asyncio.timeout(CONNECT_WITHIN):
            return await psycopg.AsyncConnection.connect(**parameters(), autocommit=True)

    async def _disconnect(self) -> None:
        database, self._connection = self._connection, None
        if database is not None:
            with suppress(Exception):
                await database.close()


class _Waiter:
    """An arrival and whoever waits for it."""

    __slots__ = ("arrival", "stored")

    def __init__(self, arrival: Arrival, stored: "asyncio.Future[None]") -> None:
        self.arrival = arrival
        self.stored = stored

    def succeed(self) -> None:
        if not self.stored.done():
            self.stored.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.stored.done():
            self.stored.set_exception(error)


def put_now(arrival: Arrival) -> None:
    """Store one arrival on Django's connection, in the transaction that is open there."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, columns([arrival]))
    bell.ring()


def columns(arrivals: Sequence[Arrival]) -> list[list[Any]]:
    """The statement's parameters: one list per column."""
    return [
        [arrival.org_id for arrival in arrivals],
        [arrival.address_id for arrival in arrivals],
        [arrival.number_id for arrival in arrivals],
        [arrival.dedupe_key for arrival in arrivals],
        [arrival.body for arrival in arrivals],
        [ENCODER.encode(arrival.context) for arrival in arrivals],
    ]


def parameters() -> dict[str, Any]:
    """How Django's connection is made, for one of our own with short waits."""
    found: dict[str, Any] = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        found.pop(ours, None)
    waits = f"-c statement_timeout={int(STORE_WITHIN * 1000)} -c lock_timeout={int(STORE_WITHIN * 1000)}"
    found["options"] = f"{found.get('options', '')} {waits}".strip()
    found["application_name"] = "qify-sdr ingest"
    return found
