"""The AI's one move: open, think without locks, apply under the lock (DESIGN 4.1–4.3)."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations import (
    brains,
    costs,
    evidence,
    handoff,
    intake,
    notices,
    policy,
    rows,
    settings_of,
    summary,
    transcript,
    transcripts,
    vetting,
    wording,
)
from conversations.events import record, stage_of
from conversations.models import (
    AgentVersion,
    Contact,
    Control,
    Conversation,
    EventName,
    Message,
    Number,
    OptOut,
    Turn,
)
from conversations.ports import Brain, Context, Decision, Wish
from sdr.lib import metrics

# What may be taken (again). A superseded one comes back when the newer message was deleted, a failed one by replay, and
# a skipped one when the reason is gone: `open_turn` has just asked whether the AI may speak now.
UNDECIDED = frozenset({Turn.State.OPEN, Turn.State.SUPERSEDED, Turn.State.SKIPPED, Turn.State.FAILED})
LOOPS = frozenset({policy.Silence.LOOP, policy.Silence.BOT})
BOTS_TALK = 5  # messages of both sides: below that nobody can tell a program from a person
BOT_WINDOW = 30  # messages looked at
RETAKEN_A_SECOND = 10  # conversations, when many may be answered at once again: newest first, paced


class Run(Protocol):
    """Executes a plain function on a database thread, inside the org (`sdr.lib.jobs.Work.run`)."""

    async def __call__(self, function: Any, *args: Any) -> Any: ...


@dataclass(frozen=True)
class Opened:
    """A turn in our hands: what to think about, and the token without which nothing may be written."""

    turn_id: int
    conversation_id: int
    token: UUID
    revision: int
    context: Context
    agent: AgentVersion
    brain: str
    timeout: timedelta
    contact_id: int
    thought_ms: int = 0


async def take(conversation_id: int, run: Run) -> None:
    """One move, if there is one to make. `run` executes a plain function in the org on a database thread.

    Raises what the brain raises; the turn stays open then and is retaken.
    """
    opened = await run(open_turn, conversation_id)
    if opened is None:
        return
    brain = brain_named(opened.brain)
    context = await run(transcript.inform, opened.context, opened.agent) if brain.is_informed else opened.context
    context = await brains.equipped(brain, context, run)
    began = time.monotonic()
    with metrics.timing("sdr_decision_seconds"):
        decision = await asyncio.wait_for(brain.decide(context), opened.timeout.total_seconds())
    if brain.is_informed:
        decision = await asyncio.to_thread(vetting.vetted, context, handoff.handed(context, decision))
    opened = replace(opened, context=context, thought_ms=round((time.monotonic() - began) * 1000))
    await run(apply, opened, decision)


def brain_named(name: str) -> Brain:
    """The brain of that name from settings.SDR_BRAINS (name → dotted path)."""
    brain: Brain = import_string(settings.SDR_BRAINS[name])()
    return brain


# --- Open ------------------------------------------------------------------------------------------------------------
def open_turn(conversation_id: int) -> Opened | None:
    """May the AI speak, and is there something to answer? Then the turn, taken or retaken with a token of our own."""
    with transaction.atomic():
        contact = rows.first(
            Contact, "WHERE t.id = (SELECT contact_id FROM conversations_conversation WHERE id = %s) FOR NO KEY UPDATE",
            [conversation_id],
        )  # fmt: skip
        conversation = rows.conversation_locked(conversation_id)
        if contact is None or conversation is None:
            return None
        number = rows.number(conversation.number_id)
        agent = settings_of.number(number)
        newest = newest_owed(conversation)
        if newest is None:
            return None
        now = timezone.now()
        is_paused = rows.exists(Control, "t.paused_at IS NOT NULL", [])
        seen = situation(contact, conversation, number, agent, newest=newest, is_paused=is_paused, now=now)
        if policy.silence(seen, now) is not None:
            # Whoever switches the AI on retakes what was skipped. Read again behind them, or they would not see this.
            number = Number.objects.select_for_update(no_key=True).get(pk=number.pk)
            is_paused = Control.objects.select_for_update().filter(paused_at__isnull=False).exists()
            seen = situation(contact, conversation, number, agent, newest=newest, is_paused=is_paused, now=now)
            why = policy.silence(seen, now)
            if why is not None:
                skip(conversation, newest, why)
                if why in policy.UNTIL_THE_CLOCK:
                    wait_for_the_clock(conversation, contact, agent, seen, why)
                return None
        if wait := cooldown_left(conversation, agent):
            intake.want("turn", conversation.pk, at=now + wait)
            return None
        if (heard_by := transcripts.wait_until(unanswered(conversation), now=now)) is not None:
            intake.want("turn", conversation.pk, at=heard_by)
            return None
        token = uuid4()
        turn = take_turn(conversation, newest.seq, agent, token=token)
        if turn is None:
            return None
        return Opened(
            turn_id=turn.pk,
            conversation_id=conversation.pk,
            token=token,
            revision=conversation.revision,
            context=transcript.context(conversation, contact, agent),
            agent=agent,
            brain=agent.brain,
            timeout=timedelta(seconds=agent.turn_timeout_seconds),
            contact_id=contact.pk,
        )


def take_turn(conversation: Conversation, up_to: int, agent: AgentVersion, *, token: UUID) -> Turn | None:
    """The turn of this message and owner, open and ours by `token`; None when it is decided. The row is locked."""
    turn = rows.first(
        Turn, "WHERE t.conversation_id = %s AND t.up_to_seq = %s AND t.epoch = %s",
        [conversation.pk, up_to, conversation.epoch],
    )  # fmt: skip
    if turn is None:
        turn = Turn(
            conversation=conversation, up_to_seq=up_to, epoch=conversation.epoch, brain=agent.brain,
            agent_version_id=agent.pk, attempt_token=token, attempts=1,
        )  # fmt: skip
        return rows.insert(turn)
    retaken = Turn.objects.filter(pk=turn.pk, state__in=UNDECIDED).update(
        state=Turn.State.OPEN, reason="", attempt_token=token, attempts=turn.attempts + 1
    )
    return turn if retaken else None


def unanswered(conversation: Conversation) -> QuerySet[Message]:
    """The lead's messages above the watermark that want an answer, by arrival."""
    return (
        conversation.messages.filter(
            author=Message.Author.LEAD, seq__gt=conversation.watermark, deleted_at=None, is_backlog=False
        )
        .exclude(kind__in=intake.NO_TURN)
        .order_by("seq")
    )


