"""One run: leads write, people take over, everything dies now and then; gather the evidence when it is quiet."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from integrations.whatsapp.standin import Author, Faults, SendFault
from tests.chaos import pace
from tests.chaos.stage import Stage, staged
from tests.chaos.truth import Evidence, Got, Move, Stored, Takeover, Verdict, judge

T = TypeVar("T")
ORGS, NUMBERS = 2, 2  # numbers of each org
SECRET = "a-secret-of-many-characters-0123456789"
FAULTS = {
    "fail_rate": 0.02, "hang_rate": 0.001, "hang_before_rate": 0.001, "swallow_rate": 0.01, "duplicate_rate": 0.05,
    "repeat_rate": 0.02, "disorder_seconds": 4.0, "hang_seconds": 60.0,
}  # fmt: skip
SURE_FAULTS = (SendFault.HANG_AFTER, SendFault.HANG_BEFORE, SendFault.ERROR_AFTER)  # so that a short run has them too
BURST = 4  # messages one lead writes at once, at most
STRIKE_SECONDS = (1.0, 4.0)  # between two strikes
TAKEOVER_SECONDS = (0.1, 0.6)
OWNED_SECONDS = 1.0
WATCH_SECONDS = 2.0
DOWN_SECONDS = 1.0
CANARY_SECONDS = 2.0
CANARY = "5511900000000"
QUIET_LOOKS = 3  # in a row
LOOK_SECONDS = 1.0
CONNECT_SECONDS = 30.0
LONGEST_WAIT = pace.VERDICT_LATEST + timedelta(seconds=90)


@dataclass(frozen=True)
class Plan:
    """How much is played. `per_second`: messages of all leads together; `rate`: probability at each failpoint."""

    seed: int
    messages: int = 600
    conversations: int = 60
    per_second: float = 8.0
    rate: float = 0.0015
    bug: str = ""
    has_snapshot: bool = False  # somebody keeps a transaction open all along, so that nothing can be vacuumed


@dataclass
class Outcome:
    plan: Plan
    verdict: Verdict
    acknowledged: int
    swallowed: int
    hits: dict[str, int]
    points: dict[str, int]
    seconds: float
    load: float = 0.0

    @property
    def kills(self) -> int:
        return sum(n for name, n in self.hits.items() if name.startswith("kill")) + sum(
            n for name, n in self.points.items() if name.endswith("SIGKILL")
        )

    @property
    def freezes(self) -> int:
        return sum(n for name, n in self.hits.items() if name.startswith("freeze")) + sum(
            n for name, n in self.points.items() if name.endswith("SIGSTOP")
        )


@dataclass
class Cast:
    """Who plays: instance name → org id, and the phones of each instance's leads."""

    instances: dict[str, int] = field(default_factory=dict)
    leads: list[tuple[str, str]] = field(default_factory=list)


def play(plan: Plan) -> Outcome:
    """One seed from an empty database to the verdict."""
    started = time.monotonic()
    faults = Faults(seed=plan.seed, swallow_events=("messages.upsert",), **FAULTS)  # type: ignore[arg-type]
    with staged(plan.seed, rate=plan.rate, bug=plan.bug, faults=faults) as stage:
        stage.open()
        cast = gather(stage, plan)
        ended, violations = threading.Event(), Counter[str]()
        troubles = [
            threading.Thread(target=strike_often, args=(stage, plan, ended)),
            threading.Thread(target=take_over_often, args=(plan, cast, ended)),
            threading.Thread(target=watch_often, args=(violations, ended)),
        ]
        if plan.has_snapshot:
            troubles.append(threading.Thread(target=keep_snapshot, args=(ended,)))
        for trouble in troubles:
            trouble.start()
        try:
            write(stage, plan, cast)
        finally:
            ended.set()
            for trouble in troubles:
                trouble.join()
        wait_for_quiet(stage, cast)
        evidence = collect(stage, cast)
        evidence.invariants = violations | Counter(evidence.invariants)
        points, evidence.written = stage.read_journal()
        outcome = Outcome(
            plan, judge(evidence), len(evidence.acknowledged), swallowed(stage), dict(stage.hits), dict(points), 0.0
        )
    outcome.seconds = time.monotonic() - started
    return outcome


