"""The two queues, public so that one query finds the next work of all orgs: what arrived, what is due (DESIGN 3).

Everything that must be exact is one SQL statement here. `token` says who holds a row, `lease_until` how long,
XX an upsert raises the generation and never touches the lease, and finishing deletes
only the generation that was claimed, so news that comes while a row is being worked on is never lost.

What is due in more than an hour waits in Later, a calm table beside Due, which is small and written all the time. Every
wish goes through its row in Due, whose lock puts them in order; from there it is put away into Later at once, and
`move` brings it back half an hour before its time. Locks are taken in the order Due, Later; only `move` goes the other
way, so it waits no longer than a moment, and everybody else passes by what it holds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import OperationalError, connection, models, transaction
from django.utils import timezone
from psycopg import errors

from sdr.lib import logs

URGENT, LIVE, NORMAL, CALM = 0, 3, 5, 8  # priorities: smaller goes first
RING_ORGS = 64  # orgs looked at in one claim; the next claim goes on behind them
NEAR = timedelta(hours=1)  # rows due later than this wait in Later, out of the way of claims
SOON = timedelta(minutes=30)  # before it is due, a row comes back from Later; the scheduler may fail for that long
CROWD = 300  # rows of one kind due in one minute; more come spread over as many minutes as that makes,
SPREAD_MOST = timedelta(minutes=10)  # … up to this; live rows never
MOVE_BATCH = 2000  # rows
MOVE_LOCK_WAIT = "200ms"


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
    losses: int = 0  # of `attempts`: how many ended without a word, as their worker was killed or frozen


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
        first wanted; a dead row comes back to life; one more than NEAR ahead is kept in Later. `context`: ids of the
        cause; by default those the present request or job is logged with. Never touches who holds the row.
        """
        cap = no_later_than.total_seconds() if no_later_than is not None else None
        is_far = at is not None and at > timezone.now() + NEAR
        with connection.cursor() as cursor:
            # One round trip. Each statement sees what was committed when it began: with the row in Due locked by the
            # first, the second finds what was put away a moment before.
            cursor.execute(UPSERT + ";" + FORGET_LATER + (";" + PUT_AWAY if is_far else ""), {
                "org": org_id, "kind": kind, "ref": str(ref), "at": at, "priority": priority,
                "context": json.dumps(dict(logs.cause() if context is None else context)), "cap": cap,
                "near": NEAR.total_seconds(), "move_lock": MOVE_LOCK,
            })  # fmt: skip

    def cancel(self, org_id: int, kind: str, ref: object) -> bool:
        """It is not wanted any more, now or later. Out: whether it was waiting or dead.

        What is being worked on at present comes to its end by itself, and so does what was wanted meanwhile.
        """
        key: dict[str, int | str] = {"org": org_id, "kind": kind, "ref": str(ref), "move_lock": MOVE_LOCK}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%(move_lock)s)", key)  # nothing is between the tables
            cursor.execute(CANCEL_DUE, key)
            count = cursor.rowcount
            cursor.execute(CANCEL_LATER, key)
            return bool(count + cursor.rowcount)

    def move(self, *, batch: int = MOVE_BATCH) -> int:
        """Bring up to `batch` rows that are near back from Later, and put away as many that are far.

        Out: how many were moved; none when somebody holds the tables or one of the rows for longer than a moment. Safe
        to call at any time from anywhere.
        """
        values = {
            "batch": batch, "near": NEAR.total_seconds(), "soon": SOON.total_seconds(), "crowd": CROWD,
            "spread": SPREAD_MOST.total_seconds(), "live": LIVE,
        }  # fmt: skip
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{MOVE_LOCK_WAIT}'")
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MOVE_LOCK])  # before the next statement's snapshot
                cursor.execute(BRING_BACK, values)
                count = cursor.rowcount
                cursor.execute(PUT_AWAY_MANY, values)
                return int(count + cursor.rowcount)
        except OperationalError as error:
            if isinstance(error.__cause__, (errors.LockNotAvailable, errors.DeadlockDetected)):
                return 0
            raise

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
        """Give up: the row stays as a dead letter with a reason people understand, until replayed or wanted again.

        Out: whether it is dead. It is not when it was lost, or wanted again meanwhile (then it is due as wanted).
        """
        with connection.cursor() as cursor:
            cursor.execute(BURY, {
                "id": row.id, "token": row.token, "generation": row.generation, "reason": reason[:ERROR_CHARS],
            })  # fmt: skip
            found = cursor.fetchone()
            return found is not None and bool(found[0])

    def replay(self) -> int:
        """Bring the dead letters of this query back, due now. Out: how many."""
        return self.dead().update(
            dead_at=None,
            attempts=0,
            losses=0,
            due_at=timezone.now(),
            generation=models.F("generation") + 1,
            token=None,
            lease_until=None,
        )


