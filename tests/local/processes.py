"""Real processes for the tests: find them by a mark in their environment, wait for them, kill them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 10.0


def launch(*arguments: str, mark: Path, **environment: str) -> subprocess.Popen[str]:
    """Run Python with these arguments, marked; its output is piped."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=os.environ | {"SDR_MARK": str(mark)} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def marked(mark: Path) -> dict[int, str]:
    """The command lines of all living processes that carry the mark, by process id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"SDR_MARK={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def kill(pids: list[int]) -> None:
    """Kill -9 them all at once: stopped first, so that none can react to another's end."""
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signum)


def eventually(is_true: Callable[[], object], *, within: float = WAIT_SECONDS) -> bool:
    """Whether it becomes true in time."""
    end = time.monotonic() + within
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
