"""One conversation: its messages, whose it is, and where to answer."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from conversations import (
    content,
    lead_panel,
    listing,
    media,
    notes,
    pause,
    replies,
    steering,
    transcripts,
    typists,
    wording,
)
from conversations.access import get_conversation, is_erased, theirs
from conversations.forms import CLOSINGS, SNOOZES
from conversations.models import Conversation, MediaAsset, Message
from conversations.views import composer, inbox
from conversations.views.composer import author_of
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Person, Role

MESSAGES_PER_PAGE = 40
QUOTE_CHARS = 120
MAP = "https://www.openstreetmap.org/"  # opened only by who presses the link
MICROPHONE = "microphone=(self)"  # the page with the composer may record


@dataclass(frozen=True)
class Attachment:
    """The stored file of a message. `look` is how the thread shows it: image, audio, video or document."""

    look: str
    name: str
    size: int
    length: str
    width: int | None
    height: int | None


@dataclass(frozen=True)
class Quote:
    """The message that one answers, in short."""

    pk: int
    seq: int
    by: str
    text: str


@dataclass(frozen=True)
class Bubble:
    """What a message shows."""

    message: Message
    day: date | None  # set on the first of a day, in the org's time zone
    by: str
    is_ours: bool
    kind: str
    file: Attachment | None
    file_name: str
    quote: Quote | None
    place: str
    media_trouble: str
    may_come: bool
    may_be_heard: bool
    state: str
    tone: str
    ticks: int
    failure: str
    may_answer: bool
    is_draft: bool
    is_stuck: bool
    is_unknown: bool


@require_role(Role.VIEWER)
@require_GET
def show(request: OrgRequest, pk: int) -> HttpResponseBase:
    """The thread. htmx gets the messages and the header, never the composer; or 204 while they are as `seen`."""
    try:
        conversation = get_conversation(request, pk)
    except Http404:
        if not is_erased(pk):
            raise
        return render(request, "conversations/conversation/erased.html", status=HTTPStatus.GONE)
    if conversation.pk != pk:
        return moved(request, conversation)
    if conversation.unread and request.membership.may(Role.SDR):
        Conversation.objects.filter(pk=pk).update(unread=0)
    notes.see(conversation, request.user)
    context = context_of(request, conversation)
    is_opened = not is_htmx(request) or request.headers.get("HX-Target") == "desk-thread"
    if is_opened or request.GET.get("seen") != context["version"]:
        listing.read([conversation], request.user.pk)
    if not is_htmx(request):
        response = page(request, {**context, **composer.context_of(request, conversation)})
    elif request.headers.get("HX-Target") == "desk-thread":  # opened from the list beside it
        context |= panel_context(request, conversation) | composer.context_of(request, conversation)
        response = render(request, "conversations/conversation/open.html", context)
        response.headers["Permissions-Policy"] = MICROPHONE
    elif request.GET.get("seen") == context["version"]:
        response = HttpResponse(status=204)
    else:
        response = render(request, "conversations/conversation/_refresh.html", {**context, "oob": True})
    patch_vary_headers(response, ["HX-Request"])
    return response


def moved(request: OrgRequest, conversation: Conversation) -> HttpResponseBase:
    """It has become one with another: to that one, from an open page as a whole."""
    response = redirect("conversations:conversation", slug=request.org.slug, pk=conversation.pk)
    if not is_htmx(request):
        return response
    return HttpResponse(status=204, headers={"HX-Redirect": response.headers["Location"]})


def page(request: OrgRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """The whole page; its `form` may come back with errors."""
    column = inbox.column_of(request, selected=context["conversation"].pk, is_beside=True)
    conversation = context["conversation"]
    context = composer.context_of(request, conversation) | context | panel_context(request, conversation)
    context["inbox"] = column
    response = render(request, "conversations/conversation/show.html", context, status=status)
    response.headers["Permissions-Policy"] = MICROPHONE
    return response


def answer(request: OrgRequest, pk: int) -> HttpResponseBase:
    """After a change: the refreshed thread for htmx, otherwise back to the page."""
    if not is_htmx(request):
        return redirect("conversations:conversation", slug=request.org.slug, pk=pk)
    if request.POST.get("from") == "menu":  # perhaps of another conversation than the one that is open
        return render(request, "layouts/_flash.html", {"oob": True})
    context = context_of(request, get_conversation(request, pk))
    return render(request, "conversations/conversation/_refresh.html", {**context, "oob": True, "with_flash": True})


def refuse(request: OrgRequest, pk: int, why: str) -> HttpResponseBase:
    """Nothing was changed: say why, and show how things are."""
    messages.error(request, why)
    return answer(request, pk)


def context_of(request: OrgRequest, conversation: Conversation) -> dict[str, Any]:
    """What every fragment of the thread needs."""
    before = request.GET.get("before", "")
    found = conversation.messages.select_related("media").order_by("-seq")
    if before.isdecimal() and len(before) < 10:
        found = found.filter(seq__lt=int(before))
    else:
        before = ""
    page = list(found[: MESSAGES_PER_PAGE + 1])
    shown = page[:MESSAGES_PER_PAGE]
    earlier = min(message.seq for message in shown) if len(page) > MESSAGES_PER_PAGE else 0
    kept = composer.notes_among(conversation, low=earlier, high=int(before) if before else None)
    writing = typists.others(conversation, request.user)
    people = inbox.names(
        {message.person_id for message in shown if message.person_id is not None}
        | ({conversation.owner_person_id} if conversation.owner_person_id is not None else set())
        | {note.person_id for note in kept}
        | set(writing)
    )
    note_lines = composer.note_lines(conversation, kept, request.user, people)
    written_by = composer.writing_words([people[pk] for pk in writing if pk in people])
    quotes = quotes_of(conversation, shown, request.user)
    bubbles = bubbles_of(shown, request.user, people, quotes=quotes, zone=ZoneInfo(request.org.time_zone))
    owner = inbox.owner_of(conversation, request.user, people)
    paused = pause.current()
    strip = steering.of(conversation, paused=paused)
    need = wording.need(conversation.needs_reason) if conversation.needs_person_since else ""
    return {
        "conversation": conversation,
        "bubbles": bubbles,
        "lines": composer.merged(bubbles, note_lines, ZoneInfo(request.org.time_zone)),
        "written_by": written_by,
        "owner": owner,
        "need": need,
        "is_mine": conversation.owner_person_id == request.user.pk,
        "is_ai": conversation.owner == Conversation.Owner.AI,
        "paused": paused,
        "strip": strip,
        "strip_why": strip_why(strip),
        "before": before,
        "earlier": earlier or "",
        "version": version_of(
            bubbles,
            (
                str(conversation.contact),
                owner,
                need,
                paused is not None,
                wording.standing(conversation),
                strip,
                [(line.note.pk, line.by) for line in note_lines],
                written_by,
            ),
        ),
        "standing": wording.standing(conversation),
        "closings": CLOSINGS,
        "snoozes": SNOOZES,
        "seen_seq": conversation.seq if not before else "",
        "may_write": request.membership.may(Role.SDR),
    }


def strip_why(strip: steering.Strip | None) -> str:
    """In words, what the strip's state is about."""
    if strip is None or not strip.why:
        return ""
    return wording.ignored(strip.why) if strip.doing is steering.Doing.IGNORED else wording.failure(strip.why)


