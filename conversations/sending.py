"""Sending, one message of a conversation at a time: claim under the lock, commit, call, record (DESIGN 4.4–4.5).

A call whose outcome is not known is never simply repeated. It becomes UNKNOWN, nothing else leaves the conversation,
and the reconciliation reads the chat back once enough time has passed.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import ParamSpec, Protocol, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations import follow_ups, intake, links, policy, rows, satisfaction, settings_of
from conversations.events import record, updated
from conversations.models import AgentVersion, Contact, Control, Conversation, EventName, MediaAsset, Message, Number
from conversations.ports import Incoming, LinkState, MessageKind, Sent, Transport, Uncertain
from sdr.lib import metrics
from sdr.lib.errors import PortError

CALL_TIMEOUT = timedelta(seconds=30)  # of the client; the transport must not wait longer
FRESH = timedelta(seconds=3)  # a claim older than this when the call would start is not used: we may have been frozen
VERDICT_AFTER = CALL_TIMEOUT + timedelta(seconds=90)  # earliest "it was not sent" (DESIGN 4.5)
FILE_CALL_TIMEOUT = timedelta(seconds=60)  # of the client, for a file: it is converted before the answer
FILE_FRESH = timedelta(seconds=20)  # reading it from storage takes its time
FILE_VERDICT_AFTER = FILE_FRESH + FILE_CALL_TIMEOUT + timedelta(seconds=90)
VERDICT_LATEST = intake.VERDICT_LATEST
LOOK_EVERY = timedelta(seconds=15)
LOOK_SELDOM = timedelta(minutes=2)  # at a doubt that is old: hundreds of them must not keep each other waiting
WITNESS_FOR = timedelta(seconds=60)  # so long one proof that a number can be read back serves all its doubts
WITNESSES_MOST = 10_000  # numbers
ATTEMPTS = 5
PAUSE = timedelta(seconds=10)
CLOSED_PAUSE = timedelta(seconds=30)  # while the number is not connected

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True)
class Attachment:
    """The stored file that a message of ours is."""

    path: str
    mime: str
    name: str
    is_voice_note: bool


@dataclass(frozen=True)
class Claim:
    """One message in our hands, already SENDING in the database."""

    message_id: int
    number: Number
    agent: AgentVersion  # the settings that held
    jid: str
    text: str
    quoted_id: str
    attempt: int
    claimed_at: float  # monotonic, so that a freeze counts
    is_ai: bool
    typing: timedelta
    file: Attachment | None = None

    @property
    def fresh(self) -> timedelta:
        """How old the claim may be when the call starts."""
        return FILE_FRESH if self.file else FRESH


@dataclass(frozen=True)
class Parcel:
    """A claim with all that its call needs, so that the call needs no database."""

    claim: Claim
    number: Number
    content: bytes = field(default=b"", repr=False)


class Hands(Protocol):
    """What late work may use (`sdr.lib.jobs.Work`): database threads, and threads for calls to vendors."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    async def call(self, function: Callable[[], T], *, then: "Callable[[Future[T]], V]") -> V: ...


async def send_all(conversation_id: int, hands: Hands) -> None:
    """Send what is queued in a conversation, oldest first, until nothing may leave now.

    Whoever is stopped between the claim and the call puts the message back: it was surely not sent. Once a call has
    begun, its outcome is written down whether we still wait for it or not.
    """
    while (parcel := await take_parcel(conversation_id, hands)) is not None:
        if parcel.claim.typing:
            try:
                claim = await pause_typing(parcel, hands)
            except asyncio.CancelledError:
                await asyncio.shield(hands.run(put_back, parcel.claim))
                raise
            if claim is None:
                return
            parcel = replace(parcel, claim=claim)
        if not await hands.call(partial(call, parcel), then=partial(note, parcel.claim)):
            return


