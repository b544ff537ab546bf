"""A few database threads with an affinity for orgs: work goes to the thread its org belongs to, if that is soon free.

A database connection belongs to a thread, and knows the tables of the orgs it has met: half a megabyte and several
milliseconds for each (BOOT 2). With the work of any org on any thread, a connection of an installation with a thousand
orgs mostly meets strangers. So each org has a home, and a thread takes the work at home first; one with nothing to do
takes what has waited elsewhere for a moment, and nothing waits behind its home for longer than PATIENCE_SECONDS while
other threads are freed.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

STEAL_SECONDS = 0.02  # waited elsewhere, before a thread with nothing to do takes it; meeting an org costs as much
PATIENCE_SECONDS = 2.0  # waited elsewhere, before a thread takes it though work of its own orgs waits, too

T = TypeVar("T")


@dataclass
class _Piece:
    function: Callable[[], Any]
    outcome: "Future[Any]" = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        if not self.outcome.set_running_or_notify_cancel():
            return
        try:
            result = self.function()
        except BaseException as error:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(result)


class OrgThreads:
    """`count` threads; each runs `on_exit` when it ends (to close its database connections).

    May be used from any thread. Must be closed; the threads do not keep the process alive.
    """

    def __init__(self, count: int, *, name: str = "org-work", on_exit: Callable[[], object] = lambda: None) -> None:
        self.count = count
        self._on_exit = on_exit
        self._lock = threading.Lock()
        self._lines: list[deque[_Piece]] = [deque() for _ in range(count)]  # by home, oldest first
        self._called = [threading.Condition(self._lock) for _ in range(count)]
        self._idle: set[int] = set()
        self._busy = 0
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, org_id: int, function: Callable[[], T]) -> "Future[T]":
        """Run `function`, at the org's home if that is soon free. Raises RuntimeError once closed.

        Out: a future; cancelling it prevents a run that has not begun.
        """
        piece = _Piece(function)
        home = org_id % len(self._lines)
        with self._lock:
            if self._is_closed:
                raise RuntimeError("these threads are closed")
            self._lines[home].append(piece)
            if home in self._idle:
                self._called[home].notify()
            else:
                self._call_somebody(home)
        return piece.outcome

    @property
    def is_quiet(self) -> bool:
        """Nothing runs, nothing waits."""
        with self._lock:
            return not self._busy and not any(self._lines)

    @property
    def is_full(self) -> bool:
        """Every thread has work."""
        with self._lock:
            return self._busy >= self.count

    def close(self, seconds: float) -> bool:
        """Take nothing more, run what waits, end. Waits up to `seconds`. Out: whether all threads have ended."""
        with self._lock:
            self._is_closed = True
            for called in self._called:
                called.notify()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, me: int) -> None:
        while (piece := self._next(me)) is not None:
            piece.run()
            del piece  # an idle thread keeps nothing alive
            with self._lock:
                self._busy -= 1
        self._on_exit()

    def _next(self, me: int) -> _Piece | None:
        """What this thread does next; waits for it. None: it may end."""
        with self._lock:
            while True:
                line = self._longest_waiting(me)
                waited = time.monotonic() - line[0].since if line else 0.0
                if line and waited >= PATIENCE_SECONDS:
                    return self._take(line)
                if self._lines[me]:
                    return self._take(self._lines[me])
                if line and (waited >= STEAL_SECONDS or self._is_closed):
                    return self._take(line)
                if self._is_closed:
                    return None
                self._idle.add(me)
                self._called[me].wait(STEAL_SECONDS - waited if line else None)
                self._idle.discard(me)

    def _longest_waiting(self, me: int) -> deque[_Piece] | None:
        """The line of somebody else whose first has waited longest."""
        others = (line for home, line in enumerate(self._lines) if line and home != me)
        return min(others, key=lambda line: line[0].since, default=None)

    def _take(self, line: deque[_Piece]) -> _Piece:
        self._busy += 1
        piece = line.popleft()
        for home, waiting in enumerate(self._lines):
            if waiting:
                self._call_somebody(home)
                break
        return piece

    def _call_somebody(self, home: int) -> None:
        """Wake a thread with nothing to do, so that it watches over what waits; the same ones for the same home."""
        if not self._idle:
            return
        count = len(self._lines)
        self._called[min(self._idle, key=lambda number: (number - home) % count)].notify()
