"""What is known of a lead, corrected by people from the panel."""

from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversations import corrections
from conversations.access import get_conversation
from conversations.forms import ReplyForm
from conversations.models import Answer, FactKey
from conversations.qualification import SignalKey
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_POST
def fact(request: OrgRequest, pk: int, key: str) -> HttpResponseBase:
    """Set, change or empty one fact."""
    conversation = get_conversation(request, pk)
    if key not in FactKey.values:
        raise Http404
    try:
        corrections.set_fact(
            conversation, FactKey(key), str(request.POST.get("value", "")), request.user, request=request
        )
    except Refused as refused:
        return answer(request, pk, error=str(refused), wrong=key, typed=str(request.POST.get("value", "")))
    messages.success(request, _("Saved. The AI will not change it."))
    return answer(request, pk)


@require_role(Role.SDR)
@require_POST
def signal(request: OrgRequest, pk: int, key: str) -> HttpResponseBase:
    """Say whether a signal is there."""
    conversation = get_conversation(request, pk)
    if key not in set(SignalKey) or request.POST.get("value") not in {"yes", "no"}:
        raise Http404
    corrections.set_signal(conversation, SignalKey(key), request.POST["value"] == "yes", request.user, request=request)
    messages.success(request, _("Saved. The AI will not change it."))
    return answer(request, pk)


@require_role(Role.SDR)
@require_POST
def strike(request: OrgRequest, pk: int, row: int) -> HttpResponseBase:
    """This answer does not count."""
    conversation = get_conversation(request, pk)
    found = Answer.objects.filter(pk=row, conversation=conversation).first()
    if found is None:
        raise Http404
    corrections.strike(conversation, found, request.user, request=request)
    messages.success(request, _("It does not count any more."))
    return answer(request, pk)


@require_role(Role.SDR)
@require_POST
def stop_follow_ups(request: OrgRequest, pk: int) -> HttpResponseBase:
    """A silent lead is not written to again by itself."""
    corrections.stop_follow_ups(get_conversation(request, pk), request.user, request=request)
    messages.success(request, _("No further follow-up until the lead writes again."))
    return thread.answer(request, pk) if request.POST.get("from") == "strip" else answer(request, pk)


def answer(request: OrgRequest, pk: int, *, error: str = "", wrong: str = "", typed: str = "") -> HttpResponseBase:
    """The panel for htmx, 422 with the error beside its field; otherwise the whole page, or back to it."""
    conversation = get_conversation(request, pk)
    status = 422 if error else 200
    if not thread.is_htmx(request):
        if not error:
            return redirect("conversations:conversation", slug=request.org.slug, pk=pk)
        context = thread.context_of(request, conversation)
        return thread.page(
            request,
            {**context, "form": ReplyForm(), "fact_error": error, "wrong": wrong, "typed": typed},
            status=status,
        )
    context = thread.panel_context(request, conversation)
    context |= {"fact_error": error, "wrong": wrong, "typed": typed, "with_flash": not error}
    return render(request, "conversations/conversation/_panel_answer.html", context, status=status)