def newest_owed(conversation: Conversation) -> Message | None:
    """The newest message the AI owes an answer to, also for words that were withdrawn. The row must be locked."""
    newest = rows.newest_unanswered(conversation, silent=intake.NO_TURN)
    if newest is None and conversation.owner == Conversation.Owner.AI and intake.rewind(conversation):
        newest = rows.newest_unanswered(conversation, silent=intake.NO_TURN)
    return newest


def newest_unanswered(conversation: Conversation) -> int | None:
    """Arrival number of the newest lead message above the watermark that wants an answer."""
    newest = rows.newest_unanswered(conversation, silent=intake.NO_TURN)
    return newest.seq if newest else None


def situation(
    contact: Contact,
    conversation: Conversation,
    number: Number,
    agent: AgentVersion,
    *,
    newest: Message,
    is_paused: bool,
    now: datetime,
) -> policy.Situation:
    waited, stale_after = now - newest.created_at, timedelta(minutes=agent.backlog_minutes)
    return policy.Situation(
        mode=number.mode,
        mode_since=number.mode_since,
        is_paused=is_paused,
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
        holidays=agent.closed_days,
        waited=waited,
        stale_after=stale_after,
        keeps_until_open=waited > stale_after and waits_for_the_clock(conversation, newest),
        is_bot=conversation.seq >= BOTS_TALK and talks_with_bot(conversation),
    )


