"""Kinds of work that do next to nothing, for measuring the queue itself.

Each run leaves a line `ref pid start end` (monotonic seconds) in the file BENCH_RUNS names, written whole.
"""

import asyncio
import os
import time

from sdr.lib import jobs

RUNS = "BENCH_RUNS"
BRIEF_SECONDS = 0.02


@jobs.kind("bench-trivial", slots=200, share=200)
async def trivial(work: jobs.Work) -> None:
    note(work, time.monotonic())


@jobs.kind("bench-brief", slots=40, share=20)
async def brief(work: jobs.Work) -> None:
    """Takes a moment, so that two runs of one row could overlap."""
    started = time.monotonic()
    await asyncio.sleep(BRIEF_SECONDS)
    note(work, started)


def note(work: jobs.Work, started: float) -> None:
    file = _file()
    os.write(file, f"{work.ref} {os.getpid()} {started:.6f} {time.monotonic():.6f}\n".encode())


def _file() -> int:
    pid, number = _opened
    if pid != os.getpid():
        number = os.open(os.environ[RUNS], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        _opened[:] = [os.getpid(), number]
    return number


_opened = [0, -1]
