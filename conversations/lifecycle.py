"""Open, waiting, snoozed, closed, and what the clock changes by itself (PRODUCT 2, "State of a conversation").

Verbs of people lock the conversation, compare, and write in one transaction. The clock's rules are one kind of late
work per conversation, `tend`: it asks under the lock what holds now, and is due again when the next of them may hold.
So news need not move it: whoever writes meanwhile only makes it find nothing to do.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import intake, satisfaction, settings_of, wording
from conversations.events import updated
from conversations.models import AgentVersion, Contact, Conversation, Message
from conversations.trail import note
from orgs import audit
from orgs.models import Person, Refused

LOOK_AGAIN = timedelta(hours=1)  # after a rule that holds but must wait for a person
LONGEST_SNOOZE = timedelta(days=365)
IDLE = frozenset({Conversation.Lifecycle.OPEN, Conversation.Lifecycle.WAITING_LEAD})
# Closed for one of these, they are no lead: the AI never writes to them, on any number, until a person says otherwise.
MARKS: dict[str, Contact.Ignored] = {
    Conversation.Closing.SPAM: Contact.Ignored.SPAM,
    Conversation.Closing.JOB_SEEKER: Contact.Ignored.JOB_SEEKER,
    Conversation.Closing.CUSTOMER: Contact.Ignored.CUSTOMER,
    Conversation.Closing.SUPPLIER: Contact.Ignored.SUPPLIER,
    Conversation.Closing.TEAM: Contact.Ignored.TEAM,
}


# --- By a person ----------------------------------------------------------------------------------------------------
@transaction.atomic
def close(
    conversation: Conversation,
    person: Person,
    *,
    reason: Conversation.Closing,
    seen_seq: int | None = None,
    request: HttpRequest | None = None,
) -> Conversation:
    """It is over: nothing of the AI's leaves any more, nobody is needed. The lead's next message reopens it.

    Closed for one of MARKS, they leave the funnel: the AI stays silent also then, on all numbers.

    In: `seen_seq`, the arrival number of the last message the person saw. Raises Refused when the lead has written
    since: their message would go unread. Closing what is closed changes nothing. Out: the locked row as it is now.
    """
    contact, ours = both_locked(conversation)
    mark = MARKS.get(reason)
    if ours.lifecycle == Conversation.Lifecycle.CLOSED and (mark is None or ours.closed_reason == reason):
        return ours
    newer = ours.messages.filter(author=Message.Author.LEAD, deleted_at=None)
    if seen_seq is not None and newer.filter(seq__gt=seen_seq).exists():
        raise Refused("newer_message", _("The lead has just written again. Read it first."))
    shut(ours, reason, person_id=person.pk)
    if mark is not None:
        contact.ignored_as = mark
        contact.save(update_fields=["ignored_as"])
    if reason == Conversation.Closing.DONE:
        ask_satisfaction(ours)
    note(audit.Action.CONVERSATION_CLOSED, ours, person, request=request, data={"reason": reason})
    return ours


@transaction.atomic
def reopen(conversation: Conversation, person: Person, *, request: HttpRequest | None = None) -> Conversation:
    """It goes on. What was said before it was closed stays answered. Out: the locked row as it is now.

    Who was marked as no lead when it was closed is a lead again.
    """
    contact, ours = both_locked(conversation)
    if ours.lifecycle in IDLE:
        return ours
    if contact.ignored_as and contact.ignored_as == MARKS.get(ours.closed_reason):
        contact.ignored_as = ""
        contact.save(update_fields=["ignored_as"])
    ours.save(update_fields=intake.reopen(ours, settings_of.number(ours.number)))
    updated(ours, person_id=person.pk)
    note(audit.Action.CONVERSATION_REOPENED, ours, person, request=request)
    return ours


@transaction.atomic
def snooze(
    conversation: Conversation, person: Person, *, until: datetime, request: HttpRequest | None = None
) -> Conversation:
    """Out of the way until then, or until the lead writes; then a person is called.

    In: `until`, aware. Raises Refused for a time that is past or more than a year ahead. Out: the locked row.
    """
    now = timezone.now()
    if not now < until <= now + LONGEST_SNOOZE:
        raise Refused("bad_time", _("Choose a time within the next year."))
    ours = intake.locked(conversation.pk)
    ours.lifecycle, ours.snoozed_until, ours.closed_reason = Conversation.Lifecycle.SNOOZED, until, ""
    ours.needs_person_since, ours.needs_reason = None, ""
    ours.save(update_fields=["lifecycle", "snoozed_until", "closed_reason", "needs_person_since", "needs_reason"])
    intake.want_tending(ours)
    updated(ours, person_id=person.pk)
    note(audit.Action.CONVERSATION_SNOOZED, ours, person, request=request, data={"until": until.isoformat()})
    return ours


@transaction.atomic
def admit(conversation: Conversation, person: Person, *, request: HttpRequest | None = None) -> Conversation:
    """The contact is a lead after all: the AI may write to them again, and answers what is not too old.

    Nothing changes for whom nobody had marked. Out: the locked row as it is now.
    """
    contact, ours = both_locked(conversation)
    if not contact.ignored_as:
        return ours
    former, contact.ignored_as = contact.ignored_as, ""
    contact.save(update_fields=["ignored_as"])
    for pk in contact.conversations.filter(owner=Conversation.Owner.AI).order_by("pk").values_list("pk", flat=True):
        intake.want("turn", pk)
    note(audit.Action.CONTACT_ADMITTED, ours, person, request=request, data={"from": former})
    return ours


@transaction.atomic
def pause_ai(conversation: Conversation, person: Person, *, request: HttpRequest | None = None) -> Conversation:
    """The AI writes nothing here until a person gives the conversation back; nobody has it meanwhile.

    What a person has already stays theirs. Out: the locked row as it is now.
    """
    ours = intake.locked(conversation.pk)
    if ours.owner != Conversation.Owner.AI:
        return ours
    intake.cancel_queued(ours, why="taken_over")
    ours.owner, ours.owner_person_id, ours.hold_until = Conversation.Owner.NOBODY, None, None
    ours.epoch += 1
    ours.save(update_fields=["owner", "owner_person_id", "epoch", "hold_until"])
    updated(ours, person_id=person.pk)
    note(audit.Action.CONVERSATION_PAUSED, ours, person, request=request)
    return ours


def both_locked(conversation: Conversation) -> tuple[Contact, Conversation]:
    """Contact, then conversation: the lock order of everything that touches both (DESIGN 4).

    Raises Refused when the conversation has become another contact's while we waited: merged a moment ago.
    """
    contact = Contact.objects.select_for_update(no_key=True).filter(pk=conversation.contact_id).first()
    ours = intake.locked(conversation.pk)
    if contact is None or ours.contact_id != contact.pk:
        raise Refused("changed", _("Something has happened here since: look again."))
    return contact, ours


# --- By the clock ---------------------------------------------------------------------------------------------------
def tend(conversation_id: int) -> None:
    """Wake what was snoozed, give back what a person left, close what is long silent; then wait for the next."""
    with transaction.atomic():
        known = Conversation.objects.filter(pk=conversation_id).only("contact_id").first()
        if known is None:
            return
        contact = Contact.objects.select_for_update(no_key=True).get(pk=known.contact_id)
        conversation = intake.locked(conversation_id)
        agent = settings_of.number(conversation.number)
        now = timezone.now()
        if (until := conversation.snoozed_until) is not None and until <= now:
            wake(conversation, agent)
        back_at = hand_back_at(conversation, agent)
        if back_at is not None and back_at <= now and may_be_handed_back(conversation, contact):
            intake.give_back(conversation, person_id=None, source="silence")
            back_at = None
        close_at = closing_at(conversation, agent)
        if close_at is not None and close_at <= now and conversation.needs_person_since is None:
            shut(conversation, Conversation.Closing.SILENCE, person_id=None)
            close_at = None
        times = [at for at in (conversation.snoozed_until, back_at, close_at) if at is not None]
        if times:
            first = min(times)
            intake.want("tend", conversation.pk, at=first if first > now else now + LOOK_AGAIN)


def wake(conversation: Conversation, agent: AgentVersion) -> None:
    """The snooze is over: a person looks again."""
    conversation.save(update_fields=intake.reopen(conversation, agent))
    intake.need(conversation, "snooze_over")
    updated(conversation, person_id=None)


def hand_back_at(conversation: Conversation, agent: AgentVersion) -> datetime | None:
    """When a person has been silent for so long that the AI goes on; None where it never does.

    Counted from the takeover or their last message, whichever is later. Off where a person began the conversation.
    """
    if conversation.owner != Conversation.Owner.PERSON or not agent.hand_back_hours or person_began(conversation):
        return None
    spoke = conversation.messages.filter(author=Message.Author.PERSON, is_backlog=False)
    taken = conversation.takeovers.filter(ended_at=None).aggregate(at=Max("started_at"))["at"]
    last = max(filter(None, (taken, spoke.aggregate(at=Max("created_at"))["at"])), default=conversation.created_at)
    return last + timedelta(hours=agent.hand_back_hours)


def may_be_handed_back(conversation: Conversation, contact: Contact) -> bool:
    """Nothing waits for this person but an answer, which the AI can give as well, and the AI may speak to the lead."""
    is_free = conversation.needs_person_since is None or conversation.needs_reason in ANSWERABLE
    return is_free and not contact.is_silenced


ANSWERABLE = frozenset({"lead_waiting"})


def person_began(conversation: Conversation) -> bool:
    """The first word, by the provider's clock, was one of ours that a person wrote."""
    first = conversation.messages.order_by(Coalesce(F("sent_at"), F("created_at")), "seq").first()
    return first is not None and first.author == Message.Author.PERSON


