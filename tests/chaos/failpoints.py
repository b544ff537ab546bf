"""Where a process kills or freezes itself: before and after every commit, call, thought and stored batch."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

KILL_SHARE = 0.5  # the others freeze, and somebody outside wakes them
THOUGHT_WEIGHT = 20


class Failpoints:
    """In: a seed of this process, the probability at each place, and the file in which each hit leaves a line."""

    def __init__(self, seed: int, rate: float, journal: Path) -> None:
        self._dice = random.Random(seed)
        self._rate = rate
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def hit(self, place: str, *, weight: float = 1) -> None:
        """Perhaps die, perhaps freeze, mostly nothing. `weight` makes up for places that are rarely passed."""
        if self._dice.random() >= self._rate * weight:
            return
        number = signal.SIGKILL if self._dice.random() < KILL_SHARE else signal.SIGSTOP
        os.write(self._journal, f"{place} {number.name}\n".encode())
        os.kill(os.getpid(), number)

    def around(self, owner: Any, name: str, place: str) -> None:
        """Put one before and one after a function or method of `owner`."""
        original: Callable[..., Any] = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.hit(f"before {place}")
            result = original(*args, **kwargs)
            self.hit(f"after {place}")
            return result

        setattr(owner, name, wrapped)

    def around_async(self, owner: Any, name: str, place: str, *, weight: float = 1) -> None:
        """The same for a coroutine function."""
        original: Callable[..., Any] = getattr(owner, name)

        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.hit(f"before {place}", weight=weight)
            result = await original(*args, **kwargs)
            self.hit(f"after {place}", weight=weight)
            return result

        setattr(owner, name, wrapped)

    def place_in_worker(self) -> None:
        from integrations.whatsapp.transport import EvolutionTransport
        from tests.chaos.brain import NamingBrain

        self.around(BaseDatabaseWrapper, "_commit", "commit")
        self.around(EvolutionTransport, "send_text", "call")
        self.around_async(NamingBrain, "decide", "thought", weight=THOUGHT_WEIGHT)

    def place_in_web(self) -> None:
        from orgs.ingest import Ingest

        self.around_async(Ingest, "_execute", "batch")
