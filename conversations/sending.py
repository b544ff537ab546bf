"""Sending, one message of a conversation at a time: claim under the lock, commit, call, record (DESIGN 4.4–4.5).

A call whose outcome is not known is never simply repeated. It becomes UNKNOWN, nothing else leaves the conversation,
and the reconciliation reads the chat back once enough time has passed.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations import intake, policy, settings_of
from conversations.events import record
from conversations.models import Contact, Control, Conversation, EventName, MediaAsset, Message, Number
from conversations.ports import Incoming, LinkState, MessageKind, Sent, Transport, Uncertain
from conversations.turns import Run
from sdr.lib import metrics
from sdr.lib.errors import PortError

CALL_TIMEOUT = timedelta(seconds=30)  # of the client; the transport must not wait longer
FRESH = timedelta(seconds=3)  # a claim older than this when the call would start is not used: we may have been frozen
VERDICT_AFTER = CALL_TIMEOUT + timedelta(seconds=90)  # earliest "it was not sent" (DESIGN 4.5)
FILE_CALL_TIMEOUT = timedelta(seconds=60)  # of the client, for a file: it is converted before the answer
FILE_FRESH = timedelta(seconds=20)  # reading it from storage takes its time
FILE_VERDICT_AFTER = FILE_FRESH + FILE_CALL_TIMEOUT + timedelta(seconds=90)
VERDICT_LATEST = timedelta(minutes=30)  # then a person decides
LOOK_EVERY = timedelta(seconds=15)
ATTEMPTS = 5
PAUSE = timedelta(seconds=10)
CLOSED_PAUSE = timedelta(seconds=30)  # while the number is not connected


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
    number_id: int
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


async def send_all(conversation_id: int, run: Run) -> None:
    """Send what is queued in a conversation, oldest first, until nothing may leave now."""
    while (claim := await run(claim_next, conversation_id)) is not None:
        if claim.typing:
            # Together: a transport may answer at once, or when the typing is over.
            await asyncio.gather(run(show_typing, claim), asyncio.sleep(claim.typing.total_seconds()))
            claim = await run(reclaim, claim)
            if claim is None:
                return
        await run(deliver, claim)


def transport_of(number: Number) -> Transport:
    """The number's way to WhatsApp, named in settings.SDR_TRANSPORT."""
    transport: Transport = import_string(settings.SDR_TRANSPORT)(number)
    return transport


# --- Claim -----------------------------------------------------------------------------------------------------------
def claim_next(conversation_id: int) -> Claim | None:
    """The oldest queued message, made SENDING, if it may leave now; else None, with a row due for later where needed.

    In one transaction with a share lock on the conversation: a takeover takes the same row for update, so either it
    sees the message on the wire, or the message sees the takeover. Serial per conversation.
    """
    with transaction.atomic():
        conversation = lock_share(conversation_id)
        if conversation is None:
            return None
        if on_the_wire(conversation):
            return None
        message = conversation.messages.select_for_update().filter(state=Message.State.QUEUED).order_by("seq").first()
        if message is None:
            return None
        now = timezone.now()
        if message.not_before is not None and message.not_before > now:
            intake.want("send", conversation.pk, at=message.not_before)
            return None
        number = Number.objects.get(pk=conversation.number_id)
        if number.state != LinkState.OPEN:
            intake.want("send", conversation.pk, at=now + CLOSED_PAUSE)
            intake.want("look", number.pk)  # the news that it is open may have been lost
            return None
        if message.author == Message.Author.AI:
            if not may_leave(conversation, message):
                message.state, message.failure = Message.State.CANCELLED, "no_longer_ai"
                message.save(update_fields=["state", "failure"])
                intake.want("send", conversation.pk)
                return None
            if conversation.is_held:
                intake.want("send", conversation.pk, at=conversation.hold_until)
                return None
            if later := take_from_bucket(number, now):
                intake.want("send", conversation.pk, at=later)
                return None
        message.state, message.claimed_at, message.attempts = Message.State.SENDING, now, message.attempts + 1
        message.save(update_fields=["state", "claimed_at", "attempts"])
        agent = settings_of.number(number)
        typing = timedelta()
        if message.author == Message.Author.AI:
            typing = policy.typing_time(
                message.text, per_character=agent.typing_per_character, longest=agent.typing_longest
            )
        # Wanted now already: if we die before the call is recorded, whoever comes next finds the message on the wire.
        intake.want("reconcile", message.pk, at=now + verdict_after(message))
        return Claim(
            message_id=message.pk, number_id=number.pk, jid=conversation.reply_jid, text=message.text,
            quoted_id=message.quoted_id, attempt=message.attempts, claimed_at=time.monotonic(),
            is_ai=message.author == Message.Author.AI, typing=typing, file=attachment(message),
        )  # fmt: skip


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
    rows = Conversation.objects.raw(
        "SELECT * FROM conversations_conversation WHERE id = %s FOR SHARE", [conversation_id]
    )
    return next(iter(rows), None)


