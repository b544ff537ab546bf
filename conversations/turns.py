"""The AI's one move: open, think without locks, apply under the lock (DESIGN 4.1–4.3)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations import intake, policy, settings_of, transcript
from conversations.events import record
from conversations.models import AgentVersion, Contact, Control, Conversation, EventName, Message, Number, Turn
from conversations.ports import Brain, Context, Draft
from sdr.lib import metrics

BUBBLES_AT_MOST = 4
UNDECIDED = frozenset({Turn.State.OPEN, Turn.State.SUPERSEDED})


class Run(Protocol):
    """Executes a plain function on a database thread, inside the org (`sdr.lib.jobs.Work.run`)."""

    async def __call__(self, function: Any, *args: Any) -> Any: ...


@dataclass(frozen=True)
class Opened:
    """A turn in our hands: what to think about, and the token without which nothing may be written."""

    turn_id: int
    conversation_id: int
    token: UUID
    context: Context
    brain: str
    timeout: timedelta


async def take(conversation_id: int, run: Run) -> None:
    """One move, if there is one to make. `run` executes a plain function in the org on a database thread.

    Raises what the brain raises; the turn stays open then and is retaken.
    """
    opened = await run(open_turn, conversation_id)
    if opened is None:
        return
    brain = brain_named(opened.brain)
    with metrics.timing("sdr_decision_seconds"):
        draft = await asyncio.wait_for(brain.decide(opened.context), opened.timeout.total_seconds())
    await run(apply, opened, draft)


def brain_named(name: str) -> Brain:
    """The brain of that name from settings.SDR_BRAINS (name → dotted path)."""
    brain: Brain = import_string(settings.SDR_BRAINS[name])()
    return brain


# --- Open ------------------------------------------------------------------------------------------------------------
def open_turn(conversation_id: int) -> Opened | None:
    """May the AI speak, and is there something to answer? Then the turn, taken or retaken with a token of our own."""
    with transaction.atomic():
        known = Conversation.objects.select_related("number").filter(pk=conversation_id).first()
        if known is None:
            return None
        contact = Contact.objects.select_for_update(no_key=True).get(pk=known.contact_id)
        conversation = Conversation.objects.select_for_update().get(pk=conversation_id)
        number = Number.objects.get(pk=conversation.number_id)
        agent = settings_of.number(number)
        up_to = newest_unanswered(conversation)
        if up_to is None:
            return None
        why = policy.silence(situation(contact, conversation, number, agent), timezone.now())
        if why is not None:
            skip(conversation, up_to, why)
            return None
        if wait := cooldown_left(conversation, agent):
            intake.want("turn", conversation.pk, at=timezone.now() + wait)
            return None
        turn, _ = Turn.objects.get_or_create(
            conversation=conversation,
            up_to_seq=up_to,
            epoch=conversation.epoch,
            defaults={"brain": agent.brain, "agent_version_id": agent.pk},
        )
        token = uuid4()
        # A superseded one comes back when the newer message was deleted: then its own is the newest again.
        retaken = Turn.objects.filter(pk=turn.pk, state__in=UNDECIDED).update(
            state=Turn.State.OPEN, reason="", attempt_token=token, attempts=turn.attempts + 1
        )
        if not retaken:
            return None
        return Opened(
            turn_id=turn.pk,
            conversation_id=conversation.pk,
            token=token,
            context=transcript.context(conversation, contact, agent, up_to=up_to),
            brain=agent.brain,
            timeout=timedelta(seconds=agent.turn_timeout_seconds),
        )


def newest_unanswered(conversation: Conversation) -> int | None:
    """Arrival number of the newest lead message above the watermark that wants an answer."""
    newest = (
        conversation.messages.filter(
            author=Message.Author.LEAD, seq__gt=conversation.watermark, deleted_at=None, is_backlog=False
        )
        .exclude(kind__in=intake.NO_TURN)
        .order_by("-seq")
        .first()
    )
    return newest.seq if newest else None


def situation(contact: Contact, conversation: Conversation, number: Number, agent: AgentVersion) -> policy.Situation:
    return policy.Situation(
        mode=number.mode,
        mode_since=number.mode_since,
        is_paused=Control.objects.filter(paused_at__isnull=False).exists(),
        owner=conversation.owner,
        opted_out=contact.opted_out_at is not None,
        blocked=contact.blocked_at is not None,
        ignored=bool(contact.ignored_as),
        has_history=contact.has_history,
        first_lead_at=conversation.first_lead_at,
        ai_in_a_row=conversation.ai_in_a_row,
        loop_limit=agent.loop_limit,
        hours=agent.hours,
        time_zone=agent.time_zone,
        outside_hours=agent.outside_hours,
    )


def skip(conversation: Conversation, up_to: int, why: policy.Silence) -> None:
    """Record why nothing is said. What a person must see is handed to one; what may change by itself stays open."""
    turn, made = Turn.objects.get_or_create(
        conversation=conversation,
        up_to_seq=up_to,
        epoch=conversation.epoch,
        defaults={"state": Turn.State.SKIPPED, "reason": why},
    )
    if not made:
        Turn.objects.filter(pk=turn.pk, state__in=UNDECIDED).update(state=Turn.State.SKIPPED, reason=why)
    metrics.incr("sdr_turns", outcome=why)
    if why in {policy.Silence.OPTED_OUT, policy.Silence.BLOCKED, policy.Silence.IGNORED}:
        conversation.watermark = up_to
        conversation.save(update_fields=["watermark"])
        return
    if conversation.needs_person_since is None:
        conversation.needs_person_since, conversation.needs_reason = timezone.now(), why
        conversation.save(update_fields=["needs_person_since", "needs_reason"])
    if why is policy.Silence.LOOP:
        intake.take_over(conversation, person_id=None, source="loop")


def cooldown_left(conversation: Conversation, agent: AgentVersion) -> timedelta | None:
    """How long the AI must still pause after its last reply."""
    if conversation.last_ai_at is None:
        return None
    left = conversation.last_ai_at + timedelta(seconds=agent.cooldown_seconds) - timezone.now()
    return left if left > timedelta() else None


# --- Apply -----------------------------------------------------------------------------------------------------------
def apply(opened: Opened, draft: Draft) -> bool:
    """Write the move: messages, events, watermark, in one transaction. Out: whether it was ours to write.

    Refused when the turn was retaken (another token), the owner changed (another epoch) or somebody answered. Newer
    messages supersede the draft, unless the wait had already been pushed to its cap.
    """
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().filter(pk=opened.conversation_id).first()
        turn = Turn.objects.select_for_update().filter(pk=opened.turn_id).first()
        if conversation is None or turn is None:
            return False
        if turn.state != Turn.State.OPEN or turn.attempt_token != opened.token:
            return False
        if conversation.epoch != turn.epoch or conversation.watermark >= turn.up_to_seq:
            close(turn, Turn.State.SUPERSEDED, reason="owner_changed")
            if conversation.owner == Conversation.Owner.AI and newest_unanswered(conversation) is not None:
                intake.want("turn", conversation.pk)  # an opt-out elsewhere: it is to be said why nothing is said here
            return False
        newest = newest_unanswered(conversation)
        if newest is not None and newest > turn.up_to_seq and not at_cap(conversation, turn):
            close(turn, Turn.State.SUPERSEDED, reason="newer_message")
            intake.want("turn", conversation.pk)
            return False
        now = timezone.now()
        number = Number.objects.get(pk=conversation.number_id)
        needs_approval = number.mode == Number.Mode.DRAFTS
        for bubble, text in enumerate(draft.bubbles[:BUBBLES_AT_MOST]):
            message = Message.objects.create(
                conversation=conversation, number=number, author=Message.Author.AI, turn=turn, bubble=bubble,
                state=Message.State.DRAFT if needs_approval else Message.State.QUEUED,
                seq=conversation.next_seq(), epoch=conversation.epoch, text=text,
            )  # fmt: skip
            record(conversation, EventName.AI_RESPONDED, message_id=message.pk, brain=opened.brain, turnId=turn.pk)
        conversation.watermark = turn.up_to_seq
        conversation.last_ai_at = now
        conversation.ai_in_a_row += 1
        fields = ["seq", "watermark", "last_ai_at", "ai_in_a_row"]
        if needs_approval:
            conversation.needs_person_since = conversation.needs_person_since or now
            conversation.needs_reason = "draft_waits"
            fields += ["needs_person_since", "needs_reason"]
        conversation.save(update_fields=fields)
        turn.decided_at = now
        close(turn, Turn.State.APPLIED)
        if not needs_approval:
            intake.want("send", conversation.pk)
        if newest is not None and newest > turn.up_to_seq:
            intake.want("turn", conversation.pk)
    return True


def at_cap(conversation: Conversation, turn: Turn) -> bool:
    """True when the oldest unanswered message has waited as long as batching may make it wait."""
    agent = settings_of.number(conversation.number)
    oldest = (
        conversation.messages.filter(author=Message.Author.LEAD, seq__gt=conversation.watermark).order_by("seq").first()
    )
    cap = timedelta(seconds=agent.batching_seconds) * policy.PUSHES
    return oldest is not None and timezone.now() - oldest.created_at >= cap


def close(turn: Turn, state: Turn.State, *, reason: str = "") -> None:
    turn.state, turn.reason, turn.applied_at = state, reason, timezone.now()
    turn.save(update_fields=["state", "reason", "applied_at", "decided_at"])
    metrics.incr("sdr_turns", outcome=reason or state)
