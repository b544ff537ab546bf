"""The two queues, public so that one query finds the next work of all orgs: what arrived, what is due (DESIGN 3).

Everything that must be exact is one SQL statement here. `token` says who holds a row, `lease_until` how long,
`generation` how often it was wanted: an upsert raises the generation and never touches the lease, and finishing deletes
only the generation that was claimed, so news that comes while a row is being worked on is never lost.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, models, transaction
from django.utils import timezone

URGENT, LIVE, NORMAL, CALM = 0, 3, 5, 8  # priorities: smaller goes first
RING_ORGS = 64  # orgs looked at in one claim; the next claim goes on behind them
NEAR = timedelta(hours=1)  # rows due later than this wait in Later, out of the way of claims


@dataclass(frozen=True)
class Want:
    """How many rows of a kind a worker can take now, and how many one org may have in work over the whole system."""

    kind: str
    slots: int
    share: int


@dataclass(frozen=True)
class Claimed:
    """A row in our hands until its lease ends. `token` and `generation` are what finishing compares."""

    id: int
    org_id: int
    kind: str
    ref: str
    token: UUID
    generation: int
    attempts: int
    due_at: datetime
    wanted_since: datetime
    context: dict[str, Any]


class DueQuerySet(models.QuerySet["Due"]):
    def waiting(self) -> "DueQuerySet":
        """Neither dead nor in anybody's hands."""
        return self.filter(dead_at=None).filter(models.Q(lease_until=None) | models.Q(lease_until__lt=timezone.now()))

    def dead(self) -> "DueQuerySet":
        return self.exclude(dead_at=None)

    def want(
        self,
        org_id: int,
        kind: str,
        ref: object,
        *,
        at: datetime | None = None,
        priority: int = NORMAL,
        context: Mapping[str, Any] | None = None,
        no_later_than: timedelta | None = None,
    ) -> None:
        """There is something new to do for (org, kind, ref); call it in the transaction of the change that needs it.

        In: `at` (aware; now by default) replaces the time the row was due, bounded by `no_later_than` after it was
        first wanted; a dead row comes back to life. Never touches who holds the row.
        """
        cap = no_later_than.total_seconds() if no_later_than is not None else None
        with connection.cursor() as cursor:
            cursor.execute(UPSERT, {
                "org": org_id, "kind": kind, "ref": str(ref), "at": at, "priority": priority,
                "context": json.dumps(dict(context or {})), "cap": cap,
            })  # fmt: skip

    def claim(self, wants: Sequence[Want], *, lease: timedelta, after_org: int = 0) -> list[Claimed]:
        """Take due rows for `lease`: by priority and time, never past an org's share, orgs in turn from `after_org` on.

        One claim at a time over the whole system (an advisory lock, else shares could be exceeded); when another one is
        running the answer is empty at once. Commits by itself when called outside a transaction.
        """
        wants = [want for want in wants if want.slots > 0]
        if not wants:
            return []
        with transaction.atomic(), connection.cursor() as cursor:
            # A statement of its own: the next one's snapshot must be younger than the lock, or it counts stale leases.
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [CLAIM_LOCK])
            if not cursor.fetchone()[0]:
                return []
            cursor.execute(CLAIM, {
                "kinds": [want.kind for want in wants], "slots": [want.slots for want in wants],
                "shares": [want.share for want in wants], "lease": lease.total_seconds(), "after": after_org,
                "ring": RING_ORGS, "token": uuid4(),
            })  # fmt: skip
            return [claimed_from(row) for row in cursor.fetchall()]

    def renew(self, rows: Iterable[Claimed], *, lease: timedelta) -> set[int]:
        """Lengthen the leases of rows that are still ours. Out: the ids that were; the others are lost to us."""
        ids, tokens, _ = _columns(rows)
        if not ids:
            return set()
        with connection.cursor() as cursor:
            cursor.execute(RENEW, {"ids": ids, "tokens": tokens, "lease": lease.total_seconds()})
            return {row[0] for row in cursor.fetchall()}

    def finish(self, rows: Iterable[Claimed]) -> set[int]:
        """Delete rows that are done. One that was wanted again meanwhile stays, free to be claimed at once.

        Out: ids that were still ours, deleted or freed. A row missing from it had been lost: its effects must have been
        refused by the compare-and-swap of its kind.
        """
        finished: set[int] = set()
        left = {row.id: row for row in rows}
        for _ in range(FINISH_TRIES):
            if not left:
                break
            ids, tokens, generations = _columns(left.values())
            with connection.cursor() as cursor:
                cursor.execute(FINISH, {"ids": ids, "tokens": tokens, "generations": generations})
                done = {row[0] for row in cursor.fetchall()}
            # A row wanted again while the statement ran matches neither of its arms: once more, with a new snapshot.
            for pk in done:
                del left[pk]
            finished |= done
        return finished

    def retry(self, row: Claimed, *, at: datetime, error: str) -> bool:
        """Give the row back, due at `at`, unless it was wanted again meanwhile (then it stays due as wanted)."""
        with connection.cursor() as cursor:
            cursor.execute(RETRY, {
                "id": row.id, "token": row.token, "generation": row.generation, "at": at, "error": error[:ERROR_CHARS],
            })  # fmt: skip
            return bool(cursor.rowcount == 1)

    def release(self, rows: Iterable[Claimed]) -> None:
        """Give rows back untouched (a graceful stop): whoever comes next may claim them at once."""
        ids, tokens, _ = _columns(rows)
        if ids:
            with connection.cursor() as cursor:
                cursor.execute(RELEASE, {"ids": ids, "tokens": tokens})

    def bury(self, row: Claimed, *, reason: str) -> bool:
        """Give up: the row stays as a dead letter with a reason people understand, until replayed or wanted again."""
        with connection.cursor() as cursor:
            cursor.execute(BURY, {"id": row.id, "token": row.token, "reason": reason[:ERROR_CHARS]})
            return bool(cursor.rowcount == 1)

    def replay(self) -> int:
        """Bring the dead letters of this query back, due now. Out: how many."""
        return self.dead().update(
            dead_at=None,
            attempts=0,
            due_at=timezone.now(),
            generation=models.F("generation") + 1,
            token=None,
            lease_until=None,
        )


