"""Closing a conversation, and taking it up again."""

from django.contrib import messages
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversations import lifecycle
from conversations.access import get_conversation
from conversations.forms import ClosureForm
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponseBase:
    """It is over, for a reason."""
    conversation = get_conversation(request, pk)
    form = ClosureForm(request.POST)
    if not form.is_valid():
        return thread.refuse(request, pk, _("Choose why the conversation is closed."))
    try:
        lifecycle.close(
            conversation, request.user, reason=form.chosen(), seen_seq=form.cleaned_data["seen"], request=request
        )
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    messages.success(request, _("The conversation is closed. When the lead writes again, it opens by itself."))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def end(request: OrgRequest, pk: int) -> HttpResponseBase:
    """It goes on."""
    lifecycle.reopen(get_conversation(request, pk), request.user, request=request)
    messages.success(request, _("The conversation is open again."))
    return thread.answer(request, pk)
