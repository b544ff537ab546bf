"""The inbox at any size: list, thread and search with a hundred conversations and a hundred thousand; live streams.

python -m tests.bench.ui [lists] [vitals] [streams] [rate] [arrivals]
CONVERSATIONS=100000 MESSAGES=1000000 ROUNDS=40 STREAMS=1000 SECONDS=3 by default

Pages are asked over HTTP of one web process as deployed, one after the other, the two sizes in turn; queries are
counted in this process. Beside the time of an answer stands the CPU it took in the web process and in PostgreSQL, which
a busy machine changes less.
"""

import asyncio
import http.client
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import psutil

from tests.bench.harness import (
    bench_database,
    cpu_seconds,
    heading,
    percentile,
    postmaster,
    private_mb,
    server_cpu,
    session_cookie,
    spread,
    web_server,
)

COMMAND = "python -m tests.bench.ui"
CONVERSATIONS = int(os.environ.get("CONVERSATIONS", "100000"))
MESSAGES = int(os.environ.get("MESSAGES", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "40"))
STREAMS = int(os.environ.get("STREAMS", "1000"))
FEW = 100  # conversations of the small org, with as many messages each as the large one's
WARM_UP = 3  # rounds that do not count
PEOPLE = 100  # who listen, each in the tabs of STREAMS / PEOPLE
A_SECOND = 20  # changes
CHANGES = 200
HEARD_WITHIN = 30.0  # seconds
RATE_ROUNDS = 3

# What is asked, below /o/<slug>/inbox/; `{thread}` is a conversation of the org.
PAGES = {
    "list: all": "",
    "list: needs you": "?show=needs",
    "list: AI working": "?show=ai",
    "list: filtered": "?show=all&status=snoozed",
    "thread with the list": "{thread}/",
    "search: a name": "?q=marcia+moura",
    "search: a phone": "?q=9000{digits}",
    "search: a common word": "?q=financiamento",
    "search: a rare word": "?q=pedido4711",
    "search: two words": "?q=prazo+bateria",
}


@dataclass
class Figures:
    """Of one page at one size: seconds and CPU-seconds by request, and how many queries it makes."""

    seconds: list[float] = field(default_factory=list)
    web: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    queries: int = 0
    all_queries: int = 0
    size: int = 0


@cache
def made(slug: str, conversations: int, messages: int) -> tuple[str, str]:
    """`make`, once in a run: the measures share the orgs."""
    return make(slug, conversations, messages)