def talks_with_bot(conversation: Conversation) -> bool:
    """Whether what the lead writes reads as a program's (`policy.is_automatic`), since a person last decided that."""
    newest = list(
        conversation.messages.filter(state__in=[Message.State.RECEIVED, Message.State.SENT], deleted_at=None)
        .order_by("-seq")
        .values_list("seq", "author", "text")[:BOT_WINDOW]
    )

    def since(seq: int) -> list[policy.Said]:
        return [policy.Said(author == Message.Author.LEAD, text) for at, author, text in newest[::-1] if at > seq]

    if not policy.is_automatic(since(0)):
        return False
    told = conversation.turns.filter(state=Turn.State.SKIPPED, reason=policy.Silence.BOT).aggregate(at=Max("up_to_seq"))
    return policy.is_automatic(since(told["at"] or 0))


def waits_for_the_clock(conversation: Conversation, newest: Message) -> bool:
    """Its turn was put off until our hours."""
    return conversation.turns.filter(
        up_to_seq=newest.seq, epoch=conversation.epoch, state=Turn.State.SKIPPED, reason__in=policy.UNTIL_THE_CLOCK
    ).exists()


def skip(conversation: Conversation, newest: Message, why: policy.Silence) -> None:
    """Record why nothing is said, and hand to a person what a person must see."""
    turn, made = Turn.objects.get_or_create(
        conversation=conversation,
        up_to_seq=newest.seq,
        epoch=conversation.epoch,
        defaults={"state": Turn.State.SKIPPED, "reason": why},
    )
    if not made:
        Turn.objects.filter(pk=turn.pk, state__in=UNDECIDED).update(state=Turn.State.SKIPPED, reason=why)
    metrics.incr("sdr_turns", outcome=why)
    if why in LOOPS:
        notices.handed_off(conversation, why)
    elif needs_person(why, conversation, newest):
        intake.need(conversation, why)
    if why in LOOPS:
        intake.take_over(conversation, person_id=None, source="loop")


def needs_person(why: policy.Silence, conversation: Conversation, newest: Message) -> bool:
    """Somebody must look, unless nobody may answer, or the AI will as soon as we open."""
    match why:
        case policy.Silence.BLOCKED | policy.Silence.IGNORED | policy.Silence.HOURS | policy.Silence.AWAY:
            return False
        case policy.Silence.OPTED_OUT:  # their wish to be left alone needs nobody, what they write afterwards does
            last = OptOut.objects.filter(contact_id=conversation.contact_id).order_by("-pk").first()
            return last is None or last.message_id is None or newest.pk > last.message_id
        case _:
            return True


def wait_for_the_clock(
    conversation: Conversation, contact: Contact, agent: AgentVersion, seen: policy.Situation, why: policy.Silence
) -> None:
    """The turn is due again when the clock lets the AI speak. Who is told when that is, is told once a closed period.

    What tells them is no move of the AI's: it counts for no loop and leaves the message unanswered.
    """
    now = timezone.now()
    again = policy.may_speak_at(seen, now)
    if again is not None:
        intake.want("turn", conversation.pk, at=again)
    else:
        intake.need(conversation, why)
    if why is not policy.Silence.AWAY or (conversation.away_until is not None and conversation.away_until > now):
        return
    conversation.away_until = again or now + timedelta(days=policy.HORIZON_DAYS)
    conversation.save(update_fields=["away_until"])
    text = wording.away(agent, language=contact.language or agent.language, again=again)
    intake.say(conversation, text, sort="away", as_draft=seen.mode == Number.Mode.DRAFTS)


