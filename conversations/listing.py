"""Which conversations the inbox lists, and how many there are: tabs, filters, search, order, pages (FIELD 4.2).

What a page asks for comes from its address and is read into a `Wanted`; nothing else of the address is believed. Counts
stop at a bound and pages go by keyset, so that a list costs the same at any size.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import CharField, OuterRef, Q, Subquery
from django.db.models.expressions import RawSQL
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations import access, finding
from conversations.models import Conversation, Mention
from conversations.models.conversation import ConversationQuerySet
from orgs.models import Membership, Person

PER_PAGE = 25
BESIDE = 10  # of a page that opens a conversation: the list asks for the rest by itself
COUNTED = 999  # more are "999+"
QUERY_CHARS = 80
MORE_THAN_IDS = 10**13  # 100 of it is still exact in a browser
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
PLACE = re.compile(r"(?P<micros>-?[0-9]{1,17})-(?P<pk>[0-9]{1,18})")
NOT_CLOSED = ~Q(lifecycle=Conversation.Lifecycle.CLOSED)

TABS: dict[str, str | Promise] = {
    "needs": _("Needs you"),
    "mine": _("Mine"),
    "mentions": _("Mentions"),  # shown while somebody calls the member in a note they have not seen
    "unassigned": _("Unassigned"),
    "ai": _("AI working"),
    "all": _("All"),
}
WHOLE = frozenset({"all", "mentions"})  # closed conversations, too
SORTS: dict[str, str | Promise] = {
    "recent": _("Last activity"),
    "waiting": _("Longest waiting"),
    "score": _("Highest score"),
    "newest": _("Newest first"),
}
STATUSES: dict[str, str | Promise] = dict(Conversation.Lifecycle.choices)
UNREAD_COUNTED = 99  # more are "99+"

# What the lead has written since the member last had the conversation open, or since they are a member.
UNREAD = """(
    SELECT count(*) FROM (
        SELECT 1 FROM conversations_message m
        WHERE m.conversation_id = conversations_conversation.id AND m.author = 'lead' AND m.deleted_at IS NULL
          AND m.created_at > %s
          AND m.seq > coalesce((
                SELECT r.seq FROM conversations_readmark r
                WHERE r.conversation_id = conversations_conversation.id AND r.person_id = %s), 0)
        LIMIT %s) AS unread)"""
READ = """
INSERT INTO conversations_readmark (conversation_id, person_id, seq)
SELECT c.id, %s, seen.seq FROM unnest(%s::bigint[], %s::int[]) AS seen(id, seq)
JOIN conversations_conversation c USING (id) ORDER BY c.id
ON CONFLICT (conversation_id, person_id) DO UPDATE SET seq = excluded.seq
WHERE conversations_readmark.seq < excluded.seq
"""
# What stands around the rows, in the same round trip as the counts.
VIEWS = """SELECT coalesce(json_agg(json_build_array(id, name, query) ORDER BY name), '[]'::json)
    FROM conversations_savedview WHERE person_id = %s"""
NUMBERS = """SELECT coalesce(json_agg(json_build_array(id, name) ORDER BY name, id), '[]'::json)
    FROM conversations_number WHERE removed_at IS NULL"""


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


@dataclass(frozen=True)
class Around:
    """What a list shows besides its rows: how many each tab holds, the member's views (id, name, query), the org's
    numbers (id, name).
    """

    counts: dict[str, int]
    views: list[tuple[int, str, str]]
    numbers: list[tuple[int, str]]


def tab(name: str, wanted: Wanted, me: int) -> Q:
    """The condition of a tab for the person `me`, with the filters that are on."""
    status = Q(lifecycle=wanted.status) if wanted.status else (Q() if name in WHOLE else NOT_CLOSED)
    condition = {
        "needs": Q(needs_person_since__isnull=False),
        "mine": Q(owner=Conversation.Owner.PERSON, owner_person_id=me) | Q(assignee_id=me),
        "mentions": Q(pk__in=Mention.objects.filter(person_id=me, seen_at=None).values("conversation_id")),
        "unassigned": Q(
            owner__in=[Conversation.Owner.PERSON, Conversation.Owner.NOBODY], owner_person_id=None, assignee_id=None
        ),
        "ai": Q(owner=Conversation.Owner.AI, owner_person_id=None),
        "all": Q(),
    }[name]
    return condition & status & (Q() if wanted.number is None else Q(number_id=wanted.number))


def search(wanted: Wanted) -> list[int] | None:
    """Ids of the conversations that the search finds; None without a search. Two queries, to be made once a page."""
    return finding.conversations(wanted.q) if wanted.q else None


def page(
    wanted: Wanted,
    member: Membership,
    *,
    found: list[int] | None = None,
    before: tuple[int, int] | None = None,
    size: int = PER_PAGE,
) -> tuple[list[Conversation], str]:
    """A page of the list as the member may see it, and where the next one begins ("" after the last). One query.

    In: `found`, as `search` has it. The rows have two values more: `owner_name`, of the person who has the
    conversation, and `unread_by_me`, the lead's messages the member has not seen, at most UNREAD_COUNTED + 1.
    """
    me = member.person_id
    owner = Person.objects.filter(pk=OuterRef("owner_person_id")).values("name")
    among = (
        matching(found, member)
        .with_inbox_data()
        .select_related("qualification")
        .annotate(
            owner_name=Subquery(owner, output_field=CharField()),
            unread_by_me=RawSQL(UNREAD, [member.created_at, me, UNREAD_COUNTED + 1]),  # noqa: S611  # ours
        )
    )
    rows = list(ordered(among.filter(tab(wanted.show, wanted, me)), wanted.sort, before)[: size + 1])
    shown = rows[:size]
    return shown, place_of(shown[-1], wanted.sort) if len(rows) > size else ""


def around(wanted: Wanted, member: Membership, *, found: list[int] | None = None) -> Around:
    """What stands around the rows, for the member. One query.

    How many conversations each tab holds with the filters and the search is counted up to COUNTED + 1 of each.
    """
    me = member.person_id
    among = matching(found, member)
    parts, values = [f"({VIEWS})", f"({NUMBERS})"], [me]
    for place, name in enumerate(TABS):
        if found == []:
            parts.append("0")
            continue
        chosen = among.filter(tab(name, wanted, me)).order_by().values("pk")[: COUNTED + 1]
        sql, params = chosen.query.sql_with_params()
        parts.append(f"(SELECT count(*) FROM ({sql}) AS c{place})")  # noqa: S608  # Django's own
        values += params
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(parts), values)
        views, numbers, *counted = cursor.fetchone()
    return Around(
        counts=dict(zip(TABS, counted, strict=True)),
        views=[(pk, name, query) for pk, name, query in decoded(views)],
        numbers=[(pk, name) for pk, name in decoded(numbers)],
    )


def decoded(value: Any) -> list[Any]:
    """A column of JSON, which the driver may hand over as text."""
    found: list[Any] = json.loads(value) if isinstance(value, str) else value
    return found


def read(conversations: Sequence[Conversation], person_id: int) -> None:
    """The person has seen what was in these conversations when they were loaded. One statement; safe to repeat."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [person_id, [one.pk for one in conversations], [one.seq for one in conversations]])


