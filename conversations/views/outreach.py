"""Starting a conversation with a phone."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from conversations import outreach
from conversations.models import Consent, Conversation
from conversations.outreach_forms import OutreachForm
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_http_methods(["GET", "POST"])
def create(request: OrgRequest) -> HttpResponse:
    """Ask, then write. What cannot be done comes back as typed, with status 422 and, for who is known, a way there."""
    form = OutreachForm(request.POST or None)
    known: Conversation | None = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            conversation = outreach.start(
                given["number"], request.membership, to=given["phone"], text=given["text"],
                basis=Consent.Basis(given["basis"]), source=given["source"], name=given["name"],
                key=str(given["key"] or ""), request=request,
            )  # fmt: skip
            return redirect("conversations:conversation", slug=request.org.slug, pk=conversation.pk)
        except outreach.Known as found:
            known = found.conversation
            form.add_error("phone", _("You already talk with them on this number. Nothing was sent."))
        except Refused as refused:
            form.add_error("phone", str(refused))
    status = 422 if form.errors else 200
    return render(request, "conversations/outreach/create.html", {"form": form, "known": known}, status=status)