async def take_parcel(conversation_id: int, hands: Hands) -> Parcel | None:
    """Claim what may leave next. A claim made on a thread while we were stopped is put back, too."""
    taking = asyncio.ensure_future(hands.run(next_parcel, conversation_id))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        parcel = await taking
        if parcel is not None:
            await asyncio.shield(hands.run(put_back, parcel.claim))
        raise


async def pause_typing(parcel: Parcel, hands: Hands) -> Claim | None:
    """Show “typing…” for as long as it would take. Out: the claim, if the message may still leave."""
    # Together: a transport may answer at once, or when the typing is over.
    showing = hands.call(partial(show_typing, parcel), then=ignore)
    await asyncio.gather(showing, asyncio.sleep(parcel.claim.typing.total_seconds()))
    return await hands.run(reclaim, parcel.claim)


def transport_of(number: Number) -> Transport:
    """The number's way to WhatsApp, named in settings.SDR_TRANSPORT."""
    transport: Transport = import_string(settings.SDR_TRANSPORT)(number)
    return transport


# --- Claim -----------------------------------------------------------------------------------------------------------
class Wait(StrEnum):
    """Why a queued message does not leave yet; the code is what `wording.failure` tells beside it."""

    NOTHING = ""
    NUMBER = "waits_for_number"
    DAY = "waits_for_day"
    PACE = "waits_for_pace"
    HOURS = "waits_for_hours"
    PERSON = "waits_for_person"
    APPROVAL = "waits_for_approval"  # never stored: it becomes a draft
    DOUBT = "waits_for_doubt"  # never stored: a person is called


def next_parcel(conversation_id: int) -> Parcel | None:
    """The next claim with its number and file; a message whose file is gone has failed."""
    while (claim := claim_next(conversation_id)) is not None:
        try:
            return Parcel(claim, claim.number, read(claim))
        except FileNotFoundError:
            mark_failed(claim, PortError("file_gone", permanent=True))
    return None


def claim_next(conversation_id: int) -> Claim | None:
    """The oldest queued message, made SENDING, if it may leave now; else None, with a row due for later where needed.

    In one transaction with a share lock on the conversation: a takeover takes the same row for update, so either it
    sees the message on the wire, or the message sees the takeover. Serial per conversation.
    """
    with transaction.atomic():
        claimed = claim_locked(conversation_id)
    if claimed is Wait.DAY:
        call_person(conversation_id)
    if claimed is Wait.APPROVAL:
        make_drafts(conversation_id)
    if claimed is Wait.DOUBT:
        call_about_doubt(conversation_id)
    return claimed if isinstance(claimed, Claim) else None