def make(slug: str, conversations: int, messages: int) -> tuple[str, str]:
    """An org so filled, with an owner. Out: the owner's cookie, and the id of a conversation in its middle."""
    from conversations.management.commands.fill_conversations import fill
    from conversations.models import Conversation
    from orgs.context import in_org
    from orgs.models import Membership, Org, Person, Role
    from orgs.schemas import provision

    org = provision(Org(slug=slug, name=slug, name_folded=slug))
    person = Person.objects.create(email=f"{slug}@example.com", name=slug)
    Membership.objects.create(org=org, person=person, role=Role.OWNER)
    with in_org(org):
        fill(conversations, messages)
        middle = Conversation.objects.order_by("pk")[conversations // 2].pk
    return session_cookie(person), str(middle)


def lists() -> None:
    """Pages at two sizes."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    each = MESSAGES // CONVERSATIONS
    orgs = {"few": made("few", FEW, FEW * each), "many": made("many", CONVERSATIONS, MESSAGES)}
    figures = {(name, slug): Figures() for name in PAGES for slug in orgs}
    for slug, (cookie, thread) in orgs.items():
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = cookie.partition("=")[2]
        for name, path in PAGES.items():
            address = f"/o/{slug}/inbox/" + path.format(thread=thread, digits=thread[-3:])
            for _ in range(2):  # what is asked once in a process's life does not count
                with CaptureQueriesContext(connection) as queries:
                    answer = client.get(address)
            assert answer.status_code == 200, (address, answer.status_code)
            ours = [one["sql"] for one in queries if "conversations_" in one["sql"]]
            one = figures[name, slug]
            one.queries, one.all_queries, one.size = len(ours), len(queries), len(answer.content)
    with web_server() as (port, web):
        database = postmaster()
        for number in range(ROUNDS + WARM_UP):
            for name, path in PAGES.items():
                for slug, (cookie, thread) in orgs.items():
                    address = f"/o/{slug}/inbox/" + path.format(thread=thread, digits=thread[-3:])
                    before = cpu_seconds([web]), server_cpu(database)
                    took = ask(port, address, cookie)
                    if number >= WARM_UP:
                        one = figures[name, slug]
                        one.seconds.append(took)
                        one.web.append(cpu_seconds([web]) - before[0])
                        one.database.append(server_cpu(database) - before[1])
    heading(f"The inbox with {FEW} and with {CONVERSATIONS:,} conversations ({MESSAGES:,} messages)", COMMAND)
    print("| page | queries: of conversations, all | p50 ms few → many | p95 ms few → many | ratio of p50 |"
          " CPU-ms many: web + database | HTML KB |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for name in PAGES:
        few, many = figures[name, "few"], figures[name, "many"]
        p50, p95 = ([1000 * percentile(one.seconds, share) for one in (few, many)] for share in (0.5, 0.95))
        cpu = [1000 * sum(values) / len(values) for values in (many.web, many.database)]
        print(
            f"| {name} | {many.queries}, {many.all_queries} | {p50[0]:.0f} → {p50[1]:.0f} | {p95[0]:.0f} → {p95[1]:.0f}"
            f" | {p50[1] / p50[0]:.2f} | {cpu[0]:.0f} + {cpu[1]:.0f} | {many.size / 1000:.0f} |",
            flush=True,
        )


def ask(port: int, path: str, cookie: str) -> float:
    """Seconds until the whole answer is there. Raises RuntimeError unless it is 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.perf_counter()
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - started
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}")
    return took


def streams() -> None:
    """How soon an open page hears of a change, and what so many of them cost the web process."""
    from orgs.models import Membership, Org, Person, Role
    from orgs.schemas import provision

    org = provision(Org(slug="live", name="Live", name_folded="live"))
    cookies = []
    for place in range(PEOPLE):
        person = Person.objects.create(email=f"listener-{place}@example.com", name="Listener")
        Membership.objects.create(org=org, person=person, role=Role.SDR)
        cookies.append(session_cookie(person))
    with web_server() as (port, web):
        first = asyncio.run(listen(port, web, org, cookies, count=2))
        many = asyncio.run(listen(port, web, org, cookies, count=STREAMS))
    heading(f"Live streams: {A_SECOND} changes a second", COMMAND)
    print("| streams | change → open thread p50 / p95 ms | change → list p50 / p95 ms | memory of the web process |"
          " CPU of it | not heard |\n|---|---|---|---|---|---|")  # fmt: skip
    for one in (first, many):
        print(one)


