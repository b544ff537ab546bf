"""Everything that can be done with one conversation: the menu of a row and of the thread, and whose lead it is."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from conversations import assignment, lifecycle
from conversations.access import get_conversation, members_who_answer
from conversations.forms import CLOSINGS, SNOOZES
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_GET
def show(request: OrgRequest, pk: int) -> HttpResponse:
    """The menu, as a fragment for <row-menu>, and as a page without scripts."""
    conversation = get_conversation(request, pk)
    context = {
        "conversation": conversation,
        "is_ai": conversation.owner == conversation.Owner.AI,
        "is_mine": conversation.owner_person_id == request.user.pk,
        "endings": [one for one in CLOSINGS if one[0] not in lifecycle.MARKS],
        "marks": [one for one in CLOSINGS if one[0] in lifecycle.MARKS],
        "snoozes": SNOOZES,
        "members": members_who_answer(),
    }
    template = "_menu" if request.headers.get("HX-Request") == "true" else "menu"
    return render(request, f"conversations/inbox/{template}.html", context)


@require_role(Role.SDR)
@require_POST
def assign(request: OrgRequest, pk: int) -> HttpResponseBase:
    """Whose lead it is: `person` (a member's person id), or nobody's when it is empty."""
    conversation = get_conversation(request, pk)
    given = request.POST.get("person", "")
    member = next((one for one in members_who_answer() if str(one.person_id) == given), None)
    if given and member is None:
        return thread.refuse(request, pk, _("Choose somebody who may answer leads here."))
    try:
        assignment.assign(conversation, member.person if member else None, by=request.user, request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    if member is None:
        messages.success(request, _("The lead is nobody's now."))
    else:
        messages.success(request, _("The lead is given to %(name)s.") % {"name": member.person})
    return thread.answer(request, pk)
