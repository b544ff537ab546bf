"""Taking a conversation from the AI, and giving it back."""

from django.contrib import messages
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversations import lifecycle, replies
from conversations.access import get_conversation
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponseBase:
    """It is mine from now on."""
    replies.take_over(get_conversation(request, pk), request.user, request=request)
    messages.success(request, _("You have this conversation now. The AI writes nothing here until you give it back."))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def end(request: OrgRequest, pk: int) -> HttpResponseBase:
    """It is the AI's again."""
    replies.give_back(get_conversation(request, pk), request.user, request=request)
    messages.success(request, _("The AI has this conversation again."))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def pause(request: OrgRequest, pk: int) -> HttpResponseBase:
    """The AI writes nothing here, and nobody has it."""
    lifecycle.pause_ai(get_conversation(request, pk), request.user, request=request)
    messages.success(request, _("The AI is paused in this conversation, until somebody gives it back."))
    return thread.answer(request, pk)
