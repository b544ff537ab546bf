"""Recording facts: in the transaction of the change, with the next sequence of the conversation."""

from typing import Any

from conversations.models import Conversation, Event, EventName
from conversations.signals import event_recorded


def record(
    conversation: Conversation,
    name: EventName,
    *,
    message_id: int | None = None,
    person_id: int | None = None,
    **data: Any,
) -> Event:
    """Record that something happened. The conversation's row must be locked; its `event_seq` is saved here.

    `data` in camelCase, ids and values only. Receivers of `event_recorded` run inside this transaction.
    """
    conversation.event_seq += 1
    conversation.save(update_fields=["event_seq"])
    event = Event.objects.create(
        conversation=conversation,
        sequence=conversation.event_seq,
        name=name,
        data=data,
        message_id=message_id,
        person_id=person_id,
    )
    event_recorded.send(sender=Event, event=event, conversation=conversation)
    return event
