"""What one acknowledgement costs: our endpoint as deployed, and a bare insert on the same database, in turns.

python -m tests.bench.ack      ROUNDS=5 SECONDS=3 by default
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count, islice
from typing import Any

import psutil
import uvloop

from tests.bench.harness import (
    bench_database,
    cpu_seconds,
    heading,
    percentile,
    postmaster,
    server_cpu,
    spread,
    web_server,
)

COMMAND = "python -m tests.bench.ack"
CONNECTIONS = 16
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SECONDS", "3"))
WARM_UP_SECONDS = 1.0
PREPARED_A_SECOND = 5000  # requests; a faster machine has the rest made while it is measured
SECRET = "a-secret-of-many-characters-0123456789"
OURS, FLOOR = "ours", "floor"
MOST_CPU_MS, AIMED_CPU_MS, LEAST_RATIO, MOST_P99 = 1.5, 0.6, 0.6, 3.0

numbers = count()


@dataclass
class Run:
    """One round of one endpoint, warm-up left out: answers, CPU and times; `sent` counts every answer of the round."""

    answers: int = 0
    sent: int = 0
    seconds: float = 0.0
    web: float = 0.0  # CPU seconds of the web process
    database: float = 0.0  # CPU seconds of PostgreSQL
    times: list[float] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    @property
    def web_ms(self) -> float:
        return self.web / self.answers * 1000

    @property
    def database_ms(self) -> float:
        return self.database / self.answers * 1000

    @property
    def p99(self) -> float:
        return percentile(self.times, 0.99) * 1000


class Client(asyncio.Protocol):
    """One kept-alive connection that posts, waits for the answer and posts again."""

    def __init__(
        self, run: Run, requests: Iterator[bytes], state: dict[str, bool], ended: asyncio.Future[None]
    ) -> None:
        self.run, self.requests, self.state, self.ended = run, requests, state, ended
        self.started = 0.0
        self.answer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.post()

    def post(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if not self.answer.endswith(b"\r\n\r\n"):
            return
        status, self.answer = self.answer[9:12], b""
        self.run.sent += 1
        if status != b"200":
            self.run.bad.append(status)
        if self.state["counting"]:
            self.run.answers += 1
            self.run.times.append(time.perf_counter() - self.started)
        if self.state["over"]:
            self.transport.close()
        else:
            self.post()

    def connection_lost(self, error: Exception | None) -> None:
        if error or not self.state["over"]:
            self.run.bad.append(b"cut")
        if not self.ended.done():
            self.ended.set_result(None)


async def drive(port: int, requests: Iterator[bytes], *, web: psutil.Process, database: psutil.Process) -> Run:
    """Load one endpoint for the warm-up and the measured seconds."""
    run, state = Run(), {"counting": False, "over": False}
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(CONNECTIONS)]
    for end in ends:
        await loop.create_connection(lambda end=end: Client(run, requests, state, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.sleep(WARM_UP_SECONDS)
    before, before_database, started = cpu_seconds([web]), server_cpu(database), time.perf_counter()
    state["counting"] = True
    await asyncio.sleep(SECONDS)
    state["counting"] = False
    run.seconds = time.perf_counter() - started
    run.web, run.database = cpu_seconds([web]) - before, server_cpu(database) - before_database
    state["over"] = True
    await asyncio.gather(*ends)
    return run


def prepared(requests: Iterator[bytes]) -> Iterator[bytes]:
    """The same requests without end, as many as a round should need made beforehand."""
    return chain(list(islice(requests, int((SECONDS + WARM_UP_SECONDS) * PREPARED_A_SECOND))), requests)


def signed(path: str) -> Iterator[bytes]:
    """Finished requests with authentic bodies of about 650 bytes, each with an id of its own."""
    from integrations.whatsapp import auth
    from tests.integrations.whatsapp.arrivals import text

    body = text("0")
    while True:
        body["data"]["key"]["id"] = f"BENCH{next(numbers):011}"
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()  # as axios writes it
        headers = {
            "Host": "localhost",
            "Content-Type": "application/json",
            "User-Agent": "axios/1.7.9",
            "Content-Length": str(len(content)),
        }
        headers |= auth.sign(SECRET, content, now=datetime.now(UTC))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        yield f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


def plain(requests: Iterator[bytes]) -> Iterator[bytes]:
    """The same bodies for the floor, each at an address of its own, which is its unique key."""
    for request in requests:
        line, _, rest = request.partition(b" HTTP/1.1\r\n")
        yield b"%s/%d HTTP/1.1\r\n%s" % (line, next(numbers), rest)


def main() -> int:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="bench-metrics-")
    with bench_database("bench_ack"):
        from django.db import connection

        from integrations.whatsapp import auth
        from integrations.whatsapp.numbers import add_number, webhook_path
        from orgs.models import Due, Org, Received
        from orgs.schemas import provision
        from tests.bench import ack_floor

        org = provision(Org(slug="bench", name="Bench", name_folded="bench"))
        path = webhook_path(add_number(org, "Bench", proof=auth.Proof.HMAC, secret=SECRET))
        with connection.cursor() as cursor:
            cursor.execute(ack_floor.TABLE)
        runs: dict[str, list[Run]] = {OURS: [], FLOOR: []}
        stored = acknowledged = 0
        with web_server() as (port, web), web_server(app="tests.bench.ack_floor:application") as (floor_port, floor):
            database = postmaster()
            first = first_ack(port, next(signed(path)))
            for number in range(ROUNDS + 1):
                for kind in (OURS, FLOOR) if number % 2 else (FLOOR, OURS):
                    requests = prepared(plain(signed(path)) if kind == FLOOR else signed(path))
                    here, process = (port, web) if kind == OURS else (floor_port, floor)
                    run = uvloop.run(drive(here, requests, web=process, database=database))
                    assert not run.bad, (kind, run.bad[:5])
                    if kind == OURS:
                        acknowledged += run.sent
                        stored = Received.objects.count() - 1
                        assert stored >= acknowledged, f"{acknowledged} acknowledged, {stored} stored"
                        assert Due.objects.filter(kind="intake").count() == stored + 1
                    if number:  # the first round warms up
                        runs[kind].append(run)
        report(runs, acknowledged=acknowledged, stored=stored, first=first)
    return 0


def first_ack(port: int, request: bytes) -> float:
    """Seconds from the first post after the process has started to its acknowledgement."""
    run, state = Run(), {"counting": True, "over": True}

    async def once() -> None:
        loop = asyncio.get_running_loop()
        end = loop.create_future()
        await loop.create_connection(lambda: Client(run, iter([request]), state, end), "127.0.0.1", port)
        await end

    uvloop.run(once())
    assert run.sent == 1
    assert not run.bad, run.bad
    return run.times[0]


def report(runs: dict[str, list[Run]], *, acknowledged: int, stored: int, first: float) -> None:
    pairs = list(zip(runs[OURS], runs[FLOOR], strict=True))
    ratios = [ours.rate / floor.rate for ours, floor in pairs]
    tails = [ours.p99 / floor.p99 for ours, floor in pairs]
    heading(
        f"Acknowledgement over {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS:.0f} s each in turns", COMMAND
    )
    print("| | answers/s | CPU-ms web | CPU-ms PostgreSQL | p50 ms | p99 ms |\n|---|---|---|---|---|---|")
    for kind, label in ((OURS, "our endpoint, everything in"), (FLOOR, "bare ASGI + one insert")):
        done = runs[kind]
        middle = [percentile(run.times, 0.5) * 1000 for run in done]
        print(
            f"| {label} | {spread([run.rate for run in done], '', 0)} | {spread([run.web_ms for run in done])}"
            f" | {spread([run.database_ms for run in done])} | {spread(middle, '', 1)}"
            f" | {spread([run.p99 for run in done], '', 1)} |"
        )
    cpu = statistics.median(run.web_ms for run in runs[OURS])
    print(
        f"\nrate against the floor {spread(ratios)} (must be ≥ {LEAST_RATIO}); p99 against the floor's {spread(tails)}"
        f" (must be ≤ {MOST_P99}); CPU {cpu:.2f} ms (must be ≤ {MOST_CPU_MS}, aim {AIMED_CPU_MS})"
        f"\n{acknowledged} acknowledged, {stored} stored; first acknowledgement after start {first * 1000:.0f} ms",
        flush=True,
    )
    assert cpu <= MOST_CPU_MS
    assert statistics.median(ratios) >= LEAST_RATIO
    assert statistics.median(tails) <= MOST_P99


if __name__ == "__main__":
    sys.exit(main())
