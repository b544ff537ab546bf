"""What waits to be done, over all orgs: figures for staff and metrics, and dead letters brought back (DESIGN 3)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone

from orgs import shift_cluster
from orgs.audit import Action, record
from orgs.models import Due, Heartbeat, Later, Org, Person, Received
from orgs.models.queue import DueQuerySet
from sdr.lib import jobs, metrics

INVARIANTS = "backlog:invariants"
INVARIANTS_KEPT_SECONDS = 24 * 3600

FIGURES = """
SELECT kind, count(*) FILTER (WHERE dead_at IS NULL AND due_at > now()) AS ahead,
       count(*) FILTER (WHERE dead_at IS NULL AND due_at <= now()) AS due,
       count(*) FILTER (WHERE lease_until >= now()) AS leased,
       count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead,
       coalesce(extract(epoch FROM now() - min(due_at) FILTER (
           WHERE dead_at IS NULL AND due_at <= now() AND (lease_until IS NULL OR lease_until < now()))), 0) AS oldest
FROM public.orgs_due GROUP BY kind
"""


@dataclass(frozen=True)
class Figures:
    """Rows of one kind: not due yet, due (those in work among them), in work, dead, in Later; the longest overdue row
    that nobody works on, in seconds."""

    kind: str
    ahead: int = 0
    due: int = 0
    leased: int = 0
    dead: int = 0
    later: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True)
class State:
    """Everything at one moment. `shifts`: at work, over all machines; `beats`: last signs of life by name;
    `invariants`: what must be 0, as last counted `counted_at`."""

    kinds: list[Figures]
    received: int
    shifts: int
    beats: dict[str, datetime]
    invariants: dict[str, int]
    counted_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def state() -> State:
    """How the queues stand now: every kind that exists here or has rows, by name."""
    with connection.cursor() as cursor:
        cursor.execute(FIGURES)
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    later = dict(Later.objects.order_by().values_list("kind").annotate(Count("pk")))
    kinds = []
    for name in sorted({*jobs.registry.kinds, *rows, *later}):
        ahead, due, leased, dead_rows, oldest = rows.get(name, (0, 0, 0, 0, 0.0))
        kinds.append(Figures(name, ahead, due, leased, dead_rows, later.get(name, 0), float(oldest)))
    counts, counted_at = cache.get(INVARIANTS) or ({}, None)
    return State(
        kinds=kinds,
        received=Received.objects.count(),
        shifts=shift_cluster.working(),
        beats=dict(Heartbeat.objects.order_by("name").values_list("name", "beat_at")),
        invariants=counts,
        counted_at=counted_at,
    )


def measure() -> State:
    """Scheduled every minute: the figures as metrics. Out: what was found."""
    found = state()
    for kind in found.kinds:
        for queue, count in (
            ("ahead", kind.ahead), ("due", kind.due), ("leased", kind.leased), ("dead", kind.dead),
            ("later", kind.later),
        ):  # fmt: skip
            metrics.tell("queue_rows", count, queue=queue, kind=kind.kind)
        metrics.tell("queue_oldest_seconds", kind.oldest_seconds, kind=kind.kind)
    return found


def note_invariants(counts: Mapping[str, int]) -> None:
    """Remember what was counted, for the staff's page."""
    cache.set(INVARIANTS, (dict(counts), timezone.now()), INVARIANTS_KEPT_SECONDS)


def dead(*, kind: str = "", org: Org | None = None) -> DueQuerySet:
    """Dead letters, of one kind or org where given, the newest first."""
    found = Due.objects.dead().order_by("-dead_at", "pk")
    if kind:
        found = found.filter(kind=kind)
    if org is not None:
        found = found.filter(org_id=org.pk)
    return found


@transaction.atomic
def replay(rows: DueQuerySet, *, person: Person | None = None, request: HttpRequest | None = None) -> int:
    """Bring these dead letters back, due now; one audit entry per org and kind. Out: how many.

    Those that came back to life meanwhile are left alone. `person`: who does it; None is the command line.
    """
    locked = Due.objects.dead().filter(pk__in=rows.order_by().values("pk")).select_for_update()
    counts: dict[tuple[int, str], list[int]] = {}
    for row in locked.order_by("pk"):
        counts.setdefault((row.org_id, row.kind), []).append(row.pk)
    revived = Due.objects.filter(pk__in=[pk for ids in counts.values() for pk in ids]).replay()
    orgs = Org.objects.in_bulk({org_id for org_id, _ in counts})
    for (org_id, kind), ids in counts.items():
        record(
            Action.QUEUE_REPLAYED, request=request, person=person, org=orgs.get(org_id), target=f"kind:{kind}",
            data={"count": len(ids)},
        )  # fmt: skip
    return revived
