"""What members tell one another about a conversation, and whom of them they call: never sent, never read by a brain."""

from django.db import models
from django.utils import timezone

from conversations.models.conversation import Conversation


class Note(models.Model):
    """A private note of a member. `seq`: the conversation's newest arrival when it was written; it stands behind that.

    `key` names the attempt to write it: the same one twice is one note.
    """

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="notes", db_index=False)
    person_id = models.BigIntegerField()
    text = models.TextField()
    seq = models.PositiveIntegerField()
    key = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "key"], name="conversations_note_key")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Mention(models.Model):
    """A note calls a member. It is news for them until they have opened the conversation (`seen_at`)."""

    note = models.ForeignKey(Note, on_delete=models.CASCADE, related_name="mentions", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="mentions", db_index=False)
    person_id = models.BigIntegerField()
    seen_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["note", "person_id"], name="conversations_mention_once")]
        indexes = [
            models.Index(
                fields=["person_id", "conversation"],
                name="conversations_mention_unseen",
                condition=models.Q(seen_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"of {self.person_id} in {self.note_id}"
