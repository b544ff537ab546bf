"""`manage.py shifts` as a process of its own, on the test's database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
from django.db import connection

from sdr.local.embedded import CHECKOUT


@contextmanager
def shifts(workers: int = 2) -> Iterator[subprocess.Popen[bytes]]:
    """The process; whatever is left of it is killed in the end."""
    environment = {
        "ENVIRONMENT": "test", "DJANGO_SETTINGS_MODULE": "tests.settings", "SHIFT_WORKERS": str(workers),
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "manage.py", "shifts"],
        cwd=CHECKOUT, env={**os.environ, **environment}, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that work; the sentinel's other two children, who fetch and put away, are older than them."""
    children = psutil.Process(process.pid).children()
    return children[0].children() if children else []


def until(true: Callable[[], bool], *, within: float = 20.0) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)