def retake(reasons: set[policy.Silence], *, number: Number | None = None) -> int:
    """The AI may speak again where it was silent for one of these reasons: its turns are due, newest first, paced.

    Call in the transaction that changes it, holding the lock that `open_turn` reads the switch behind. Each turn asks
    anew whether it may speak; where the lead has waited too long, it calls a person instead. Out: how many.
    """
    waiting = Conversation.objects.filter(
        owner=Conversation.Owner.AI, turns__state=Turn.State.SKIPPED, turns__reason__in=reasons,
        turns__epoch=F("epoch"), turns__up_to_seq__gt=F("watermark"),
    )  # fmt: skip
    if number is not None:
        waiting = waiting.filter(number=number)
    newest_first = dict.fromkeys(waiting.order_by("-last_lead_at", "-pk").values_list("pk", flat=True))
    now = timezone.now()
    due = {pk: now + timedelta(seconds=place / RETAKEN_A_SECOND) for place, pk in enumerate(newest_first)}
    for pk in sorted(due):  # in one order everywhere, so that two who do this never wait for each other
        intake.want("turn", pk, at=due[pk])
    return len(due)


def died(conversation_id: int, reason: str) -> None:
    """The turn's late work was given up: its turn has failed, and a person is called. Safe to repeat."""
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
        if conversation is None or conversation.owner != Conversation.Owner.AI:
            return
        newest = newest_owed(conversation)
        if newest is None:
            return
        turn, _ = Turn.objects.get_or_create(
            conversation=conversation, up_to_seq=newest.seq, epoch=conversation.epoch, defaults={"reason": reason[:80]}
        )
        Turn.objects.filter(pk=turn.pk, state__in=UNDECIDED).update(
            state=Turn.State.FAILED, reason=reason[:80], attempt_token=None
        )
        notices.handed_off(conversation, "ai_failed")
        metrics.incr("sdr_turns", outcome="died")


def cooldown_left(conversation: Conversation, agent: AgentVersion) -> timedelta | None:
    """How long the AI must still pause after its last reply."""
    if conversation.last_ai_at is None:
        return None
    left = conversation.last_ai_at + timedelta(seconds=agent.cooldown_seconds) - timezone.now()
    return left if left > timedelta() else None


# --- Apply -----------------------------------------------------------------------------------------------------------
def apply(opened: Opened, decision: Decision) -> bool:
    """Write the move: what was understood, messages, events, watermark, in one transaction. Out: was it ours to write?

    Refused when the turn was retaken (another token), the owner changed (another epoch) or somebody answered. What the
    lead has changed or deleted meanwhile supersedes the decision, and so do newer messages, unless the wait had already
    been pushed to its cap: it is thought over again once the lead has been quiet for the batching wait.
    """
    with transaction.atomic():
        contact = lock_contact(opened, decision)
        conversation = rows.conversation_locked(opened.conversation_id)
        turn = rows.first(Turn, "WHERE t.id = %s FOR UPDATE", [opened.turn_id])
        if conversation is None or turn is None:
            return False
        costs.record(turn, decision.uses)  # also of what is not said: it was paid for
        if turn.state != Turn.State.OPEN:
            return False
        if turn.attempt_token != opened.token:
            # Retaken, perhaps by one who had lost the row to us before and is stopped now: the row must outlive us.
            intake.want("turn", conversation.pk)
            return False
        if conversation.epoch != turn.epoch or conversation.watermark >= turn.up_to_seq:
            close(turn, Turn.State.SUPERSEDED, reason="owner_changed")
            if conversation.owner == Conversation.Owner.AI and newest_unanswered(conversation) is not None:
                intake.want("turn", conversation.pk)  # an opt-out elsewhere: it is to be said why nothing is said here
            return False
        if conversation.revision != opened.revision or conversation.contact_id != opened.contact_id:
            close(turn, Turn.State.SUPERSEDED, reason="message_changed")
            think_again(conversation)
            return False
        newest = newest_unanswered(conversation)
        if newest is not None and newest > turn.up_to_seq and not at_cap(conversation):
            close(turn, Turn.State.SUPERSEDED, reason="newer_message")
            think_again(conversation)
            return False
        number = rows.number(conversation.number_id)
        conversation.number = number
        has_progress = understand(conversation, turn, opened, decision)
        conversation.watermark = turn.up_to_seq
        if contact is not None:
            follow_wish(contact, conversation, turn, opened, decision)
        if decision.wish == Wish.OPT_OUT:
            conversation.save(update_fields=["watermark"])
        else:
            say(conversation, turn, opened, decision, has_progress=has_progress)
        note_thinking(turn, opened, decision)
        close(turn, Turn.State.APPLIED)
        if newest is not None and newest > turn.up_to_seq:
            think_again(conversation)
    return True