def panel_context(request: OrgRequest, conversation: Conversation) -> dict[str, Any]:
    """What the lead's panel needs: for answers that show it, not for the thread's refresh every few seconds."""
    return {
        "conversation": conversation,
        "panel": lead_panel.of(conversation, request.user, seen=theirs(request.membership)),
        "may_write": request.membership.may(Role.SDR),
        "may_administer": request.membership.may(Role.ADMIN),
    }


def bubbles_of(
    shown: list[Message], me: Person, people: dict[int, str], *, quotes: dict[str, Quote], zone: ZoneInfo
) -> list[Bubble]:
    """The messages as people read them: oldest first by the provider's clock, with a new day marked."""
    shown.sort(key=lambda message: (message.sent_at or message.created_at, message.seq))
    bubbles = []
    last_day: date | None = None
    for message in shown:
        day = timezone.localtime(message.sent_at or message.created_at, zone).date()
        is_ours = message.author != Message.Author.LEAD
        state, tone, ticks = wording.progress(message) if is_ours else ("", "", 0)
        bubbles.append(
            Bubble(
                message=message,
                day=day if day != last_day else None,
                by=author_of(message, me, people),
                is_ours=is_ours,
                kind=wording.kind(message),
                file=attachment_of(message),
                file_name=media.shown_name(message.media.file_name) if hasattr(message, "media") else "",
                quote=quotes.get(message.quoted_id),
                place=place_of(message),
                media_trouble=trouble_of(message),
                may_come=hasattr(message, "media") and media.may_come(message.media),
                may_be_heard=may_be_heard(message),
                state=state,
                tone=tone,
                ticks=ticks,
                failure=wording.failure(message.failure) if is_ours else "",
                may_answer=replies.quotable(message),
                is_draft=message.state == Message.State.DRAFT,
                is_stuck=is_ours and replies.is_stuck(message),
                is_unknown=message.state == Message.State.UNKNOWN,
            )
        )
        last_day = day
    return bubbles


