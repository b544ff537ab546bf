"""Putting a conversation out of the way for a while."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversations import lifecycle
from conversations.access import get_conversation
from conversations.forms import SnoozeForm
from conversations.views import conversation as thread
from conversations.views.closure import undo
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponseBase:
    """Call somebody again in so many hours, or when the lead writes."""
    conversation = get_conversation(request, pk)
    form = SnoozeForm(request.POST)
    if not form.is_valid():
        return thread.refuse(request, pk, _("Choose how long the conversation sleeps."))
    until = timezone.now() + timedelta(hours=int(form.cleaned_data["hours"]))
    try:
        lifecycle.snooze(conversation, request.user, until=until, request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    words = _("The conversation sleeps until then, or until the lead writes.")
    messages.success(request, words, extra_tags=undo(request, pk, verb="reopen"))
    return thread.answer(request, pk)