ERROR_CHARS = 500
FINISH_TRIES = 3
CLAIM_LOCK = 0x5D4_0003
MOVE_LOCK = 0x5D4_0005

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
    losses = CASE WHEN due.dead_at IS NULL THEN due.losses ELSE 0 END,
    dead_at = NULL
"""

# What is held by `move` is on its way into Due, where it will find the row of this wish and give way to it.
FORGET_LATER = """
DELETE FROM public.orgs_later WHERE id IN (
    SELECT id FROM public.orgs_later WHERE org_id = %(org)s AND kind = %(kind)s AND ref = %(ref)s
    FOR UPDATE SKIP LOCKED)
"""

MOVED = "org_id, kind, ref, due_at, wanted_since, generation, priority, context, attempts, last_error"
INTO_LATER = f"""
INSERT INTO public.orgs_later ({MOVED})
SELECT {MOVED.replace("attempts", "attempts - losses")} FROM away
ON CONFLICT (org_id, kind, ref) DO UPDATE SET
    due_at = excluded.due_at, wanted_since = excluded.wanted_since, generation = excluded.generation,
    priority = excluded.priority, context = excluded.context, attempts = excluded.attempts,
    last_error = excluded.last_error
"""  # noqa: S608  # our names

# The row is locked by the wish before. While rows are being moved it stays: the next move puts it away.
PUT_AWAY = f"""
WITH away AS (
    DELETE FROM public.orgs_due WHERE org_id = %(org)s AND kind = %(kind)s AND ref = %(ref)s
      AND due_at > statement_timestamp() + make_interval(secs => %(near)s)
      AND (lease_until IS NULL OR lease_until < statement_timestamp())
      AND (SELECT pg_try_advisory_xact_lock_shared(%(move_lock)s))
    RETURNING *
) {INTO_LATER}
"""  # noqa: S608  # our names

PUT_AWAY_MANY = f"""
WITH away AS (
    DELETE FROM public.orgs_due WHERE id IN (
        SELECT id FROM public.orgs_due
        WHERE dead_at IS NULL AND due_at > statement_timestamp() + make_interval(secs => %(near)s)
          AND (lease_until IS NULL OR lease_until < statement_timestamp())
        LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
    RETURNING *
) {INTO_LATER}
"""  # noqa: S608  # our names

# Whoever is in Due already was wanted after this one and is right; a dead letter was given up before.
BRING_BACK = f"""
WITH crowd AS (
    SELECT kind, date_trunc('minute', due_at) AS minute, count(*) AS size FROM public.orgs_later
    WHERE due_at <= statement_timestamp() + make_interval(secs => %(soon)s) GROUP BY 1, 2
),
back AS (
    SELECT * FROM public.orgs_later WHERE due_at <= statement_timestamp() + make_interval(secs => %(soon)s)
    ORDER BY due_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
),
moved AS (
    INSERT INTO public.orgs_due AS due ({MOVED})
    SELECT b.org_id, b.kind, b.ref, b.due_at + make_interval(secs => CASE
             WHEN b.priority <= %(live)s OR c.size <= %(crowd)s THEN 0
             ELSE (hashtextextended(b.kind || ' ' || b.ref, b.org_id) & 2147483647)
                  %% least(%(spread)s, 60 * c.size / %(crowd)s)::bigint END),
           b.wanted_since, b.generation, b.priority, b.context, b.attempts, b.last_error
    FROM back b JOIN crowd c ON c.kind = b.kind AND c.minute = date_trunc('minute', b.due_at)
    ORDER BY b.org_id, b.kind, b.ref
    ON CONFLICT (org_id, kind, ref) DO UPDATE SET
        generation = due.generation + 1, due_at = excluded.due_at, wanted_since = excluded.wanted_since,
        priority = excluded.priority, context = excluded.context, attempts = 0, losses = 0, dead_at = NULL
    WHERE due.dead_at IS NOT NULL
)
DELETE FROM public.orgs_later WHERE id IN (SELECT id FROM back)
"""  # noqa: S608  # our names

CANCEL_DUE = """
DELETE FROM public.orgs_due WHERE org_id = %(org)s AND kind = %(kind)s AND ref = %(ref)s
  AND (lease_until IS NULL OR lease_until < statement_timestamp())
"""
CANCEL_LATER = "DELETE FROM public.orgs_later WHERE org_id = %(org)s AND kind = %(kind)s AND ref = %(ref)s"

# Whoever ends a run takes its token away: a claim that finds one finds a lease that was lost.
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
SET token = %(token)s, lease_until = statement_timestamp() + make_interval(secs => %(lease)s),
    attempts = d.attempts + 1, losses = d.losses + (d.token IS NOT NULL)::int
FROM locked WHERE d.id = locked.id
RETURNING d.id, d.org_id, d.kind, d.ref, d.token, d.generation, d.attempts, d.due_at, d.wanted_since, d.context,
    d.losses
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
    SET token = NULL, lease_until = NULL, attempts = 0, losses = 0, last_error = '',
        wanted_since = statement_timestamp()
    FROM mine WHERE d.id = mine.id AND d.token = mine.token AND d.generation <> mine.generation RETURNING d.id
)
SELECT id FROM gone UNION ALL SELECT id FROM freed
"""

RETRY = """
UPDATE public.orgs_due SET token = NULL, lease_until = NULL, last_error = %(error)s,
    due_at = CASE WHEN generation = %(generation)s THEN %(at)s ELSE due_at END,
    attempts = CASE WHEN generation = %(generation)s THEN attempts ELSE 0 END,
    losses = CASE WHEN generation = %(generation)s THEN losses ELSE 0 END
WHERE id = %(id)s AND token = %(token)s
"""

RELEASE = """
UPDATE public.orgs_due d SET token = NULL, lease_until = NULL, attempts = greatest(0, d.attempts - 1)
FROM unnest(%(ids)s::bigint[], %(tokens)s::uuid[]) AS mine(id, token) WHERE d.id = mine.id AND d.token = mine.token
"""

BURY = """
UPDATE public.orgs_due SET token = NULL, lease_until = NULL, last_error = %(reason)s,
    dead_at = CASE WHEN generation = %(generation)s THEN statement_timestamp() END,
    attempts = CASE WHEN generation = %(generation)s THEN attempts ELSE 0 END,
    losses = CASE WHEN generation = %(generation)s THEN losses ELSE 0 END
WHERE id = %(id)s AND token = %(token)s RETURNING dead_at IS NOT NULL
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
    attempts = models.IntegerField(default=0)  # claims
    losses = models.IntegerField(default=0, db_default=0)  # of them: how many ended with their lease
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


class Later(models.Model):
    """One thing to do much later: a row of Due that waits out of the way. Written only here, in this module."""

    org_id = models.BigIntegerField()
    kind = models.CharField(max_length=32)
    ref = models.CharField(max_length=80)
    due_at = models.DateTimeField()
    wanted_since = models.DateTimeField()
    generation = models.BigIntegerField(default=1)
    priority = models.SmallIntegerField(default=NORMAL)
    context = models.JSONField(default=dict)
    attempts = models.IntegerField(default=0)
    last_error = models.CharField(max_length=ERROR_CHARS, default="")

    class Meta:
        verbose_name_plural = "later"
        constraints = [models.UniqueConstraint(fields=["org_id", "kind", "ref"], name="orgs_later_once")]
        indexes = [models.Index(fields=["due_at"], name="orgs_later_near")]

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
    values: tuple[Any, ...] = (*row[:-2], _decoded(row[-2]), row[-1])
    return Claimed(*values)


def _decoded(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else json.loads(value)
