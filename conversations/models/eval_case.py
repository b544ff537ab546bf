"""What a person says the AI should have understood or said: a labelled example, made from a trace (FIELD 4.2)."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.models.conversation import Conversation
from conversations.models.turn import Turn


class EvalCase(models.Model):
    """A turn that was wrong in one respect. Messages are kept by their ids: what a lead deletes is gone here too."""

    class Reason(models.TextChoices):
        UNDERSTANDING = "understanding", _("It misunderstood the lead")
        CLAIM = "claim", _("It said something that is not so")
        ANSWER = "answer", _("It should have said something else")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="eval_cases")
    turn = models.ForeignKey(Turn, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=13, choices=Reason.choices)
    seen = models.JSONField(default=dict)  # ids: {"lead", "said", "before": [messages], "passages"}
    expect = models.JSONField(default=dict)  # labels, named as in tests/evals
    should_say = models.TextField(default="", blank=True)
    note = models.TextField(default="", blank=True)  # why, for colleagues
    language = models.CharField(max_length=8, default="pt-BR")  # the lead's
    agent_version_id = models.BigIntegerField(null=True)  # that spoke
    person_id = models.BigIntegerField(null=True)  # who last said so
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["turn", "reason"], condition=models.Q(turn__isnull=False), name="conversations_evalcase_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} #{self.pk}"
