"""Replies a second, and what one costs: 200 leads over 20 numbers, from their phones and back to them.

python -m tests.bench.replies      SECONDS=20 by default

Real: the web process, two workers, HTTP both ways, PostgreSQL with durable settings, ticks that come back. Not real:
the brain waits a second, nothing is paced, messages are gathered for a second instead of eight. Evolution's stand-in
and the leads live in this process, on the same cores, and are not counted. First every lead writes again as soon as the
answer is there; then leads write at half of the rate that gave, each when its time has come.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from integrations.whatsapp.standin import Author, Options, Standin
from tests.bench import steps
from tests.bench.harness import (
    BRAIN_SECONDS,
    bench_database,
    cpu_seconds,
    family,
    heading,
    percentile,
    postmaster,
    server_cpu,
    shift_workers,
    web_server,
)

COMMAND = "python -m tests.bench.replies"
ORGS, NUMBERS, LEADS = 5, 20, 200
SECONDS = float(os.environ.get("SECONDS", "20"))
WARM_UP_SECONDS, SETTLE_SECONDS = 6.0, 60.0
BATCHING_SECONDS = 1.0
CONNECT_SECONDS = 30.0
SECRET = "a-secret-of-many-characters-0123456789"
LEAST_RATE, AIMED_RATE, MOST_OVERHEAD = 25.0, 40.0, 0.3
WORDS = "oi, queria saber sobre"  # reads as unfinished: the whole gathering time is waited


@dataclass
class Crowd:
    """The leads, on the stand-in's loop: who waits since when, and how long each answer took."""

    standin: Standin
    leads: list[tuple[str, str]]
    waits: dict[tuple[str, str], float] = field(default_factory=dict)
    seconds: list[tuple[float, float]] = field(default_factory=list)  # (when answered, how long it took), monotonic
    writes_again: bool = False
    written: int = 0
    answered: int = 0

    def install(self) -> None:
        """Be told of everything that appears on a phone."""
        whatsapp = self.standin.whatsapp
        add = whatsapp.add

        def told(message: Any) -> Any:
            if message.author != Author.LEAD:
                self.hears(message.instance, message.phone)
            return add(message)

        whatsapp.add = told  # type: ignore[method-assign]

    def hears(self, instance: str, phone: str) -> None:
        since = self.waits.pop((instance, phone), None)
        if since is None:
            raise AssertionError(f"{phone} was answered without having asked")
        now = time.monotonic()
        self.answered += 1
        self.seconds.append((now, now - since))
        if self.writes_again:
            asyncio.get_running_loop().call_soon(self.says, instance, phone)

    def says(self, instance: str, phone: str) -> None:
        self.waits[instance, phone] = time.monotonic()
        self.written += 1
        self.standin.evolution.act(instance, phone, "text", {"text": f"{WORDS} {self.written}"})

    def all_at_once(self) -> None:
        self.writes_again = True
        for lead in self.leads:
            self.says(*lead)

    async def at_rate(self, rate: float, seconds: float) -> None:
        """Leads write one after the other, each only when the last answer is there."""
        begun = time.monotonic()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            lead = self.leads[number % len(self.leads)]
            if lead not in self.waits:
                self.says(*lead)

    def between(self, start: float, end: float) -> list[float]:
        return [seconds for when, seconds in self.seconds if start <= when < end]


@dataclass
class Costs:
    """CPU seconds so far, by who spent them."""

    web: float
    workers: float
    database: float
    steps: Counter[str]

    @classmethod
    def now(cls, web: psutil.Process, workers: psutil.Process, database: psutil.Process, folder: Path) -> "Costs":
        return cls(cpu_seconds([web]), cpu_seconds(family(workers)), server_cpu(database), steps.total(folder)[0])


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="bench-steps-"))
    os.environ |= {"PROMETHEUS_MULTIPROC_DIR": tempfile.mkdtemp(prefix="bench-metrics-"), "LOG_JSON": "true"}
    options = Options(create_seconds=0.1, auto_pair_seconds=0.1)
    with bench_database("bench_replies", settings="tests.bench.settings"), Standin(options) as standin:
        with (
            web_server(LOG_LEVEL="INFO") as (port, web),
            shift_workers(2, LOG_LEVEL="INFO", **{steps.FOLDER: str(folder)}) as workers,
        ):
            crowd = Crowd(standin, gather(standin, port))
            crowd.install()
            database = postmaster()
            standin.do(crowd.all_at_once)
            time.sleep(WARM_UP_SECONDS)
            before, start = Costs.now(web, workers, database, folder), time.monotonic()
            time.sleep(SECONDS)
            after, end = Costs.now(web, workers, database, folder), time.monotonic()
            crowd.writes_again = False
            busy = crowd.between(start, end)
            wait_until_answered(crowd)
            rate = len(busy) / (end - start)
            begun = time.monotonic()
            run(standin, crowd.at_rate(rate / 2, SECONDS))
            wait_until_answered(crowd)
            calm = crowd.between(begun + WARM_UP_SECONDS, time.monotonic())
        check_each_answered_once(crowd)
    report(rate, busy=busy, calm=calm, before=before, after=after)
    return 0