def matching(found: list[int] | None, member: Membership) -> ConversationQuerySet:
    """What the member may see of every conversation, or of those a search has found."""
    seen = Conversation.objects.filter(access.theirs(member))
    return seen if found is None else seen.filter(pk__in=found)


def ordered(found: ConversationQuerySet, sort: str, before: tuple[int, int] | None) -> ConversationQuerySet:
    """In that order, from behind that place on.

    Sorted by who waits longest or who has the highest score, only those are listed who wait, or have one.
    """
    match sort:
        case "score":
            found = found.filter(qualification__score__gte=0)
            found = found.order_by("-qualification__score", "-qualification__conversation_id")
            if before is None:
                return found
            score, pk = before
            return found.filter(qualification__score__lte=score).filter(  # the bound by which an index is entered
                Q(qualification__score__lt=score) | Q(qualification__score=score, qualification__conversation_id__lt=pk)
            )
        case "newest":
            found = found.order_by("-pk")
            return found if before is None else found.filter(pk__lt=before[1])
        case "waiting":
            found = found.filter(needs_person_since__isnull=False).order_by("needs_person_since", "pk")
            if before is None:
                return found
            at = EPOCH + before[0] * MICROSECOND
            found = found.filter(needs_person_since__gte=at)
            return found.filter(Q(needs_person_since__gt=at) | Q(needs_person_since=at, pk__gt=before[1]))
        case _:
            found = found.order_by("-last_message_at", "-pk")
            if before is None:
                return found
            at = EPOCH + before[0] * MICROSECOND
            found = found.filter(last_message_at__lte=at)
            return found.filter(Q(last_message_at__lt=at) | Q(last_message_at=at, pk__lt=before[1]))


def place_of(conversation: Conversation, sort: str = "recent") -> str:
    """Where a page ends, as its address says it: microseconds since 1970, or the score, and the id."""
    if sort == "score":
        return f"{conversation.qualification.score}-{conversation.pk}"
    at = conversation.needs_person_since if sort == "waiting" else conversation.last_message_at
    return f"{((at or EPOCH) - EPOCH) // MICROSECOND}-{conversation.pk}"


def rank_of(conversation: Conversation, sort: str) -> int:
    """A number that is higher for what stands above, in that order."""
    if sort == "newest":
        return conversation.pk
    if sort == "score":
        return conversation.qualification.score * MORE_THAN_IDS + conversation.pk
    micros = int(place_of(conversation, sort).rpartition("-")[0])
    return -micros if sort == "waiting" else micros


def place(name: str) -> tuple[int, int] | None:
    """What `place_of` wrote, read back: (microseconds or score, id). None for anything else."""
    match = PLACE.fullmatch(name) if name.isascii() else None
    return None if match is None else (int(match["micros"]), int(match["pk"]))
