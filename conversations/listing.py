"""Which conversations the inbox lists, and how many there are: tabs, filters, search, order, pages (FIELD 4.2).

What a page asks for comes from its address and is read into a `Wanted`; nothing else of the address is believed. Counts
stop at a bound and pages go by keyset, so that a list costs the same at any size.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations import finding
from conversations.models import Conversation
from conversations.models.conversation import ConversationQuerySet

PER_PAGE = 25
COUNTED = 999  # more are "999+"
QUERY_CHARS = 80
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PLACE = re.compile(r"(?P<micros>-?[0-9]{1,17})-(?P<pk>[0-9]{1,18})")
NOT_CLOSED = ~Q(lifecycle=Conversation.Lifecycle.CLOSED)

TABS: dict[str, str | Promise] = {
    "needs": _("Needs you"),
    "mine": _("Mine"),
    "unassigned": _("Unassigned"),
    "ai": _("AI working"),
    "all": _("All"),
}
SORTS: dict[str, str | Promise] = {
    "recent": _("Last activity"),
    "waiting": _("Longest waiting"),
    "newest": _("Newest first"),
}
STATUSES: dict[str, str | Promise] = dict(Conversation.Lifecycle.choices)


@dataclass(frozen=True)
class Wanted:
    """What a list is asked for. `status` "" is what the tab shows by itself; `number` None is every number."""

    show: str = "all"
    status: str = ""
    number: int | None = None
    q: str = ""
    sort: str = "recent"

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Wanted":
        """From a query string; what makes no sense is left out."""
        show, status, sort = given.get("show", ""), given.get("status", ""), given.get("sort", "")
        number = given.get("number", "")
        return cls(
            show=show if show in TABS else "all",
            status=status if status in STATUSES else "",
            number=int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None,
            q=" ".join(given.get("q", "").replace("\x00", "").split())[:QUERY_CHARS],
            sort=sort if sort in SORTS else "recent",
        )

    def but(self, **changes: Any) -> "Wanted":
        return replace(self, **changes)

    @property
    def query(self) -> str:
        """As a query string, without what goes without saying."""
        said = {"show": self.show, "status": self.status, "number": self.number, "q": self.q, "sort": self.sort}
        usual = {"show": "all", "status": "", "number": None, "q": "", "sort": "recent"}
        return urlencode({name: value for name, value in said.items() if value != usual[name]})

    @property
    def filters(self) -> int:
        """How many filters are on, besides tab and search."""
        return (self.status != "") + (self.number is not None) + (self.sort != "recent")


def tab(name: str, wanted: Wanted, me: int) -> Q:
    """The condition of a tab for the person `me`, with the filters that are on."""
    status = Q(lifecycle=wanted.status) if wanted.status else (Q() if name == "all" else NOT_CLOSED)
    condition = {
        "needs": Q(needs_person_since__isnull=False),
        "mine": Q(owner=Conversation.Owner.PERSON, owner_person_id=me),
        "unassigned": Q(owner__in=[Conversation.Owner.PERSON, Conversation.Owner.NOBODY], owner_person_id=None),
        "ai": Q(owner=Conversation.Owner.AI, owner_person_id=None),
        "all": Q(),
    }[name]
    return condition & status & (Q() if wanted.number is None else Q(number_id=wanted.number))


def search(wanted: Wanted) -> list[int] | None:
    """Ids of the conversations that the search finds; None without a search. Two queries, to be made once a page."""
    return finding.conversations(wanted.q) if wanted.q else None


def page(
    wanted: Wanted, me: int, *, found: list[int] | None = None, before: tuple[int, int] | None = None
) -> tuple[list[Conversation], str]:
    """A page of the list, and where the next one begins ("" after the last). In: `found`, as `search` has it."""
    among = matching(found).with_inbox_data().select_related("qualification")
    rows = list(ordered(among.filter(tab(wanted.show, wanted, me)), wanted.sort, before)[: PER_PAGE + 1])
    shown = rows[:PER_PAGE]
    return shown, place_of(shown[-1], wanted.sort) if len(rows) > PER_PAGE else ""


def counts(wanted: Wanted, me: int, *, found: list[int] | None = None) -> dict[str, int]:
    """How many conversations each tab holds with the filters and the search, at most COUNTED + 1 of each; one query."""
    if found == []:
        return dict.fromkeys(TABS, 0)
    among = matching(found)
    parts: list[str] = []
    values: list[Any] = []
    for place, name in enumerate(TABS):
        chosen = among.filter(tab(name, wanted, me)).order_by().values("pk")[: COUNTED + 1]
        sql, params = chosen.query.sql_with_params()
        parts.append(f"(SELECT count(*) FROM ({sql}) AS c{place})")  # noqa: S608  # Django's own
        values += params
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(parts), values)
        return dict(zip(TABS, cursor.fetchone(), strict=True))


def matching(found: list[int] | None) -> ConversationQuerySet:
    """Every conversation, or those a search has found."""
    return Conversation.objects.all() if found is None else Conversation.objects.filter(pk__in=found)


def ordered(found: ConversationQuerySet, sort: str, before: tuple[int, int] | None) -> ConversationQuerySet:
    """In that order, from behind that place on. Nobody waits in a row without `needs_person_since`: it comes last."""
    match sort:
        case "newest":
            found = found.order_by("-pk")
            return found if before is None else found.filter(pk__lt=before[1])
        case "waiting":
            found = found.filter(needs_person_since__isnull=False).order_by("needs_person_since", "pk")
            if before is None:
                return found
            at = EPOCH + before[0] * MICROSECOND
            return found.filter(Q(needs_person_since__gt=at) | Q(needs_person_since=at, pk__gt=before[1]))
        case _:
            found = found.order_by("-last_message_at", "-pk")
            if before is None:
                return found
            at = EPOCH + before[0] * MICROSECOND
            return found.filter(Q(last_message_at__lt=at) | Q(last_message_at=at, pk__lt=before[1]))


def place_of(conversation: Conversation, sort: str = "recent") -> str:
    """Where a page ends, as its address says it: microseconds since 1970 and the id."""
    at = conversation.needs_person_since if sort == "waiting" else conversation.last_message_at
    return f"{((at or EPOCH) - EPOCH) // MICROSECOND}-{conversation.pk}"


def rank_of(conversation: Conversation, sort: str) -> int:
    """A number that is higher for what stands above, in that order."""
    if sort == "newest":
        return conversation.pk
    micros = int(place_of(conversation, sort).rpartition("-")[0])
    return -micros if sort == "waiting" else micros


def place(name: str) -> tuple[int, int] | None:
    """What `place_of` wrote, read back: (microseconds, id). None for anything else."""
    match = PLACE.fullmatch(name) if name.isascii() else None
    return None if match is None else (int(match["micros"]), int(match["pk"]))
