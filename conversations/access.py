"""Rows of this org as views get them: whatever is not there, or another org's, is 404."""

from django.http import Http404

from conversations.models import Conversation, Message
from orgs.http import OrgRequest


def get_conversation(request: OrgRequest, pk: int) -> Conversation:
    """A conversation of the org that is entered, with its contact and number. Raises Http404 for any other."""
    del request  # the schema that its org's middleware has entered is the fence
    conversation = Conversation.objects.with_inbox_data().filter(pk=pk).first()
    if conversation is None:
        raise Http404
    return conversation


def get_message(conversation: Conversation, pk: int) -> Message:
    """A message of this conversation. Raises Http404 for any other."""
    message = conversation.messages.filter(pk=pk).first()
    if message is None:
        raise Http404
    return message
