"""CPU of a webhook and of a turn: one org against a thousand at random, 100 messages in an org against a million.

python -m tests.bench.scale      ORGS=1000 MESSAGES=1000000 ROUNDS=4 WEBHOOKS=200 by default

Web server and workers as deployed; the brain and the way to WhatsApp answer at once, and cost nothing. The work of a
round comes in two parts: webhooks are posted until all are messages (door and intake), with turns due much later; then
the turns are made due at once (open, apply, claim, send, record). The two sides of a comparison take turns.
"""

import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

import psutil

from tests.bench.harness import (
    bench_database,
    cpu_seconds,
    family,
    heading,
    postmaster,
    server_cpu,
    shift_workers,
    spread,
    web_server,
)

COMMAND = "python -m tests.bench.scale"
ORGS = int(os.environ.get("ORGS", "1000"))
MESSAGES = int(os.environ.get("MESSAGES", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "4"))
WEBHOOKS = int(os.environ.get("WEBHOOKS", "200"))  # of a side in a round
FEW = 100  # messages, each of another lead; these leads write in the org with very many, too
PER_LEAD = 10  # messages of each of the others
OTHERS = -(-(MESSAGES - FEW) // PER_LEAD)  # leads in the org with very many
PHONES = 70_000_000  # the first of these leads, less 55119
MAKERS = 2
CONNECTIONS = 8
BATCHING_SECONDS = 300.0  # no turn before it is asked for
DONE_WITHIN = 120.0  # seconds
SAMPLE_SECONDS = 0.2
SECRET = "a-secret-of-many-characters-0123456789"
MOST_RATIO = 1.25

MAKE = """
import sys
import django; django.setup()
from tests.bench import scale
scale.make_orgs(range(int(sys.argv[1]), int(sys.argv[2])))
"""

Target = tuple[str, str]  # (path of the webhook, phone of the lead)
numbers = count()


@dataclass
class Side:
    """What is written to in a round, and CPU-ms a webhook and a turn by round, PostgreSQL's share apart."""

    label: str
    targets: Callable[[random.Random], list[list[Target]]]  # in bursts: no lead twice in one
    webhook: list[float] = field(default_factory=list)
    webhook_database: list[float] = field(default_factory=list)
    turn: list[float] = field(default_factory=list)
    turn_database: list[float] = field(default_factory=list)


class Meter:
    """CPU seconds of web server, workers, and PostgreSQL's sessions: not of its cleaning and writing for everybody.

    Sessions that have ended count; what is left out is looked at all the time, since it ends, too.
    """

    def __init__(self, web: psutil.Process, workers: psutil.Process) -> None:
        self._ours = (web, workers)
        self._postmaster = postmaster()
        self._others: dict[int, float] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def read(self) -> tuple[float, float]:
        """(all, of it PostgreSQL) so far."""
        self._look()
        database = server_cpu(self._postmaster) - sum(self._others.values())
        web, workers = self._ours
        return cpu_seconds([web, *family(workers)]) + database, database

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        with self._lock:
            for process in self._postmaster.children():
                with contextlib.suppress(psutil.NoSuchProcess, IndexError):
                    title = process.cmdline()[0]
                    if "bench_scale" not in title or "autovacuum" in title:
                        times = process.cpu_times()
                        self._others[process.pid] = times.user + times.system


def main() -> int:
    os.environ |= {"PROMETHEUS_MULTIPROC_DIR": tempfile.mkdtemp(prefix="bench-metrics-"), "LOG_JSON": "true"}
    with bench_database("bench_scale", settings="tests.bench.scale_settings"):
        started = time.monotonic()
        bounds = [ORGS * part // MAKERS for part in range(MAKERS + 1)]
        makers = [
            subprocess.Popen([sys.executable, "-c", MAKE, str(start), str(end)]) for start, end in pairwise(bounds)
        ]
        few, many = make_org("few"), make_org("many")
        fill(few, FEW, others=0)
        stored = fill(many, FEW, others=OTHERS)
        assert all(maker.wait() == 0 for maker in makers)
        print(f"{ORGS} orgs and {stored:,} messages made in {time.monotonic() - started:.0f} s", flush=True)
        by_orgs, by_messages = sides_of_orgs(), sides_of_messages(few, many)
        with web_server(LOG_LEVEL="INFO") as (port, web), shift_workers(2, LOG_LEVEL="INFO") as workers:
            meter = Meter(web, workers)
            for number in range(ROUNDS + 1):
                for side in (*by_orgs, *by_messages) if number % 2 else (*reversed(by_messages), *reversed(by_orgs)):
                    measure(side, port, meter, random.Random(number), is_counted=number > 0)
            meter.close()
        check_each_answered_once()
        heading(f"Webhook and turn by size, {ROUNDS} rounds of {WEBHOOKS} in turns", COMMAND)
        ratios = [*report(*by_orgs), *report(*by_messages)]
    assert max(ratios) <= MOST_RATIO, ratios
    return 0


# --- Orgs and messages ----------------------------------------------------------------------------------------------
def make_orgs(places: Sequence[int]) -> None:
    for place in places:
        make_org(f"bench-{place}")


def make_org(slug: str) -> Any:
    """An org with one number, whose agent answers without pauses, once turns are due."""
    from django.utils import timezone

    from conversations.models import AgentVersion
    from integrations.whatsapp.auth import Proof
    from integrations.whatsapp.numbers import add_number
    from orgs.context import in_org
    from orgs.models import Org
    from orgs.schemas import provision

    org = provision(Org(slug=slug, name="Bench", name_folded="bench"))
    with in_org(org):
        AgentVersion.objects.create(
            state=AgentVersion.State.PUBLISHED, published_at=timezone.now(), batching_seconds=BATCHING_SECONDS,
            cooldown_seconds=0, typing_per_character=0, typing_longest=0, loop_limit=30_000,
        )  # fmt: skip
    add_number(org, "Bench", proof=Proof.HMAC, secret=SECRET)
    return org


def fill(org: Any, leads: int, *, others: int) -> int:
    """Leads with one message each, spread among `others` with PER_LEAD messages each. Out: how many messages.

    Everything is copied from one row of each table, so that new columns need no thought. The leads who will write are
    every `step`th, from the first.
    """
    from django.db import connection

    from conversations.models import Alias, Contact, Conversation, Event, EventName, Message, Number
    from orgs.context import in_org

    step = step_of(leads, others)
    last = leads * step
    with in_org(org), connection.cursor() as cursor:
        number = Number.objects.get()
        contact = Contact.objects.create(phone="0")
        talk = Conversation.objects.create(contact=contact, number=number, reply_jid="0", seq=1)
        alias = Alias.objects.create(contact=contact, sort=Alias.Sort.PHONE, value="0")
        message = Message.objects.create(
            conversation=talk, number=number, author="lead", state="received", seq=1, text="Quanto custa o plano Pro?"
        )
        event = Event.objects.create(conversation=talk, sequence=1, name=EventName.MESSAGE_RECEIVED)
        cursor.execute("SET session_replication_role = replica")  # no keys are checked one by one
        people = f"generate_series(10, {last + 9}) AS n"
        phone = f"'55119' || ({PHONES} + n - 10)"
        copy(cursor, contact, people, id="n", phone=phone)
        copy(cursor, alias, people, id="n", contact_id="n", value=phone)
        words = f"CASE WHEN (n - 10) %% {step} = 0 THEN 1 ELSE {PER_LEAD} END"
        copy(
            cursor, talk, people, id="n", contact_id="n", reply_jid=f"{phone} || '@s.whatsapp.net'", seq=words,
            watermark=words, event_seq=words,
        )  # fmt: skip
        lines = f"{people}, generate_series(1, {words}) AS s"
        row = f"(n - 10) * {PER_LEAD} + s + 9"
        copy(
            cursor, message, lines, id=row, conversation_id="n", seq="s", provider_id=f"'BULK' || ({row})",
            author="CASE WHEN s %% 2 = 1 THEN 'lead' ELSE 'ai' END",
            state="CASE WHEN s %% 2 = 1 THEN 'received' ELSE 'sent' END",
        )  # fmt: skip
        copy(cursor, event, lines, id=row, conversation_id="n", sequence="s")
        cursor.execute("SET session_replication_role = DEFAULT")
        Event.objects.filter(pk=event.pk).delete()
        Contact.objects.filter(pk=contact.pk).update(phone="")
        for row_made in (message, alias, talk):
            row_made.delete()
        contact.delete()
        for model in (Contact, Alias, Conversation, Message, Event):
            table = model._meta.db_table
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        cursor.execute("ANALYZE")
        return Message.objects.count()


def step_of(leads: int, others: int) -> int:
    return -(-others // leads) + 1


def copy(cursor: Any, row: Any, series: str, **columns: str) -> None:
    """Multiply a row: INSERT … SELECT, with an SQL expression for each column that differs."""
    table = row._meta.db_table
    names = [column.column for column in row._meta.concrete_fields]
    values = [columns.get(name, f't."{name}"') for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    sql = f"INSERT INTO {table} ({quoted}) SELECT {', '.join(values)} FROM {table} t, {series} WHERE t.id = %s"
    cursor.execute(sql, [row.pk])


def paths() -> dict[int, str]:
    """Webhook of each org, by its id."""
    from integrations.whatsapp.numbers import webhook_path
    from orgs.models import ChannelAddress

    return {address.org_id: webhook_path(address) for address in ChannelAddress.objects.all()}


def sides_of_orgs() -> tuple[Side, Side]:
    """Somebody unknown so far writes to one org, or to any."""
    from orgs.models import Org

    where = paths()
    orgs = list(Org.objects.filter(slug__startswith="bench-").order_by("pk").values_list("pk", flat=True))

    def to(some: list[int], dice: random.Random) -> list[list[Target]]:
        return [[(where[dice.choice(some)], f"55119{80_000_000 + next(numbers)}") for _ in range(WEBHOOKS)]]

    return (
        Side("1 org", lambda dice: to(orgs[:1], dice)),
        Side(f"{len(orgs):,} orgs at random", lambda dice: to(orgs, dice)),
    )


def sides_of_messages(few: Any, many: Any) -> tuple[Side, Side]:
    """The same leads with the same history write, one message each in a burst."""
    where = paths()
    step = step_of(FEW, OTHERS)

    def to(org: Any, apart: int) -> list[list[Target]]:
        return [[(where[org.pk], f"55119{PHONES + n * apart}") for n in range(FEW)] for _ in range(WEBHOOKS // FEW)]

    return (
        Side(f"{FEW} messages", lambda dice: to(few, 1)),
        Side(f"{MESSAGES:,} messages", lambda dice: to(many, step)),
    )


# --- Measuring ------------------------------------------------------------------------------------------------------
def measure(side: Side, port: int, meter: Meter, dice: random.Random, *, is_counted: bool) -> None:
    """One round of one side: its webhooks, then its turns, burst by burst."""
    webhook, turn = [0.0, 0.0], [0.0, 0.0]
    bursts = side.targets(dice)
    for burst in bursts:
        requests = [signed(*target) for target in burst]
        with spent(meter, webhook):
            post(port, requests)
            wait_until_none("intake")
        with spent(meter, turn):
            make_due("turn")
            wait_until_none("turn", "send")
    if not is_counted:
        return
    share = 1000 / sum(map(len, bursts))
    side.webhook.append(webhook[0] * share)
    side.webhook_database.append(webhook[1] * share)
    side.turn.append(turn[0] * share)
    side.turn_database.append(turn[1] * share)


@contextlib.contextmanager
def spent(meter: Meter, account: list[float]) -> Iterator[None]:
    """Add what is spent meanwhile to [all, of it PostgreSQL]."""
    before = meter.read()
    yield
    for place, (start, end) in enumerate(zip(before, meter.read(), strict=True)):
        account[place] += end - start


def signed(path: str, phone: str) -> tuple[str, bytes]:
    """An authentic message of a lead, written now. Out: path, body; the proof is made when it is posted."""
    from tests.integrations.whatsapp.arrivals import text

    body = text(f"BENCH{next(numbers):011}")
    body["data"]["key"]["remoteJid"] = f"{phone}@s.whatsapp.net"
    body["data"]["messageTimestamp"] = int(time.time())
    return path, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def post(port: int, requests: list[tuple[str, bytes]]) -> None:
    """All of them, over a few connections. Raises when one is not acknowledged."""
    from datetime import UTC, datetime

    from integrations.whatsapp import auth

    left = iter(requests)
    lock = threading.Lock()
    bad: list[int] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                request = next(left, None)
            if request is None:
                return
            path, body = request
            headers = {"Content-Type": "application/json", **auth.sign(SECRET, body, now=datetime.now(UTC))}
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                bad.append(answer.status)

    threads = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not bad, bad


def make_due(kind: str) -> None:
    """What was wanted for later is wanted now."""
    from django.utils import timezone

    from orgs import bell
    from orgs.models import Due

    now = timezone.now()
    assert Due.objects.filter(kind=kind).update(due_at=now, wanted_since=now)
    bell.ring()


def wait_until_none(*kinds: str) -> None:
    from orgs.models import Due

    deadline = time.monotonic() + DONE_WITHIN
    while (left := Due.objects.filter(kind__in=kinds)).exists():
        dead = list(left.dead().values_list("kind", "last_error"))
        assert not dead, dead
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def check_each_answered_once() -> None:
    """Every message that was posted is there, and has been answered once."""
    from conversations.models import Message
    from orgs.context import each_org, in_org

    asked = answered = 0
    for org in each_org():
        with in_org(org):
            new = Message.objects.exclude(provider_id__startswith="BULK")
            asked += new.filter(author="lead", provider_id__startswith="BENCH").count()
            answered += new.filter(author="ai", state="sent").count()
    posted = (ROUNDS + 1) * WEBHOOKS * 4
    assert asked == answered == posted, f"{posted} posted, {asked} stored, {answered} answered"


def report(base: Side, grown: Side) -> list[float]:
    """Print both. Out: the median ratios of webhook and turn."""
    print("| | CPU-ms a webhook, door and intake | of it PostgreSQL | CPU-ms a turn | of it PostgreSQL |")
    print("|---|---|---|---|---|")
    for side in (base, grown):
        print(
            f"| {side.label} | {spread(side.webhook)} | {spread(side.webhook_database)}"
            f" | {spread(side.turn)} | {spread(side.turn_database)} |"
        )
    pairs = ((base.webhook, grown.webhook), (base.turn, grown.turn))
    ratios = [[more / less for less, more in zip(*pair, strict=True)] for pair in pairs]
    webhook, turn = (spread(values) for values in ratios)
    print(f"\nratio: webhook {webhook}, turn {turn} (must be ≤ {MOST_RATIO})\n", flush=True)
    return [sorted(values)[len(values) // 2] for values in ratios]


if __name__ == "__main__":
    sys.exit(main())
