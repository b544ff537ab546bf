"""One move of the AI."""

from django.db import models
from django.utils import timezone

from conversations.models.conversation import Conversation


class Turn(models.Model):
    """All up to `up_to_seq`, answered once. Retaking replaces `attempt_token`: the former taker writes nothing."""

    class State(models.TextChoices):
        OPEN = "open"
        APPLIED = "applied"
        SUPERSEDED = "superseded"  # newer messages came while it was thought over
        SKIPPED = "skipped"  # the AI may not, or need not, speak; `reason` says why
        FAILED = "failed"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    up_to_seq = models.PositiveIntegerField()
    epoch = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    attempt_token = models.UUIDField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=80, default="", blank=True)
    brain = models.CharField(max_length=20, default="", blank=True)
    agent_version_id = models.BigIntegerField(null=True)
    intent = models.CharField(max_length=20, default="", blank=True)
    model = models.CharField(max_length=60, default="", blank=True)
    prompt_hash = models.CharField(max_length=64, default="", blank=True)
    seen = models.JSONField(default=dict)  # ids of what it was decided on: {"messages", "facts", "passages"}
    timings = models.JSONField(default=dict)  # milliseconds by step
    tools = models.JSONField(default=list)  # [{"name", "ok", "ms"}]
    guards = models.JSONField(default=list)  # what was wrong with which draft: [{"kind", "text", "outcome"}]
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    opened_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "up_to_seq", "epoch"], name="conversations_turn_once")
        ]

    def __str__(self) -> str:
        return f"{self.state} up to {self.up_to_seq}"