def is_paused() -> bool:
    return any(
        row.paused_at is not None for row in Control.objects.raw("SELECT * FROM conversations_control FOR SHARE")
    )


def on_the_wire(conversation: Conversation) -> bool:
    """One is being sent, or nobody knows whether it was: nothing else leaves meanwhile."""
    return conversation.messages.filter(state__in=[Message.State.SENDING, Message.State.UNKNOWN]).exists()


def may_leave(conversation: Conversation, message: Message) -> bool:
    """An AI message leaves only while the AI owns the conversation it was written for."""
    contact = Contact.objects.get(pk=conversation.contact_id)
    return (
        conversation.owner == Conversation.Owner.AI
        and conversation.epoch == message.epoch
        and not contact.is_silenced
        and not is_paused()
    )


def take_from_bucket(number: Number, now: datetime) -> datetime | None:
    """One AI message from the number's bucket and daily cap. Out: None, or when to try again."""
    today = now.date()
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
        return datetime.combine(today + timedelta(days=1), datetime.min.time(), tzinfo=now.tzinfo)
    return max(now + interval, number.bucket_drained_at - burst)


def show_typing(claim: Claim) -> None:
    """Show “typing…” for as long as we then wait; a failure of it is nobody's problem."""
    number = Number.objects.get(pk=claim.number_id)
    with contextlib.suppress(PortError):
        transport_of(number).show_typing(claim.jid, milliseconds=int(claim.typing.total_seconds() * 1000))


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
        if message.author == Message.Author.AI and (conversation.is_held or not may_leave(conversation, message)):
            back = conversation.is_held and may_leave(conversation, message)
            message.state = Message.State.QUEUED if back else Message.State.CANCELLED
            message.failure = "" if back else "no_longer_ai"
            message.save(update_fields=["state", "failure"])
            intake.want("send", conversation.pk, at=conversation.hold_until if back else None)
            return None
        message.claimed_at = timezone.now()
        message.save(update_fields=["claimed_at"])
        intake.want("reconcile", message.pk, at=timezone.now() + verdict_after(message))
        return replace(claim, claimed_at=time.monotonic())


# --- Call and record ------------------------------------------------------------------------------------------------
def deliver(claim: Claim) -> None:
    """Make the call and record what came of it. Runs outside any transaction."""
    number = Number.objects.get(pk=claim.number_id)
    try:
        content = read(claim)
    except FileNotFoundError:
        mark_failed(claim, PortError("file_gone", permanent=True))
        return
    if time.monotonic() - claim.claimed_at > claim.fresh.total_seconds():
        # We were frozen between the commit and the call; somebody else may already be judging this message.
        put_back(claim)
        return
    try:
        sent = call(transport_of(number), claim, content)
    except Uncertain as doubt:
        mark_unknown(claim, str(doubt))
    except PortError as error:
        mark_failed(claim, error)
    else:
        mark_sent(claim, sent)


def read(claim: Claim) -> bytes:
    """The content of the claimed message's file, nothing for plain text. Raises FileNotFoundError."""
    if claim.file is None:
        return b""
    with default_storage.open(claim.file.path) as file:
        return bytes(file.read())


def call(transport: Transport, claim: Claim, content: bytes) -> Sent:
    """The one call that sends. Raises PortError and Uncertain."""
    if claim.file is None:
        return transport.send_text(claim.jid, claim.text, quoted_id=claim.quoted_id)
    return transport.send_file(
        claim.jid, content, mime=claim.file.mime, file_name=claim.file.name, caption=claim.text,
        voice=claim.file.is_voice_note,
    )  # fmt: skip


def mark_sent(claim: Claim, sent: Sent) -> None:
    """It went out: that is certain, whatever was decided about it while we were frozen before we could say so."""
    with transaction.atomic():
        message = ours(claim, *(state for state in Message.State if state != Message.State.SENT))
        if message is None:
            return
        conversation = intake.locked(message.conversation_id)
        intake.settle(message, provider_id=sent.provider_id, sent_at=sent.sent_at)
        conversation.refresh_from_db()
        fields = intake.touch(conversation, message, at=timezone.now())
        if conversation.lifecycle == Conversation.Lifecycle.OPEN:
            conversation.lifecycle = Conversation.Lifecycle.WAITING_LEAD
            fields.append("lifecycle")
        conversation.save(update_fields=[name for name in fields if name != "seq"])
        metrics.incr("sdr_sends", outcome="sent")


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
        conversation = intake.locked(message.conversation_id)
        if not error.permanent and message.attempts < ATTEMPTS:
            pause = error.retry_after or PAUSE * 2 ** (message.attempts - 1)
            message.state, message.failure = Message.State.QUEUED, str(error)[:200]
            message.not_before = timezone.now() + pause
            message.save(update_fields=["state", "failure", "not_before"])
            intake.want("send", conversation.pk, at=message.not_before)
            metrics.incr("sdr_sends", outcome="retried")
            return
        give_up(conversation, message, str(error))


