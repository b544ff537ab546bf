"""An org's agent settings, draft or published; one agent per number or shared (PRODUCT 2's table, with its bounds)."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone


def default_hours() -> list[list[str]]:
    """Monday first: opening and closing, empty when closed."""
    return [["09:00", "18:00"]] * 5 + [[], []]


class AgentVersion(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        RETIRED = "retired"

    class OutsideHours(models.TextChoices):
        ANSWER = "answer"
        SAY_WHEN = "say_when"
        SILENT = "silent"
        ONLY_OUTSIDE = "only_outside"  # the AI speaks outside them and only then

    number_id = models.BigIntegerField(null=True)  # null: for every number without one of its own
    version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    batching_seconds = models.FloatField(default=8, validators=[MinValueValidator(1), MaxValueValidator(120)])
    cooldown_seconds = models.FloatField(default=3, validators=[MinValueValidator(1), MaxValueValidator(30)])
    turn_timeout_seconds = models.FloatField(default=30, validators=[MinValueValidator(10), MaxValueValidator(120)])
    context_messages = models.PositiveSmallIntegerField(
        default=20, validators=[MinValueValidator(5), MaxValueValidator(50)]
    )
    language = models.CharField(max_length=8, default="pt-br")
    business = models.TextField(default="", blank=True)
    disclosure = models.TextField(default="", blank=True)
    hours = models.JSONField(default=default_hours)
    time_zone = models.CharField(max_length=64, default="America/Sao_Paulo")
    outside_hours = models.CharField(max_length=12, choices=OutsideHours.choices, default=OutsideHours.ANSWER)
    away_text = models.TextField(default="", blank=True)
    hand_back_hours = models.PositiveSmallIntegerField(null=True, default=12)
    backlog_minutes = models.PositiveIntegerField(default=60)  # older on arrival: stored, not answered
    loop_limit = models.PositiveSmallIntegerField(default=12)  # AI turns in a row without a person or progress
    typing_per_character = models.FloatField(default=0.03)  # seconds of typing shown before a bubble, bounded
    typing_longest = models.FloatField(default=6)
    brain = models.CharField(max_length=20, default="echo")
    published_at = models.DateTimeField(null=True)
    published_by = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["number_id"],
                condition=models.Q(state="published"),
                nulls_distinct=False,
                name="conversations_one_published",
            )
        ]

    def __str__(self) -> str:
        return f"v{self.version} {self.state}"
