"""Recording facts: in the transaction of the change, with the next sequence of the conversation (PRODUCT 5)."""

import json
from typing import Any

from django.db import connection

from conversations import live, rows, settings_of
from conversations.models import AgentVersion, Conversation, Event, EventName, Qualification
from conversations.qualification import Stage
from conversations.signals import event_recorded

SESSION = frozenset(
    {
        EventName.SESSION_UPDATED,
        EventName.SESSION_HANDED_OFF,
        EventName.SESSION_TAKEN_OVER,
        EventName.SESSION_GIVEN_BACK,
    }
)


# One round trip, several times for each answer: the next sequence, and the event that has it.
RECORD = """
WITH next AS (
    UPDATE conversations_conversation SET event_seq = event_seq + 1 WHERE id = %(conversation)s RETURNING event_seq
)
INSERT INTO conversations_event (conversation_id, sequence, name, data, message_id, person_id, occurred_at)
SELECT %(conversation)s, event_seq, %(name)s, %(data)s::jsonb, %(message)s, %(person)s, %(at)s FROM next
RETURNING id, sequence
"""


def record(
    conversation: Conversation,
    name: EventName,
    *,
    message_id: int | None = None,
    person_id: int | None = None,
    agent: AgentVersion | None = None,
    **data: Any,
) -> Event:
    """Record that something happened. The conversation's row must be locked; its `event_seq` is saved here.

    `data` in camelCase, ids and values only: a message's words stay in the message, so that they go when it goes. A
    session's events carry how it stands now (`agent`: the settings that hold, where the caller has them). Receivers of
    `event_recorded` run inside this transaction.
    """
    if name in SESSION:
        data = standing(conversation, agent) | data
    event = Event(
        conversation=conversation, name=name, data=data, message_id=message_id, person_id=person_id,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(RECORD, {
            "conversation": conversation.pk, "name": event.name, "data": json.dumps(data), "message": message_id,
            "person": person_id, "at": event.occurred_at,
        })  # fmt: skip
        event.pk, event.sequence = cursor.fetchone()
    event._state.adding = False
    conversation.event_seq = event.sequence
    live.changed(conversation.pk)
    event_recorded.send(sender=Event, event=event, conversation=conversation)
    return event


def stage_of(conversation: Conversation) -> str:
    """The stage the conversation has reached."""
    kept = rows.first(Qualification, "WHERE t.conversation_id = %s", [conversation.pk])
    return kept.stage if kept else Stage.SITUATION.value


def standing(conversation: Conversation, agent: AgentVersion | None = None) -> dict[str, Any]:
    """How a conversation stands: stage, score, threshold, qualified, owner, lifecycle."""
    kept = rows.first(Qualification, "WHERE t.conversation_id = %s", [conversation.pk])
    agent = agent or settings_of.number(conversation.number)
    return {
        "stage": kept.stage if kept else Stage.SITUATION.value,
        "score": kept.score if kept else 0,
        "threshold": agent.threshold,
        "qualified": kept.is_qualified if kept else False,
        "owner": str(conversation.owner),
        "lifecycle": str(conversation.lifecycle),
    }


def updated(conversation: Conversation, *, person_id: int | None = None, agent: AgentVersion | None = None) -> None:
    """The session's state is another: whoever follows it (CRM, scheduling) hears how it stands now."""
    record(conversation, EventName.SESSION_UPDATED, person_id=person_id, agent=agent)
