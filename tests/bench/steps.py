"""Where a worker's CPU goes: seconds of thread time by the function that ran, written to a file all the time.

Installed in the processes that have BENCH_STEPS, a folder, in their environment; `total` adds up what they wrote.
"""

import functools
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sdr.lib import jobs

FOLDER = "BENCH_STEPS"
WRITE_SECONDS = 0.25
LOOP = "event loop"

spent: Counter[str] = Counter()  # seconds by step
calls: Counter[str] = Counter()
_lock = threading.Lock()
_at = threading.local()


def install() -> None:
    """Have every piece of a shift's work timed, with what it takes to enter and leave the org."""
    if not os.environ.get(FOLDER):
        return
    from orgs import shifts

    in_org, outside, at_desk, run = jobs.Shift._in_org, jobs.Shift._outside, jobs.Shift._at_desk, jobs.Shift.run
    enter = shifts.DueQueue.enter

    async def timed_in_org(self: Any, org_id: int, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await in_org(self, org_id, named(function), *args, **kwargs)

    async def timed_outside(self: Any, org_id: int, function: Callable[..., Any], then: Callable[..., Any]) -> Any:
        return await outside(self, org_id, timed(function, name_of(function)), named(then))

    async def timed_at_desk(self: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await at_desk(self, timed(function, f"queue.{name_of(function)}"), *args, **kwargs)

    @contextmanager
    def timed_enter(self: Any, org_id: int) -> Iterator[Any]:
        started = time.thread_time()
        _at.step = "entering"
        try:
            with enter(self, org_id) as org:
                yield org
        finally:
            add(_at.step, time.thread_time() - started)

    def timed_run(self: Any) -> int:
        writer = threading.Thread(target=write_often, args=(threading.get_ident(),), daemon=True)
        writer.start()
        return run(self)

    jobs.Shift._in_org = timed_in_org  # type: ignore[method-assign]
    jobs.Shift._outside = timed_outside  # type: ignore[method-assign]
    jobs.Shift._at_desk = timed_at_desk  # type: ignore[method-assign]
    jobs.Shift.run = timed_run  # type: ignore[method-assign]
    shifts.DueQueue.enter = timed_enter  # type: ignore[method-assign]


def named(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; the time from entering the org to leaving it goes under its name."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        _at.step = name_of(function)
        return function(*args, **kwargs)

    return call


def timed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            add(name, time.thread_time() - started)

    return call


def name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__)).strip("_<>")


def add(step: str, seconds: float) -> None:
    with _lock:
        spent[step] += seconds  # type: ignore[assignment]  # a Counter counts seconds as well
        calls[step] += 1


def write_often(main_thread: int) -> None:
    clock = time.pthread_getcpuclockid(main_thread)
    path = Path(os.environ[FOLDER]) / f"{os.getpid()}.json"
    draft = path.with_suffix(".new")
    while True:
        with _lock:
            book = {"seconds": {**spent, LOOP: time.clock_gettime(clock)}, "calls": dict(calls)}
        draft.write_text(json.dumps(book))
        draft.replace(path)
        time.sleep(WRITE_SECONDS)


def total(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Seconds and calls by step, over all processes so far."""
    seconds: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for path in folder.glob("*.json"):
        book = json.loads(path.read_text())
        seconds.update(book["seconds"])
        count.update(book["calls"])
    return seconds, count
