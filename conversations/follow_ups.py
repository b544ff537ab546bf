"""A lead who has gone silent is written to again, by a ladder (PRODUCT 2): 40 minutes, the next morning, the third day.

The ladder is the agent's (`AgentVersion.follow_ups`); it goes within the org's hours, and ends with the lead's next
word, with a takeover, and wherever nobody waits for an answer. News need not move it: its late work, one row per
conversation, asks under the conversation's lock whether a rung is due now. A rung is used by `follow_up_step` in the
transaction that queues its words, which leave or are withdrawn as the AI's do: never twice, never over a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from conversations import intake, policy, rows, settings_of, wording
from conversations.models import AgentVersion, Contact, Control, Conversation, Message, Number, Qualification, Turn
from orgs.models import Due
from orgs.models.queue import CALM

KIND = "follow_up"
RUNGS_AT_MOST = 5
GAP = timedelta(
    hours=12
)  # a morning rung keeps this distance from the rung before, which may have waited for us to open
GIVEN_UP_AFTER = timedelta(days=10)  # since our answer: whatever kept us from writing, it is too late now
LOOK_AGAIN = timedelta(hours=1)  # while the red switch is on
GONE = (Message.State.CANCELLED, Message.State.FAILED, Message.State.DRAFT)
# The lead has said that they want nothing more, or something only a person gives.
ENDED = frozenset({"not_interested", "opt_out", "wants_human", "wants_meeting", "choose_slot", "cancel", "reschedule"})


class Stop(StrEnum):
    """Why a silent lead is not written to."""

    OWNED = "owned"
    NOT_WAITING = "not_waiting"  # it is not their turn, or the conversation is closed or asleep
    SILENCED = "silenced"
    HANDED_OFF = "handed_off"
    QUALIFIED = "qualified"  # a person arranges the meeting
    OFF = "off"
    PAUSED = "paused"
    LOOP = "loop"
    ENDED = "ended"  # they were not asked anything, or do not want to go on
    USED_UP = "used_up"


@dataclass(frozen=True)
class Rung:
    """One step: `after` our answer, or `days` after its day at a local time. `text`: own words, with {name} in them."""

    after: timedelta = timedelta()
    days: int = 0
    at: time | None = None
    text: str = ""


def ladder(agent: AgentVersion) -> list[Rung]:
    """The agent's rungs in order; what is no rung is left out."""
    found = [rung for one in agent.follow_ups if isinstance(one, dict) and (rung := _rung(one)) is not None]
    return found[:RUNGS_AT_MOST]


def is_rung(written: dict[str, object]) -> bool:
    """Whether this is a step as the ladder takes it."""
    return _rung(written) is not None


def _rung(written: dict[str, object]) -> Rung | None:
    try:
        text = str(written.get("text") or "").strip()
        if "after_minutes" in written:
            minutes = int(str(written["after_minutes"]))
            return Rung(after=timedelta(minutes=minutes), text=text) if minutes > 0 else None
        days = int(str(written["after_days"]))
        return Rung(days=days, at=time.fromisoformat(str(written["at"])), text=text) if days > 0 else None
    except (KeyError, ValueError, OverflowError):
        return None


# --- When -----------------------------------------------------------------------------------------------------------
def due_at(
    rungs: Sequence[Rung], step: int, agent: AgentVersion, *, answered_at: datetime, last_at: datetime | None
) -> datetime | None:
    """When rung `step` (0 is the first) is due. Pure, but for the agent's settings.

    In: `answered_at`, when our last answer left, and `last_at`, when the rung before was used; aware. Out: aware, in
    open hours; None when there is no such rung, or no opening within two months.
    """
    if step >= len(rungs):
        return None
    rung = rungs[step]
    zone = ZoneInfo(agent.time_zone)
    if rung.at is None:
        at = answered_at + rung.after
        if last_at is not None:
            before = rungs[step - 1].after if step else timedelta()
            at = max(at, last_at + max(rung.after - before, timedelta(minutes=1)))
    else:
        day = answered_at.astimezone(zone).date() + timedelta(days=rung.days)
        at = datetime.combine(day, rung.at, zone)
        while last_at is not None and at < last_at + GAP:
            day += timedelta(days=1)
            at = datetime.combine(day, rung.at, zone)
    if policy.is_open(agent.hours, agent.time_zone, at, holidays=agent.closed_days):
        return at
    return policy.next_opening(agent.hours, agent.time_zone, at, holidays=agent.closed_days)


def opens_at(message: Message, agent: AgentVersion, now: datetime) -> datetime | None:
    """Until when a queued follow-up must wait for our hours; None for what may leave now."""
    if message.extra.get("sort") != intake.FOLLOW_UP:
        return None
    if policy.is_open(agent.hours, agent.time_zone, now, holidays=agent.closed_days):
        return None
    return policy.next_opening(agent.hours, agent.time_zone, now, holidays=agent.closed_days)


# --- Whether --------------------------------------------------------------------------------------------------------
def why_not(
    conversation: Conversation, contact: Contact, number: Number, agent: AgentVersion, *, is_paused: bool
) -> Stop | None:
    """What keeps a silent lead from being written to; None when nothing does. Reads, at most four queries."""
    if conversation.owner != Conversation.Owner.AI:
        return Stop.OWNED
    if conversation.lifecycle != Conversation.Lifecycle.WAITING_LEAD:
        return Stop.NOT_WAITING
    if contact.is_silenced:
        return Stop.SILENCED
    if conversation.needs_person_since is not None:
        return Stop.HANDED_OFF
    if number.mode == Number.Mode.OFF:
        return Stop.OFF
    if is_paused:
        return Stop.PAUSED
    if conversation.ai_in_a_row >= agent.loop_limit:
        return Stop.LOOP
    if conversation.follow_up_step >= len(ladder(agent)):
        return Stop.USED_UP
    if Qualification.objects.filter(conversation=conversation, is_qualified=True).exists():
        return Stop.QUALIFIED
    return None if waits_for_an_answer(conversation) else Stop.ENDED


