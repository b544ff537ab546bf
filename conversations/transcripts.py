"""What is said in a voice note becomes words before its turn, in a bounded wait; what comes late amends (PRODUCT 2).

A lead's sound, once stored, wants a transcript on a queue of its own. Its turn waits, twenty seconds at most, and then
goes on without: the brain sees a voice note nobody has heard. A transcript that comes later is stored, a draft that is
being thought over is for a former revision, and what was answered unheard counts as unanswered again.

Written once: `hearing` is a compare-and-swap under the conversation's lock, so a job that runs twice, or goes on after
it has lost its lease, changes nothing; what its call cost is in the ledger all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from conversations import costs, intake, policy, settings_of
from conversations.models import Contact, Conversation, MediaAsset, Message, ModelCall, Turn
from conversations.ports import MessageKind, ModelError, ModelUse, Transcriber, Transcript
from orgs.models import Refused
from sdr.lib import metrics
from sdr.lib.errors import PortError

KIND = "transcribe"
WAIT = timedelta(seconds=20)  # a turn waits so long for what is said, from the voice note's arrival
CALL_SECONDS = 60.0
TRIES = 4
LONGEST = timedelta(minutes=10)
LARGEST_BYTES = 14 * 1024 * 1024  # with its envelope below what models take in one request
WITHDRAWN = "heard_late"  # why an answer that had not left yet is withdrawn: `wording.FAILURES`
HEARING = MediaAsset.Hearing


class Hands(Protocol):
    """What late work may use (`sdr.lib.jobs.Work`)."""

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...


@dataclass(frozen=True)
class Job:
    """Sound to be heard: plain data, so that nothing of the database is held while the model listens."""

    message_id: int
    mime: str
    language: str
    content: bytes = field(repr=False)


# --- Wanting --------------------------------------------------------------------------------------------------------
def want(asset: MediaAsset) -> None:
    """A lead's sound has been stored: have it heard, or say why not. Call in that transaction; safe to repeat.

    What is too old to be answered by the AI is heard by people.
    """
    message = asset.message
    if not settings.SDR_TRANSCRIBER or message.is_backlog or not is_heard(message):
        return
    asset.refresh_from_db(fields=["size", "seconds"])
    waiting = MediaAsset.objects.filter(pk=asset.pk, hearing="")
    if (asset.size or 0) > LARGEST_BYTES or (asset.seconds or 0) > LONGEST.total_seconds():
        waiting.update(hearing=HEARING.TOO_LONG, heard_at=timezone.now())
    elif waiting.update(hearing=HEARING.WANTED):
        intake.want(KIND, message.pk)


def is_heard(message: Message) -> bool:
    """Whether a message is one whose sound is to become words."""
    return message.author == Message.Author.LEAD and message.kind == MessageKind.AUDIO and message.deleted_at is None


def wait_until(unanswered: QuerySet[Message], *, now: datetime) -> datetime | None:
    """Until when a turn over these unanswered messages should wait for what is said in them; None: it may go on.

    In: `now` aware. One query, none where nobody transcribes.
    """
    if not settings.SDR_TRANSCRIBER:
        return None
    on_their_way = unanswered.filter(
        kind=MessageKind.AUDIO, created_at__gt=now - WAIT, media__hearing__in=["", HEARING.WANTED],
        media__state__in=[MediaAsset.State.WANTED, MediaAsset.State.STORED],
    )  # fmt: skip
    last = on_their_way.order_by("created_at").values_list("created_at", flat=True).last()
    return last + WAIT if last is not None else None


def go_on(message: Message) -> None:
    """There will be no words of this voice note: its turn need not wait. In a transaction; reads, and wants a turn."""
    if is_heard(message):
        conversation = Conversation.objects.filter(pk=message.conversation_id).first()
        if conversation is not None and message.seq > conversation.watermark:
            _want_turn(conversation, message.text)


def may_be_heard_again(asset: MediaAsset) -> bool:
    """Whether a person may ask for the words: the sound is here, and hearing it failed or nobody has tried."""
    unheard = {"", HEARING.FAILED, HEARING.UNCLEAR, HEARING.NO_BUDGET}
    is_there = asset.state == MediaAsset.State.STORED and (asset.size or 0) <= LARGEST_BYTES
    return bool(settings.SDR_TRANSCRIBER) and is_there and asset.hearing in unheard and is_heard(asset.message)


def is_late(asset: MediaAsset) -> bool:
    """Whether the words came when the turn no longer waited for them: what was answered may not know them."""
    return asset.hearing == HEARING.HEARD and asset.heard_at is not None and asset.heard_at > asset.created_at + WAIT


@transaction.atomic
def want_again(message: Message) -> None:
    """A person asks for the words once more. Raises Refused when they are there or on their way; safe to repeat."""
    asset = MediaAsset.objects.select_for_update(of=("self",)).select_related("message").filter(message=message).first()
    if asset is None or not may_be_heard_again(asset):
        raise Refused("not_unheard", _("There is nothing to transcribe in this message now."))
    asset.hearing, asset.heard_at = HEARING.WANTED, None
    asset.save(update_fields=["hearing", "heard_at"])
    intake.want(KIND, message.pk)


# --- Hearing --------------------------------------------------------------------------------------------------------
async def transcribe(message_id: int, hands: Hands, *, attempt: int) -> None:
    """Have one voice note heard, and write what was said. `attempt` counts from 1. Safe to repeat and at once.

    Raises PortError when another try may help; after TRIES, or when none will, the voice note counts as unheard.
    """
    job: Job | None = await hands.run(load, message_id)
    if job is None:
        return
    transcriber: Transcriber = import_string(settings.SDR_TRANSCRIBER)()
    try:
        said = await _bounded(transcriber.transcribe(job.content, job.mime, language=job.language))
    except PortError as error:
        uses = error.uses if isinstance(error, ModelError) else ()
        is_last = error.permanent or attempt >= TRIES
        await hands.run(note_failure, message_id, uses, is_last=is_last)
        if not is_last:
            raise
        return
    await hands.run(write, message_id, said)


async def _bounded(call: Awaitable[Transcript]) -> Transcript:
    try:
        return await asyncio.wait_for(call, CALL_SECONDS)
    except TimeoutError:
        raise PortError("nobody heard the voice note in time") from None


def load(message_id: int) -> Job | None:
    """The sound, if it still waits to be heard and may be; else None, with the reason written where there is one."""
    asset = (
        MediaAsset.objects.select_related("message__conversation__contact", "message__number")
        .filter(message_id=message_id, hearing=HEARING.WANTED)
        .first()
    )
    if asset is None:
        return None
    if asset.state != MediaAsset.State.STORED or not is_heard(asset.message) or not settings.SDR_TRANSCRIBER:
        settle(message_id, HEARING.FAILED)
        return None
    agent = settings_of.number(asset.message.number)
    if costs.is_over_budget(agent):
        settle(message_id, HEARING.NO_BUDGET)
        return None
    try:
        with default_storage.open(asset.path) as file:
            content = bytes(file.read(LARGEST_BYTES + 1))
    except FileNotFoundError:
        settle(message_id, HEARING.FAILED)
        return None
    if len(content) > LARGEST_BYTES:
        settle(message_id, HEARING.TOO_LONG)
        return None
    language = asset.message.conversation.contact.language or agent.language
    return Job(message_id, asset.claimed_mime or asset.mime, language, content)


def write(message_id: int, said: Transcript) -> bool:
    """Write what was said, once, and have it answered. Out: whether this call wrote it."""
    heard = bool(said.text.strip()) and not said.is_unintelligible
    with transaction.atomic():
        won = settle(message_id, HEARING.HEARD if heard else HEARING.UNCLEAR, text=said.text if heard else "")
        _record([said.use] if said.use is not None else [], message_id)
    return won


def note_failure(message_id: int, uses: Iterable[ModelUse], *, is_last: bool) -> None:
    """Nothing usable was heard: what it cost, and after the last try that it stays so."""
    with transaction.atomic():
        if is_last:
            settle(message_id, HEARING.FAILED)
        _record(uses, message_id)


def died(message_id: int, reason: str) -> None:
    """The late work was given up: the voice note stays unheard, and its turn goes on. Safe to repeat."""
    settle(message_id, HEARING.FAILED)


def _record(uses: Iterable[ModelUse], message_id: int) -> None:
    costs.record(None, uses, purpose=ModelCall.Purpose.TRANSCRIBE, message_id=message_id)


# --- Writing --------------------------------------------------------------------------------------------------------
def settle(message_id: int, hearing: MediaAsset.Hearing, *, text: str = "") -> bool:
    """How hearing ended, unless it has ended; the turn goes on, or is taken anew. Out: whether this was the end.

    Lock order as everywhere: contact, conversation, message.
    """
    with transaction.atomic():
        known = Message.objects.filter(pk=message_id).values_list("conversation__contact_id", flat=True).first()
        if known is None:
            return False  # erased meanwhile
        contact = Contact.objects.select_for_update(no_key=True).filter(pk=known).first()
        place = Message.objects.filter(pk=message_id).values_list("conversation_id", flat=True).first()
        conversation = Conversation.objects.select_for_update().filter(pk=place or 0).first()
        message = Message.objects.select_for_update().filter(pk=message_id, conversation=conversation).first()
        if contact is None or conversation is None or message is None or message.deleted_at is not None:
            return False
        ours = MediaAsset.objects.filter(message_id=message_id, hearing=HEARING.WANTED)
        if not ours.update(hearing=hearing, heard_at=timezone.now()):
            return False
        if text:
            message.transcript = text[: intake.TEXT_CHARS]
            message.save(update_fields=["transcript"])
            conversation.revision += 1
            conversation.save(update_fields=["revision"])
        _have_answered(conversation, contact, message)
        metrics.incr("sdr_transcripts", outcome=hearing)
        return True


def _have_answered(conversation: Conversation, contact: Contact, message: Message) -> None:
    """A turn that waits for the message goes on; one that answered it unheard is made anew. All rows are locked."""
    if conversation.owner != Conversation.Owner.AI or contact.is_silenced:
        return
    if message.seq > conversation.watermark:
        _want_turn(conversation, message.transcript)
        return
    if not message.transcript or not was_answered_unheard(conversation, message):
        return
    intake.cancel_queued(conversation, why=WITHDRAWN)
    intake.settle_need(conversation)
    conversation.watermark = message.seq - 1
    conversation.epoch += 1  # so that the turn can be made anew
    conversation.save(update_fields=["watermark", "epoch"])
    _want_turn(conversation, message.transcript)


def was_answered_unheard(conversation: Conversation, message: Message) -> bool:
    """The AI's last turn dealt with this voice note, and neither a person nor the lead has gone on since."""
    if conversation.lifecycle == Conversation.Lifecycle.CLOSED or intake.last_answered(conversation) > message.seq:
        return False
    covering = conversation.turns.filter(state=Turn.State.APPLIED, up_to_seq__gte=message.seq).order_by("up_to_seq")
    first = covering.first()
    return first is not None and first.up_to_seq == conversation.watermark


def _want_turn(conversation: Conversation, text: str) -> None:
    """Due once the lead has been quiet for as long as after any message, counted from their last one."""
    if conversation.owner != Conversation.Owner.AI:
        return
    agent = settings_of.number(conversation.number)
    wait = policy.wait_for_more(text, batching=timedelta(seconds=agent.batching_seconds))
    now = timezone.now()
    quiet_at = (conversation.last_lead_at or now) + wait
    intake.want("turn", conversation.pk, at=max(now, quiet_at))
