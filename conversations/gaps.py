"""The gap detective: finds what the provider has and we were never told (contracts/evolution.md 3.4, 6.4, 8.10).

Webhooks are lost: retries end, a crash forgets them, an outage of ours outlasts them. So each number has one row of
late work (`gaps`) that renews itself. A look reads back what the provider has stored since the last one, of all chats
in one question; what is missing goes in by the same door as a webhook, so that a late webhook and we can meet: the
message is stored once (`intake.receive`).

When it looks: every SDR_GAP_SECONDS; sooner when a number has been silent for longer than its own rhythm makes likely
(`conversations.rhythm`); at once after the number reconnects; and after an outage of ours, because the row is overdue
then. `Number.read_until` is what has been compared for good; it only moves while the number is open, so that an outage
of any length is read when it is over.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations import intake, links, sending
from conversations.models import Conversation, Message, Number
from conversations.ports import Ack, Incoming, ReadBack, Revoke, StatusUpdate, Transport
from conversations.rhythm import Rhythm
from conversations.sending import Hands
from orgs.models import Due
from orgs.models.queue import CALM
from sdr.lib import metrics
from sdr.lib.errors import PortError

KIND = "gaps"
OVERLAP = links.READ_AGAIN
AHEAD = timedelta(minutes=2)  # by which the provider's clock may be before ours
FARTHEST = timedelta(hours=72)  # further back it is no gap but a history
SETTLING = timedelta(minutes=5)  # after a reconnect, in which what WhatsApp had kept comes in with its old times
SMALLEST = timedelta(minutes=1)  # a span is not halved below this, however much is in it
GRACE = timedelta(seconds=30)  # a webhook on its way is no gap
AT_LEAST = timedelta(seconds=60)  # between two looks at one number
CLOCKS = timedelta(minutes=2)  # by which the times of a send and of its record may differ
LATE_TRY = sending.VERDICT_AFTER  # how long after a claim a try of ours may still show up
UNCERTAIN_ENDS = frozenset({"not_sent_and_outdated", "not_sent_twice"})  # verdicts that a late try proves wrong

logger = logging.getLogger("sdr.gaps")


@dataclass(frozen=True)
class Plan:
    """What one look reads, and with what."""

    number_id: int
    transport: Transport = field(repr=False)
    since: datetime
    until: datetime


def every() -> timedelta:
    """Between two looks at a number that behaves."""
    return timedelta(seconds=settings.SDR_GAP_SECONDS)


def at_least() -> timedelta:
    return min(AT_LEAST, every() / 4)


def grace() -> timedelta:
    return min(GRACE, every() / 4)


async def look(number_id: int, hands: Hands) -> None:
    """One look at one number; plans the next. Safe to repeat and to lose halfway: nothing counts as read before its
    end, and what was stored is known the next time."""
    plan: Plan | None = await hands.run(begin, number_id)
    if plan is None:
        return
    spans = [(plan.since, plan.until)]
    moments: list[datetime] = []
    found = parked = 0
    while spans:
        since, until = spans.pop()
        call = partial(plan.transport.read_back, since=since, until=until)
        heard = await hands.call(call, then=partial(compare, plan, since, until))
        if heard is None:  # the provider did not answer: `compare` has planned the next look
            return
        if isinstance(heard, Halves):
            spans += [heard.newer, heard.older]
            continue
        moments += heard.moments
        found += heard.found
        parked += heard.parked
    await hands.run(end, plan, moments, found, parked)


@dataclass(frozen=True)
class Halves:
    """More was stored in a span than one reading takes; the older half comes first."""

    older: tuple[datetime, datetime]
    newer: tuple[datetime, datetime]


@dataclass(frozen=True)
class Heard:
    """What a span brought: when leads wrote in it, how many messages nobody had told us of, how many must wait."""

    moments: list[datetime]
    found: int
    parked: int


# --- Plan -------------------------------------------------------------------------------------------------------------
def begin(number_id: int) -> Plan | None:
    """The next look's plan; None when there is nothing to look at, or when the last look was a moment ago."""
    number = Number.objects.filter(pk=number_id).first()
    if number is None or number.removed_at is not None or not number.instance:
        return None
    now = timezone.now()
    if number.looked_at is not None and now < number.looked_at + at_least():
        want(number.pk, at=number.looked_at + at_least())
        return None
    number.looked_at = now
    fields = ["looked_at"]
    if number.read_until is None and number.is_open:  # else `links` does, when it opens for the first time
        number.read_until = max(number.created_at, number.opened_at or number.created_at) + OVERLAP
        fields.append("read_until")
    number.save(update_fields=fields)
    if number.read_until is None or not number.is_open:  # `links` asks once a minute, and calls us when it is open
        postpone(number.pk, "closed")
        return None
    if is_oddly_silent(number, now):
        links.look_soon(number.pk)
    try:
        transport = links.transport_of(number)
    except PortError:  # it only receives: nobody can be asked
        return None
    since = max(number.read_until - OVERLAP, now - FARTHEST)
    return Plan(number.pk, transport, since=min(since, now), until=now + AHEAD)


