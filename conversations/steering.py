"""What the agent is doing in a conversation right now, and a person's hand on it: stop, at once, not again (FIELD 4.2).

Everything is read from the rows that make it so: the late work of the conversation (`Due`), what waits to be sent, who
owns it, what keeps the AI silent. Nothing here is a state of its own.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import DateTimeField, Value
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import follow_ups, intake, lifecycle, settings_of, transcripts, turns
from conversations.models import Control, Conversation, Message, Number, Turn
from conversations.policy import UNTIL_THE_CLOCK
from conversations.trail import note
from orgs import audit
from orgs.models import Due, Later, Person, Refused

STOPPED = "stopped"  # why what was queued did not leave, and why a person is needed: `wording`


class Doing(StrEnum):
    """What a line under the thread's header tells."""

    WAITING = "waiting"  # for more messages, until `until`
    HEARING = "hearing"  # a voice note is being made into words, until `until` at most
    THINKING = "thinking"
    SENDING = "sending"
    QUEUED = "queued"  # `why` tells what it waits for, where it waits
    HELD = "held"  # somebody types, until `until`
    OPENING = "opening"  # the clock lets it answer at `until`
    FOLLOW_UP = "follow_up"  # it writes again at `until`
    IDLE = "idle"  # it answers when the lead writes
    DRAFTS = "drafts"  # as IDLE, and nothing leaves without approval
    PAUSED = "paused"
    OFF = "off"
    IGNORED = "ignored"  # `why`: what the contact is
    PERSON = "person"  # a person has it; the AI goes on at `until` if they are silent
    NOBODY = "nobody"


@dataclass(frozen=True)
class Strip:
    """What the agent does, until when, and what may be done about it. `epoch`: what the page has seen."""

    doing: Doing
    epoch: int
    until: datetime | None = None
    why: str = ""
    may_stop: bool = False
    may_hurry: bool = False

    @property
    def may_skip(self) -> bool:
        return self.doing is Doing.FOLLOW_UP


def of(conversation: Conversation, *, paused: Control | None) -> Strip | None:
    """What the agent is doing now; None where there is nothing to tell (closed, asleep, left alone by their wish).

    In: the conversation with its contact and number; the red switch, if it is on. Reads only; two to nine queries.
    """
    contact, epoch = conversation.contact, conversation.epoch
    if contact.ignored_as:
        return Strip(Doing.IGNORED, epoch, why=contact.ignored_as)
    if conversation.lifecycle in {Conversation.Lifecycle.CLOSED, Conversation.Lifecycle.SNOOZED} or contact.is_silenced:
        return None
    if conversation.owner == Conversation.Owner.NOBODY:
        return Strip(Doing.NOBODY, epoch)
    if conversation.owner == Conversation.Owner.PERSON:
        agent = settings_of.number(conversation.number)
        until = lifecycle.hand_back_at(conversation, agent)
        return Strip(Doing.PERSON, epoch, until=until if until and until > timezone.now() else None)
    if paused is not None:
        return Strip(Doing.PAUSED, epoch)
    return under_way(conversation) or at_rest(conversation)


def under_way(conversation: Conversation) -> Strip | None:
    """A move of the AI's that has begun; None when there is none."""
    now, epoch = timezone.now(), conversation.epoch
    leaving = list(
        conversation.messages.filter(
            author__in=intake.BY_ITSELF, state__in=[Message.State.QUEUED, Message.State.SENDING]
        ).order_by("seq")
    )
    queued = [message for message in leaving if message.state == Message.State.QUEUED]
    wanted = work_of(conversation)
    is_held = conversation.hold_until is not None and conversation.hold_until > now
    if is_held and (queued or "turn" in wanted):
        return Strip(Doing.HELD, epoch, until=conversation.hold_until, may_stop=True)
    if len(queued) < len(leaving):
        return Strip(Doing.SENDING, epoch, may_stop=bool(queued))
    if queued:
        return Strip(Doing.QUEUED, epoch, why=queued[0].failure, may_stop=True)
    if "turn" not in wanted or turns.newest_unanswered(conversation) is None:
        return None
    due_at, is_worked_on = wanted["turn"]
    if is_worked_on or due_at <= now:
        return Strip(Doing.THINKING, epoch, may_stop=True)
    if (heard_by := transcripts.wait_until(turns.unanswered(conversation), now=now)) is not None:
        return Strip(Doing.HEARING, epoch, until=max(due_at, heard_by), may_stop=True)
    if waits_for_the_clock(conversation):
        return Strip(Doing.OPENING, epoch, until=due_at)
    return Strip(Doing.WAITING, epoch, until=due_at, may_stop=True, may_hurry=True)


