"""One run: leads write, people take over, everything dies now and then; gather the evidence when it is quiet."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from integrations.whatsapp.standin import Author, Faults, SendFault
from tests.chaos.pace import QUICK, Pace
from tests.chaos.stage import RESTARTS, Stage, staged
from tests.chaos.truth import BACK_WITHIN_SECONDS, Evidence, Finding, Got, Move, Stored, Takeover, Verdict, judge

T = TypeVar("T")
ORGS, NUMBERS = 2, 2  # numbers of each org
SECRET = "a-secret-of-many-characters-0123456789"
FAULTS = {
    "fail_rate": 0.02, "hang_rate": 0.001, "hang_before_rate": 0.001, "swallow_rate": 0.01, "duplicate_rate": 0.05,
    "repeat_rate": 0.02, "disorder_seconds": 4.0, "hang_seconds": 60.0,
}  # fmt: skip
SURE_FAULTS = (SendFault.HANG_AFTER, SendFault.HANG_BEFORE, SendFault.ERROR_AFTER)  # so that a short run has them too
BURST = 4  # messages one lead writes at once, at most
REPEAT_LEASES = 4  # leases between two calls of what is scheduled: 60 s at the product's own pace
FOCUS_SHARE, FOCUS_SECONDS = 0.7, 0.8  # of the armed failpoints; between two
PEOPLE = 3  # of the company, who take conversations over
TAKEOVER_SECONDS = (0.1, 0.6)
OWNED_SECONDS = 1.0
WATCH_SECONDS = 2.0
DOWN_SECONDS = 1.0
CRASH_EVERY = 2000  # messages; then Evolution crashes and loses its retries
ALL_RESTARTS_FROM = 3000  # messages; a shorter run restarts the database in one of the ways
EARLY = 0.08  # of the messages: by then everything has been restarted in a run that keeps a snapshot
CANARY_SECONDS = 2.0
CANARY = "5511900000000"
REPLYING = ("intake", "turn", "send", "reconcile", "wake")  # kinds of work
OVERDUE = timedelta(seconds=30)
QUIET_LOOKS = 3  # in a row
LOOK_SECONDS = 1.0
CONNECT_SECONDS = 30.0
SETTLE_SECONDS = 90.0  # for what is still on its way when no verdict is open any more
BATCHING_SECONDS, COOLDOWN_SECONDS = 1, 1  # instead of the product's 6 and 5
TELLING = (
    " meu e-mail é {name}@exemplo.com.br", " nosso orçamento é de 50 mil reais", " sou o diretor comercial",
    " we need it by the end of the month",
)  # fmt: skip
TYPING = {
    0: (0.0, 0.0),
    1: (0.05, 0.5),
}  # by org: seconds a character, longest


@dataclass(frozen=True)
class Plan:
    """How much is played. `per_second`: messages of all leads together."""

    seed: int
    messages: int = 600
    conversations: int = 60
    per_second: float = 15.0
    pace: Pace = QUICK
    bug: str = ""
    focus: tuple[str, ...] = ()  # failpoints at which somebody is frozen again and again
    has_snapshot: bool = False  # somebody keeps a transaction open, so that nothing can be vacuumed
    is_informed: bool = False  # leads tell something of themselves, and the brain understands it

    def text(self, number: int) -> str:
        """What the lead writes, beginning with a word of its own."""
        name = f"m{number:05}"
        return name + TELLING[number % len(TELLING)].format(name=name) if self.is_informed else name


@dataclass
class Outcome:
    """What was done (`hits`; `points`: failpoints hit, as `signal point`; `freezes`: seconds), and what came of it."""

    plan: Plan
    verdict: Verdict
    acknowledged: int
    swallowed: int
    lost_retries: int
    hits: dict[str, int]
    points: dict[str, int]
    freezes: list[float]
    snapshot_seconds: float = 0.0
    seconds: float = 0.0
    load: float = 0.0

    @property
    def kills(self) -> int:
        return self._named("kill ", "SIGKILL ")

    @property
    def stops(self) -> int:
        return self._named("freeze ", "SIGSTOP ")

    @property
    def past_lease(self) -> int:
        return sum(seconds > self.plan.pace.lease.total_seconds() for seconds in self.freezes)

    @property
    def restarts(self) -> int:
        return self._named("database ")

    @property
    def points_hit(self) -> set[str]:
        return {point.partition(" ")[2] for point in self.points}

    def _named(self, *beginnings: str) -> int:
        return sum(n for name, n in (self.hits | self.points).items() if name.startswith(beginnings))


@dataclass
class Cast:
    """Who plays: instance name → org id, and the phones of each instance's leads. `withdrawn`: (org, message)."""

    instances: dict[str, int] = field(default_factory=dict)
    leads: list[tuple[str, str]] = field(default_factory=list)
    withdrawn: set[tuple[int, int]] = field(default_factory=set)


