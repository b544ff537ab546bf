"""How far a person has read a conversation."""

from django.db import models

from conversations.models.conversation import Conversation


class ReadMark(models.Model):
    """`seq`: the last arrival that was there when the person had the conversation open. Only ever rises."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="read_marks", db_index=False)
    person_id = models.BigIntegerField()
    seq = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "person_id"], name="conversations_read_mark_once")
        ]

    def __str__(self) -> str:
        return f"{self.person_id} up to {self.seq}"
