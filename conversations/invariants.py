"""What must never be (DESIGN 3, "Invariants"): work that is there with nobody called to do it.

Each check is one statement, so it sees one moment: rows and what is due for them are written together, and whatever
these find is a mistake of ours, not a race.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from conversations import intake
from orgs import backlog
from orgs.context import each_org, in_org
from sdr.lib import metrics

RECEIVED_AFTER = timedelta(minutes=1)
UNANSWERED, UNSENT, UNREAD = "unanswered_without_turn", "queued_without_send", "received_without_intake"

logger = logging.getLogger("sdr.invariants")

# A turn that was skipped, or given up, has said what becomes of its messages: a person sees them.
UNANSWERED_SQL = """
SELECT DISTINCT c.id FROM conversations_conversation c
JOIN conversations_message m ON m.conversation_id = c.id
WHERE c.owner = 'ai' AND m.author = 'lead' AND m.seq > c.watermark
  AND m.deleted_at IS NULL AND NOT m.is_backlog AND NOT m.kind = ANY(%(no_turn)s)
  AND NOT EXISTS (SELECT FROM public.orgs_due d WHERE d.org_id = %(org)s AND d.kind = 'turn'
                  AND d.ref = c.id::text AND d.dead_at IS NULL)
  AND NOT EXISTS (SELECT FROM public.orgs_later d WHERE d.org_id = %(org)s AND d.kind = 'turn' AND d.ref = c.id::text)
  AND NOT EXISTS (SELECT FROM conversations_turn t WHERE t.conversation_id = c.id AND t.epoch = c.epoch
                  AND t.up_to_seq >= m.seq AND t.state IN ('skipped', 'failed'))
ORDER BY c.id
"""
# While one of a conversation is on the wire, the others wait for its reconciliation.
UNSENT_SQL = """
SELECT m.id FROM conversations_message m
WHERE m.state = 'queued'
  AND NOT EXISTS (SELECT FROM public.orgs_due d WHERE d.org_id = %(org)s AND d.kind = 'send'
                  AND d.ref = m.conversation_id::text AND d.dead_at IS NULL)
  AND NOT EXISTS (SELECT FROM public.orgs_later d WHERE d.org_id = %(org)s AND d.kind = 'send'
                  AND d.ref = m.conversation_id::text)
  AND NOT EXISTS (SELECT FROM conversations_message w
                  JOIN public.orgs_due d ON d.org_id = %(org)s AND d.kind = 'reconcile'
                                         AND d.ref = w.id::text AND d.dead_at IS NULL
                  WHERE w.conversation_id = m.conversation_id AND w.state IN ('sending', 'unknown'))
  AND NOT EXISTS (SELECT FROM conversations_message w JOIN conversations_conversation c ON c.id = w.conversation_id
                  WHERE w.conversation_id = m.conversation_id AND w.state = 'unknown'
                  AND c.needs_person_since IS NOT NULL)
ORDER BY m.id
"""
UNREAD_SQL = """
SELECT r.id FROM public.orgs_received r
WHERE r.received_at < %(before)s
  AND NOT EXISTS (SELECT FROM public.orgs_due d WHERE d.org_id = r.org_id AND d.kind = 'intake' AND d.ref = r.id::text)
ORDER BY r.id
"""


def unanswered_without_turn() -> list[int]:
    """Ids of the org's conversations in which the AI owes an answer and nothing is due. Call inside the org."""
    return _ids(UNANSWERED_SQL, {"org": intake.org_id(), "no_turn": sorted(intake.NO_TURN)})


def queued_without_send() -> list[int]:
    """Ids of the org's messages that wait to leave and never will. Call inside the org."""
    return _ids(UNSENT_SQL, {"org": intake.org_id()})


def received_without_intake(now: datetime | None = None) -> list[int]:
    """Ids of webhooks of all orgs, older than a minute, that nobody is called to read."""
    return _ids(UNREAD_SQL, {"before": (now or timezone.now()) - RECEIVED_AFTER})


def watch() -> dict[str, int]:
    """Count what must not be, over all orgs, into the gauge `sdr_invariant_violations`. Out: the counts."""
    counts = {UNANSWERED: 0, UNSENT: 0, UNREAD: len(received_without_intake())}
    for org in each_org():
        try:
            with in_org(org):
                found = {UNANSWERED: unanswered_without_turn(), UNSENT: queued_without_send()}
        except Exception:
            logger.exception("an org could not be looked at", extra={"org_id": org.pk})
            continue
        for name, ids in found.items():
            counts[name] += len(ids)
            if ids:
                logger.error("work without anybody to do it", extra={"what": name, "org_id": org.pk, "ids": ids[:20]})
    for name, count in counts.items():
        metrics.tell("sdr_invariant_violations", count, name=name)
    backlog.note_invariants(counts)
    return counts


def _ids(statement: str, parameters: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [row[0] for row in cursor.fetchall()]