def give_up(conversation: Conversation, message: Message, why: str) -> None:
    """A message of ours will not go out by itself: a person is shown why."""
    message.state, message.failure = Message.State.FAILED, why[:200]
    message.save(update_fields=["state", "failure"])
    conversation.needs_person_since = conversation.needs_person_since or timezone.now()
    conversation.needs_reason = "not_sent"
    conversation.save(update_fields=["needs_person_since", "needs_reason"])
    record(conversation, EventName.MESSAGE_FAILED, message_id=message.pk, reason=why[:200])
    intake.want("send", conversation.pk)
    metrics.incr("sdr_sends", outcome="failed")


def put_back(claim: Claim) -> None:
    with transaction.atomic():
        message = ours(claim, Message.State.SENDING)
        if message is None:
            return
        message.state = Message.State.QUEUED
        message.save(update_fields=["state"])
        intake.want("send", message.conversation_id)


def ours(claim: Claim, *states: Message.State) -> Message | None:
    """The claimed message, locked, when it still is as we left it: the compare-and-swap of this kind.

    Lock order: the conversation first.
    """
    known = Message.objects.filter(pk=claim.message_id).only("conversation_id").first()
    if known is None:
        return None
    intake.locked(known.conversation_id)
    return (
        Message.objects.select_for_update()
        .filter(pk=claim.message_id, attempts=claim.attempt, state__in=states)
        .first()
    )


# --- Settling what is not known -------------------------------------------------------------------------------------
def reconcile(message_id: int) -> None:
    """Did an uncertain message go out? Read the chat back, match by order, never resend twice (DESIGN 4.5)."""
    message = Message.objects.select_related("conversation", "number").filter(pk=message_id).first()
    if message is None or message.state not in {Message.State.SENDING, Message.State.UNKNOWN}:
        return
    now = timezone.now()
    claimed = message.claimed_at or message.created_at
    earliest = claimed + verdict_after(message)
    if message.state == Message.State.SENDING and now < earliest:
        intake.want("reconcile", message.pk, at=earliest)
        return
    if message.number.state != LinkState.OPEN:
        wait_or_park(message, now, claimed)
        return
    try:
        seen = transport_of(message.number).recent(
            message.conversation.reply_jid, since=claimed - timedelta(minutes=2), until=now, from_us=True
        )
        canary = has_canary(message, seen, claimed)
    except (PortError, Uncertain):
        wait_or_park(message, now, claimed)
        return
    with transaction.atomic():
        intake.locked(message.conversation_id)
        message = Message.objects.select_for_update().get(pk=message_id)
        if message.state not in {Message.State.SENDING, Message.State.UNKNOWN}:
            return
        found = match(message, seen)
        if found is not None:
            intake.settle(message, provider_id=found.provider_id, sent_at=found.sent_at)
            metrics.incr("sdr_sends", outcome="found")
            return
        if now < earliest or not canary:
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


def has_canary(message: Message, seen: list[Incoming], claimed: datetime) -> bool:
    """Proof that reading back shows what is newer than our call: else its silence means nothing."""
    if any(one.sent_at is not None and one.sent_at > claimed for one in seen):
        return True
    transport = transport_of(message.number)
    newest = transport.chats(limit=5)
    now = timezone.now()
    return any(
        one.sent_at is not None and one.sent_at > claimed
        for jid in newest
        for one in transport.recent(jid, since=claimed, until=now)
    )


def not_sent(message: Message) -> None:
    """It did not go out. One resend by ourselves at most, and only when nobody has said or taken anything since."""
    conversation = message.conversation
    changed = conversation.epoch != message.epoch or conversation.owner != Conversation.Owner.AI
    newer = conversation.messages.filter(author=Message.Author.LEAD, seq__gt=message.seq).exists()
    if message.author == Message.Author.AI and (changed or newer):
        message.state, message.failure = Message.State.CANCELLED, "not_sent_and_outdated"
        message.save(update_fields=["state", "failure"])
        if not changed:
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
    """Look again soon; after half an hour a person decides."""
    if now < claimed + VERDICT_LATEST:
        intake.want("reconcile", message.pk, at=now + LOOK_EVERY)
        return
    with transaction.atomic():
        conversation = intake.locked(message.conversation_id)
        if conversation.needs_reason != "unknown_send":
            conversation.needs_person_since = conversation.needs_person_since or now
            conversation.needs_reason = "unknown_send"
            conversation.save(update_fields=["needs_person_since", "needs_reason"])


# --- Numbers that come and go ---------------------------------------------------------------------------------------
def wake(number_id: int) -> None:
    """The number is connected again: what had to wait for it may leave now."""
    waiting = Message.objects.filter(number_id=number_id, state=Message.State.QUEUED)
    for conversation_id in waiting.order_by("conversation_id").values_list("conversation_id", flat=True).distinct():
        intake.want("send", conversation_id)
