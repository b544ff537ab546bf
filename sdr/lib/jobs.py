"""Late work: the registry of kinds, and the shift that claims due rows and runs them (DESIGN 3, HOTPATH 3).

A kind is one function over a row. A plain function runs on one of a few threads, inside the row's org; a coroutine
function runs on the event loop and uses `await work.run(f, …)` for every piece that needs the database, so that it
holds no connection while it waits for a model or a vendor. A vendor's blocking client is called with `work.call(f)`: on
a thread that has no connection, of which there are many, so that a vendor who hangs costs nobody a database thread.
Work that goes to and fro between the two is a generator (`Steps`): what it yields is called for it.
What the queue is made of is up to the caller (`Queue`).

A row is ours while its lease lives. A thread of its own renews leases, so that busy threads cannot starve it; a row
that could not be renewed is lost: its coroutine is cancelled, and whatever its thread still writes must be refused by
the compare-and-swap every kind ends in.
"""

import asyncio
import contextvars
import inspect
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar
from uuid import UUID

from django.db import close_old_connections, connections

from sdr.lib import logs, metrics
from sdr.lib.errors import PortError
from sdr.lib.org_threads import OrgThreads

LEASE = timedelta(seconds=15)
RENEW_EVERY = timedelta(seconds=5)
POLL_EVERY = timedelta(milliseconds=200)  # without a bell; also how late a row that becomes due is seen at worst
GATHER = timedelta(milliseconds=2)  # pause in which finished rows and news meet, so that one statement serves many
GATHER_BUSY = timedelta(milliseconds=10)  # the same while every thread has work: a row claimed sooner would only wait
THREADS = 10  # for database work: more of them beat four, beyond twelve nothing is gained (HOTPATH 3)
CALLS = 128  # threads for calls to vendors: more than all slots that make them, so that nobody queues before a call
CHECKED_FOR = 1.0  # seconds: whether a busy thread's connection is alive is not asked before every piece of work
CLOSE_SECONDS = 1.0  # waited for threads that still write when a shift ends
BURIALS = 3  # times the kind may fail to take note of its own row's death before the row is buried regardless

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")
logger = logging.getLogger("sdr.jobs")


class Row(Protocol):
    """A claimed row."""

    @property
    def id(self) -> int: ...
    @property
    def org_id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def ref(self) -> str: ...
    @property
    def token(self) -> UUID: ...
    @property
    def attempts(self) -> int: ...
    @property
    def losses(self) -> int: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def context(self) -> Mapping[str, Any]: ...


R = TypeVar("R", bound=Row)


class Queue(Protocol[R]):
    """Where rows come from and go to. Every call is one short transaction on the calling thread's own connection."""

    def claim(self, wants: Sequence[tuple[str, int, int]], *, lease: timedelta, after_org: int) -> list[R]:
        """Take rows; `wants` is (kind, free slots, share of one org)."""

    def renew(self, rows: Iterable[R], *, lease: timedelta) -> set[int]: ...
    def finish(self, rows: Iterable[R]) -> set[int]: ...
    def retry(self, row: R, *, at: datetime, error: str) -> bool: ...
    def release(self, rows: Iterable[R]) -> None: ...
    def bury(self, row: R, *, reason: str) -> bool: ...
    def enter(self, org_id: int) -> AbstractContextManager[object]:
        """The org's schema, for the block. Raises OrgGone when the org does not exist any more."""


class OrgGone(Exception):
    """The org of a row does not exist any more: the row is done."""


@dataclass(frozen=True)
class Policy:
    """How long one run may take, how often it is tried, and how the pauses grow (doubling, with jitter).

    `losses`: how many runs besides may be lost without a word, their worker killed or frozen, most likely by others.
    """

    limit: timedelta = timedelta(seconds=60)
    attempts: int = 8
    losses: int = 24
    first_pause: timedelta = timedelta(seconds=2)
    longest_pause: timedelta = timedelta(minutes=10)

    def pause(self, attempt: int) -> timedelta:
        """Pause after the failed `attempt` (1, 2, …): 2 s, 4 s, 8 s … within ±20 %, never beyond the longest."""
        pause = min(self.first_pause * 2 ** min(attempt - 1, 30), self.longest_pause)
        jittered: timedelta = pause * random.uniform(0.8, 1.2)  # noqa: S311
        return jittered