async def listen(port: int, web: psutil.Process, org: Any, cookies: list[str], *, count: int) -> str:
    """Open so many streams, change a conversation CHANGES times, and say how soon that was heard."""
    before = private_mb(web)
    tabs = [Tab(port, cookies[place % len(cookies)], conversation=place + 1) for place in range(count)]
    for start in range(0, count, 50):
        await asyncio.gather(*(tab.open() for tab in tabs[start : start + 50]))
    await asyncio.sleep(1)
    opened, cpu, started = private_mb(web), cpu_seconds([web]), time.perf_counter()
    sent: dict[int, float] = {}
    for number in range(CHANGES):
        pk = 1 + number * 7 % count
        sent[number] = time.perf_counter()
        tabs[pk - 1].waiting.append(sent[number])
        for tab in tabs:
            tab.changed_at = tab.changed_at or sent[number]
        await asyncio.to_thread(change, org, pk)
        await asyncio.sleep(max(0.0, started + (number + 1) / A_SECOND - time.perf_counter()))
    deadline = time.perf_counter() + HEARD_WITHIN
    while any(tab.waiting for tab in tabs) and time.perf_counter() < deadline:  # noqa: ASYNC110  # two hundred ends
        await asyncio.sleep(0.05)
    took = time.perf_counter() - started
    used = (cpu_seconds([web]) - cpu) / took
    for tab in tabs:
        tab.close()
    thread = [seconds for tab in tabs for seconds in tab.thread]
    listed = [seconds for tab in tabs for seconds in tab.listed]
    words = " | ".join(
        f"{1000 * percentile(values, 0.5):.0f} / {1000 * percentile(values, 0.95):.0f}" for values in (thread, listed)
    )
    return (
        f"| {count:,} | {words} | {before:.0f} → {opened:.0f} MB | {100 * used:.0f} % of a core"
        f" | {sum(len(tab.waiting) for tab in tabs)} of {CHANGES} |"
    )


def change(org: Any, pk: int) -> None:
    from orgs import bell

    bell.tell(org.pk, pk)


class Tab:
    """A stream as a browser keeps it, read as it comes."""

    def __init__(self, port: int, cookie: str, *, conversation: int, slug: str = "live") -> None:
        self._port, self._cookie, self._conversation, self._slug = port, cookie, conversation, slug
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self.waiting: list[float] = []  # changes of its conversation that it has not heard of
        self.changed_at = 0.0  # the first change of the org since it last heard `inbox`
        self.thread: list[float] = []
        self.listed: list[float] = []

    async def open(self) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        path = f"/live/{self._slug}/inbox/?conversation={self._conversation}"
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {self._cookie}\r\n\r\n".encode())
        status = await reader.readline()
        assert b" 200 " in status, status
        while b"event: reload" not in await reader.readline():
            pass
        self._task = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            now = time.perf_counter()
            if line.startswith(b"event: conversation"):
                self.thread += [now - at for at in self.waiting]
                self.waiting.clear()
            elif line.startswith(b"event: inbox") and self.changed_at:
                self.listed.append(now - self.changed_at)
                self.changed_at = 0.0

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()


def vitals() -> None:
    """Paints and presses in a browser, with as many conversations."""
    from tests.bench import ui_browser

    cookie, thread = made("many", CONVERSATIONS, MESSAGES)
    with web_server() as (port, _web):
        found = ui_browser.vitals(port, "many", cookie, thread)
    heading(f"What the browser says with {CONVERSATIONS:,} conversations (must be: LCP < 1,500, INP < 200 ms)", COMMAND)
    for line in found.lines():
        print(line)


def rate() -> None:
    """Webhooks acknowledged a second by the web process that serves the streams, without and with them, in turns."""
    from integrations.whatsapp import auth
    from integrations.whatsapp.numbers import add_number, webhook_path
    from orgs.models import Membership, Org, Person, Role
    from orgs.schemas import provision
    from tests.bench import ack

    org = provision(Org(slug="rate", name="Rate", name_folded="rate"))
    cookies = []
    for place in range(PEOPLE):
        person = Person.objects.create(email=f"rate-{place}@example.com", name="Listener")
        Membership.objects.create(org=org, person=person, role=Role.SDR)
        cookies.append(session_cookie(person))
    path = webhook_path(add_number(org, "Bench", proof=auth.Proof.HMAC, secret=ack.SECRET))
    runs: dict[int, list[ack.Run]] = {0: [], STREAMS: []}
    with web_server() as (port, web):
        database = postmaster()
        for number in range(RATE_ROUNDS + 1):
            for count, done in runs.items():
                run = asyncio.run(acknowledged(port, web, org, cookies, path, count=count, database=database))
                assert not run.bad, run.bad[:5]
                if number:  # the first round warms up
                    done.append(run)
    heading(f"Acknowledged webhooks while {STREAMS:,} streams are open and {A_SECOND} changes a second come", COMMAND)
    print("| streams | answers/s | CPU-ms web | p99 ms |\n|---|---|---|---|")
    for count, done in runs.items():
        print(
            f"| {count:,} | {spread([run.rate for run in done], '', 0)} | {spread([run.web_ms for run in done])}"
            f" | {spread([run.p99 for run in done], '', 1)} |"
        )