ERROR_CHARS = 500
FINISH_TRIES = 3
CLAIM_LOCK = 0x5D4_0003

# The conflict branch is DESIGN 3's upsert: generation and due_at, never token or lease.
UPSERT = """
INSERT INTO public.orgs_due AS due
       (org_id, kind, ref, due_at, wanted_since, generation, priority, context, attempts, last_error)
VALUES (%(org)s, %(kind)s, %(ref)s, coalesce(%(at)s, statement_timestamp()), statement_timestamp(),
        1, %(priority)s, %(context)s, 0, '')
ON CONFLICT (org_id, kind, ref) DO UPDATE SET
    generation = due.generation + 1,
    due_at = CASE WHEN %(cap)s::float8 IS NULL OR due.dead_at IS NOT NULL THEN excluded.due_at
                  ELSE least(excluded.due_at, due.wanted_since + make_interval(secs => %(cap)s::float8)) END,
    wanted_since = CASE WHEN due.dead_at IS NULL THEN due.wanted_since ELSE statement_timestamp() END,
    priority = least(due.priority, excluded.priority),
    context = excluded.context,
    attempts = CASE WHEN due.dead_at IS NULL THEN due.attempts ELSE 0 END,
    dead_at = NULL
"""

# A walk over the orgs that have something due (one index probe each), a ring that starts behind the last claim's orgs:
# a busy org with ten thousand rows is one step of it. Then for each org at most what is left of its share.
CLAIM = """
WITH RECURSIVE want AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(slots)s::int[], %(shares)s::int[]) AS w(kind, slots, share)
),
ahead AS (
    SELECT w.kind, d.org_id, 1 AS n FROM want w, LATERAL (
        SELECT org_id FROM public.orgs_due WHERE dead_at IS NULL AND kind = w.kind AND org_id > %(after)s
        ORDER BY org_id LIMIT 1) d
    UNION ALL
    SELECT a.kind, d.org_id, a.n + 1 FROM ahead a, LATERAL (
        SELECT org_id FROM public.orgs_due WHERE dead_at IS NULL AND kind = a.kind AND org_id > a.org_id
        ORDER BY org_id LIMIT 1) d
    WHERE a.n < %(ring)s
),
behind AS (
    SELECT w.kind, d.org_id, 1 AS n FROM want w, LATERAL (
        SELECT org_id FROM public.orgs_due WHERE dead_at IS NULL AND kind = w.kind AND org_id <= %(after)s
        ORDER BY org_id LIMIT 1) d
    UNION ALL
    SELECT b.kind, d.org_id, b.n + 1 FROM behind b, LATERAL (
        SELECT org_id FROM public.orgs_due
        WHERE dead_at IS NULL AND kind = b.kind AND org_id > b.org_id AND org_id <= %(after)s
        ORDER BY org_id LIMIT 1) d
    WHERE b.n < %(ring)s
),
ready AS (SELECT kind, org_id FROM ahead UNION SELECT kind, org_id FROM behind),
candidate AS (
    SELECT c.id, w.kind, w.slots, c.turn, c.priority, c.due_at
    FROM ready r JOIN want w USING (kind), LATERAL (
        SELECT id, priority, due_at, row_number() OVER (ORDER BY priority, due_at) AS turn FROM (
            SELECT id, priority, due_at FROM public.orgs_due
            WHERE dead_at IS NULL AND kind = r.kind AND org_id = r.org_id AND due_at <= statement_timestamp()
              AND (lease_until IS NULL OR lease_until < statement_timestamp())
            ORDER BY priority, due_at
            LIMIT greatest(0, least(w.slots, w.share - (
                SELECT count(*) FROM public.orgs_due l
                WHERE l.kind = r.kind AND l.org_id = r.org_id AND l.lease_until >= statement_timestamp())))
        ) free
    ) c
),
chosen AS (
    SELECT id FROM (
        SELECT id, slots, row_number() OVER (PARTITION BY kind ORDER BY priority, turn, due_at) AS place FROM candidate
    ) ranked WHERE place <= slots
),
locked AS (
    SELECT d.id FROM public.orgs_due d
    WHERE d.id IN (SELECT id FROM chosen)
      AND d.dead_at IS NULL AND d.due_at <= statement_timestamp()
      AND (d.lease_until IS NULL OR d.lease_until < statement_timestamp())
    ORDER BY d.priority, d.due_at FOR UPDATE SKIP LOCKED
)
UPDATE public.orgs_due d
SET token = %(token)s, lease_until = statement_timestamp() + make_interval(secs => %(lease)s), attempts = d.attempts + 1
FROM locked WHERE d.id = locked.id
RETURNING d.id, d.org_id, d.kind, d.ref, d.token, d.generation, d.attempts, d.due_at, d.wanted_since, d.context
"""

