"""A lead's rights, from the panel: left alone or not, what we keep of them, and erasing it."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from conversations import erasure, privacy
from conversations.access import get_conversation
from conversations.views import evidence
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role

NOTE_CHARS = 300
OPT_OUT, OPT_BACK = "opt_out", "opt_back"


@require_role(Role.SDR)
@require_POST
def opt_out(request: OrgRequest, pk: int) -> HttpResponseBase:
    """The lead asked a person to be left alone."""
    note = note_of(request)
    if not note:
        return evidence.answer(request, pk, error=_("Write how they asked for it."), wrong=OPT_OUT)
    if privacy.opt_out(get_conversation(request, pk).contact, note, request.user, request=request):
        messages.success(request, _("Nothing is written to them any more, on none of your numbers."))
    return evidence.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def opt_back(request: OrgRequest, pk: int) -> HttpResponseBase:
    """The lead told a person that they want to be written to again."""
    note = note_of(request)
    if not note:
        return evidence.answer(request, pk, error=_("Write how they asked for it."), wrong=OPT_BACK)
    if privacy.opt_back(get_conversation(request, pk).contact, note, request.user, request=request):
        messages.success(request, _("They may be written to again."))
    return evidence.answer(request, pk)


@require_role(Role.ADMIN)
@require_POST
def export(request: OrgRequest, pk: int) -> HttpResponse:
    """Everything we keep of the lead, as a file to give them."""
    conversation = get_conversation(request, pk)
    return HttpResponse(
        privacy.export(conversation.contact, request.user, request=request),
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="lead-{conversation.contact_id}.json"'},
    )


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def erase(request: OrgRequest, pk: int) -> HttpResponseBase:
    """Ask, then erase everything of the lead."""
    conversation = get_conversation(request, pk)
    if request.method == "POST":
        erasure.erase(conversation.contact, person=request.user, request=request)
        messages.success(request, _("Everything we kept of this lead is erased."))
        return redirect("conversations:inbox", slug=request.org.slug)
    context = {
        "conversation": conversation,
        "title": _("Erase everything of “%(name)s”?") % {"name": conversation.contact},
        "text": _(
            "All conversations, files and facts of this lead go, on every number, for good. What WhatsApp itself "
            "keeps, and what is on the phones, stays there."
        ),
        "confirm": _("Erase for good"),
        "is_final": True,
        "action": request.path,
    }
    return render(request, "conversations/privacy/erasure.html", context)


def note_of(request: OrgRequest) -> str:
    """How the lead said so, as the person typed it."""
    return " ".join(str(request.POST.get("note", "")).replace("\x00", "").split())[:NOTE_CHARS]