async def acknowledged(
    port: int, web: psutil.Process, org: Any, cookies: list[str], path: str, *, count: int, database: psutil.Process
) -> Any:
    """One round of the acknowledgement's load with so many tabs open, which hear of changes meanwhile."""
    from tests.bench import ack

    tabs = [Tab(port, cookies[place % len(cookies)], conversation=place + 1, slug=org.slug) for place in range(count)]
    for start in range(0, count, 50):
        await asyncio.gather(*(tab.open() for tab in tabs[start : start + 50]))

    async def go_on() -> None:
        number = 0
        while True:
            number += 1
            await asyncio.to_thread(change, org, 1 + number * 7 % max(1, count))
            await asyncio.sleep(1 / A_SECOND)

    changing = asyncio.create_task(go_on())
    try:
        return await ack.drive(port, ack.prepared(ack.signed(path)), web=web, database=database)
    finally:
        changing.cancel()
        for tab in tabs:
            tab.close()


def arrivals() -> None:
    """How soon a lead's message stands on two screens."""
    from django.db import transaction
    from django.utils import timezone

    from conversations import intake
    from conversations.models import Conversation, Message, Number
    from conversations.ports import ChatAddress, Incoming, LinkState, MessageKind
    from orgs.context import in_org
    from orgs.models import Membership, Org, Person, Role
    from orgs.schemas import provision
    from tests.bench import ui_browser

    org = provision(Org(slug="arrivals", name="Arrivals", name_folded="arrivals"))
    cookies = []
    for place in range(ui_browser.OPEN):
        person = Person.objects.create(email=f"watcher-{place}@example.com", name="Watcher")
        Membership.objects.create(org=org, person=person, role=Role.SDR)
        cookies.append(session_cookie(person))
    with in_org(org):
        number = Number.objects.create(name="Sales", mode=Number.Mode.OFF, state=LinkState.OPEN)

    def arrive(place: int, count: int) -> int:
        phone = f"55119000000{place:02}"
        told = Incoming(
            provider_id=f"ARRIVAL{place}-{count}", chat=ChatAddress(f"{phone}@s.whatsapp.net", phone=phone),
            from_us=False, sent_at=timezone.now(), kind=MessageKind.TEXT, text=f"Mensagem {count}", sender_name="Maria",
        )  # fmt: skip
        with in_org(org), transaction.atomic():
            intake.handle(number, told, received_at=timezone.now())
            return int(Message.objects.latest("pk").pk)

    places = 2 * ui_browser.OPEN
    for place in range(places):
        arrive(place, -1)
    with in_org(org):
        threads = list(Conversation.objects.order_by("pk").values_list("pk", flat=True))
    with web_server() as (port, _web):
        row = ui_browser.arrivals(port, org.slug, cookies, arrive, threads)
    heading("From a message's arrival to the screen (must be: p95 < 300 ms)", COMMAND)
    print("| messages | p50 / p95 / worst ms | not seen |\n|---|---|---|")
    print(row)


MEASURES: dict[str, Callable[[], None]] = {
    "lists": lists, "vitals": vitals, "streams": streams, "rate": rate, "arrivals": arrivals,
}  # fmt: skip


def main() -> None:
    with bench_database("bench_ui"):
        for name in sys.argv[1:] or MEASURES:
            MEASURES[name]()


if __name__ == "__main__":
    main()