def claim_locked(conversation_id: int) -> Claim | Wait:
    """`claim_next` inside its transaction. Out: the claim, or what the message waits for."""
    conversation = lock_share(conversation_id)
    if conversation is None:
        return Wait.NOTHING
    if on_the_wire(conversation):
        return Wait.DOUBT if intake.has_parked(conversation) else Wait.NOTHING
    message = rows.first(
        Message, "WHERE t.conversation_id = %s AND t.state = %s ORDER BY t.seq LIMIT 1 FOR UPDATE",
        [conversation.pk, Message.State.QUEUED.value],
    )  # fmt: skip
    if message is None or on_the_wire(conversation):
        # Asked again: whoever else had the share lock may have claimed one while we waited for it.
        return Wait.NOTHING
    now = timezone.now()
    if message.not_before is not None and message.not_before > now:
        intake.want("send", conversation.pk, at=message.not_before)
        return Wait.NOTHING
    number = rows.number(conversation.number_id)
    agent = settings_of.number(number)
    if number.state != LinkState.OPEN:
        intake.want("look", number.pk)  # the news that it is open may have been lost
        return wait(message, Wait.NUMBER, until=now + CLOSED_PAUSE)
    by_itself = message.author in intake.BY_ITSELF
    if by_itself:
        if number.mode == Number.Mode.DRAFTS and intake.APPROVED_BY not in message.extra:
            return Wait.APPROVAL
        if number.mode == Number.Mode.OFF or not may_leave(conversation, message):
            message.state, message.failure = Message.State.CANCELLED, "no_longer_ai"
            message.save(update_fields=["state", "failure"])
            intake.want("send", conversation.pk)
            if conversation.owner == Conversation.Owner.AI:
                intake.want("turn", conversation.pk)  # the lead is owed an answer, or the reason why there is none
            return Wait.NOTHING
        if conversation.hold_until is not None and conversation.is_held:
            return wait(message, Wait.PERSON, until=conversation.hold_until)
        if (opens := follow_ups.opens_at(message, agent, now)) is not None:
            return wait(message, Wait.HOURS, until=opens)
        later = take_from_bucket(number, now, ZoneInfo(agent.time_zone))
        if later is not None:
            return wait(message, later[0], until=later[1])
    message.state, message.claimed_at, message.attempts = Message.State.SENDING, now, message.attempts + 1
    message.failure = ""
    rows.update(message, ["state", "claimed_at", "attempts", "failure"])
    typing = timedelta()
    if by_itself:
        typing = policy.typing_time(
            message.text, per_character=agent.typing_per_character, longest=agent.typing_longest
        )
    # Wanted now already: if we die before the call is recorded, whoever comes next finds the message on the wire.
    intake.want("reconcile", message.pk, at=now + verdict_after(message))
    return Claim(
        message_id=message.pk, number=number, agent=agent, jid=conversation.reply_jid, text=message.text,
        quoted_id=message.quoted_id, attempt=message.attempts, claimed_at=time.monotonic(),
        is_ai=by_itself, typing=typing, file=attachment(message),
    )  # fmt: skip


def wait(message: Message, why: Wait, *, until: datetime) -> Wait:
    """It leaves later; the thread says why. The message is locked."""
    intake.want("send", message.conversation_id, at=until)
    if message.failure != why:
        message.failure = why
        message.save(update_fields=["failure"])
    return why


def call_person(conversation_id: int) -> None:
    """The day's cap keeps the AI's words back until tomorrow: a person may write them now."""
    with transaction.atomic():
        conversation = intake.locked(conversation_id)
        waits = conversation.messages.filter(state=Message.State.QUEUED, failure=Wait.DAY).exists()
        if waits and conversation.needs_person_since is None:
            intake.need(conversation, "daily_cap")
        if waits:
            links.tell_limit(rows.number(conversation.number_id))


def call_about_doubt(conversation_id: int) -> None:
    """Words wait behind a send of which only a person can say whether it went out: one must know, whoever forgot it."""
    with transaction.atomic():
        conversation = intake.locked(conversation_id)
        waits = has_any(conversation, Message.State.QUEUED) and intake.has_parked(conversation)
        if waits and conversation.needs_person_since is None:
            intake.need(conversation, "unknown_send")


def make_drafts(conversation_id: int) -> None:
    """The number's mode was lowered to drafts after these words were queued: a person approves them now, or does not.

    What people wrote goes on leaving. Safe to repeat.
    """
    with transaction.atomic():
        conversation = intake.locked(conversation_id)
        if rows.number(conversation.number_id).mode == Number.Mode.DRAFTS:
            made = conversation.messages.filter(author__in=intake.BY_ITSELF, state=Message.State.QUEUED).exclude(
                extra__has_key=intake.APPROVED_BY
            )
            if made.update(state=Message.State.DRAFT, failure="", not_before=None):
                intake.need(conversation, "draft_waits")
        intake.want("send", conversation.pk)


def attachment(message: Message) -> Attachment | None:
    """The file of a message of ours, None for plain text."""
    if message.kind == MessageKind.TEXT:
        return None
    asset = MediaAsset.objects.filter(message=message).first()
    return Attachment(asset.path, asset.mime, asset.file_name, asset.is_voice_note) if asset else None