def lock_contact(opened: Opened, decision: Decision) -> Contact | None:
    """The contact, locked, when the decision changes it: before the conversation, as everybody locks them (DESIGN 4).

    An opt-out touches all of the contact's conversations: they are locked in their order, before one is locked alone.
    """
    leaves = decision.wish == Wish.OPT_OUT
    if not leaves and not speaks_another(opened, decision):
        return None
    contact = Contact.objects.select_for_update(no_key=True).filter(pk=opened.contact_id).first()
    if contact is not None and leaves:
        intake.lock_all(contact)
    return contact


def speaks_another(opened: Opened, decision: Decision) -> bool:
    """The lead writes in another language than they were answered in so far."""
    follows = opened.context.persona.follows_language
    return follows and bool(decision.language) and decision.language != opened.context.language


def understand(conversation: Conversation, turn: Turn, opened: Opened, decision: Decision) -> bool:
    """Write what the lead revealed, and judge them anew. Out: whether anything new was learnt."""
    if not decision.finds:
        return False
    refused = evidence.write(conversation, decision.finds, turn=turn, agent=opened.agent)
    for one in refused:
        metrics.incr("sdr_finds_refused", why=one.why)
    if not evidence.is_new_in(turn):
        return False
    found = evidence.current(conversation)
    verdict = evidence.requalify(conversation, opened.agent, found=found)
    summary.keep(conversation, opened.agent, found=found, told=decision.summary)
    if verdict.qualified:
        notices.qualified(conversation)
    return True


def follow_wish(contact: Contact, conversation: Conversation, turn: Turn, opened: Opened, decision: Decision) -> None:
    """What the lead's words change about the contact, who is locked: their language, or that they are left alone."""
    if speaks_another(opened, decision) and contact.language != decision.language:
        contact.language = decision.language
        contact.save(update_fields=["language"])
    if decision.wish == Wish.OPT_OUT and contact.opted_out_at is None:
        message = conversation.messages.get(seq=turn.up_to_seq)
        message.conversation = conversation  # its epoch rises with the opt-out
        intake.opt_out(contact, message)
        intake.confirm_opt_out(conversation, contact, opened.agent)


def say(conversation: Conversation, turn: Turn, opened: Opened, decision: Decision, *, has_progress: bool) -> None:
    """Queue the bubbles, or leave them for approval, and call a person where the brain could not go on alone.

    The conversation's row is saved with its watermark.
    """
    now = timezone.now()
    number = conversation.number
    needs_approval = number.mode == Number.Mode.DRAFTS
    bubbles = gathered(decision.bubbles, opened.agent.bubbles_at_most)
    stage = stage_of(conversation) if bubbles else ""
    for bubble, text in enumerate(bubbles):
        asks = decision.asks if bubble == len(bubbles) - 1 else None
        message = Message(
            conversation=conversation, number=number, author=Message.Author.AI, turn=turn, bubble=bubble,
            state=Message.State.DRAFT if needs_approval else Message.State.QUEUED,
            seq=conversation.next_seq(), epoch=conversation.epoch, text=text,
            extra={"asks": {"about": asks.about, "text": asks.text}} if asks is not None else {},
        )  # fmt: skip
        rows.insert(message)
        record(
            conversation, EventName.AI_RESPONDED, message_id=message.pk,
            **spent(turn, opened, decision, bubble=bubble, stage=stage),
        )  # fmt: skip
    conversation.ai_in_a_row = 0 if has_progress else conversation.ai_in_a_row
    fields = ["seq", "watermark", "ai_in_a_row"]
    if bubbles:
        conversation.last_ai_at = now
        conversation.ai_in_a_row += 1
        fields.append("last_ai_at")
    if conversation.needs_reason in ANSWERED_BY_AI:
        intake.no_longer_need(conversation)
        fields += ["needs_person_since", "needs_reason"]
    if decision.rating is not None:
        conversation.rating = decision.rating
        fields.append("rating")
    rows.update(conversation, fields)
    if decision.handoff:
        notices.handed_off(conversation, decision.handoff)
    if bubbles and needs_approval:
        intake.need(conversation, "draft_waits")
    elif bubbles:
        intake.want("send", conversation.pk)


