"""Who is writing a reply right now."""

from django.db import models

from conversations.models.conversation import Conversation


class Typist(models.Model):
    """A member writes a reply in a conversation; over by itself at `until`, which each further keystroke moves."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="typists", db_index=False)
    person_id = models.BigIntegerField()
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "person_id"], name="conversations_typist_once")]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.conversation_id}"