def is_oddly_silent(number: Number, now: datetime) -> bool:
    return number.heard_at is not None and now > Rhythm.from_json(number.rhythm).odd_from(number.heard_at)


def postpone(number_id: int, why: str) -> None:
    metrics.incr("sdr_gap_looks", outcome=why)
    want(number_id, at=timezone.now() + every())


def end(plan: Plan, moments: list[datetime], found: int, parked: int) -> None:
    """Note how far we are and when the next look is due."""
    now = timezone.now()
    with transaction.atomic():
        number = Number.objects.select_for_update(no_key=True).get(pk=plan.number_id)
        rhythm = Rhythm.from_json(number.rhythm).heard(moments, now=now)
        number.rhythm = rhythm.as_json()
        fields = ["rhythm"]
        read = plan.until - AHEAD
        if number.opened_at is None or read > number.opened_at + min(SETTLING, every()):
            number.read_until = max(number.read_until or read, read)
            fields.append("read_until")
        number.save(update_fields=fields)
        want(number.pk, at=next_look(number, rhythm, now, is_soon=found + parked > 0))
    metrics.incr("sdr_gap_looks", outcome="found" if found else "quiet")
    if found:
        logger.warning("webhooks had been lost", extra={"number_id": number.pk, "count": found})


def next_look(number: Number, rhythm: Rhythm, now: datetime, *, is_soon: bool) -> datetime:
    """Soon when something was missing or must wait; when silence becomes odd; else after the usual pause."""
    if is_soon:
        return now + at_least()
    usual = now + every()
    if number.heard_at is None:
        return usual
    odd = rhythm.odd_from(number.heard_at)
    return max(odd, now + at_least()) if now < odd < usual else usual


# --- Compare ----------------------------------------------------------------------------------------------------------
def compare(plan: Plan, since: datetime, until: datetime, asked: "Future[ReadBack]") -> Heard | Halves | None:
    """Store what is missing of a span, oldest first, each message in a transaction of its own."""
    try:
        reading = asked.result()
    except PortError:
        postpone(plan.number_id, "unreachable")
        return None
    if not reading.is_whole and until - since > SMALLEST:
        middle = since + (until - since) / 2
        return Halves(older=(since, middle), newer=(middle, until))
    if not reading.is_whole:
        logger.error("more messages in a minute than can be read back", extra={"number_id": plan.number_id})
    number = Number.objects.get(pk=plan.number_id)
    found = parked = 0
    touched: set[int] = set()
    for incoming in missing(number, reading):
        try:
            message = attempt(number, incoming, reading)
        except intake.Parked as waits:
            waits.hold()
            parked += 1
            metrics.incr("sdr_gaps", outcome="parked")
            continue
        if message is not None:
            found += 1
            touched.add(message.conversation_id)
    for conversation_id in sorted(touched):
        settle_need(conversation_id)
    for news in late_news(number, reading):
        with transaction.atomic():
            intake.apply_to_message(number, news)
        metrics.incr("sdr_gaps", outcome="news")
    moments = [one.sent_at for one in reading.messages if one.sent_at is not None and not one.from_us]
    return Heard(moments, found, parked)


