"""The ledger of calls to a language model: what each cost, at the price that held then."""

from django.db import models
from django.utils import timezone

from conversations.models.turn import Turn


class ModelCall(models.Model):
    """One request to a model, also a failed one. Tokens as the vendor counts them; money in US dollars."""

    class Purpose(models.TextChoices):
        REPLY = "reply"
        REPAIR = "repair"
        TRANSCRIBE = "transcribe"
        SUMMARY = "summary"
        SUGGEST = "suggest"

    turn = models.ForeignKey(Turn, null=True, on_delete=models.SET_NULL, related_name="model_calls")
    message_id = models.BigIntegerField(null=True)  # what was transcribed
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    model = models.CharField(max_length=60)
    response_id = models.CharField(max_length=120, default="", blank=True)
    input_tokens = models.PositiveIntegerField(default=0)  # cached ones included
    cached_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    thought_tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    price_from = models.DateField(null=True)  # since when the price used holds; null: no price known
    seconds = models.FloatField(default=0)
    outcome = models.CharField(max_length=40, default="ok")  # or why it was of no use
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="conversations_model_call_at")]

    def __str__(self) -> str:
        return f"{self.model} {self.outcome}"
