"""The red switch for the AI of the whole org."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from conversations import pause
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@require_role(Role.SDR)
@require_http_methods(["GET", "POST"])
def create(request: OrgRequest) -> HttpResponse:
    """Ask, then silence the AI everywhere."""
    if request.method != "POST":
        return render(request, "conversations/pause/create.html", {"paused": pause.current()})
    pause.pause_all(request.user, request=request)
    messages.success(request, _("The AI is paused. It writes nothing, on any number, until somebody resumes it."))
    return redirect("conversations:inbox", slug=request.org.slug)


@require_role(Role.SDR)
@require_POST
def end(request: OrgRequest) -> HttpResponse:
    """Let the AI speak again."""
    pause.resume(request.user, request=request)
    messages.success(
        request, _("The AI answers again, also what came in meanwhile, unless somebody has or it waited too long.")
    )
    return redirect("conversations:inbox", slug=request.org.slug)