@dataclass
class Snapshot:
    """A transaction that somebody keeps open. `longest`: seconds, of those a restart of the database cut short too."""

    wanted: threading.Event = field(default_factory=threading.Event)
    longest: float = 0.0


def play(plan: Plan) -> Outcome:
    """One seed from an empty database to the verdict."""
    started = time.monotonic()
    faults = Faults(seed=plan.seed, swallow_events=("messages.upsert",), **FAULTS)  # type: ignore[arg-type]
    with staged(plan.seed, pace=plan.pace, bug=plan.bug, is_informed=plan.is_informed, faults=faults) as stage:
        stage.open()
        cast = gather(stage, plan)
        ended, settled, violations, snapshot = threading.Event(), threading.Event(), Counter[str](), Snapshot()
        troubles = [
            threading.Thread(target=strike_often, args=(stage, plan, ended)),
            threading.Thread(target=arm_often, args=(stage, plan, ended)),
            *(threading.Thread(target=take_over_often, args=(n, plan, cast, ended)) for n in range(PEOPLE)),
            threading.Thread(target=watch_often, args=(violations, ended)),
            threading.Thread(target=repeat_often, args=(plan, settled)),
            threading.Thread(target=keep_snapshot, args=(snapshot, ended)),
        ]
        for trouble in troubles:
            trouble.start()
        try:
            write(stage, plan, cast, snapshot)
            stop_harm(stage, ended)
            wait_for_quiet(stage, plan, cast)
        finally:
            stop_harm(stage, ended)
            settled.set()
            for trouble in troubles:
                trouble.join()
        evidence = collect(stage, cast)
        evidence.invariants = violations | Counter(evidence.invariants)
        points, evidence.written = stage.read_journal()
        outcome = Outcome(
            plan, judge(evidence), acknowledged=len(evidence.acknowledged), swallowed=ended_as(stage, "swallowed"),
            lost_retries=ended_as(stage, "crashed"), hits=dict(stage.hits), points=dict(points),
            freezes=stage.freezes, snapshot_seconds=snapshot.longest,
        )  # fmt: skip
    outcome.seconds = time.monotonic() - started
    return outcome


def stop_harm(stage: Stage, ended: threading.Event) -> None:
    ended.set()
    stage.arms.disarm()


# --- Before -----------------------------------------------------------------------------------------------------------
def gather(stage: Stage, plan: Plan) -> Cast:
    """Orgs with numbers that are connected to the stand-in, and their leads."""
    from django.utils import timezone

    from conversations import gaps
    from conversations.models import AgentVersion, Number
    from integrations.whatsapp.auth import Proof
    from integrations.whatsapp.client import Evolution, Webhook
    from integrations.whatsapp.numbers import Provider, add_number, webhook_path
    from orgs.context import in_org
    from orgs.models import Org
    from orgs.schemas import provision

    cast = Cast()
    owner = Evolution(stage.standin.url, stage.standin.api_key)
    for place, name in ((place, f"chaos{place}") for place in range(ORGS)):
        org = provision(Org(slug=name, name=name, name_folded=name))
        with in_org(org):
            AgentVersion.objects.create(
                state=AgentVersion.State.PUBLISHED, published_at=timezone.now(), batching_seconds=BATCHING_SECONDS,
                cooldown_seconds=COOLDOWN_SECONDS, typing_per_character=TYPING[place][0],
                typing_longest=TYPING[place][1], loop_limit=30_000,
            )  # fmt: skip
        for number in range(NUMBERS):
            instance, key = f"{name}_{number}", f"key-of-{name}-{number}-0123456789"
            address = add_number(
                org, instance, proof=Proof.JWT, secret=SECRET, provider=Provider(stage.standin.url, key, instance)
            )
            with in_org(org):
                Number.objects.filter(pk=address.number_id).update(per_minute=60_000, daily_cap=1_000_000)
            webhook = Webhook(f"http://127.0.0.1:{stage.port}{webhook_path(address)}", {"jwt_key": SECRET})
            owner.create(instance, token=key, webhook=webhook, number=f"55119888{len(cast.instances):05}")
            cast.instances[instance] = org.pk
    deadline = time.monotonic() + CONNECT_SECONDS
    while any(stage.standin.instance(name).state != "open" for name in cast.instances):
        if stage.failure or time.monotonic() > deadline:
            raise RuntimeError(stage.failure or "the numbers did not connect")
        time.sleep(0.1)
    names = list(cast.instances)
    gaps.ensure()  # as the schedule does
    cast.leads = [(names[n % len(names)], f"55119{90_000_000 + n}") for n in range(plan.conversations)]
    return cast