# --- Before -----------------------------------------------------------------------------------------------------------
def gather(stage: Stage, plan: Plan) -> Cast:
    """Orgs with numbers that are connected to the stand-in, and their leads."""
    from django.utils import timezone

    from conversations.models import AgentVersion, Number
    from integrations.whatsapp.auth import Proof
    from integrations.whatsapp.client import Evolution, Webhook
    from integrations.whatsapp.numbers import Provider, add_number, webhook_path
    from orgs.context import in_org
    from orgs.models import Org
    from orgs.schemas import provision

    cast = Cast()
    owner = Evolution(stage.standin.url, stage.standin.api_key)
    for name in (f"chaos{number}" for number in range(ORGS)):
        org = provision(Org(slug=name, name=name, name_folded=name))
        with in_org(org):
            AgentVersion.objects.create(
                state=AgentVersion.State.PUBLISHED, published_at=timezone.now(), batching_seconds=1,
                cooldown_seconds=1, typing_per_character=0, loop_limit=30_000,
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
        if time.monotonic() > deadline:
            raise RuntimeError("the numbers did not connect")
        time.sleep(0.1)
    names = list(cast.instances)
    cast.leads = [(names[n % len(names)], f"55119{90_000_000 + n}") for n in range(plan.conversations)]
    return cast


# --- During -----------------------------------------------------------------------------------------------------------
def write(stage: Stage, plan: Plan, cast: Cast) -> None:
    """The leads write, in bursts. Once Evolution crashes, once the database restarts; every sort of doubt arises."""
    dice = random.Random(f"leads {plan.seed}")
    written, crashed, restarted, begun = 0, False, False, time.monotonic()
    sure = {plan.messages * (n + 1) // 5: fault for n, fault in enumerate(SURE_FAULTS)}
    while written < plan.messages:
        instance, phone = dice.choice(cast.leads)
        for _ in range(min(dice.randint(1, BURST), plan.messages - written)):
            stage.standin.says(instance, phone, f"m{written:05}")
            written += 1
            if fault := sure.get(written):
                stage.standin.faults.next_sends.append(fault)
        if not crashed and written >= plan.messages / 4:
            crashed = True
            stage.hits["crash Evolution"] += 1
            threading.Thread(target=stage.standin.crash, kwargs={"down_seconds": DOWN_SECONDS}).start()
        if not restarted and written >= plan.messages / 2:
            restarted = True
            threading.Thread(target=stage.restart_database, kwargs={"crash": plan.seed % 2 == 0}).start()
        time.sleep(max(0.0, begun + written / plan.per_second - time.monotonic()))


def strike_often(stage: Stage, plan: Plan, ended: threading.Event) -> None:
    dice = random.Random(f"strikes {plan.seed}")
    while not ended.wait(dice.uniform(*STRIKE_SECONDS)):
        stage.strike(dice)


def watch_often(violations: Counter[str], ended: threading.Event) -> None:
    """Invariants hold at every moment, not only in the end. Keeps the most that was ever counted of each."""
    from conversations import invariants

    while not ended.wait(WATCH_SECONDS):
        violations |= Counter(insist(invariants.watch))


def keep_snapshot(ended: threading.Event) -> None:
    """A transaction that stays open until the end, or until the database is restarted; then another one."""
    from django.db import connection

    while not ended.is_set():
        insist(lambda: connection.cursor().execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM orgs_due"))
        while not ended.wait(LOOK_SECONDS) and connection.is_usable():
            pass
        connection.close()


def take_over_often(plan: Plan, cast: Cast, ended: threading.Event) -> None:
    """Somebody takes a conversation and hands it back a moment later."""
    dice = random.Random(f"people {plan.seed}")
    while not ended.wait(dice.uniform(*TAKEOVER_SECONDS)):
        org_id = dice.choice(list(cast.instances.values()))
        found = insist(lambda org_id=org_id: take_one(org_id, dice))  # type: ignore[misc]
        if found is not None:
            ended.wait(OWNED_SECONDS)
            insist(lambda org_id=org_id, found=found: hand_back(org_id, found))  # type: ignore[misc]


def take_one(org_id: int, dice: random.Random) -> int | None:
    """Take the conversation whose reply waits to leave, or any. Out: its id."""
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
        return chosen


def hand_back(org_id: int, conversation_id: int) -> None:
    from django.db import transaction

    from conversations import intake
    from orgs.context import in_org
    from orgs.models import Org

    with in_org(Org.objects.get(pk=org_id)), transaction.atomic():
        intake.give_back(intake.locked(conversation_id), person_id=1)


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
def wait_for_quiet(stage: Stage, cast: Cast) -> None:
    """Until nothing is due any more. Meanwhile the company's own phone writes elsewhere: proof for uncertain sends."""
    from orgs.models import Due

    deadline = time.monotonic() + LONGEST_WAIT.total_seconds()
    looks, canary_at = 0, 0.0
    while looks < QUIET_LOOKS and time.monotonic() < deadline:
        if time.monotonic() > canary_at and insist(lambda: uncertain(cast)):
            canary_at = time.monotonic() + CANARY_SECONDS
            for instance in cast.instances:
                stage.standin.act(instance, CANARY, "company", text="still here")
        is_quiet = stage.standin.do(stage.standin.is_quiet)
        looks = looks + 1 if is_quiet and not insist(lambda: Due.objects.filter(dead_at=None).exists()) else 0
        time.sleep(LOOK_SECONDS / 2)


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

    evidence = Evidence(acknowledged=acknowledged(stage))
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
            evidence.due += [f"{row} in quarantine: {row.detail}" for row in Quarantine.objects.all()]
    evidence.due += [f"{row} due at {row.due_at}" for row in Due.objects.filter(dead_at=None)]
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


def swallowed(stage: Stage) -> int:
    return sum(delivery.outcome == "swallowed" for delivery in stage.standin.webhooks)