def at_rest(conversation: Conversation) -> Strip:
    """What comes next while the AI has nothing to answer."""
    epoch, number = conversation.epoch, conversation.number
    if number.mode == Number.Mode.OFF:
        return Strip(Doing.OFF, epoch)
    agent = settings_of.number(number)
    at = follow_ups.upcoming(conversation, conversation.contact, number, agent)
    if at is not None:
        return Strip(Doing.FOLLOW_UP, epoch, until=at)
    return Strip(Doing.DRAFTS if number.mode == Number.Mode.DRAFTS else Doing.IDLE, epoch)


def work_of(conversation: Conversation) -> dict[str, tuple[datetime, bool]]:
    """Late work of a conversation's turn: kind → (when it is due, whether somebody is at it). One query."""
    now = timezone.now()
    key = {"org_id": intake.org_id(), "kind": "turn", "ref": str(conversation.pk)}
    near = Due.objects.filter(**key, dead_at=None).values_list("kind", "due_at", "lease_until")
    far = Later.objects.filter(**key).values_list("kind", "due_at", Value(None, output_field=DateTimeField()))
    return {
        kind: (due_at, lease_until is not None and lease_until > now)
        for kind, due_at, lease_until in near.union(far, all=True)
    }


def waits_for_the_clock(conversation: Conversation) -> bool:
    """The newest turn was put off until hours in which the AI may speak."""
    newest = conversation.turns.filter(epoch=conversation.epoch).order_by("-up_to_seq", "-pk").first()
    return newest is not None and newest.state == Turn.State.SKIPPED and newest.reason in UNTIL_THE_CLOCK


# --- Verbs ------------------------------------------------------------------------------------------------------------
@transaction.atomic
def stop(
    conversation: Conversation, person: Person, *, epoch: int | None = None, request: HttpRequest | None = None
) -> Conversation:
    """The AI does not say what it is about to say: what is queued is withdrawn, what is thought over is not written.

    In: `epoch`, as the page showed it; another one means that something else has happened since. What has been answered
    by nobody needs a person then. The AI answers what the lead writes next. A message on the wire cannot be stopped.
    Raises Refused when there is nothing to stop (any more). Out: the locked row as it is now.
    """
    ours = intake.locked(conversation.pk)
    ensure_still(ours, epoch)
    queued = ours.messages.filter(author__in=intake.BY_ITSELF, state=Message.State.QUEUED)
    owed = turns.newest_unanswered(ours) is not None or queued.filter(author=Message.Author.AI).exists()
    withdrawn = queued.update(state=Message.State.CANCELLED, failure=STOPPED)
    if not withdrawn and not owed:
        raise Refused("nothing_to_stop", _("The AI was not about to say anything any more."))
    ours.epoch += 1  # an answer that is being thought over finds another one, and is not written
    ours.watermark = ours.seq
    ours.save(update_fields=["epoch", "watermark"])
    if owed:
        intake.need(ours, STOPPED)
    Due.objects.cancel(intake.org_id(), "turn", ours.pk)
    note(audit.Action.ANSWER_STOPPED, ours, person, request=request, data={"withdrawn": withdrawn})
    intake.want("send", ours.pk)  # finds nothing to send, or what a person has written
    return ours


@transaction.atomic
def hurry(
    conversation: Conversation, person: Person, *, epoch: int | None = None, request: HttpRequest | None = None
) -> Conversation:
    """The AI answers now what it would answer in a moment. Whether it may speak at all is asked then, as always.

    Raises Refused when nothing waits to be answered (any more). Out: the locked row as it is now.
    """
    ours = intake.locked(conversation.pk)
    ensure_still(ours, epoch)
    if turns.newest_unanswered(ours) is None:
        raise Refused("nothing_waits", _("Nothing waits for an answer any more."))
    note(audit.Action.ANSWER_HURRIED, ours, person, request=request)
    intake.want("turn", ours.pk)
    return ours


def ensure_still(conversation: Conversation, epoch: int | None) -> None:
    """Raise Refused unless the AI has the (locked) conversation, as it had when the page was made."""
    if conversation.owner != Conversation.Owner.AI or (epoch is not None and epoch != conversation.epoch):
        raise Refused("changed", _("Something has happened here since: look again."))
