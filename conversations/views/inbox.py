"""The list of conversations: newest first, in pages, filtered by whose turn it is."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from conversations import pause, wording
from conversations.models import Conversation, Message
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Person, Role

CONVERSATIONS_PER_PAGE = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PLACE = re.compile(r"(?P<micros>[0-9]{1,17})-(?P<pk>[0-9]{1,18})")


@dataclass(frozen=True)
class Tab:
    """A filter, with how many conversations it holds."""

    name: str
    label: str | Promise
    count: int
    is_current: bool


@dataclass(frozen=True)
class Row:
    """What a line of the list shows."""

    conversation: Conversation
    owner: str
    need: str
    preview: str
    preview_by: str


LABELS: dict[str, str | Promise] = {
    "needs": _("Needs you"),
    "ai": _("AI"),
    "mine": _("Mine"),
    "all": _("All"),
}


@require_role(Role.VIEWER)
@require_GET
def show(request: OrgRequest) -> HttpResponse:
    """The list; htmx gets it alone, or 204 while it is as `seen`."""
    current = request.GET.get("show", "")
    if current not in LABELS:
        current = "all"
    wanted = filters(request.user)
    counts = Conversation.objects.aggregate(**{name: Count("pk", filter=which) for name, which in wanted.items()})
    found = Conversation.objects.with_inbox_data().filter(wanted[current]).recent_first()
    before = place(request.GET.get("before", ""))
    if before is not None:
        at, pk = before
        found = found.filter(Q(last_message_at__lt=at) | Q(last_message_at=at, pk__lt=pk))
    page = list(found[: CONVERSATIONS_PER_PAGE + 1])
    shown = page[:CONVERSATIONS_PER_PAGE]
    rows = rows_of(shown, request.user)
    paused = pause.current()
    version = version_of(rows, counts, paused is not None)
    is_htmx = request.headers.get("HX-Request") == "true"
    if is_htmx and request.GET.get("seen") == version:
        response = HttpResponse(status=204)
    else:
        context = {
            "tabs": [Tab(name, label, counts[name], name == current) for name, label in LABELS.items()],
            "rows": rows,
            "current": current,
            "before": request.GET.get("before", "") if before else "",
            "older": name_of(shown[-1]) if len(page) > CONVERSATIONS_PER_PAGE else "",
            "version": version,
            "paused": paused,
            "may_write": request.membership.may(Role.SDR),
        }
        template = "conversations/inbox/_list.html" if is_htmx else "conversations/inbox/show.html"
        response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def filters(person: Person) -> dict[str, Q]:
    """The conditions of the tabs, for whoever looks."""
    return {
        "needs": Q(needs_person_since__isnull=False) & ~Q(lifecycle=Conversation.Lifecycle.CLOSED),
        "ai": Q(owner=Conversation.Owner.AI),
        "mine": Q(owner=Conversation.Owner.PERSON, owner_person_id=person.pk),
        "all": Q(),
    }


def name_of(conversation: Conversation) -> str:
    """Where a page ends, as the address says it: microseconds since 1970 and the id."""
    return f"{(conversation.last_message_at - EPOCH) // MICROSECOND}-{conversation.pk}"


def place(name: str) -> tuple[datetime, int] | None:
    """What `name_of` wrote, read back; None for anything else."""
    match = PLACE.fullmatch(name)
    return None if match is None else (EPOCH + int(match["micros"]) * MICROSECOND, int(match["pk"]))


def rows_of(conversations: list[Conversation], me: Person) -> list[Row]:
    """The lines, with the names of the people who own them (one query)."""
    people = names({row.owner_person_id for row in conversations if row.owner_person_id is not None})
    owners = {row.pk: owner_of(row, me, people) for row in conversations}
    return [
        Row(
            conversation=row,
            owner=owners[row.pk],
            need=wording.need(row.needs_reason) if row.needs_person_since else "",
            preview=str(wording.KINDS.get(row.preview, row.preview)),
            preview_by=preview_by(row, owners[row.pk]),
        )
        for row in conversations
    ]


def preview_by(conversation: Conversation, owner: str) -> str:
    """Who said what the line shows, when it was one of us. Of people only the present owner is known by name."""
    match conversation.preview_author:
        case Message.Author.AI:
            return str(Message.Author.AI.label)
        case Message.Author.PERSON if conversation.owner == Conversation.Owner.PERSON:
            return owner
        case Message.Author.PERSON:
            return str(Message.Author.PERSON.label)
        case _:
            return ""


def names(pks: set[int]) -> dict[int, str]:
    """Names of people by id; who is gone is missing."""
    return dict(Person.objects.filter(pk__in=pks).values_list("pk", "name")) if pks else {}


def owner_of(conversation: Conversation, me: Person, people: dict[int, str]) -> str:
    """Whose conversation it is, in words."""
    if conversation.owner != Conversation.Owner.PERSON:
        return str(conversation.get_owner_display())
    if conversation.owner_person_id is None:
        return str(_("Company's phone"))
    if conversation.owner_person_id == me.pk:
        return str(_("You"))
    return people.get(conversation.owner_person_id) or str(conversation.get_owner_display())


def version_of(rows: list[Row], counts: dict[str, int], is_paused: bool) -> str:
    """Changes whenever the list would look different."""
    shown = [
        (row.conversation.pk, str(row.conversation.contact), row.owner, row.need, row.preview, row.preview_by,
         row.conversation.unread, row.conversation.last_message_at.isoformat(), row.conversation.number.name)
        for row in rows
    ]  # fmt: skip
    return sha256(repr((shown, counts, is_paused)).encode()).hexdigest()[:16]
