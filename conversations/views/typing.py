"""Somebody is typing a reply: the AI waits."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from conversations.access import get_conversation
from conversations.models.conversation import KEYSTROKE_HOLD
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponse:
    """Nothing of the AI's leaves for 20 s from now (DESIGN 4.4); the page asks again while typing goes on."""
    get_conversation(request, pk).hold(timezone.now() + KEYSTROKE_HOLD)
    return HttpResponse(status=204)
