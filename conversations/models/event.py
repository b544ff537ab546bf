"""Facts, recorded with the change that made them: the timeline people read, and what other programs subscribe to."""

from enum import StrEnum

from django.db import models
from django.utils import timezone

from conversations.models.conversation import Conversation


class EventName(StrEnum):
    """PRODUCT 5's names; those without a published schema are ours alone."""

    MESSAGE_RECEIVED = "whatsapp.message.received.v1"
    MESSAGE_SENT = "whatsapp.message.sent.v1"
    AI_RESPONDED = "ai.response.generated.v1"
    SESSION_UPDATED = "session.updated.v1"
    SESSION_HANDED_OFF = "session.handed_off.v1"
    SESSION_TAKEN_OVER = "session.taken_over.v1"
    SESSION_GIVEN_BACK = "session.given_back.v1"
    SESSION_RATED = "session.rated.v1"
    MESSAGE_FAILED = "whatsapp.message.failed.v1"


class Event(models.Model):
    """`sequence` rises by one per conversation; consumers order by it."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="events")
    sequence = models.PositiveIntegerField()
    name = models.CharField(max_length=60)
    data = models.JSONField(default=dict)  # ids and values in camelCase; texts stay in the message
    message_id = models.BigIntegerField(null=True)
    person_id = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "sequence"], name="conversations_event_sequence")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.sequence}"