# --- During -----------------------------------------------------------------------------------------------------------
def write(stage: Stage, plan: Plan, cast: Cast, snapshot: Snapshot) -> None:
    """The leads write, in bursts. Evolution crashes, the database restarts; every sort of doubt arises."""
    dice = random.Random(f"leads {plan.seed}")
    events = sorted(schedule(stage, plan, snapshot), key=lambda event: event[0])
    written, begun = 0, time.monotonic()
    restarts: list[threading.Thread] = []
    while written < plan.messages:
        instance, phone = dice.choice(cast.leads)
        for _ in range(min(dice.randint(1, BURST), plan.messages - written)):
            stage.standin.says(instance, phone, plan.text(written))
            written += 1
        while events and written >= events[0][0]:
            restarts.append(threading.Thread(target=events.pop(0)[1]))
            restarts[-1].start()
        time.sleep(max(0.0, begun + written / plan.per_second - time.monotonic()))
        if stage.failure:
            raise RuntimeError(stage.failure)
    for restart in restarts:
        restart.join()


def schedule(stage: Stage, plan: Plan, snapshot: Snapshot) -> list[tuple[float, Callable[[], object]]]:
    """What surely happens: (after how many messages, what)."""
    ways = RESTARTS if plan.messages >= ALL_RESTARTS_FROM else RESTARTS[plan.seed % len(RESTARTS) :][:1]
    span = plan.messages * (EARLY if plan.has_snapshot else 1.0)
    events: list[tuple[float, Callable[[], object]]] = [
        (span * (n + 1) / (len(ways) + 1), partial(stage.restart_database, how)) for n, how in enumerate(ways)
    ]
    if plan.has_snapshot:
        events.append((span, snapshot.wanted.set))
    crashes = max(1, plan.messages // CRASH_EVERY)
    events += [(plan.messages * (n + 0.25) / crashes, partial(crash_evolution, stage)) for n in range(crashes)]
    events += [
        (plan.messages * (n + 1) / 5, partial(stage.standin.faults.next_sends.append, fault))
        for n, fault in enumerate(SURE_FAULTS)
    ]
    return events


def crash_evolution(stage: Stage) -> None:
    stage.hits["crash Evolution"] += 1
    stage.standin.crash(down_seconds=DOWN_SECONDS)


def strike_often(stage: Stage, plan: Plan, ended: threading.Event) -> None:
    dice = random.Random(f"strikes {plan.seed}")
    while not ended.wait(dice.uniform(*plan.pace.strike_seconds)):
        stage.strike(dice)


def arm_often(stage: Stage, plan: Plan, ended: threading.Event) -> None:
    dice = random.Random(f"failpoints {plan.seed}")
    while not ended.wait(FOCUS_SECONDS if plan.focus else plan.pace.hit_seconds):
        if plan.focus and dice.random() < FOCUS_SHARE:
            stage.arms.freeze_at(dice.choice(plan.focus))
        else:
            stage.arms.arm(dice)


def watch_often(violations: Counter[str], ended: threading.Event) -> None:
    """Invariants hold at every moment, not only in the end. Keeps the most that was ever counted of each."""
    from conversations import invariants

    while not ended.wait(WATCH_SECONDS):
        violations |= Counter(insist(invariants.watch))


def repeat_often(plan: Plan, settled: threading.Event) -> None:
    """What is scheduled each minute or two, a little more often at the quick pace."""
    from conversations import gaps, links

    while not settled.wait(plan.pace.lease.total_seconds() * REPEAT_LEASES):
        insist(links.look_at_all)
        insist(gaps.ensure)


def keep_snapshot(snapshot: Snapshot, ended: threading.Event) -> None:
    """Once wanted, a transaction that stays open until the end; after a restart of the database a new one."""
    from django.db import connection

    while not ended.wait(LOOK_SECONDS):
        if not snapshot.wanted.is_set():
            continue
        insist(lambda: connection.cursor().execute(SNAPSHOT))
        since = time.monotonic()
        while not ended.wait(LOOK_SECONDS) and connection.is_usable():
            snapshot.longest = max(snapshot.longest, time.monotonic() - since)
        connection.close()


def take_over_often(person: int, plan: Plan, cast: Cast, ended: threading.Event) -> None:
    """Somebody takes a conversation and hands it back a moment later."""
    dice = random.Random(f"person {person} {plan.seed}")
    while not ended.wait(dice.uniform(*TAKEOVER_SECONDS)):
        org_id = dice.choice(list(cast.instances.values()))
        found = insist(partial(take_one, org_id, dice))
        if found is not None:
            conversation_id, withdrawn = found
            cast.withdrawn |= {(org_id, message_id) for message_id in withdrawn}
            ended.wait(OWNED_SECONDS)
            insist(partial(hand_back, org_id, conversation_id))


def take_one(org_id: int, dice: random.Random) -> tuple[int, list[int]] | None:
    """Take the conversation whose reply waits to leave, or any. Out: its id, and the messages that were withdrawn."""
    from django.db import transaction

    from conversations import intake
    from conversations.models import Conversation, Message
    from orgs.context import in_org
    from orgs.models import Org

    with in_org(Org.objects.get(pk=org_id)):
        queued = Message.objects.filter(state=Message.State.QUEUED).values_list("conversation_id", flat=True)
        ids = list(queued) or list(Conversation.objects.exclude(contact__phone=CANARY).values_list("pk", flat=True))
        if not ids:
            return None
        chosen = dice.choice(ids)
        with transaction.atomic():
            intake.take_over(intake.locked(chosen), person_id=1, source="inbox")
            withdrawn = Message.objects.filter(conversation_id=chosen, state=Message.State.CANCELLED)
            ids = list(withdrawn.filter(failure="taken_over").values_list("pk", flat=True))
        return chosen, ids


def hand_back(org_id: int, conversation_id: int) -> None:
    from django.db import transaction

    from conversations import intake
    from orgs.context import in_org
    from orgs.models import Org

    with in_org(Org.objects.get(pk=org_id)), transaction.atomic():
        intake.give_back(intake.locked(conversation_id), person_id=1)


SNAPSHOT = """
SET idle_in_transaction_session_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM orgs_due
"""


def insist(work: Callable[[], T]) -> T:
    """Do it, again after a while when the database was away."""
    from django.db import Error, connection

    while True:
        try:
            return work()
        except Error:
            connection.close()
            time.sleep(LOOK_SECONDS / 2)


# --- After ------------------------------------------------------------------------------------------------------------
def wait_for_quiet(stage: Stage, plan: Plan, cast: Cast) -> None:
    """Until nothing is due soon, nothing is uncertain, and what was swallowed is back.

    Meanwhile the company's own phone writes elsewhere: proof for uncertain sends.
    """
    deadline = time.monotonic() + max(plan.pace.verdict_latest.total_seconds() + SETTLE_SECONDS, BACK_WITHIN_SECONDS)
    looks, canary_at = 0, 0.0
    while looks < QUIET_LOOKS and time.monotonic() < deadline:
        is_uncertain = insist(partial(uncertain, cast))
        if time.monotonic() > canary_at and is_uncertain:
            canary_at = time.monotonic() + CANARY_SECONDS
            for instance in cast.instances:
                stage.standin.act(instance, CANARY, "company", text="still here")
        is_quiet = (
            not is_uncertain
            and stage.standin.do(stage.standin.is_quiet)
            and not insist(work_left)
            and not insist(partial(missing, stage, cast))
        )
        looks = looks + 1 if is_quiet else 0
        time.sleep(LOOK_SECONDS / 2)


def work_left() -> list[str]:
    """What is still to be done: rows of the kinds a reply is made by, and any that is long overdue."""
    from django.db.models import Q
    from django.utils import timezone

    from orgs.models import Due

    waits = Due.objects.filter(dead_at=None).filter(Q(kind__in=REPLYING) | Q(due_at__lte=timezone.now() - OVERDUE))
    return [f"{row} due at {row.due_at}" for row in waits]


def missing(stage: Stage, cast: Cast) -> set[str]:
    """Ids of what leads wrote and nobody has found yet."""
    from conversations.models import Message
    from orgs.context import in_org
    from orgs.models import Org

    stored: set[str | None] = set()
    for org in Org.objects.filter(pk__in=set(cast.instances.values())):
        with in_org(org):
            stored |= set(Message.objects.filter(author=Message.Author.LEAD).values_list("provider_id", flat=True))
    return set(said(stage)) - stored


def said(stage: Stage) -> dict[str, float]:
    """When leads wrote what: id → epoch seconds."""
    return {message.id: message.at for message in stage.standin.whatsapp.messages if message.author == Author.LEAD}


def uncertain(cast: Cast) -> bool:
    """Whether the fate of some message of ours is open."""
    from conversations.models import Message
    from orgs.context import in_org
    from orgs.models import Org

    for org in Org.objects.filter(pk__in=set(cast.instances.values())):
        with in_org(org):
            if Message.objects.filter(state__in=[Message.State.SENDING, Message.State.UNKNOWN]).exists():
                return True
    return False


def collect(stage: Stage, cast: Cast) -> Evidence:
    from django.db.models import F

    from conversations import invariants
    from conversations import models as kept
    from integrations.models import Quarantine
    from orgs.context import in_org
    from orgs.models import Due, Org, Received

    evidence = Evidence(acknowledged=acknowledged(stage), said=said(stage), withdrawn=cast.withdrawn)
    for org in Org.objects.filter(pk__in=set(cast.instances.values())):
        with in_org(org):
            rows = kept.Message.objects.annotate(
                instance=F("number__instance"), phone=F("conversation__contact__phone")
            )
            evidence.messages += [
                Stored(
                    id=row.pk, chat=(org.pk, row.conversation_id), seq=row.seq, author=row.author, state=row.state,
                    text=row.text, instance=row.instance, phone=row.phone, provider_id=row.provider_id,
                    failure=row.failure, turn_id=row.turn_id, is_backlog=row.is_backlog, epoch=row.epoch,
                    claimed_at=row.claimed_at.timestamp() if row.claimed_at else None,
                    created_at=row.created_at.timestamp(),
                )
                for row in rows
            ]  # fmt: skip
            evidence.moves += [
                Move(
                    row.pk, (org.pk, row.conversation_id), row.up_to_seq, row.state, row.reason, str(row.attempt_token)
                )
                for row in kept.Turn.objects.all()
            ]
            evidence.takeovers += [
                Takeover((org.pk, row.conversation_id), row.epoch, row.started_at.timestamp())
                for row in kept.Takeover.objects.all()
            ]
            evidence.findings += [
                Finding((org.pk, row.conversation_id), sort, row.quote, row.message_id, row.turn_id)
                for sort, model in (("answer", kept.Answer), ("fact", kept.Fact), ("signal", kept.Signal))
                for row in model._default_manager.all()
            ]
            evidence.due += [f"{row} in quarantine: {row.detail}" for row in Quarantine.objects.all()]
    evidence.due += work_left()
    evidence.due += [f"received {row} was not read" for row in Received.objects.all()]
    evidence.dead = [f"{row}: {row.last_error}" for row in Due.objects.dead()]
    evidence.invariants = invariants.watch()
    evidence.phones = [
        Got(message.id, message.instance, message.phone, message.text)
        for message in stage.standin.whatsapp.messages
        if message.author == Author.API
    ]
    return evidence


def acknowledged(stage: Stage) -> set[str]:
    """Ids of the leads' messages that our door answered 200 at least once."""
    return {
        json.loads(delivery.body)["data"]["key"]["id"]
        for delivery in stage.standin.webhooks
        if delivery.event == "messages.upsert"
        and any(attempt.status == 200 for attempt in delivery.attempts)
        and not json.loads(delivery.body)["data"]["key"]["fromMe"]
    }


def ended_as(stage: Stage, outcome: str) -> int:
    """How many of the webhooks about messages had this outcome."""
    return sum(
        delivery.outcome == outcome and delivery.event == "messages.upsert" for delivery in stage.standin.webhooks
    )