def missing(number: Number, reading: ReadBack) -> Iterator[Incoming]:
    """What was sent a while ago and is in none of our rows."""
    ids = [one.provider_id for one in reading.messages]
    known = set(Message.objects.filter(number=number, provider_id__in=ids).values_list("provider_id", flat=True))
    latest = timezone.now() - grace()
    refused = reading.refused
    for one in reading.messages:
        is_old_enough = one.sent_at is None or one.sent_at <= latest
        if one.provider_id not in known and is_old_enough and not (one.from_us and one.provider_id in refused):
            yield one


def attempt(number: Number, incoming: Incoming, reading: ReadBack) -> Message | None:
    """Store one message that nobody told us of. Out: it, or None when there was nothing to store.

    One that cannot be stored goes into quarantine and keeps nobody else from being found. Raises Parked, and what a
    database raises that is away.
    """
    try:
        with transaction.atomic():
            message = recover(number, incoming, is_answered=is_answered(number, incoming, reading))
    except (intake.Parked, OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("a message found by reading back could not be stored", extra={"number_id": number.pk})
        metrics.incr("sdr_gaps", outcome="failed")
        if (record := reading.records.get(incoming.provider_id)) is not None:
            import_string(settings.SDR_QUARANTINE)(number.pk, incoming.provider_id, record)
        return None
    if message is None or not message.is_recovered:
        return None  # came by itself meanwhile, or it was a send of ours
    metrics.incr("sdr_gaps", outcome="message")
    if incoming.sent_at is not None:
        metrics.observe("sdr_gap_seconds", max(0.0, (timezone.now() - incoming.sent_at).total_seconds()))
    return message


def recover(number: Number, incoming: Incoming, *, is_answered: bool) -> Message | None:
    """Through the same door as a webhook. Raises Parked.

    From our own side its age counts, not the moment we found it: whether it is the echo of a send was to be waited for
    from when it was sent (contracts/evolution.md 5.5). A lead's message that a person has answered on the phone is only
    stored.
    """
    now = timezone.now()
    if not incoming.from_us:
        message = intake.receive(number, incoming, received_at=now, is_recovered=True)
        if message is not None and is_answered and not message.is_backlog:
            message.is_backlog = True
            message.save(update_fields=["is_backlog"])
        return message
    try:
        if is_try_of_ours(number, incoming):
            return None
    except intake.Forgotten:
        return None
    return intake.receive(number, incoming, received_at=min(now, incoming.sent_at or now), is_recovered=True)


def is_answered(number: Number, incoming: Incoming, reading: ReadBack) -> bool:
    """Whether somebody answered a lead's message from the company's phone, after it, by the provider's clock."""
    if incoming.from_us or incoming.sent_at is None:
        return False
    from_phone = [
        one.provider_id
        for one in reading.messages
        if one.from_us and one.chat.jid == incoming.chat.jid and one.sent_at is not None
        and one.sent_at >= incoming.sent_at and one.provider_id not in reading.refused
    ]  # fmt: skip
    if not from_phone:
        return False
    ours = Message.objects.filter(number=number, provider_id__in=from_phone)
    if ours.filter(author=Message.Author.PERSON, person_id=None).exists():
        return True
    return ours.count() < len(from_phone) and not on_the_wire(number, incoming)


def on_the_wire(number: Number, incoming: Incoming) -> bool:
    """Whether what seems to come from the phone may be a send of ours whose answer we have not seen."""
    return conversations_of(number, incoming).filter(
        messages__state__in=[Message.State.SENDING, Message.State.UNKNOWN]
    ).exists()  # fmt: skip


def is_try_of_ours(number: Number, incoming: Incoming) -> bool:
    """Whether this is a send of ours that had been given up, or sent once more, because it seemed not to have gone out.

    One that had been given up counts as sent from now on; its message no longer waits to be sent again.
    """
    contact = intake.identify(incoming.chat, said_at=incoming.sent_at, from_us=True)  # locked, before the conversation
    conversation = Conversation.objects.select_for_update().filter(number=number, contact=contact).first()
    if conversation is None or incoming.sent_at is None:
        return False
    tries = (
        conversation.messages.select_for_update()
        .exclude(author=Message.Author.LEAD)
        .filter(
            kind=incoming.kind, text=incoming.text, claimed_at__isnull=False, attempts__gt=0,
            created_at__lte=incoming.sent_at + CLOCKS, claimed_at__gte=incoming.sent_at - LATE_TRY,
        )
        .order_by("seq")
    )  # fmt: skip
    for message in tries:
        was_given_up = message.provider_id is None and (
            message.failure in UNCERTAIN_ENDS or (message.state == Message.State.QUEUED and message.resent)
        )
        if was_given_up:
            intake.settle(message, provider_id=incoming.provider_id, sent_at=incoming.sent_at)
            metrics.incr("sdr_gaps", outcome="own")
            return True
        if message.state == Message.State.SENT and message.attempts > 1:
            return True  # an earlier try of it, which then went out after all
    return False


def conversations_of(number: Number, incoming: Incoming) -> QuerySet[Conversation]:
    names = [
        *([("phone", incoming.chat.phone)] if incoming.chat.phone else []),
        *([("lid", incoming.chat.lid)] if incoming.chat.lid else []),
    ]
    contacts = set(intake.aliases_of(names).values()) if names else set()
    return Conversation.objects.filter(number=number, contact_id__in=contacts)


def settle_need(conversation_id: int) -> None:
    """A person is not needed for messages that a person has already answered on the phone."""
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
        if conversation is None or conversation.needs_reason not in {"backlog", "lead_waiting"}:
            return
        said = conversation.messages.filter(deleted_at=None, sent_at__isnull=False).order_by("sent_at", "seq")
        theirs = said.filter(author=Message.Author.LEAD).last()
        by_hand = said.filter(author=Message.Author.PERSON, state=Message.State.SENT).last()
        if theirs is None or by_hand is None or moment_of(by_hand) < moment_of(theirs):
            return
        intake.no_longer_need(conversation)
        conversation.save(update_fields=["needs_person_since", "needs_reason"])


def moment_of(message: Message) -> datetime:
    return message.sent_at or message.created_at


def late_news(number: Number, reading: ReadBack) -> Iterator[StatusUpdate | Revoke]:
    """Ticks of our messages and deletions of theirs whose webhooks were lost."""
    ticks: dict[str, StatusUpdate] = {}
    for tick in reading.ticks:
        best = ticks.get(tick.target_id)
        if best is None or tick.ack in {Ack.ERROR, Ack.DELETED} or tick.ack.rank > best.ack.rank:
            ticks[tick.target_id] = tick
    for message in Message.objects.filter(number=number, provider_id__in=list(ticks)):
        tick = ticks[str(message.provider_id)]
        is_theirs = message.author == Message.Author.LEAD
        if tick.ack is Ack.DELETED:
            if message.deleted_at is None:
                yield Revoke(tick.target_id)
        elif not is_theirs and is_news(message, tick.ack):
            yield tick


def is_news(message: Message, ack: Ack) -> bool:
    return message.state == Message.State.SENT if ack is Ack.ERROR else ack.rank > message.ack


# --- One row per number -----------------------------------------------------------------------------------------------
def want(number_id: int, *, at: datetime | None = None) -> None:
    Due.objects.want(intake.org_id(), KIND, number_id, at=at, priority=CALM)


def ensure() -> int:
    """Let every number with an instance have its row, also after mistakes of ours. Scheduled, outside any org.

    One statement over the public addresses: they know all numbers of all orgs. Out: how many had none.
    """
    with connection.cursor() as cursor:
        cursor.execute(ENSURE, {"kind": KIND, "seconds": every().total_seconds(), "priority": CALM})
        return int(cursor.rowcount)


ENSURE = """
INSERT INTO public.orgs_due
       (org_id, kind, ref, due_at, wanted_since, generation, priority, context, attempts, last_error)
SELECT DISTINCT ON (a.org_id, a.number_id) a.org_id, %(kind)s, a.number_id::text,
       statement_timestamp() + make_interval(secs => random() * %(seconds)s), statement_timestamp(),
       1, %(priority)s::smallint, '{}'::jsonb, 0, ''
FROM public.orgs_channeladdress a
WHERE a.instance <> '' AND NOT EXISTS (
    SELECT FROM public.orgs_due d
    WHERE d.org_id = a.org_id AND d.kind = %(kind)s AND d.ref = a.number_id::text AND d.dead_at IS NULL)
ON CONFLICT (org_id, kind, ref) DO UPDATE SET
    generation = orgs_due.generation + 1, due_at = excluded.due_at, attempts = 0, dead_at = NULL
"""
