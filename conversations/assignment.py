"""Giving leads to people: in turn, by rules, and to somebody else when nothing happens (PRODUCT 3, "Assignment").

A lead is given away when a person is needed. Whose turn it is stands in one row per org, locked last of all: so of many
leads at once nobody gets one more than anybody else. Whose lead it is (`assignee_id`) says who is told, and who sees it
where SDRs see only theirs; who speaks is the owner, as ever.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import intake, live, policy, settings_of
from conversations.access import members_who_answer
from conversations.models import Assignment, Conversation, Message
from orgs import audit, bell, notifications
from orgs.context import current_org
from orgs.models import Due, Membership, NotificationKind, Person, Refused
from orgs.models.queue import LIVE

KIND = "reassign"


def give_away(conversation: Conversation, *, tried: Sequence[int] = ()) -> Membership | None:
    """Assign the (locked) conversation to whose turn it is, unless it is somebody's already who may answer.

    In: `tried`, ids of people who had it and did nothing: somebody else gets it. Out: the new assignee; None when leads
    are not given away, or nobody is left. In a transaction that locks no other conversation afterwards.
    """
    members = members_who_answer()
    if not tried and any(member.person_id == conversation.assignee_id for member in members):
        return None
    rules = Assignment.objects.select_for_update().filter(pk=1, is_on=True).first()
    if rules is None:
        return None
    people = people_for(conversation, rules)
    candidates = [
        member for member in members if member.person_id not in tried and (not people or member.person_id in people)
    ]
    if not candidates:
        return None
    chosen = min(candidates, key=lambda member: (rules.turns.get(str(member.person_id), 0), member.person_id))
    rules.given += 1
    rules.turns[str(chosen.person_id)] = rules.given
    rules.save(update_fields=["given", "turns"])
    put(conversation, chosen.person_id)
    if rules.silent_minutes:
        look_again(conversation, rules.silent_minutes, tried=tried)
    return chosen


def people_for(conversation: Conversation, rules: Assignment) -> frozenset[int]:
    """Ids of the people among whom the first fitting rule chooses; empty for everybody, also when no rule fits."""
    if not rules.rules:
        return frozenset()
    agent = settings_of.number(conversation.number)
    is_open = policy.is_open(agent.hours, agent.time_zone, timezone.now(), holidays=agent.holidays)
    for rule in rules.rules:
        if fits(rule, number=conversation.number_id, is_ad=bool(conversation.contact.referral), is_open=is_open):
            return frozenset(rule["people"])
    return frozenset()


def fits(rule: Mapping[str, Any], *, number: int, is_ad: bool, is_open: bool) -> bool:
    """Pure. Whether a rule is for a lead on that number, from an ad or not, while we are open or not."""
    return (
        rule["number"] in {None, number}
        and rule["source"] in {"", "ad" if is_ad else "direct"}
        and rule["hours"] in {"", "open" if is_open else "closed"}
    )


def put(conversation: Conversation, person_id: int | None) -> None:
    """Write whose lead it is. The conversation is locked."""
    conversation.assignee_id, conversation.assigned_at = person_id, timezone.now() if person_id is not None else None
    conversation.save(update_fields=["assignee_id", "assigned_at"])
    live.changed(conversation.pk)


@transaction.atomic
def assign(
    conversation: Conversation, to: Person | None, *, by: Person, request: HttpRequest | None = None
) -> Conversation:
    """A person gives the lead to a person, or to nobody; the new one is told, unless they did it themself.

    Raises Refused not_a_member for somebody who may not answer here. The same again changes nothing and tells nobody.
    Out: the locked row as it is now.
    """
    ours = intake.locked(conversation.pk)
    member = next((one for one in members_who_answer() if to is not None and one.person_id == to.pk), None)
    if to is not None and member is None:
        raise Refused("not_a_member", _("This person cannot answer leads here."))
    if ours.assignee_id == (to.pk if to is not None else None):
        return ours
    put(ours, to.pk if to is not None else None)
    audit.record(
        audit.Action.CONVERSATION_ASSIGNED, request=request, org=current_org(), person=by,
        target=f"conversation:{ours.pk}", data={"to": to.pk if to is not None else None},
    )  # fmt: skip
    if member is not None and member.person_id != by.pk:
        tell(ours, member, by=by)
    return ours


def tell(conversation: Conversation, member: Membership, *, by: Person | None) -> None:
    """The member is told that the lead is theirs now. In the transaction that made it so."""
    at = conversation.assigned_at or timezone.now()
    notifications.notify(
        NotificationKind.ASSIGNED, f"{conversation.pk}/{at.isoformat()}", to=[member],
        conversation_id=conversation.pk, data={"by": by.pk if by is not None else None},
    )  # fmt: skip


# --- When nothing happens -------------------------------------------------------------------------------------------
def look_again(conversation: Conversation, minutes: int, *, tried: Sequence[int]) -> None:
    """See in so many minutes whether the assignee has done something; `tried`: who had it before, and did not."""
    at = timezone.now() + timedelta(minutes=minutes)
    Due.objects.want(
        current_org().pk, KIND, conversation.pk, at=at, priority=LIVE,
        context={"tried": list(tried), "assigned_at": (conversation.assigned_at or at).isoformat()},
    )  # fmt: skip
    bell.ring()


@transaction.atomic
def look(conversation_id: int, context: Mapping[str, Any]) -> bool:
    """Give the lead to somebody else when they still wait and the assignee has been silent. Out: whether it was given.

    Safe to repeat: what was given meanwhile has another `assigned_at`. It goes round once: who was given it is left
    out, and when nobody is left it stays with the last.
    """
    ours = Conversation.objects.select_for_update(of=("self",)).select_related("contact", "number")
    conversation = ours.filter(pk=conversation_id).first()
    if conversation is None or conversation.assigned_at is None or conversation.assignee_id is None:
        return False
    if conversation.assigned_at.isoformat() != context.get("assigned_at"):
        return False
    if conversation.needs_person_since is None or has_acted(conversation, conversation.assigned_at):
        return False
    chosen = give_away(conversation, tried=(*context.get("tried", ()), conversation.assignee_id))
    if chosen is None:
        return False
    tell(conversation, chosen, by=None)
    return True


def has_acted(conversation: Conversation, since: datetime) -> bool:
    """Whether a person has written since, or has the conversation in their hands."""
    wrote = conversation.messages.filter(author=Message.Author.PERSON, created_at__gte=since)
    is_in_hands = (
        conversation.owner == Conversation.Owner.PERSON and conversation.owner_person_id == conversation.assignee_id
    )
    return is_in_hands or wrote.exists()
