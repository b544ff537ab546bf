"""Which number uses which agent: the shared one, or one of its own."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversations import agents
from conversations.models import AgentVersion, Number
from conversations.views.agent import address, frame, get_agent
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@require_role(Role.VIEWER)
@require_safe
def index(request: OrgRequest) -> HttpResponse:
    """All numbers, and the agent each uses."""
    number = get_agent(request)
    own = dict(
        AgentVersion.objects.filter(state=AgentVersion.State.PUBLISHED, number_id__isnull=False).values_list(
            "number_id", "version"
        )
    )
    numbers = Number.objects.filter(removed_at=None).order_by("name", "pk")
    context = {
        **frame(request, number, version=agents.shown(number.pk if number else None), current="numbers"),
        "rows": [(one, own.get(one.pk), address(request, "agent:section", one, section="identity")) for one in numbers],
    }
    return render(request, "conversations/agent/numbers.html", context)


@require_role(Role.ADMIN)
@require_POST
def separate(request: OrgRequest, pk: int) -> HttpResponse:
    """Give a number an agent of its own: a copy of what holds for it."""
    number = get_number(pk)
    agents.separate(number, person=request.user, request=request)
    messages.success(
        request, _("“%(name)s” has an agent of its own now. It begins as a copy of the shared one.") % {"name": number}
    )
    return redirect(address(request, "agent:section", number, section="identity"))


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def share(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then let a number use the shared agent again."""
    number = get_number(pk)
    if request.method == "POST":
        agents.share(number, person=request.user, request=request)
        messages.success(request, _("“%(name)s” uses the shared agent again.") % {"name": number})
        return redirect(address(request, "agent:numbers", None))
    context = {
        "title": _("Use the shared agent for “%(name)s”?") % {"name": number},
        "text": _("The shared agent holds for it from the next answer on. Its own draft is lost, its versions stay."),
        "confirm": _("Use the shared agent"),
        "is_final": True,
        "action": request.path,
        "cancel_url": address(request, "agent:numbers", None),
    }
    return render(request, "layouts/confirm.html", context)


def get_number(pk: int) -> Number:
    """A number of the org that is entered. Raises Http404 for any other, and for one that was removed."""
    number = Number.objects.filter(pk=pk, removed_at=None).first()
    if number is None:
        raise Http404
    return number