def quotes_of(conversation: Conversation, shown: list[Message], me: Person) -> dict[str, Quote]:
    """What the shown messages answer, by the provider's id (one query, and one for the names)."""
    wanted = {message.quoted_id for message in shown if message.quoted_id}
    if not wanted:
        return {}
    found = list(conversation.messages.select_related("media").filter(provider_id__in=wanted))
    people = inbox.names({message.person_id for message in found if message.person_id is not None})
    return {
        str(message.provider_id): Quote(
            message.pk,
            message.seq,
            author_of(message, me, people),
            _("This message was deleted.")
            if message.deleted_at
            else Truncator(message.text).chars(QUOTE_CHARS) or wording.kind(message),
        )
        for message in found
    }


def attachment_of(message: Message) -> Attachment | None:
    """The stored file, as the thread shows it."""
    asset: MediaAsset | None = getattr(message, "media", None)
    if asset is None or asset.state != MediaAsset.State.STORED or asset.size is None:
        return None
    group = asset.mime.partition("/")[0]
    return Attachment(
        look=group if group in {"image", "audio", "video"} and content.is_shown(asset.mime) else "document",
        name=media.download_name(message, asset),
        size=asset.size,
        length=length_of(asset.seconds),
        width=asset.width,
        height=asset.height,
    )


def length_of(seconds: int | None) -> str:
    """0:32, 12:05 or 1:02:03; nothing when it was not told."""
    if not seconds:
        return ""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def may_be_heard(message: Message) -> bool:
    """Whether somebody may ask for the words of its sound: not where they are, or where it is too long."""
    return hasattr(message, "media") and not message.transcript and transcripts.may_be_heard_again(message.media)


def place_of(message: Message) -> str:
    """The address of a map that shows a shared location, or nothing."""
    try:
        latitude, longitude = float(message.extra["latitude"]), float(message.extra["longitude"])
    except (KeyError, TypeError, ValueError):
        return ""
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return ""
    return f"{MAP}?mlat={latitude:.6f}&mlon={longitude:.6f}#map=16/{latitude:.6f}/{longitude:.6f}"


def trouble_of(message: Message) -> str:
    """Why the file of a message cannot be had, or its words cannot; or nothing."""
    asset: MediaAsset | None = getattr(message, "media", None)
    if asset is None:
        return ""
    match asset.state:
        case MediaAsset.State.STORED if transcripts.is_late(asset):
            return _("Understood late: an answer before that does not know it.")
        case MediaAsset.State.STORED:
            return wording.hearing(asset)
        case MediaAsset.State.WANTED if media.may_come(asset):
            return _("The file has not come yet.")
        case MediaAsset.State.WANTED:
            return _("The file is on its way.")
        case MediaAsset.State.FAILED:
            return _("The file could not be fetched.")
    match asset.failure:
        case "view_once":
            return _("To be seen once, on the phone only.")
        case "too_large":
            return _("The file was not kept: it is too large.")
        case "not_what_it_claims":
            return _("The file was not kept: it is not what it claims to be.")
        case _:
            return _("The file was not kept.")


def version_of(bubbles: list[Bubble], around: tuple[object, ...]) -> str:
    """Changes whenever the thread or its header would look different."""
    shown = [
        (one.message.pk, one.message.text, one.message.transcript, one.message.reaction, one.message.edited_at,
         one.message.deleted_at, one.state, one.failure, one.ticks, one.media_trouble, one.by, one.is_stuck,
         one.may_come, one.file, one.quote, one.may_answer)
        for one in bubbles
    ]  # fmt: skip
    return sha256(repr((shown, around)).encode()).hexdigest()[:16]


def is_htmx(request: OrgRequest) -> bool:
    """Asked for a fragment; going back in the browser's history asks for the whole page."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers
