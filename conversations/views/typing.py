"""Somebody is typing a reply: the AI waits, and the others see it."""

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from conversations import typists
from conversations.access import get_conversation
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponse:
    """For 20 s from now; the page asks again while typing goes on. With `over` they have deleted what they wrote."""
    conversation = get_conversation(request, pk)
    if "over" in request.POST:
        typists.stops(conversation, request.user)
    else:
        typists.types(conversation, request.user)
    return HttpResponse(status=204)
