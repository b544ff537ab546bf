"""What the frame around every page of an org says: who waits for a person, and the worst trouble (FIELD 4.1)."""

from dataclasses import dataclass

from django.db import connection

from conversations.access import sees_all
from conversations.listing import COUNTED
from orgs.models import Membership

UNREAD_COUNTED = 99

# One round trip for every page; the first count is read off the index conversations_needing and stops at its bound.
STATUS = """
SELECT (SELECT count(*) FROM (
            SELECT 1 FROM conversations_conversation
            WHERE needs_person_since IS NOT NULL AND NOT (lifecycle = 'closed')
              AND (%s OR assignee_id = %s OR owner_person_id = %s) LIMIT %s
       ) AS needing),
       EXISTS (SELECT 1 FROM conversations_control WHERE paused_at IS NOT NULL),
       (SELECT string_agg(name, ', ' ORDER BY name) FROM conversations_number
        WHERE lost_at IS NOT NULL AND removed_at IS NULL),
       (SELECT count(*) FROM (
            SELECT 1 FROM public.orgs_notification
            WHERE membership_id = %s AND in_app AND read_at IS NULL LIMIT %s
       ) AS unread)
"""


@dataclass(frozen=True)
class Status:
    """`needs`: conversations that need a person, at most COUNTED + 1. `lost`: names of numbers that lost WhatsApp.

    `unread`: notifications that the member has not read, at most UNREAD_COUNTED + 1.
    """

    needs: int
    is_paused: bool
    lost: str
    unread: int

    @property
    def badge(self) -> str:
        """The count as it is shown; nothing for none."""
        return f"{COUNTED}+" if self.needs > COUNTED else str(self.needs or "")

    @property
    def unread_badge(self) -> str:
        """Their count as it is shown."""
        return f"{UNREAD_COUNTED}+" if self.unread > UNREAD_COUNTED else str(self.unread)


def status(member: Membership) -> Status:
    """How the org stands now for the member. Call inside it. One query."""
    sees, me = sees_all(member), member.person_id
    with connection.cursor() as cursor:
        cursor.execute(STATUS, [sees, me, me, COUNTED + 1, member.pk, UNREAD_COUNTED + 1])
        needs, is_paused, lost, unread = cursor.fetchone()
    return Status(needs, is_paused, lost or "", unread)
