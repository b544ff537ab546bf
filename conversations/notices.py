"""Telling the team that a lead needs a person, is qualified, or is spoken of (PRODUCT 2, "State of a conversation").

All verbs run in the transaction that makes it so, with the conversation's row locked: people are told exactly when the
change is, and once for each handoff, whoever calls how often (`orgs.notifications`). No word of the lead's goes along.
"""

from collections.abc import Collection

from django.utils import timezone

from conversations import assignment, intake
from conversations.access import may_see, members_who_answer
from conversations.models import Contact, Conversation, Note, Qualification
from orgs import notifications
from orgs.context import current_org
from orgs.models import Membership, NotificationKind

QUALIFIED = "qualified"
# What the lead wants now goes before the news that they are qualified.
FIRST = frozenset({"lead_asked", "hostile", "cancel", "reschedule"})


def handed_off(conversation: Conversation, reason: str) -> list[Membership]:
    """A person must go on, and the team is told, once as long as nobody has. The AI goes on until a person takes over.

    In: the locked conversation; `reason`, a code of `wording.NEEDS`. Out: who is told, nobody for a test lead.
    """
    if reason == QUALIFIED and not _is_qualified(conversation):
        reason = "wants_meeting"  # the lead was told that somebody arranges one
    if reason == QUALIFIED and (told := qualified(conversation)):
        return told
    _need(conversation, reason)
    return _tell_once(conversation, NotificationKind.HANDOFF, reason)


def qualified(conversation: Conversation) -> list[Membership]:
    """The lead has become qualified: a person arranges the meeting, and the team is told, once per conversation.

    In: the locked conversation. Out: who is told; nobody while it is not qualified, or when it was told.
    """
    news = Qualification.objects.filter(conversation=conversation, is_qualified=True, told_at=None)
    if not news.update(told_at=timezone.now()):
        return []
    _need(conversation, QUALIFIED)
    conversation.told_since = None  # told by news of its own
    return _tell_once(conversation, NotificationKind.HOT, QUALIFIED)


def mentioned(note: Note, person_ids: Collection[int]) -> list[Membership]:
    """These people are called in a note; told once each, if they may see its conversation. Out: who is told.

    In the transaction that writes the note.
    """
    members = Membership.objects.filter(org_id=current_org().pk, person_id__in=person_ids, person__is_active=True)
    return notifications.notify(
        NotificationKind.MENTION, str(note.pk),
        to=[one for one in members.select_related("person", "org") if may_see(one, note.conversation)],
        conversation_id=note.conversation_id, data={"by": note.person_id},
    )  # fmt: skip


def _is_qualified(conversation: Conversation) -> bool:
    return Qualification.objects.filter(conversation=conversation, is_qualified=True).exists()


def _need(conversation: Conversation, reason: str) -> None:
    """A person is needed; the news that the lead is qualified does not hide what they asked for."""
    hides = reason == QUALIFIED and conversation.needs_person_since is not None
    if not hides or conversation.needs_reason not in FIRST:
        intake.need(conversation, reason)


def _tell_once(conversation: Conversation, kind: str, reason: str) -> list[Membership]:
    """Tell of this handoff, unless it was told. `told_since` names the handoff that was."""
    if conversation.told_since == conversation.needs_person_since:
        return []
    conversation.told_since = conversation.needs_person_since
    conversation.save(update_fields=["told_since"])
    if Contact.objects.filter(pk=conversation.contact_id, is_test=True).exists():
        return []
    assignment.give_away(conversation)
    since = conversation.needs_person_since
    at = since.isoformat() if since is not None else ""
    return notifications.notify(
        kind, f"{conversation.pk}/{at if kind == NotificationKind.HANDOFF else ''}", to=_concerned(conversation),
        conversation_id=conversation.pk, data={"reason": reason, "since": at},
    )  # fmt: skip


def _concerned(conversation: Conversation) -> list[Membership]:
    """Whom the conversation concerns: its owner, else whose lead it is, else all who may answer it."""
    members = [one for one in members_who_answer() if may_see(one, conversation)]
    for person_id in (conversation.owner_person_id, conversation.assignee_id):
        if told := [one for one in members if one.person_id == person_id]:
            return told
    return members