def gather(standin: Standin, port: int) -> list[tuple[str, str]]:
    """Orgs with connected numbers, and leads spread over them. Out: (instance, phone) of each lead."""
    from django.utils import timezone

    from conversations.models import AgentVersion, Number
    from integrations.whatsapp.auth import Proof
    from integrations.whatsapp.client import Evolution, Webhook
    from integrations.whatsapp.numbers import Provider, add_number, webhook_path
    from orgs.context import in_org
    from orgs.models import Org
    from orgs.schemas import provision

    owner = Evolution(standin.url, standin.api_key)
    instances: list[str] = []
    for place in range(ORGS):
        org = provision(Org(slug=f"bench{place}", name="Bench", name_folded="bench"))
        with in_org(org):
            AgentVersion.objects.create(
                state=AgentVersion.State.PUBLISHED, published_at=timezone.now(), batching_seconds=BATCHING_SECONDS,
                cooldown_seconds=0, typing_per_character=0, typing_longest=0, loop_limit=30_000,
            )  # fmt: skip
        for number in range(NUMBERS // ORGS):
            instance, key = f"bench{place}_{number}", f"key-of-bench-{place}-{number}-0123456789"
            provider = Provider(standin.url, key, instance)
            address = add_number(org, instance, proof=Proof.JWT, secret=SECRET, provider=provider)
            webhook = Webhook(f"http://127.0.0.1:{port}{webhook_path(address)}", {"jwt_key": SECRET})
            owner.create(instance, token=key, webhook=webhook, number=f"55119888{len(instances):05}")
            instances.append(instance)
            wait_until_open(org, address.number_id, Number, in_org)
    return [(instances[n % NUMBERS], f"55119{90_000_000 + n}") for n in range(LEADS)]


def wait_until_open(org: Any, number_id: int, numbers: Any, in_org: Any) -> None:
    deadline = time.monotonic() + CONNECT_SECONDS
    while time.monotonic() < deadline:
        with in_org(org):
            if numbers.objects.get(pk=number_id).state == "open":
                return
        time.sleep(0.05)
    raise RuntimeError("a number did not connect")


def run(standin: Standin, work: Any) -> None:
    assert standin.loop is not None
    asyncio.run_coroutine_threadsafe(work, standin.loop).result()


def wait_until_answered(crowd: Crowd) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while crowd.waits:
        assert time.monotonic() < deadline, f"not answered: {[stored(*lead) for lead in list(crowd.waits)]}"
        time.sleep(0.05)


def stored(instance: str, phone: str) -> list[str]:
    """The newest messages of a lead as the product has them, with the states of its turns."""
    from conversations.models import Message, Turn
    from orgs.context import each_org, in_org

    lines = [instance]
    for org in each_org():
        with in_org(org):
            for message in Message.objects.filter(conversation__contact__phone__endswith=phone).order_by("-seq")[:3]:
                turns = Turn.objects.filter(conversation=message.conversation_id, up_to_seq=message.seq)
                lines.append(
                    f"{message.seq} {message.author} {message.state} {message.failure} tries {message.attempts}"
                    f" turns {list(turns.values_list('state', 'reason', 'attempts'))}"
                )
    return lines


def check_each_answered_once(crowd: Crowd) -> None:
    """As the phones show it."""
    asked: Counter[tuple[str, str]] = Counter()
    for message in crowd.standin.whatsapp.messages:
        asked[message.instance, message.phone] += 1 if message.author == Author.LEAD else -1
    assert not any(asked.values()), asked
    assert crowd.written == crowd.answered


def report(rate: float, *, busy: list[float], calm: list[float], before: Costs, after: Costs) -> None:
    heading(f"Replies: {LEADS} leads over {NUMBERS} numbers of {ORGS} orgs, {SECONDS:.0f} s", COMMAND)
    waited = BATCHING_SECONDS + BRAIN_SECONDS
    overheads = [seconds - waited for seconds in calm]
    took = sorted(busy)
    print(
        f"{rate:.1f} replies/s (must be ≥ {LEAST_RATE:.0f}, aim {AIMED_RATE:.0f}), {len(busy)} in all; each after"
        f" p50 {percentile(took, 0.5):.2f} s, p95 {percentile(took, 0.95):.2f} s\n"
        f"at {rate / 2:.1f}/s: over gathering and brain p50 {percentile(overheads, 0.5) * 1000:.0f} ms,"
        f" p95 {percentile(overheads, 0.95) * 1000:.0f} ms (must be < {MOST_OVERHEAD * 1000:.0f}),"
        f" p99 {percentile(overheads, 0.99) * 1000:.0f} ms of {len(overheads)}\n"
    )
    spent = after.steps - before.steps
    inside = sum(spent.values())
    lines: dict[str, float] = {name: seconds for name, seconds in spent.most_common() if seconds / len(busy) > 0.00005}
    lines["the rest of the workers"] = after.workers - before.workers - inside
    lines["**workers**"] = after.workers - before.workers
    lines["**web**"] = after.web - before.web
    lines["**PostgreSQL**"] = after.database - before.database
    print("| step | CPU-ms a reply |\n|---|---|")
    for name, seconds in lines.items():
        print(f"| {name} | {seconds / len(busy) * 1000:.2f} |")
    whole = sum(lines[name] for name in ("**workers**", "**web**", "**PostgreSQL**"))
    print(f"| **all** | {whole / len(busy) * 1000:.2f} |", flush=True)
    assert rate >= LEAST_RATE
    assert percentile(overheads, 0.95) < MOST_OVERHEAD


if __name__ == "__main__":
    sys.exit(main())
