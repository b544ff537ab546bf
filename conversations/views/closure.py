"""Closing a conversation, and taking it up again."""

from django.contrib import messages
from django.http import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversations import lifecycle
from conversations.access import get_conversation
from conversations.forms import ClosureForm
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role
from sdr.lib.undo import undo_tag


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
    words = (
        _("No lead any more: the conversation is closed, and the AI does not write to them.")
        if form.chosen() in lifecycle.MARKS
        else _("The conversation is closed. When the lead writes again, it opens by itself.")
    )
    messages.success(request, words, extra_tags=undo(request, pk, verb="reopen"))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def end(request: OrgRequest, pk: int) -> HttpResponseBase:
    """It goes on."""
    try:
        lifecycle.reopen(get_conversation(request, pk), request.user, request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    messages.success(request, _("The conversation is open again."))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def admit(request: OrgRequest, pk: int) -> HttpResponseBase:
    """They are a lead after all."""
    try:
        lifecycle.admit(get_conversation(request, pk), request.user, request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    messages.success(request, _("A lead again: the AI may write to them."))
    return thread.answer(request, pk)


def undo(request: OrgRequest, pk: int, *, verb: str) -> str:
    """For a message's tags: the verb of the list (`views.bulk`) that takes back what was done to one conversation."""
    fields: dict[str, str | list[int]] = {"verb": verb, "pk": [pk], "undoing": "1", "to": str(pk)}
    return undo_tag(reverse("conversations:bulk", args=[request.org.slug]), fields)