def verdict_after(message: Message) -> timedelta:
    """How long after the claim nobody can say yet that a message was not sent (DESIGN 4.5)."""
    return VERDICT_AFTER if message.kind == MessageKind.TEXT else FILE_VERDICT_AFTER


def lock_share(conversation_id: int) -> Conversation | None:
    """The conversation and the org's red switch, read under share locks: a takeover or a pause waits, or is seen."""
    return rows.first(Conversation, "WHERE t.id = %s FOR SHARE", [conversation_id])


def is_paused() -> bool:
    return any(row.paused_at is not None for row in rows.fetch(Control, "FOR SHARE", []))


def on_the_wire(conversation: Conversation) -> bool:
    """One is being sent, or nobody knows whether it was: nothing else leaves meanwhile."""
    return has_any(conversation, Message.State.SENDING, Message.State.UNKNOWN)


def has_any(conversation: Conversation, *states: Message.State) -> bool:
    """Whether a message of the conversation is in one of these states."""
    values = [conversation.pk, [state.value for state in states]]
    return rows.exists(Message, "t.conversation_id = %s AND t.state = ANY(%s)", values)


def may_leave(conversation: Conversation, message: Message) -> bool:
    """An AI message leaves only while the AI owns the conversation it was written for."""
    contact = rows.first(Contact, "WHERE t.id = %s", [conversation.contact_id])
    if contact is None:
        raise Contact.DoesNotExist
    confirms = message.extra.get("sort") == intake.OPTED_OUT and not (contact.blocked_at or contact.ignored_as)
    is_closed = conversation.lifecycle == Conversation.Lifecycle.CLOSED
    bids_farewell = is_closed and message.extra.get("sort") in satisfaction.FAREWELLS
    return (
        (conversation.owner == Conversation.Owner.AI or bids_farewell)
        and conversation.epoch == message.epoch
        and (confirms or not contact.is_silenced)
        and not is_paused()
    )


