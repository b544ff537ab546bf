"""Deciding about what the AI has written and not sent."""

from django.http import HttpResponseBase
from django.views.decorators.http import require_POST

from conversations import replies
from conversations.access import get_conversation, get_message
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_POST
def approve(request: OrgRequest, pk: int, message: int) -> HttpResponseBase:
    """Let a draft leave."""
    draft = get_message(get_conversation(request, pk), message)
    try:
        replies.approve(draft, request.user, request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def discard(request: OrgRequest, pk: int, message: int) -> HttpResponseBase:
    """Never send a draft, or what did not go out."""
    unwanted = get_message(get_conversation(request, pk), message)
    try:
        replies.discard(unwanted, request.user, request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    return thread.answer(request, pk)
