"""Rows that every answer reads several times, by statements written down: making them costs more than running them.

Call inside the org. Locks last until the transaction ends; the order in which they are taken is `intake`'s.
"""

from conversations.models import AgentVersion, Conversation, Number

CONVERSATION = "SELECT * FROM conversations_conversation WHERE id = %s FOR UPDATE"
NUMBER = "SELECT * FROM conversations_number WHERE id = %s"
AGENT = """
SELECT * FROM conversations_agentversion WHERE state = %s AND (number_id = %s OR number_id IS NULL)
ORDER BY number_id NULLS LAST LIMIT 1
"""


def conversation_locked(pk: int) -> Conversation | None:
    """The conversation, locked for update; None when there is none (erased, or merged into another)."""
    return next(iter(Conversation.objects.raw(CONVERSATION, [pk])), None)


def number(pk: int) -> Number:
    """The number as it is now, not locked. Raises Number.DoesNotExist."""
    for found in Number.objects.raw(NUMBER, [pk]):
        return found
    raise Number.DoesNotExist


def published(number_id: int) -> AgentVersion | None:
    """The published version for this number, else the shared one, else None."""
    return next(iter(AgentVersion.objects.raw(AGENT, [AgentVersion.State.PUBLISHED.value, number_id])), None)
