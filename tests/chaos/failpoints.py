"""Where a process kills or freezes itself: before and after every commit, call, thought and stored batch.

The orchestra arms a point; the first process that passes it takes it, once, and dies or freezes there. So every point
can be brought to its turn within a run, however rarely it is passed, and what was really hit is counted.
"""

import fcntl
import inspect
import mmap
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

KILL, FREEZE = 1, 2  # what stands in the file of arms; 0: not armed
SIGNALS = {KILL: signal.SIGKILL, FREEZE: signal.SIGSTOP}
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Place:
    """A function or method of the product, named by the dotted path of its owner.

    `sort`: `commit` means the commits of transactions that it opens, anything else the function itself.
    """

    sort: str
    owner: str
    attribute: str

    @property
    def name(self) -> str:
        return f"{self.sort} {self.attribute.strip('_')}"

    @property
    def points(self) -> tuple[str, str]:
        return f"{BEFORE} {self.name}", f"{AFTER} {self.name}"


TURNS, SENDING, GAPS = "conversations.turns", "conversations.sending", "conversations.gaps"
QUEUE, TRANSPORT = "orgs.models.queue.DueQuerySet", "integrations.whatsapp.transport.EvolutionTransport"
INTAKE_KIND = Place("commit", "integrations.tasks", "take_in")
IN_WORKER = (
    INTAKE_KIND,
    Place("commit", TURNS, "open_turn"),
    Place("commit", TURNS, "apply"),
    Place("commit", SENDING, "claim_next"),
    Place("commit", SENDING, "reclaim"),
    Place("commit", SENDING, "mark_sent"),
    Place("commit", SENDING, "mark_unknown"),
    Place("commit", SENDING, "mark_failed"),
    Place("commit", SENDING, "put_back"),
    Place("commit", SENDING, "judge"),
    Place("commit", GAPS, "attempt"),
    Place("commit", GAPS, "end"),
    Place("commit", "conversations.links", "look"),
    Place("commit", QUEUE, "claim"),
    # Statements that are a transaction of their own.
    Place("statement", QUEUE, "finish"),
    Place("statement", QUEUE, "renew"),
    Place("statement", QUEUE, "retry"),
    Place("statement", QUEUE, "release"),
    Place("call", TRANSPORT, "send_text"),
    Place("call", TRANSPORT, "show_typing"),
    Place("call", TRANSPORT, "recent"),
    Place("call", TRANSPORT, "chats"),
    Place("call", TRANSPORT, "state"),
    Place("call", TRANSPORT, "read_back"),
    Place("thought", "tests.chaos.brain.NamingBrain", "decide"),
    # Inside transactions, between what is read and what is written because of it.
    Place("inside", "conversations.intake", "converse"),
    Place("inside", TURNS, "newest_unanswered"),
    Place("inside", SENDING, "may_leave"),
)
IN_WEB = (
    Place("lookup", "integrations.whatsapp.webhook", "load_account"),
    Place("batch", "orgs.ingest.Ingest", "_execute"),
    Place("answer", "integrations.whatsapp.webhook", "_answer"),
)
POINTS = tuple(point for place in (*IN_WORKER, *IN_WEB) for point in place.points)
INDEX = {point: number for number, point in enumerate(POINTS)}


class Arms:
    """The orchestra's side. In: the file shared with the processes, which is made anew."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(len(POINTS)))
        with path.open("r+b") as file:
            self._arms = mmap.mmap(file.fileno(), len(POINTS))
        self._armed: Counter[tuple[str, int]] = Counter()

    def arm(self, dice: random.Random) -> None:
        """One more point, of those that were armed least often; nothing when all are armed."""
        free = [(point, number) for point in POINTS if not self._arms[INDEX[point]] for number in SIGNALS]
        if not free:
            return
        least = min(self._armed[one] for one in free)
        point, number = dice.choice([one for one in free if self._armed[one] == least])
        self._armed[point, number] += 1
        self._arms[INDEX[point]] = number

    def freeze_at(self, point: str) -> None:
        """The next process that passes there freezes."""
        self._arms[INDEX[point]] = FREEZE

    def disarm(self) -> None:
        """Nobody dies any more."""
        self._arms[:] = bytes(len(POINTS))


class Failpoints:
    """A process's side. In: the file of arms, and the journal in which each hit leaves a line."""

    def __init__(self, arms: Path, journal: Path) -> None:
        self._file = os.open(arms, os.O_RDWR)
        self._arms = mmap.mmap(self._file, len(POINTS))
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._lock = threading.Lock()
        self._verbs = threading.local()

    def hit(self, point: str) -> None:
        """Mostly nothing; die or freeze when this point is armed and nobody else took it."""
        index = INDEX[point]
        if not self._arms[index]:
            return
        with self._lock:  # the file's lock is only between processes
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            number, self._arms[index] = SIGNALS.get(self._arms[index]), 0
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        if number is not None:
            os.write(self._journal, f"hit {number.name} {point}\n".encode())
            os.kill(os.getpid(), number)

    def install(self, places: tuple[Place, ...]) -> None:
        """Put the points around these places. Raises AttributeError for one that the product does not have."""
        from django.db.backends.base.base import BaseDatabaseWrapper

        for place in places:
            if place == INTAKE_KIND:
                self._around_kind("intake", place)
                continue
            owner = owner_of(place)
            setattr(owner, place.attribute, self.around(getattr(owner, place.attribute), place))
        commit: Callable[[Any], Any] = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]

        def wrapped(database: Any) -> Any:
            verb = getattr(self._verbs, "now", "")
            if not verb:
                return commit(database)
            self.hit(f"{BEFORE} {verb}")
            result = commit(database)
            self.hit(f"{AFTER} {verb}")
            return result

        BaseDatabaseWrapper._commit = wrapped  # type: ignore[attr-defined]

    def around(self, original: Callable[..., Any], place: Place) -> Callable[..., Any]:
        """The function with its points, or one that lends its commits its name."""
        before, after = place.points

        def named(*args: Any, **kwargs: Any) -> Any:
            with self._verb(place.name):
                return original(*args, **kwargs)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.hit(before)
            result = original(*args, **kwargs)
            self.hit(after)
            return result

        async def wrapped_async(*args: Any, **kwargs: Any) -> Any:
            self.hit(before)
            result = await original(*args, **kwargs)
            self.hit(after)
            return result

        if place.sort == "commit":
            return named
        return wrapped_async if inspect.iscoroutinefunction(original) else wrapped

    def _around_kind(self, name: str, place: Place) -> None:
        from sdr.lib import jobs

        kind = jobs.registry.kinds[name]
        jobs.registry.kinds[name] = replace(kind, function=self.around(kind.function, place))

    @contextmanager
    def _verb(self, name: str) -> Iterator[None]:
        """The commits of this thread belong to that verb, the innermost one."""
        outer = getattr(self._verbs, "now", "")
        self._verbs.now = name
        try:
            yield
        finally:
            self._verbs.now = outer


def owner_of(place: Place) -> Any:
    """The module or class that has the place. Raises ImportError or AttributeError where there is none any more."""
    path, _, name = place.owner.rpartition(".")
    owner = getattr(import_module(path), name) if name[0].isupper() else import_module(place.owner)
    getattr(owner, place.attribute)
    return owner
