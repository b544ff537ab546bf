"""The inbox's list of conversations: alone, beside an open one, and a page more of it."""

from dataclasses import dataclass
from hashlib import sha256

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from conversations import listing, wording
from conversations.forms import CLOSINGS
from conversations.listing import Wanted
from conversations.models import Conversation, Message, Qualification
from conversations.qualification import Stage
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Person, Role

# Letter and name of each stage.
STAGES: dict[str, tuple[str, str | Promise]] = {
    Stage.SITUATION: ("S", _("Situation")),
    Stage.PROBLEM: ("P", _("Problem")),
    Stage.IMPLICATION: ("I", _("Implication")),
    Stage.NEED_PAYOFF: ("N", _("Need-payoff")),
    Stage.QUALIFIED: ("Q", _("Qualified")),
}


@dataclass(frozen=True)
class Tab:
    """A tab, with how many conversations it holds, and the address that opens it."""

    name: str
    label: str | Promise
    count: str
    is_current: bool
    query: str


@dataclass(frozen=True)
class Choice:
    """One value of a filter."""

    value: str
    label: str | Promise
    is_current: bool


@dataclass(frozen=True)
class View:
    """Filters kept under a name."""

    pk: int
    name: str
    query: str
    is_current: bool


@dataclass(frozen=True)
class Row:
    """What a line of the list shows. `rank`: higher stands above. `digest` changes when it looks different."""

    conversation: Conversation
    owner: str
    owned_by: str  # ai, me, other or nobody: the colour of the dot
    need: str
    preview: str
    preview_by: str
    standing: str
    stage: str
    stage_letter: str
    score: int | None
    unread: int
    rank: int
    is_current: bool

    @property
    def unread_words(self) -> str:
        """How many messages the member has not seen, as it is shown; nothing for none."""
        return f"{listing.UNREAD_COUNTED}+" if self.unread > listing.UNREAD_COUNTED else str(self.unread or "")

    @property
    def digest(self) -> str:
        one = self.conversation
        shown = (
            str(one.contact), self.owner, self.need, self.preview, self.preview_by, self.standing, self.stage,
            self.score, self.unread, one.last_message_at.isoformat(), one.number.name,
        )  # fmt: skip
        return sha256(repr(shown).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Inbox:
    """The list column. `selected` is the open conversation's id; `older` where the next page begins."""

    wanted: Wanted
    tabs: list[Tab]
    rows: list[Row]
    views: list[View]
    numbers: list[Choice]
    statuses: list[Choice]
    sorts: list[Choice]
    before: str
    older: str
    version: str
    selected: int | None


@require_role(Role.VIEWER)
@require_GET
def show(request: OrgRequest) -> HttpResponse:
    """The inbox. htmx gets the list alone, or 204 while it is as `seen`; with `more`, only further rows."""
    is_htmx = request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers
    column = column_of(request, selected=selected_in(request))
    context = {"inbox": column, "may_write": request.membership.may(Role.SDR)}
    if is_htmx and "more" in request.GET:
        response = render(request, "conversations/inbox/_rows.html", context)
    elif is_htmx and request.GET.get("seen") == column.version:
        response = HttpResponse(status=204)
    elif is_htmx:
        response = render(request, "conversations/inbox/_refresh.html", context)
    else:
        response = render(request, "conversations/inbox/show.html", context | {"closings": CLOSINGS})
    patch_vary_headers(response, ["HX-Request"])
    return response


def column_of(request: OrgRequest, *, selected: int | None = None, is_beside: bool = False) -> Inbox:
    """The list as the address asks for it. `is_beside`: next to an open conversation, always from the top."""
    me = request.user
    wanted = Wanted.read(request.GET)
    before = None if is_beside else listing.place(request.GET.get("before", ""))
    found = listing.search(wanted)
    size = listing.BESIDE if is_beside else listing.PER_PAGE
    shown, older = listing.page(wanted, request.membership, found=found, before=before, size=size)
    around = listing.around(wanted, request.membership, found=found)
    rows = rows_of(shown, me, sort=wanted.sort, selected=selected)
    return Inbox(
        wanted=wanted,
        tabs=[
            Tab(name, label, count_of(around.counts[name]), name == wanted.show, wanted.but(show=name).query)
            for name, label in listing.TABS.items()
            if name != "mentions" or around.counts[name] or wanted.show == name
        ],
        rows=rows,
        views=[View(pk, name, query, query == wanted.but(q="").query) for pk, name, query in around.views],
        numbers=[Choice(str(pk), name, pk == wanted.number) for pk, name in around.numbers],
        statuses=[Choice(value, label, value == wanted.status) for value, label in listing.STATUSES.items()],
        sorts=[Choice(value, label, value == wanted.sort) for value, label in listing.SORTS.items()],
        before=request.GET.get("before", "") if before else "",
        older=older,
        version=version_of(rows, around.counts),
        selected=selected,
    )


def selected_in(request: OrgRequest) -> int | None:
    """The conversation that is open beside the list that is refreshed."""
    given = request.GET.get("selected", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


def count_of(count: int) -> str:
    return f"{listing.COUNTED}+" if count > listing.COUNTED else str(count)


def rows_of(
    conversations: list[Conversation], me: Person, *, sort: str = "recent", selected: int | None = None
) -> list[Row]:
    """The lines of what `listing.page` has found. No query."""
    rows = []
    for row in conversations:
        owner_name: str | None = getattr(row, "owner_name", None)
        unread: int = getattr(row, "unread_by_me", 0)
        people = {row.owner_person_id: owner_name} if row.owner_person_id is not None and owner_name else {}
        owner = owner_of(row, me, people)
        kept: Qualification | None = getattr(row, "qualification", None)
        letter, stage = STAGES.get(kept.stage, ("", "")) if kept else ("", "")
        rows.append(
            Row(
                conversation=row,
                owner=owner,
                owned_by=owned_by(row, me),
                need=wording.need(row.needs_reason) if row.needs_person_since else "",
                preview=str(wording.KINDS.get(row.preview, row.preview)),
                preview_by=preview_by(row, owner),
                standing=wording.standing(row),
                stage=str(stage),
                stage_letter=letter,
                score=kept.score if kept else None,
                unread=unread,
                rank=listing.rank_of(row, sort),
                is_current=row.pk == selected,
            )
        )
    return rows


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


def owned_by(conversation: Conversation, me: Person) -> str:
    if conversation.owner != Conversation.Owner.PERSON:
        return str(conversation.owner)
    return "me" if conversation.owner_person_id == me.pk else "other"


def version_of(rows: list[Row], counts: dict[str, int]) -> str:
    """Changes whenever the list would look different."""
    return sha256(repr(([(row.conversation.pk, row.digest) for row in rows], counts)).encode()).hexdigest()[:16]
