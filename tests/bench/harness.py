"""A database of its own with durable settings, a web server as deployed, clients, and honest arithmetic."""

import http.client
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

READY_SECONDS = 30
BRAIN_SECONDS = 1.0  # how long `tests.bench.brain.SlowBrain` thinks


@contextmanager
def bench_database(name: str, *, settings: str = "tests.settings") -> Iterator[None]:
    """Django on a fresh database of an embedded cluster that keeps its promises (fsync on); dropped afterwards."""
    state = Path(__file__).resolve().parents[2] / ".state" / "bench"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ |= {"ENVIRONMENT": "test", "DJANGO_SETTINGS_MODULE": settings, "TEST_DATABASE": name}
    from sdr.local.embedded import Cluster

    cluster = Cluster(state)
    cluster.start()
    os.environ["DATABASE_URL"] = cluster.dsn(name)
    try:
        import django

        django.setup()
        from django.db import connection

        from orgs import installation

        with installation.maintenance_connection() as server:
            server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        installation.prepare_database()
        yield
        connection.close()
        with installation.maintenance_connection() as server:
            server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        cluster.stop()


@contextmanager
def web_server(*, app: str = "sdr.asgi:application", **environment: str) -> Iterator[tuple[int, psutil.Process]]:
    """One web process as deployed, or another application served the same way. Out: its port and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-proxy-headers"]
    process = subprocess.Popen(
        [*command, "--no-access-log", "--log-level", "warning"],
        env=os.environ | environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if "LOG_LEVEL" in environment else None,  # lines are written, but nobody reads them
    )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                get(port, "/health/live")
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the web server did not start") from None
                time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def shift_workers(count: int = 2, **environment: str) -> Iterator[psutil.Process]:
    """`manage.py shifts` as deployed, with that many workers, all of them at work. Out: its first process."""
    from orgs import shift_cluster

    process = subprocess.Popen(
        [sys.executable, "manage.py", "shifts"],
        env=os.environ | {"SHIFT_WORKERS": str(count)} | environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while shift_cluster.working() < count:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the workers did not start")
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and everybody descended from it."""
    return [process, *process.children(recursive=True)]


@dataclass
class Round:
    """One measured run: answers by status, seconds each, and what `check` objected to."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    objections: list[str] = field(default_factory=list)


def load(
    port: int,
    paths: Callable[[random.Random], str],
    *,
    requests: int,
    connections: int,
    cookie: Callable[[str], str],
    check: Callable[[str, int, bytes], str] = lambda path, status, body: "",
    seed: int = 1,
) -> Round:
    """`requests` GETs over `connections` kept-alive connections; `check` returns an objection or ""."""
    result = Round()
    lock = threading.Lock()
    left = iter(range(requests))

    def client(number: int) -> None:
        dice = random.Random(seed * 1000 + number)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                if next(left, None) is None:
                    return
            path = paths(dice)
            started = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": cookie(path)})
            answer = connection.getresponse()
            body = answer.read()
            took = time.perf_counter() - started
            objection = check(path, answer.status, body)
            with lock:
                result.seconds.append(took)
                result.statuses[answer.status] = result.statuses.get(answer.status, 0) + 1
                if objection:
                    result.objections.append(objection)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    return connection.getresponse().status


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """User and system CPU of these processes so far; those that have ended count nothing."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def backends() -> list[psutil.Process]:
    """PostgreSQL's server processes of this database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return [psutil.Process(row[0]) for row in cursor.fetchall()]


def postmaster_cpu() -> float:
    """CPU of the whole PostgreSQL server, ended backends included, in seconds."""
    return server_cpu(postmaster())


def postmaster() -> psutil.Process:
    """The process all of PostgreSQL's descend from."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        parent = psutil.Process(cursor.fetchone()[0]).parent()
    assert parent is not None
    return parent


def server_cpu(postmaster: psutil.Process) -> float:
    """The same for a postmaster that is known already."""
    times = postmaster.cpu_times()
    own = times.user + times.system + times.children_user + times.children_system
    return float(own) + cpu_seconds(postmaster.children())


def private_mb(process: psutil.Process) -> float:
    """Memory no other process shares, in MB."""
    return float(process.memory_full_info().uss) / 1e6


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """`median [least–most] unit`."""
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}] {unit}".strip()


def heading(title: str, command: str) -> None:
    one, five, _ = os.getloadavg()
    print(
        f"\n## {title}\n`{command}` · load average {one:.1f} (1 min), {five:.1f} (5 min) · {os.cpu_count()} cores\n",
        flush=True,
    )


def session_cookie(person: Any) -> str:
    """A `Cookie` header that signs the person in."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
