"""Private notes, and whom they can call."""

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from conversations import notes
from conversations.access import get_conversation
from conversations.forms import NoteForm
from conversations.views import conversation as thread
from conversations.views.replies import answered
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponseBase:
    """Keep a note. With errors the form comes back as typed, with status 422. Nothing is sent or taken over."""
    conversation = get_conversation(request, pk)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return answered(request, pk, note_form=form, write="note", status=422)
    notes.write(conversation, request.user, text=form.cleaned_data["text"], key=form.cleaned_data["key"])
    if not thread.is_htmx(request):
        return redirect("conversations:conversation", slug=request.org.slug, pk=pk)
    return answered(request, pk, write="note")


@require_role(Role.SDR)
@require_GET
def people(request: OrgRequest, pk: int) -> HttpResponse:
    """The members a note here can call, as the composer's list of choices."""
    members = notes.readers(get_conversation(request, pk))
    found = [member for member in members if member.pk != request.user.pk]
    return render(request, "conversations/notes/_people.html", {"people": found})