def gathered(bubbles: Sequence[str], at_most: int) -> list[str]:
    """Bubbles in at most so many messages: what is too much joins the last one, as paragraphs."""
    last = max(1, at_most) - 1
    return [*bubbles[:last], "\n\n".join(bubbles[last:])] if len(bubbles) > last + 1 else list(bubbles)


def note_thinking(turn: Turn, opened: Opened, decision: Decision) -> None:
    """What the turn was decided on and by whom: ids, not copies (issue "The brain", 6)."""
    turn.decided_at = timezone.now()
    turn.intent, turn.brain = decision.intent, decision.brain or opened.brain
    turn.model, turn.prompt_hash = decision.model, decision.prompt_hash
    turn.seen = {
        "messages": [line.id for line in opened.context.lines],
        "facts": sorted(opened.context.known.facts),
        "found": [snippet.id for snippet in opened.context.snippets],
        "passages": list(decision.passages),
    }
    newest = max((line.at for line in opened.context.lines if line.author == Message.Author.LEAD), default=None)
    turn.timings = {"thought": opened.thought_ms}
    if newest is not None:
        turn.timings["waited"] = max(0, round((turn.opened_at - newest).total_seconds() * 1000))
    turn.tools = [{"name": tool.name, "ok": tool.ok, "ms": tool.milliseconds} for tool in decision.tools]
    turn.guards = [asdict(note) for note in decision.guards]


def spent(turn: Turn, opened: Opened, decision: Decision, *, bubble: int, stage: str) -> dict[str, Any]:
    """What an answer cost and who gave it, for its event; the whole turn's cost is its first bubble's."""
    first = bubble == 0
    cost = sum((use.cost_usd for use in decision.uses), Decimal(0)) if first else Decimal(0)
    return {
        "turnId": turn.pk,
        "brain": decision.brain or opened.brain,
        "model": decision.model or None,
        "stage": stage,
        "inputTokens": sum(use.input_tokens for use in decision.uses) if first else 0,
        "outputTokens": sum(use.output_tokens + use.thought_tokens for use in decision.uses) if first else 0,
        "costUsd": f"{cost.normalize():f}",
    }


# Why a person was called in the AI's place: settled when it does answer.
ANSWERED_BY_AI = frozenset({*policy.Silence, "ai_failed", "stopped"})


def think_again(conversation: Conversation) -> None:
    """Due once the lead has been quiet for the batching wait since the last word, bounded by the cap."""
    waiting = list(unanswered(conversation))
    if not waiting:
        return
    batching = timedelta(seconds=settings_of.number(conversation.number).batching_seconds)
    last = waiting[-1]
    quiet_at = max(last.created_at, last.edited_at or last.created_at)
    quiet_at += policy.wait_for_more(last.text, batching=batching)
    cap = waiting[0].created_at + batching * policy.PUSHES
    intake.want("turn", conversation.pk, at=max(timezone.now(), min(quiet_at, cap)))


def at_cap(conversation: Conversation) -> bool:
    """True when the oldest unanswered message has waited as long as batching may make it wait."""
    agent = settings_of.number(conversation.number)
    oldest = unanswered(conversation).first()
    cap = timedelta(seconds=agent.batching_seconds) * policy.PUSHES
    return oldest is not None and timezone.now() - oldest.created_at >= cap


def close(turn: Turn, state: Turn.State, *, reason: str = "") -> None:
    turn.state, turn.reason, turn.applied_at = state, reason, timezone.now()
    rows.update(turn, rows.all_fields(Turn))
    metrics.incr("sdr_turns", outcome=reason or state)
