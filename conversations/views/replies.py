"""Answering as a person."""

from uuid import uuid4

from django.core.exceptions import ValidationError
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversations import canned, replies
from conversations.access import get_conversation, get_message
from conversations.forms import NoteForm, ReplyForm
from conversations.models import Conversation
from conversations.views import composer
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role


@require_role(Role.SDR)
@require_POST
def create(request: OrgRequest, pk: int) -> HttpResponseBase:
    """Send a reply and take the conversation over. With errors the form comes back as typed, with status 422.

    Who is not `sure` is refused while somebody else writes, or once somebody has replied behind what the page showed.
    """
    conversation = get_conversation(request, pk)
    values = canned.values_for(conversation, request.user) if "{{" in request.POST.get("text", "") else {}
    form = ReplyForm(request.POST, request.FILES, values=values, keeps_file=thread.is_htmx(request))
    refused = send(request, conversation, form) if form.is_valid() else form
    if refused is None and not thread.is_htmx(request):
        return redirect("conversations:conversation", slug=request.org.slug, pk=pk)
    return answered(request, pk, form=refused, write="reply", status=200 if refused is None else 422)


def send(request: OrgRequest, conversation: Conversation, form: ReplyForm) -> ReplyForm | None:
    """Queue what a valid form holds. Out: None, or the form with what speaks against it."""
    given = form.cleaned_data
    quoted = composer.quoted_message(conversation, str(given["quoted"] or ""))
    if given["quoted"] and quoted is None:
        form.add_error("text", _("The message you answer is not there any more. Take the quote away."))
        return form
    try:
        message = replies.reply(
            conversation, request.user, text=given["text"], upload=given["file"], key=str(given["key"] or ""),
            quoted=quoted, alone_since=None if given["sure"] else given["seen"], request=request,
        )  # fmt: skip
    except Refused as refused:
        form.add_error("text", ValidationError(str(refused), code=refused.code))
        return form
    if given["file"] is None and message.text != given["text"]:  # a first attempt whose answer got lost
        rest = given["text"].removeprefix(message.text).strip()
        form = ReplyForm({"text": rest, "key": str(uuid4())})
        form.add_error("text", _("The beginning was sent before. This is what you have added since."))
        return form
    return None


def answered(
    request: OrgRequest,
    pk: int,
    *,
    write: str,
    form: ReplyForm | None = None,
    note_form: NoteForm | None = None,
    extra: dict[str, object] | None = None,
    status: int = 200,
) -> HttpResponseBase:
    """The composer anew, beside the thread as it is now: as a fragment for htmx, else the whole page."""
    conversation = get_conversation(request, pk)
    shown = composer.context_of(request, conversation, form=form, note_form=note_form, write=write)
    context = {**thread.context_of(request, conversation), **shown, **(extra or {})}
    if not thread.is_htmx(request):
        return thread.page(request, context, status=status)
    field = (shown["form"] if write == "reply" else shown["note_form"]).fields["text"]
    field.widget.attrs["autofocus"] = True  # the field that had the focus is replaced
    return render(request, "conversations/replies/create.html", {**context, "oob": True}, status=status)


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