def waits_for_an_answer(conversation: Conversation) -> bool:
    """The last we said was the AI's, has arrived at the provider, and asked something the lead may still answer."""
    ours = conversation.messages.exclude(author=Message.Author.LEAD).exclude(state__in=GONE).filter(deleted_at=None)
    last = ours.order_by("-seq").first()
    if last is None or last.state != Message.State.SENT:
        return False
    if last.author != Message.Author.AI and last.extra.get("sort") != intake.FOLLOW_UP:
        return False
    turn = conversation.turns.filter(state=Turn.State.APPLIED).order_by("-up_to_seq", "-pk").first()
    if turn is None or turn.intent in ENDED:
        return False
    return turn.messages.filter(state=Message.State.SENT, text__contains="?").exists()


def answered_at(conversation: Conversation) -> datetime | None:
    """When the AI's last answer left."""
    last = conversation.messages.filter(author=Message.Author.AI, state=Message.State.SENT).order_by("-seq").first()
    return (last.sent_at or last.created_at) if last is not None else None


def upcoming(conversation: Conversation, contact: Contact, number: Number, agent: AgentVersion) -> datetime | None:
    """When the lead will be written to next if they stay silent, for people to see; None when they will not be."""
    paused = Control.objects.filter(paused_at__isnull=False).exists()
    if why_not(conversation, contact, number, agent, is_paused=paused) is not None:
        return None
    return _next_at(conversation, agent)


def _next_at(conversation: Conversation, agent: AgentVersion) -> datetime | None:
    answered = answered_at(conversation)
    if answered is None:
        return None
    used = conversation.messages.filter(author=Message.Author.SYSTEM, extra__sort=intake.FOLLOW_UP)
    last = used.filter(created_at__gt=answered).order_by("-seq").first() if conversation.follow_up_step else None
    at = due_at(
        ladder(agent), conversation.follow_up_step, agent, answered_at=answered,
        last_at=last.created_at if last is not None else None,
    )  # fmt: skip
    return at if at is not None and at <= answered + GIVEN_UP_AFTER else None


# --- Verbs ----------------------------------------------------------------------------------------------------------
def plan(conversation: Conversation, agent: AgentVersion) -> None:
    """The AI has spoken and it is the lead's turn: look after them when the next rung is due. In that transaction."""
    if conversation.owner != Conversation.Owner.AI or conversation.needs_person_since is not None:
        return
    at = due_at(
        ladder(agent), conversation.follow_up_step, agent, answered_at=timezone.now(), last_at=None
    )  # fmt: skip
    if at is not None:
        want(conversation, at)


def look(conversation_id: int) -> bool:
    """Write to a silent lead if a rung is due, and look again when the next one is. Safe to repeat and at once.

    Out: whether something was queued.
    """
    with transaction.atomic():
        known = Conversation.objects.filter(pk=conversation_id).only("contact_id").first()
        if known is None:
            return False
        contact = Contact.objects.select_for_update(no_key=True).get(pk=known.contact_id)
        conversation = intake.locked(conversation_id)
        number = rows.number(conversation.number_id)
        agent = settings_of.number(number)
        now = timezone.now()
        paused = Control.objects.filter(paused_at__isnull=False).exists()
        why = why_not(conversation, contact, number, agent, is_paused=paused)
        if why is not None:
            if why is Stop.PAUSED:
                want(conversation, now + LOOK_AGAIN)
            return False
        at = _next_at(conversation, agent)
        if at is None:
            return False
        if at > now:
            want(conversation, at)
            return False
        write(conversation, contact, number, agent)
        again = due_at(
            ladder(agent), conversation.follow_up_step, agent, answered_at=answered_at(conversation) or now, last_at=now
        )
        if again is not None:
            want(conversation, again)
        return True


def write(conversation: Conversation, contact: Contact, number: Number, agent: AgentVersion) -> Message:
    """Queue the words of the next rung, or leave them for approval, and use the rung up. The row must be locked.

    They count for the loop guard as an answer does.
    """
    rungs, step = ladder(agent), conversation.follow_up_step
    follows = contact.language and agent.answers_in_lead_language
    text = wording.follow_up(
        rungs[step].text, step=step, is_last=step == len(rungs) - 1, name=contact.name,
        language=contact.language if follows else agent.language,
    )  # fmt: skip
    conversation.follow_up_step += 1
    conversation.ai_in_a_row += 1
    conversation.save(update_fields=["follow_up_step", "ai_in_a_row"])
    return intake.say(conversation, text, sort=intake.FOLLOW_UP, as_draft=number.mode == Number.Mode.DRAFTS)


def skip(conversation: Conversation) -> bool:
    """A person wants no further follow-up until the lead has written again. The row must be locked; safe to repeat.

    Out: whether there was any left.
    """
    intake.withdraw_follow_ups(conversation, why="discarded")
    if conversation.follow_up_step >= RUNGS_AT_MOST:
        return False
    conversation.follow_up_step = RUNGS_AT_MOST
    conversation.save(update_fields=["follow_up_step"])
    return True


def want(conversation: Conversation, at: datetime) -> None:
    """Look at that time; live leads go first then."""
    Due.objects.want(intake.org_id(), KIND, conversation.pk, at=at, priority=CALM)
