"""The buttons of the strip that tells what the agent is doing: stop, answer now."""

from django.contrib import messages
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversations import steering
from conversations.access import get_conversation
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_POST
def stop(request: OrgRequest, pk: int) -> HttpResponseBase:
    """The AI does not say what it is about to say. `epoch` in the form: what the page had seen."""
    try:
        steering.stop(get_conversation(request, pk), request.user, epoch=epoch_in(request), request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    messages.success(request, _("The AI does not answer this one. It answers again when the lead writes again."))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def hurry(request: OrgRequest, pk: int) -> HttpResponseBase:
    """The AI answers now."""
    try:
        steering.hurry(get_conversation(request, pk), request.user, epoch=epoch_in(request), request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    return thread.answer(request, pk)


def epoch_in(request: OrgRequest) -> int | None:
    """Which state of the conversation the button was shown for; None without one."""
    given = request.POST.get("epoch", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None
