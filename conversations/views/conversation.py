"""One conversation: its messages, whose it is, and where to answer."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from conversations import pause, replies, wording
from conversations.access import get_conversation
from conversations.forms import ReplyForm
from conversations.models import Conversation, Message
from conversations.views import inbox
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Person, Role

MESSAGES_PER_PAGE = 60


@dataclass(frozen=True)
class Bubble:
    """What a message shows."""

    message: Message
    day: date | None  # set on the first of a day, in the org's time zone
    by: str
    is_ours: bool
    kind: str
    media_trouble: str
    state: str
    tone: str
    ticks: int
    failure: str
    is_draft: bool
    is_stuck: bool


@require_role(Role.VIEWER)
@require_GET
def show(request: OrgRequest, pk: int) -> HttpResponseBase:
    """The thread. htmx gets the messages and the header, never the composer; or 204 while they are as `seen`."""
    conversation = get_conversation(request, pk)
    if conversation.unread and request.membership.may(Role.SDR):
        Conversation.objects.filter(pk=pk).update(unread=0)
    context = context_of(request, conversation)
    if not is_htmx(request):
        response = render(request, "conversations/conversation/show.html", {**context, "form": ReplyForm()})
    elif request.GET.get("seen") == context["version"]:
        response = HttpResponse(status=204)
    else:
        response = render(request, "conversations/conversation/_refresh.html", {**context, "oob": True})
    patch_vary_headers(response, ["HX-Request"])
    return response


def answer(request: OrgRequest, pk: int) -> HttpResponseBase:
    """After a change: the refreshed thread for htmx, otherwise back to the page."""
    if not is_htmx(request):
        return redirect("conversations:conversation", slug=request.org.slug, pk=pk)
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
    people = inbox.names(
        {message.person_id for message in shown if message.person_id is not None}
        | ({conversation.owner_person_id} if conversation.owner_person_id is not None else set())
    )
    bubbles = bubbles_of(shown, request.user, people, zone=ZoneInfo(request.org.time_zone))
    owner = inbox.owner_of(conversation, request.user, people)
    paused = pause.current()
    need = wording.need(conversation.needs_reason) if conversation.needs_person_since else ""
    return {
        "conversation": conversation,
        "bubbles": bubbles,
        "owner": owner,
        "need": need,
        "is_mine": conversation.owner_person_id == request.user.pk,
        "is_ai": conversation.owner == Conversation.Owner.AI,
        "paused": paused,
        "before": before,
        "earlier": min(message.seq for message in shown) if len(page) > MESSAGES_PER_PAGE else "",
        "version": version_of(bubbles, (str(conversation.contact), owner, need, paused is not None)),
        "may_write": request.membership.may(Role.SDR),
    }


def bubbles_of(shown: list[Message], me: Person, people: dict[int, str], *, zone: ZoneInfo) -> list[Bubble]:
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
                media_trouble=trouble_of(message),
                state=state,
                tone=tone,
                ticks=ticks,
                failure=wording.failure(message.failure) if is_ours else "",
                is_draft=message.state == Message.State.DRAFT,
                is_stuck=is_ours and replies.is_stuck(message),
            )
        )
        last_day = day
    return bubbles


def author_of(message: Message, me: Person, people: dict[int, str]) -> str:
    """Who speaks, in words."""
    if message.author != Message.Author.PERSON:
        return str(message.get_author_display())
    if message.person_id is None:
        return _("Company's phone")
    if message.person_id == me.pk:
        return _("You")
    return people.get(message.person_id) or str(message.get_author_display())


def trouble_of(message: Message) -> str:
    """Why the file of a message cannot be had, or nothing."""
    media = getattr(message, "media", None)
    if media is None:
        return ""
    match media.state:
        case media.State.REFUSED if media.failure == "view_once":
            return _("To be seen once, on the phone only.")
        case media.State.REFUSED:
            return _("Not kept: too large, or not what it claims to be.")
        case media.State.FAILED:
            return _("The file could not be fetched.")
        case media.State.WANTED:
            return _("The file is on its way.")
        case _:
            return ""


def version_of(bubbles: list[Bubble], around: tuple[object, ...]) -> str:
    """Changes whenever the thread or its header would look different."""
    shown = [
        (one.message.pk, one.message.text, one.message.reaction, one.message.edited_at, one.message.deleted_at,
         one.state, one.failure, one.ticks, one.media_trouble, one.by, one.is_stuck)
        for one in bubbles
    ]  # fmt: skip
    return sha256(repr((shown, around)).encode()).hexdigest()[:16]


def is_htmx(request: OrgRequest) -> bool:
    return request.headers.get("HX-Request") == "true"