@dataclass(frozen=True)
class Kind:
    """One sort of work: `slots` of it run at once in a process, `share` of one org over the whole system."""

    name: str
    function: Callable[["Work"], Any]
    slots: int
    share: int
    policy: Policy
    on_dead: "Callable[[Work, str], object] | None" = None


@dataclass
class Work:
    """What a kind's function gets: the row, and a way to the org's schema."""

    row: Row
    _in_org: Callable[..., Awaitable[Any]]
    _outside: Callable[..., Awaitable[Any]]
    lost: threading.Event = field(default_factory=threading.Event)

    @property
    def org_id(self) -> int:
        return self.row.org_id

    @property
    def ref(self) -> str:
        return self.row.ref

    @property
    def attempt(self) -> int:
        """1 at the first try; runs that were lost do not count."""
        return self.row.attempts - self.row.losses

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a plain function on a database thread, inside the row's org; only plain data should cross."""
        result: T = await self._in_org(self.row.org_id, function, *args, **kwargs)
        return result

    async def call(self, function: Callable[[], T], *, then: "Callable[[Future[T]], V]") -> V:
        """Call a vendor on a thread without org or connection, then hand the outcome to `then`, inside the org.

        `then` gets the finished future: its `result()` is what the call returned, or raises what it raised. It runs on
        a database thread and runs even when this coroutine has been cancelled meanwhile: what came of a call that was
        begun is always written down. Out: what `then` returns; raises what it raises.
        """
        result: V = await self._outside(self.row.org_id, function, then)
        return result


# Runs inside the org, on database threads; yields a call to a vendor, gets what it returned (or raised). No transaction
# and no lock may be open at a `yield`, which may be the last that is heard of it.
Steps = Generator[Callable[[], Any], Any, T]


async def follow(steps: Steps[object], work: Work) -> None:
    """Run it to its end; raises what it raises. Cancelled, it ends after what became of the present call is noted."""
    call = await work.run(_advance, steps.__next__)
    while call is not None:
        call = await work.call(call, then=partial(_go_on, steps))


def _go_on(steps: Steps[object], outcome: "Future[Any]") -> Callable[[], Any] | None:
    error = outcome.exception()
    return _advance(partial(steps.send, outcome.result()) if error is None else partial(steps.throw, error))


def _advance(step: Callable[[], Callable[[], Any]]) -> Callable[[], Any] | None:
    """Out: the next call, None at the end."""
    try:
        return step()
    except StopIteration:
        return None


class Registry:
    """The kinds of a process."""

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}

    def kind(
        self,
        name: str,
        *,
        slots: int,
        share: int,
        policy: Policy | None = None,
        on_dead: Callable[[Work, str], object] | None = None,
    ) -> Callable[[Callable[[Work], T]], Callable[[Work], T]]:
        """Register the decorated function, plain or coroutine, under `name`. Raises ValueError for a name taken.

        `on_dead(work, reason)` is called inside the org before a row of this kind is buried, so that those who wait
        for it learn of it. It may be called more than once for one death.
        """

        def register(function: Callable[[Work], T]) -> Callable[[Work], T]:
            if name in self.kinds:
                raise ValueError(f"there is a kind {name!r} already")
            self.kinds[name] = Kind(
                name, function, slots=slots, share=share, policy=policy or Policy(), on_dead=on_dead
            )
            return function

        return register


registry = Registry()
kind = registry.kind


class Shift:
    """Claims rows and runs them, for a while. One per process at a time; the caller starts the next.

    `stop` is asked several times a second: True means claim no more, let what runs end within `grace`, give the rest
    back. `bell` may be set from any thread when there is news. `threads` run the database work, and stay open; by
    default they are the shift's own. Out of `run()`: how many rows were worked on.
    """

    def __init__(
        self,
        queue: Queue[Any],
        *,
        length: timedelta,
        kinds: Mapping[str, Kind] | None = None,
        stop: Callable[[], bool] = lambda: False,
        grace: timedelta = timedelta(seconds=5),
        threads: OrgThreads | int = THREADS,
    ) -> None:
        self.queue = queue
        self.kinds = dict(registry.kinds if kinds is None else kinds)
        self.length = length
        self.stop = stop
        self.grace = grace
        self.threads = threads
        self.worked = 0
        self._held: dict[int, _Held] = {}
        self._lock = threading.Lock()  # over _held: the loop and the renewing thread
        self._done: list[Any] = []
        self._running: Counter[str] = Counter()
        self._after_org = 0
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self) -> None:
        """There is news: look at once. From any thread, at any time."""
        if self._loop is not None and self._wake is not None:
            with suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self._wake.set)

    def run(self) -> int:
        """Work until the length is over or `stop` says so; blocks."""
        ended = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(ended,), name="leases", daemon=True)
        renewing.start()
        try:
            asyncio.run(self._run())
        finally:
            ended.set()
            renewing.join(RENEW_EVERY.total_seconds() + 1)
        return self.worked

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        end = time.monotonic() + self.length.total_seconds()
        self._pool = org_threads(self.threads) if isinstance(self.threads, int) else self.threads
        self._callers = ThreadPoolExecutor(CALLS, thread_name_prefix="vendor-call")  # none of them has a connection
        self._desk = ThreadPoolExecutor(1, thread_name_prefix="queue")  # one connection for claims and finishes
        tasks: set[asyncio.Task[None]] = set()
        try:
            while time.monotonic() < end and not self.stop():
                self._wake.clear()
                rows = await self._claim()
                for row in rows:
                    task = asyncio.create_task(self._work(row))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                await self._put_away()
                if not rows:
                    with suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), POLL_EVERY.total_seconds())
                await asyncio.sleep((GATHER_BUSY if self._pool.is_full else GATHER).total_seconds())
            await self._wind_up(tasks)
        finally:
            self._loop = None
            await asyncio.to_thread(self._close_pools)

    async def _claim(self) -> list[Any]:
        wants = [
            (kind.name, kind.slots - self._running[kind.name], kind.share)
            for kind in self.kinds.values()
            if kind.slots > self._running[kind.name]
        ]
        if not wants:
            return []
        try:
            rows = await self._at_desk(self.queue.claim, wants, lease=LEASE, after_org=self._after_org)
        except Exception:
            logger.exception("claiming failed")
            await asyncio.sleep(POLL_EVERY.total_seconds())
            return []
        now = time.monotonic()
        with self._lock:
            for row in rows:
                self._held[row.id] = _Held(row, until=now + self.kinds[row.kind].policy.limit.total_seconds())
        for row in rows:
            self._running[row.kind] += 1
            metrics.incr("job_claims", kind=row.kind)
            metrics.observe(
                "job_wait_seconds", max(0.0, (datetime.now(UTC) - row.due_at).total_seconds()), kind=row.kind
            )
        if rows:
            self._after_org = max(row.org_id for row in rows)
        else:
            self._after_org = 0
        return rows

    async def _work(self, row: Any) -> None:
        """One row from claim to finish, retry or burial."""
        kind = self.kinds[row.kind]
        held = self._held[row.id]
        held.task = asyncio.current_task()
        work = Work(row, self._in_org, self._outside, lost=held.lost)
        started = time.monotonic()
        self.worked += 1
        outcome = "done"
        logs.clear()
        logs.bind(**{**row.context, "org_id": row.org_id, "kind": row.kind, "ref": row.ref})
        try:
            limit = kind.policy.limit.total_seconds()
            if row.losses > kind.policy.losses:  # never came back to say so
                outcome = await self._bury(row, kind, f"did not come to an end in {row.losses} tries")
            elif inspect.iscoroutinefunction(kind.function):
                await asyncio.wait_for(kind.function(work), limit)
                self._done.append(row)
            else:
                await asyncio.wait_for(self._in_org(row.org_id, kind.function, work), limit)
                self._done.append(row)
        except OrgGone:
            self._done.append(row)
            outcome = "org_gone"
        except asyncio.CancelledError:
            outcome = "lost" if held.lost.is_set() else "released"
            if not held.lost.is_set():
                with self._lease_as_net():
                    await asyncio.shield(self._at_desk(self.queue.release, [row]))
        except Exception as error:
            outcome = "unsaid"
            with self._lease_as_net():
                outcome = await self._failed(row, kind, error)
        finally:
            with self._lock:
                self._held.pop(row.id, None)
            self._running[row.kind] -= 1
            metrics.incr("job_runs", kind=row.kind, outcome=outcome)
            metrics.observe("job_duration_seconds", time.monotonic() - started, kind=row.kind)
            if self._wake is not None:
                self._wake.set()

    async def _failed(self, row: Any, kind: Kind, error: Exception) -> str:
        """Retry with a growing pause, or bury with a reason. Out: the outcome for the metrics."""
        if isinstance(error, TimeoutError) and not inspect.iscoroutinefunction(kind.function):
            logger.error("a job is overdue", extra={"attempt": row.attempts})
            return "overdue"  # its thread cannot be stopped and may still write: the lease must run out first
        permanent = isinstance(error, PortError) and error.permanent
        reason = str(error) if isinstance(error, PortError) else type(error).__name__
        if isinstance(error, TimeoutError):
            reason = f"took longer than {kind.policy.limit.total_seconds():.0f} s"
        if not isinstance(error, PortError):
            logger.exception("a job failed", extra={"attempt": row.attempts})
        attempt = row.attempts - row.losses
        if permanent or attempt >= kind.policy.attempts:
            return await self._bury(row, kind, reason)
        pause = kind.policy.pause(attempt)
        if isinstance(error, PortError) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        await self._at_desk(self.queue.retry, row, at=datetime.now(UTC) + pause, error=reason)
        return "retried"

    async def _bury(self, row: Any, kind: Kind, reason: str) -> str:
        """Let the kind take note, then bury the row. Out: the outcome for the metrics.

        In this order, so that a crash in between repeats the note instead of losing it.
        """
        if kind.on_dead is not None and row.losses <= kind.policy.losses + BURIALS:
            try:
                await self._in_org(row.org_id, kind.on_dead, Work(row, self._in_org, self._outside), reason)
            except OrgGone:
                pass
            except Exception:
                logger.exception("a death could not be noted; the row returns when its lease ends")
                return "unsaid"
        await self._at_desk(self.queue.bury, row, reason=reason)
        logger.error("a job was given up", extra={"reason": reason, "attempt": row.attempts})
        return "dead"

    @contextmanager
    def _lease_as_net(self) -> Iterator[None]:
        """Whatever fails in here (the database is away) is logged: the row is ours until its lease ends, ≤ 15 s."""
        try:
            yield
        except Exception:
            logger.exception("the end of a job could not be written; its row returns when the lease ends")

    async def _put_away(self) -> None:
        """Finish what has been done, many rows in one statement."""
        rows, self._done = self._done, []
        if not rows:
            return
        try:
            kept = await self._at_desk(self.queue.finish, rows)
        except Exception:
            logger.exception("finishing failed; the rows return when their leases end")
            return
        if lost := len(rows) - len(kept):
            logger.warning("rows had been lost before they were finished", extra={"count": lost})

    async def _wind_up(self, tasks: set[asyncio.Task[None]]) -> None:
        """Claim no more; wait for what runs, bounded when stopping; give back the rest."""
        longest = max((kind.policy.limit for kind in self.kinds.values()), default=timedelta())
        deadline = time.monotonic() + longest.total_seconds() + 1
        while tasks and time.monotonic() < deadline:
            if self.stop():
                deadline = min(deadline, time.monotonic() + self.grace.total_seconds())
            await asyncio.wait(tasks, timeout=POLL_EVERY.total_seconds())
            await self._put_away()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self.grace.total_seconds())
        await self._put_away()

    async def _in_org(self, org_id: int, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run on a database thread, inside the org, entered and left within this one call (never around an await)."""

        def call() -> T:
            fresh_connections()
            with self.queue.enter(org_id):
                return function(*args, **kwargs)

        context = contextvars.copy_context()  # what lines are logged with, and what late work is wanted for
        return await asyncio.wrap_future(self._pool.submit(org_id, partial(context.run, call)))

    async def _outside(self, org_id: int, function: Callable[[], T], then: Callable[[Future[T]], V]) -> V:
        """Call on a thread without a connection; what comes of it goes on to a database thread, whoever still waits."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[V] = loop.create_future()

        def tell(value: V | None, error: BaseException | None) -> None:
            if written.done():
                return  # nobody waits any more
            if error is not None:
                written.set_exception(error)
            else:
                written.set_result(value)  # type: ignore[arg-type]

        def write(outcome: Future[T]) -> None:
            value: V | None = None
            error: BaseException | None = None
            try:
                fresh_connections()
                with self.queue.enter(org_id):
                    value = then(outcome)
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, value, error)

        def hand_on(outcome: Future[T]) -> None:
            try:
                self._pool.submit(org_id, partial(context.copy().run, write, outcome))
            except RuntimeError:  # the threads have ended meanwhile: write it down here
                context.copy().run(write, outcome)
                connections.close_all()

        context = contextvars.copy_context()
        self._callers.submit(context.copy().run, function).add_done_callback(hand_on)
        return await written

    async def _at_desk(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        def call() -> T:
            fresh_connections()
            return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._desk, call)

    def _renew(self, ended: threading.Event) -> None:
        """Lengthen the leases of what runs within its limit; tell those that are lost."""
        while not ended.wait(RENEW_EVERY.total_seconds()):
            now = time.monotonic()
            with self._lock:
                held = [one for one in self._held.values() if one.until > now]
            if not held:
                continue
            try:
                fresh_connections()
                alive = self.queue.renew([one.row for one in held], lease=LEASE)
            except Exception:
                logger.exception("leases could not be renewed")
                continue
            for one in held:
                if one.row.id not in alive:
                    one.lose(self._loop)
        connections.close_all()

    def _close_pools(self) -> None:
        self._callers.shutdown(wait=False)
        with suppress(TimeoutError):
            self._desk.submit(connections.close_all).result(CLOSE_SECONDS)
        self._desk.shutdown(wait=False)
        if isinstance(self.threads, int):
            self._pool.close(CLOSE_SECONDS)


def org_threads(count: int = THREADS) -> OrgThreads:
    """Database threads for shifts; whoever makes them closes them."""
    return OrgThreads(count, on_exit=connections.close_all)


def fresh_connections() -> None:
    """End connections of this thread that are too old or broken; ask of one unused for a while whether it is alive.

    After an error it is asked at once. What fails on a connection that died within CHECKED_FOR is tried again, as it
    is when the connection dies a moment later.
    """
    now = time.monotonic()
    is_broken = any(connection.errors_occurred for connection in connections.all(initialized_only=True))
    if is_broken or now - getattr(_checked, "at", 0.0) >= CHECKED_FOR:
        close_old_connections()
        _checked.at = now


_checked = threading.local()  # .at: monotonic, when this thread's connections were looked at


@dataclass
class _Held:
    """A row in work: until when its lease may be renewed, and how to tell it that it is lost."""

    row: Any
    until: float
    task: "asyncio.Task[None] | None" = None
    lost: threading.Event = field(default_factory=threading.Event)

    def lose(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.lost.set()
        if loop is not None and self.task is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.task.cancel)
