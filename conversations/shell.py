"""What the frame around every page of an org says: who waits for a person, and the worst trouble (FIELD 4.1)."""

from dataclasses import dataclass

from django.db import connection

from conversations.listing import COUNTED

# One round trip for every page; the first count is read off the index conversations_needing and stops at its bound.
STATUS = """
SELECT (SELECT count(*) FROM (
            SELECT 1 FROM conversations_conversation
            WHERE needs_person_since IS NOT NULL AND NOT (lifecycle = 'closed') LIMIT %s
       ) AS needing),
       EXISTS (SELECT 1 FROM conversations_control WHERE paused_at IS NOT NULL),
       (SELECT string_agg(name, ', ' ORDER BY name) FROM conversations_number
        WHERE lost_at IS NOT NULL AND removed_at IS NULL)
"""


@dataclass(frozen=True)
class Status:
    """`needs`: conversations that need a person, at most COUNTED + 1. `lost`: names of numbers that lost WhatsApp."""

    needs: int
    is_paused: bool
    lost: str

    @property
    def badge(self) -> str:
        """The count as it is shown; nothing for none."""
        return f"{COUNTED}+" if self.needs > COUNTED else str(self.needs or "")


def status() -> Status:
    """How the org stands now. Call inside it. One query."""
    with connection.cursor() as cursor:
        cursor.execute(STATUS, [COUNTED + 1])
        needs, is_paused, lost = cursor.fetchone()
    return Status(needs, is_paused, lost or "")
