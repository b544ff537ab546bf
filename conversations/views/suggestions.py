"""A draft for who writes a reply."""

from django.http import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_POST

from conversations import suggestions, wording
from conversations.access import get_conversation
from conversations.forms import ReplyForm, plain
from conversations.views import conversation as thread
from conversations.views.replies import answered
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponseBase:
    """What could be answered. Never sent, and never put over what was typed: then it comes behind it.

    Scripts get it alone, and decide with the person; without them the page comes back with it in the composer.
    """
    context: dict[str, object] = {}
    try:
        suggestion = suggestions.suggest(get_conversation(request, pk))
    except Refused as refused:
        context["refused"] = str(refused)
        text = ""
    else:
        text = suggestion.text
        context |= {
            "suggestion": suggestion,
            "brain": wording.brain(suggestion.brain),
            "why": wording.need(suggestion.why) if suggestion.why else "",
        }
    if thread.is_htmx(request):
        return render(request, "conversations/replies/_suggestion.html", context)
    typed = plain(request.POST.get("text", ""))
    form = ReplyForm(
        initial={"text": "\n".join(part for part in (typed, text) if part), "quoted": request.POST.get("quoted")}
    )
    return answered(request, pk, form=form, write="reply", extra=context)
