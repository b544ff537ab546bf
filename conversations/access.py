"""Rows of this org as views get them: whatever is not there, another org's, or not theirs to see is 404."""

from django.db import connection
from django.db.models import Q
from django.http import Http404

from conversations.models import Conversation, FormerConversation, Message
from orgs.http import OrgRequest
from orgs.models import Membership, Role

MAY_ANSWER = (Role.OWNER, Role.ADMIN, Role.SDR)


def members_who_answer() -> list[Membership]:
    """Who may answer leads of the org that is entered, with person and org, by person. One query."""
    org_id = connection.tenant.pk  # type: ignore[attr-defined]  # django-tenants' wrapper has it
    members = Membership.objects.filter(org_id=org_id, role__in=MAY_ANSWER, person__is_active=True)
    return list(members.select_related("person", "org").order_by("person_id"))


def sees_all(member: Membership) -> bool:
    """Whether the member sees every conversation: all but SDRs of an org that shows them only theirs."""
    return member.role != Role.SDR or not member.org.sdrs_see_only_theirs


def theirs(member: Membership) -> Q:
    """The condition that keeps to conversations the member may see: for whoever does not see all, their own leads."""
    if sees_all(member):
        return Q()
    return Q(assignee_id=member.person_id) | Q(owner_person_id=member.person_id)


def may_see(member: Membership, conversation: Conversation) -> bool:
    """Whether the member may see this conversation; no query when their org is loaded."""
    return sees_all(member) or member.person_id in {conversation.assignee_id, conversation.owner_person_id}


def get_conversation(request: OrgRequest, pk: int) -> Conversation:
    """A conversation that the member may see, with its contact and number. Raises Http404 for any other."""
    seen = Conversation.objects.with_inbox_data().filter(theirs(request.membership))
    # By its own id, else by the one it had before it became one with another.
    conversation = seen.filter(pk=pk).first() or seen.filter(former__former_id=pk).first()
    if conversation is None:
        raise Http404
    return conversation


def is_erased(pk: int) -> bool:
    """Whether there was a conversation of this id whose lead's words were erased."""
    return FormerConversation.objects.filter(former_id=pk, into=None).exists()


def get_message(conversation: Conversation, pk: int) -> Message:
    """A message of this conversation. Raises Http404 for any other."""
    message = conversation.messages.filter(pk=pk).first()
    if message is None:
        raise Http404
    return message
