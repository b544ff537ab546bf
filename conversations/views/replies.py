"""Answering as a person."""

from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from conversations import replies
from conversations.access import get_conversation, get_message
from conversations.forms import ReplyForm
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponseBase:
    """Send a reply and take the conversation over. With errors the form comes back as typed, with status 422."""
    conversation = get_conversation(request, pk)
    form = ReplyForm(request.POST, request.FILES)
    if form.is_valid():
        given = form.cleaned_data
        replies.reply(
            conversation, request.user, text=given["text"], upload=given["file"], key=str(given["key"] or ""),
            request=request,
        )  # fmt: skip
        if not thread.is_htmx(request):
            return redirect("conversations:conversation", slug=request.org.slug, pk=pk)
        form = ReplyForm()
    status = 422 if form.errors else 200
    context = {**thread.context_of(request, get_conversation(request, pk)), "form": form}
    if thread.is_htmx(request):
        form.fields["text"].widget.attrs["autofocus"] = True  # the field that had the focus is replaced
        return render(request, "conversations/replies/create.html", {**context, "oob": True}, status=status)
    return thread.page(request, context, status=status)


@require_role(Role.SDR)
@require_POST
def retry(request: OrgRequest, pk: int, message: int) -> HttpResponseBase:
    """Try once more to send what did not go out. `attempt` in the form: the try whose failure was shown."""
    stuck = get_message(get_conversation(request, pk), message)
    seen = request.POST.get("attempt", "")
    attempt = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 6 else None
    try:
        replies.retry(stuck, request.user, attempt=attempt, request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def confirm(request: OrgRequest, pk: int, message: int) -> HttpResponseBase:
    """What nobody knew the fate of did arrive: the person has seen it on a phone."""
    doubtful = get_message(get_conversation(request, pk), message)
    try:
        replies.confirm_sent(doubtful, request.user, request=request)
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    return thread.answer(request, pk)