def closing_at(conversation: Conversation, agent: AgentVersion) -> datetime | None:
    """When it has been silent for so long that it is closed; None while it is not open, or where that is off."""
    if conversation.lifecycle not in IDLE or not agent.close_after_days:
        return None
    return conversation.last_message_at + timedelta(days=agent.close_after_days)


# --- Both -----------------------------------------------------------------------------------------------------------
def shut(conversation: Conversation, reason: Conversation.Closing, *, person_id: int | None) -> None:
    """Close the locked conversation: the AI's words are withdrawn, a turn under way finds another epoch."""
    intake.cancel_queued(conversation, why="closed")
    conversation.lifecycle, conversation.closed_reason = Conversation.Lifecycle.CLOSED, reason
    conversation.snoozed_until = None
    conversation.needs_person_since, conversation.needs_reason, conversation.unread = None, "", 0
    conversation.epoch += 1
    conversation.watermark = conversation.seq
    conversation.save(
        update_fields=[
            "lifecycle", "closed_reason", "snoozed_until", "needs_person_since", "needs_reason", "unread", "epoch",
            "watermark",
        ]
    )  # fmt: skip
    updated(conversation, person_id=person_id)
    if conversation.owner == Conversation.Owner.PERSON:
        intake.want_tending(conversation)


def ask_satisfaction(conversation: Conversation) -> bool:
    """Ask the lead of the locked, closed conversation how content they are, where that is due. Out: whether."""
    agent, contact, now = settings_of.number(conversation.number), conversation.contact, timezone.now()
    if not satisfaction.may_be_asked(conversation, contact, agent, now=now):
        return False
    conversation.rating_asked_at, conversation.rating = now, None
    conversation.save(update_fields=["rating_asked_at", "rating"])
    text = wording.satisfaction(language=contact.language or agent.language)
    intake.say(conversation, text, sort=satisfaction.ASKS, as_draft=False)
    return True