def take_from_bucket(number: Number, now: datetime, zone: ZoneInfo) -> tuple[Wait, datetime] | None:
    """One AI message from the number's bucket and daily cap. Out: None, or what to wait for, and until when.

    The day is the agent's own: it ends at midnight in `zone`.
    """
    today = timezone.localtime(now, zone).date()
    if settings.SDR_PACING is False:
        return None
    interval = timedelta(minutes=1) / max(1, number.per_minute)
    burst = timedelta(minutes=1) / 4
    taken = (
        Number.objects.filter(pk=number.pk, bucket_drained_at__lte=now + burst, daily_cap__gt=0)
        .exclude(sent_on=today, sent_today__gte=F("daily_cap"))
        .update(
            bucket_drained_at=Greatest(F("bucket_drained_at"), Value(now)) + interval,
            sent_today=Case(When(sent_on=today, then=F("sent_today") + 1), default=Value(1)),
            sent_on=today,
        )
    )
    if taken:
        return None
    number.refresh_from_db(fields=["bucket_drained_at", "sent_on", "sent_today", "daily_cap"])
    if number.daily_cap == 0 or (number.sent_on == today and number.sent_today >= number.daily_cap):
        return Wait.DAY, datetime.combine(today + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    return Wait.PACE, max(now + interval, number.bucket_drained_at - burst)


def show_typing(parcel: Parcel) -> None:
    """Show “typing…” for as long as we then wait; a failure of it is nobody's problem. On a thread for calls."""
    claim = parcel.claim
    with contextlib.suppress(PortError):
        transport_of(parcel.number).show_typing(claim.jid, milliseconds=int(claim.typing.total_seconds() * 1000))


def ignore(outcome: "Future[None]") -> None:
    """Nothing is written about what was shown; what was no failure of the vendor is raised."""
    outcome.result()


def reclaim(claim: Claim) -> Claim | None:
    """After the typing pause: still ours to send? A takeover cancels nothing that is SENDING: ask again."""
    with transaction.atomic():
        message = Message.objects.select_related("conversation").filter(pk=claim.message_id).first()
        if message is None:
            return None
        conversation = lock_share(message.conversation_id)
        message = Message.objects.select_for_update().get(pk=claim.message_id)
        if conversation is None or message.state != Message.State.SENDING or message.attempts != claim.attempt:
            return None
        mode = rows.number(conversation.number_id).mode
        is_lowered = mode == Number.Mode.OFF or (mode == Number.Mode.DRAFTS and intake.APPROVED_BY not in message.extra)
        if claim.is_ai and (is_lowered or conversation.is_held or not may_leave(conversation, message)):
            # Back in the queue, the next claim decides what becomes of it.
            back = (is_lowered or conversation.is_held) and may_leave(conversation, message)
            message.state = Message.State.QUEUED if back else Message.State.CANCELLED
            message.failure = "" if back else "no_longer_ai"
            message.save(update_fields=["state", "failure"])
            held_until = conversation.hold_until if conversation.is_held else None
            intake.want("send", conversation.pk, at=held_until if back else None)
            if not back and conversation.owner == Conversation.Owner.AI:
                intake.want("turn", conversation.pk)
            return None
        message.claimed_at = timezone.now()
        message.save(update_fields=["claimed_at"])
        intake.want("reconcile", message.pk, at=timezone.now() + verdict_after(message))
        return replace(claim, claimed_at=time.monotonic())


# --- Call and record ------------------------------------------------------------------------------------------------
def note(claim: Claim, outcome: "Future[Sent | None]") -> bool:
    """Record what came of the call. Out: whether another message may follow now; for later ones a row is due."""
    try:
        sent = outcome.result()
    except Uncertain as doubt:
        mark_unknown(claim, str(doubt))
    except PortError as error:
        mark_failed(claim, error)
    else:
        if sent is None:
            put_back(claim)
        else:
            return mark_sent(claim, sent)
    return False


def read(claim: Claim) -> bytes:
    """The content of the claimed message's file, nothing for plain text. Raises FileNotFoundError."""
    if claim.file is None:
        return b""
    with default_storage.open(claim.file.path) as file:
        return bytes(file.read())


def call(parcel: Parcel) -> Sent | None:
    """The one call that sends, on a thread without a connection. Raises PortError and Uncertain.

    Out: None when it was not made. We were frozen since the commit, and somebody else may be judging this message.
    """
    claim = parcel.claim
    if time.monotonic() - claim.claimed_at > claim.fresh.total_seconds():
        return None
    transport = transport_of(parcel.number)
    if claim.file is None:
        return transport.send_text(claim.jid, claim.text, quoted_id=claim.quoted_id)
    return transport.send_file(
        claim.jid, parcel.content, mime=claim.file.mime, file_name=claim.file.name, caption=claim.text,
        voice=claim.file.is_voice_note, quoted_id=claim.quoted_id,
    )  # fmt: skip


def mark_sent(claim: Claim, sent: Sent) -> bool:
    """It went out: that is certain, whatever was decided about it while we were frozen before we could say so.

    Out: whether more is queued in the conversation.
    """
    with transaction.atomic():
        message = ours(claim, *(state for state in Message.State if state != Message.State.SENT))
        if message is None:
            return True
        conversation = message.conversation
        intake.bind(message, conversation, provider_id=sent.provider_id, sent_at=sent.sent_at)
        fields = intake.touch(conversation, message, at=timezone.now())
        waits = conversation.lifecycle == Conversation.Lifecycle.OPEN
        if waits:
            conversation.lifecycle = Conversation.Lifecycle.WAITING_LEAD
            fields.append("lifecycle")
        if conversation.needs_reason == "daily_cap":
            intake.settle_need(conversation)
        rows.update(conversation, [name for name in fields if name != "seq"])
        if waits:
            updated(conversation, agent=claim.agent)
            if message.author == Message.Author.AI:
                follow_ups.plan(conversation, claim.agent)
        metrics.incr("sdr_sends", outcome="sent")
        has_more = has_any(conversation, Message.State.QUEUED)
        if has_more:  # who came for it meanwhile found this one on the wire and went; and we may have lost our row
            intake.want("send", conversation.pk)
        return has_more


def mark_unknown(claim: Claim, why: str) -> None:
    with transaction.atomic():
        message = ours(claim, Message.State.SENDING)
        if message is None:
            return
        message.state, message.failure = Message.State.UNKNOWN, why[:200]
        message.save(update_fields=["state", "failure"])
        intake.want("reconcile", message.pk, at=timezone.now() + LOOK_EVERY)
        metrics.incr("sdr_sends", outcome="unknown")


def mark_failed(claim: Claim, error: PortError) -> None:
    """It surely was not sent: try again later, or give up with the reason for a person."""
    with transaction.atomic():
        message = ours(claim, Message.State.SENDING)
        if message is None:
            return
        conversation = message.conversation
        if not error.permanent and message.attempts < ATTEMPTS:
            pause = error.retry_after or PAUSE * 2 ** (message.attempts - 1)
            message.state, message.failure = Message.State.QUEUED, str(error)[:200]
            message.not_before = timezone.now() + pause
            message.save(update_fields=["state", "failure", "not_before"])
            intake.want("send", conversation.pk, at=message.not_before)
            metrics.incr("sdr_sends", outcome="retried")
            return
        give_up(conversation, message, str(error))


def died(conversation_id: int, reason: str) -> None:
    """The late work of sending was given up: what it had to send has failed, and a person is called. Safe to repeat.

    What is on the wire is left to its reconciliation.
    """
    with transaction.atomic():
        if not Conversation.objects.select_for_update().filter(pk=conversation_id).exists():
            return
        conversation = intake.locked(conversation_id)
        for message in conversation.messages.select_for_update().filter(state=Message.State.QUEUED).order_by("seq"):
            give_up(conversation, message, "gave_up")
        metrics.incr("sdr_sends", outcome="died")


def reconciliation_died(message_id: int, reason: str) -> None:
    """Nobody looks any more whether an uncertain message went out: a person decides. Safe to repeat."""
    with transaction.atomic():
        known = Message.objects.filter(pk=message_id).only("conversation_id").first()
        if known is None:
            return
        conversation = intake.locked(known.conversation_id)
        doubtful = Message.objects.filter(pk=message_id, state__in=[Message.State.SENDING, Message.State.UNKNOWN])
        # Old enough at once for a person to decide about: nothing settles it by itself any more.
        long_ago = timezone.now() - VERDICT_LATEST
        if doubtful.update(state=Message.State.UNKNOWN, failure="gave_up", claimed_at=long_ago):
            intake.need(conversation, "unknown_send")


def give_up(conversation: Conversation, message: Message, why: str) -> None:
    """A message of ours will not go out by itself: a person is shown why."""
    message.state, message.failure = Message.State.FAILED, why[:200]
    message.save(update_fields=["state", "failure"])
    intake.need(conversation, "not_sent")
    record(conversation, EventName.MESSAGE_FAILED, message_id=message.pk, reason=why[:200])
    intake.want("send", conversation.pk)
    metrics.incr("sdr_sends", outcome="failed")


def put_back(claim: Claim) -> None:
    """It was claimed, and no call was made: whoever comes next may claim it."""
    with transaction.atomic():
        message = ours(claim, Message.State.SENDING)
        if message is None:
            return
        message.state = Message.State.QUEUED
        message.save(update_fields=["state"])
        intake.want("send", message.conversation_id)


def ours(claim: Claim, *states: Message.State) -> Message | None:
    """The claimed message with its conversation, both locked, when it still is as we left it: this kind's CAS.

    Lock order: the conversation first.
    """
    conversation = rows.first(
        Conversation, "WHERE t.id = (SELECT conversation_id FROM conversations_message WHERE id = %s) FOR UPDATE",
        [claim.message_id],
    )  # fmt: skip
    if conversation is None:  # erased, or merged into another, meanwhile
        return None
    message = rows.first(
        Message, "WHERE t.id = %s AND t.attempts = %s AND t.state = ANY(%s) FOR UPDATE",
        [claim.message_id, claim.attempt, [state.value for state in states]],
    )  # fmt: skip
    if message is not None:
        message.conversation = conversation
    return message


# --- Settling what is not known -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Question:
    """An uncertain message to be looked for."""

    message: Message  # with its number
    jid: str
    claimed: datetime
    asked: datetime
    org_id: int


async def reconcile(message_id: int, hands: Hands) -> None:
    """Did an uncertain message go out? Read the chat back, match by order, never resend twice (DESIGN 4.5)."""
    question = await hands.run(ask, message_id)
    if question is not None:
        await hands.call(partial(look_back, question), then=partial(judge, question))


def ask(message_id: int) -> Question | None:
    """What to look for; None when it is settled, or cannot be looked for yet (then it is due again)."""
    message = Message.objects.select_related("conversation", "number").filter(pk=message_id).first()
    if message is None or message.state not in {Message.State.SENDING, Message.State.UNKNOWN}:
        return None
    now = timezone.now()
    claimed = message.claimed_at or message.created_at
    earliest = claimed + verdict_after(message)
    if message.state == Message.State.SENDING and now < earliest:
        intake.want("reconcile", message.pk, at=earliest)
        return None
    if message.number.state != LinkState.OPEN:
        wait_or_park(message, now, claimed)
        return None
    return Question(message, message.conversation.reply_jid, claimed, now, intake.org_id())


def look_back(question: Question) -> tuple[list[Incoming], bool]:
    """What the chat shows of ours since the claim, and whether its silence can be believed. Raises PortError.

    Before the earliest verdict silence says nothing, so nobody is asked for a proof.
    """
    since = question.claimed - timedelta(minutes=2)
    transport = transport_of(question.message.number)
    seen = transport.recent(question.jid, since=since, until=question.asked, from_us=True)
    is_early = question.asked < question.claimed + verdict_after(question.message)
    return seen, not is_early and has_canary(question, seen)


def judge(question: Question, outcome: "Future[tuple[list[Incoming], bool]]") -> None:
    """Found: sent. Not found in time, and reading back works: not sent. Else look again, until a person decides."""
    message, claimed, now = question.message, question.claimed, question.asked
    try:
        seen, canary = outcome.result()
    except (PortError, Uncertain):
        wait_or_park(message, now, claimed)
        return
    with transaction.atomic():
        intake.locked(message.conversation_id)
        message = Message.objects.select_for_update().get(pk=message.pk)
        if message.state not in {Message.State.SENDING, Message.State.UNKNOWN} or message.claimed_at != (
            question.message.claimed_at
        ):
            return
        found = match(message, seen)
        if found is not None:
            intake.settle(message, provider_id=found.provider_id, sent_at=found.sent_at)
            metrics.incr("sdr_sends", outcome="found")
            return
        if now < claimed + verdict_after(message) or not canary:
            message.state = Message.State.UNKNOWN
            message.save(update_fields=["state"])
            wait_or_park(message, now, claimed)
            return
        not_sent(message)


def match(message: Message, seen: list[Incoming]) -> Incoming | None:
    """The chat's message that must be ours: not bound to another row, same kind and text, in the order of the chat."""
    bound = set(
        Message.objects.filter(
            number_id=message.number_id, provider_id__in=[one.provider_id for one in seen]
        ).values_list("provider_id", flat=True)
    )
    same = (one for one in seen if (one.kind, one.text) == (message.kind, message.text))
    return next((one for one in same if one.provider_id not in bound), None)


def has_canary(question: Question, seen: list[Incoming]) -> bool:
    """Proof that reading back shows what is newer than our call: else its silence means nothing.

    The newest message that reading a number back has shown is remembered for a minute, so that hundreds of doubts
    about one number ask for it once.
    """
    number, claimed = question.message.number, question.claimed
    witness = (question.org_id, number.pk, number.instance)
    if any(remember(witness, one.sent_at) > claimed for one in seen if one.sent_at is not None):
        return True
    known = _witnesses.get(witness)
    if known is not None and time.monotonic() - known[0] < WITNESS_FOR.total_seconds() and known[1] > claimed:
        return True
    transport = transport_of(number)
    now = timezone.now()
    return any(
        remember(witness, one.sent_at) > claimed
        for jid in transport.chats(limit=5)
        for one in transport.recent(jid, since=claimed, until=now)
        if one.sent_at is not None
    )


# When (monotonic) a number was read back, and the time of what was seen then, by org, number and instance.
_witnesses: dict[tuple[int, int, str], tuple[float, datetime]] = {}


def remember(witness: tuple[int, int, str], sent_at: datetime) -> datetime:
    """Reading the number back has shown a message of this time. Out: that time."""
    now = time.monotonic()
    known = _witnesses.get(witness)
    if known is None or known[1] < sent_at or now - known[0] >= WITNESS_FOR.total_seconds():
        if len(_witnesses) >= WITNESSES_MOST:
            _witnesses.clear()
        _witnesses[witness] = (now, sent_at)
    return sent_at


def not_sent(message: Message) -> None:
    """It did not go out. One resend by ourselves at most, and only when nobody has said or taken anything since."""
    conversation = message.conversation
    changed = conversation.epoch != message.epoch or conversation.owner != Conversation.Owner.AI
    newer = conversation.messages.filter(author=Message.Author.LEAD, seq__gt=message.seq).exists()
    if message.author in intake.BY_ITSELF and (changed or newer):
        message.state, message.failure = Message.State.CANCELLED, "not_sent_and_outdated"
        message.save(update_fields=["state", "failure"])
        if conversation.owner == Conversation.Owner.AI:
            intake.want("turn", conversation.pk)
        intake.want("send", conversation.pk)
        return
    if message.resent:
        give_up(conversation, message, "not_sent_twice")
        return
    message.state, message.resent = Message.State.QUEUED, True
    message.save(update_fields=["state", "resent"])
    intake.want("send", conversation.pk)


def wait_or_park(message: Message, now: datetime, claimed: datetime) -> None:
    """Look again soon; after half an hour a person decides, also about one that was never seen to leave our hands."""
    if now < claimed + VERDICT_LATEST:
        intake.want("reconcile", message.pk, at=next_look(claimed, now))
        return
    with transaction.atomic():
        conversation = intake.locked(message.conversation_id)
        unsettled = conversation.messages.filter(
            pk=message.pk, state__in=[Message.State.SENDING, Message.State.UNKNOWN], claimed_at=message.claimed_at
        )
        if unsettled.update(state=Message.State.UNKNOWN) and conversation.needs_reason != "unknown_send":
            intake.need(conversation, "unknown_send")


def next_look(claimed: datetime, now: datetime) -> datetime:
    """When to look again: in a tenth of the doubt's age, within bounds."""
    return now + max(LOOK_EVERY, min((now - claimed) / 10, LOOK_SELDOM))


# --- Numbers that come and go ---------------------------------------------------------------------------------------
def wake(number_id: int) -> None:
    """The number is connected again: what had to wait for it may leave now."""
    waiting = Message.objects.filter(number_id=number_id, state=Message.State.QUEUED)
    for conversation_id in waiting.order_by("conversation_id").values_list("conversation_id", flat=True).distinct():
        intake.want("send", conversation_id)