RENEW = """
UPDATE public.orgs_due d SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
FROM unnest(%(ids)s::bigint[], %(tokens)s::uuid[]) AS mine(id, token)
WHERE d.id = mine.id AND d.token = mine.token RETURNING d.id
"""

# Two arms over the same rows: deleted when nothing new was wanted, else freed with a clean slate.
FINISH = """
WITH mine AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(tokens)s::uuid[], %(generations)s::bigint[]) AS m(id, token, generation)
),
gone AS (
    DELETE FROM public.orgs_due d USING mine
    WHERE d.id = mine.id AND d.token = mine.token AND d.generation = mine.generation RETURNING d.id
),
freed AS (
    UPDATE public.orgs_due d
    SET token = NULL, lease_until = NULL, attempts = 0, last_error = '', wanted_since = statement_timestamp()
    FROM mine WHERE d.id = mine.id AND d.token = mine.token AND d.generation <> mine.generation RETURNING d.id
)
SELECT id FROM gone UNION ALL SELECT id FROM freed
"""

RETRY = """
UPDATE public.orgs_due SET token = NULL, lease_until = NULL, last_error = %(error)s,
    due_at = CASE WHEN generation = %(generation)s THEN %(at)s ELSE due_at END,
    attempts = CASE WHEN generation = %(generation)s THEN attempts ELSE 0 END
WHERE id = %(id)s AND token = %(token)s
"""

RELEASE = """
UPDATE public.orgs_due d SET token = NULL, lease_until = NULL, attempts = greatest(0, d.attempts - 1)
FROM unnest(%(ids)s::bigint[], %(tokens)s::uuid[]) AS mine(id, token) WHERE d.id = mine.id AND d.token = mine.token
"""

BURY = """
UPDATE public.orgs_due SET token = NULL, lease_until = NULL, dead_at = statement_timestamp(), last_error = %(reason)s
WHERE id = %(id)s AND token = %(token)s
"""


class Due(models.Model):
    """One thing to do later, at least once: (org, kind, ref). The row goes when it is done."""

    org_id = models.BigIntegerField()  # no foreign key: an org being dropped takes its rows along explicitly
    kind = models.CharField(max_length=32)
    ref = models.CharField(max_length=80)
    due_at = models.DateTimeField()
    wanted_since = models.DateTimeField()
    generation = models.BigIntegerField(default=1)
    priority = models.SmallIntegerField(default=NORMAL)
    context = models.JSONField(default=dict)  # trace and correlation ids of the cause; never a lead's words
    token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    last_error = models.CharField(max_length=ERROR_CHARS, default="")
    dead_at = models.DateTimeField(null=True)

    objects = DueQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "due"
        constraints = [models.UniqueConstraint(fields=["org_id", "kind", "ref"], name="orgs_due_once")]
        indexes = [
            models.Index(
                fields=["kind", "org_id", "priority", "due_at"], name="orgs_due_claim", condition=models.Q(dead_at=None)
            ),
            models.Index(fields=["kind", "dead_at"], name="orgs_due_dead", condition=~models.Q(dead_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class Received(models.Model):
    """What an authentic sender posted, stripped of what must not be kept; goes when its message exists, in minutes."""

    org_id = models.BigIntegerField()
    address_id = models.BigIntegerField()
    number_id = models.BigIntegerField()
    dedupe_key = models.CharField(max_length=200)
    body = models.TextField()  # JSON text
    context = models.JSONField(default=dict)  # trace and correlation ids
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "received"
        constraints = [models.UniqueConstraint(fields=["address_id", "dedupe_key"], name="orgs_received_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"


def _columns(rows: Iterable[Claimed]) -> tuple[list[int], list[UUID], list[int]]:
    rows = list(rows)
    return [row.id for row in rows], [row.token for row in rows], [row.generation for row in rows]


def claimed_from(row: Sequence[Any]) -> Claimed:
    """A row of CLAIM's RETURNING; the context may come as text."""
    values: tuple[Any, ...] = (*row[:-1], _decoded(row[-1]))
    return Claimed(*values)


def _decoded(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else json.loads(value)
