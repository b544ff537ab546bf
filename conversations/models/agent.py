"""An org's agent settings, draft or published; one agent per number or shared (PRODUCT 2's table, with its bounds)."""

from collections.abc import Collection

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from conversations.holidays import closed_days


def default_hours() -> list[list[str]]:
    """Monday first: opening and closing, empty when closed."""
    return [["09:00", "18:00"]] * 5 + [[], []]


def default_follow_ups() -> list[dict[str, int | str]]:
    """The ladder for silent leads: 40 minutes, the next morning, the third day (PRODUCT 2)."""
    return [{"after_minutes": 40}, {"after_days": 1, "at": "09:30"}, {"after_days": 3, "at": "10:00"}]


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

    class Personality(models.TextChoices):
        PROFESSIONAL = "professional"
        CONSULTATIVE = "consultative"
        FRIENDLY = "friendly"
        ENERGETIC = "energetic"

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
    answers_in_lead_language = models.BooleanField(default=True)
    name = models.CharField(max_length=60, default="", blank=True)  # what the assistant calls itself
    personality = models.CharField(max_length=12, choices=Personality.choices, default=Personality.CONSULTATIVE)
    instructions = models.TextField(default="", blank=True)
    business = models.TextField(default="", blank=True)
    discloses = models.BooleanField(default=True)  # who speaks is said before the first answer
    disclosure = models.TextField(default="", blank=True)  # empty: our own words
    hours = models.JSONField(default=default_hours)
    time_zone = models.CharField(max_length=64, default="America/Sao_Paulo")
    outside_hours = models.CharField(max_length=12, choices=OutsideHours.choices, default=OutsideHours.ANSWER)
    away_text = models.TextField(default="", blank=True)
    hand_back_hours = models.PositiveSmallIntegerField(
        null=True, default=12, validators=[MinValueValidator(1), MaxValueValidator(72)]
    )
    close_after_days = models.PositiveSmallIntegerField(
        null=True, default=14, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )  # of silence; null: never
    backlog_minutes = models.PositiveIntegerField(default=60)  # older on arrival: stored, not answered
    loop_limit = models.PositiveSmallIntegerField(default=12)  # AI turns in a row without a person or progress
    typing_per_character = models.FloatField(default=0.03)  # seconds of typing shown before a bubble, bounded
    typing_longest = models.FloatField(default=6)
    bubbles_at_most = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(4)]
    )  # messages one answer is sent in
    brain = models.CharField(max_length=20, default="playbook")
    model = models.CharField(max_length=60, default="", blank=True)  # empty: the setting of the installation
    thinking_level = models.CharField(max_length=8, default="low")
    monthly_budget_usd = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)
    threshold = models.PositiveSmallIntegerField(default=70, validators=[MinValueValidator(1), MaxValueValidator(99)])
    # What is asked, and what it is worth (PRODUCT 2, SPIN): {"problem": ["…?", …]}, {"problem": 2}, {"problem": 25}
    questions = models.JSONField(default=dict, blank=True)
    answers_needed = models.JSONField(default=dict, blank=True)
    answers_at_most = models.JSONField(default=dict, blank=True)  # by stage; further ones are not kept
    goals = models.JSONField(default=dict, blank=True)  # by stage: what the org wants to learn there
    facts_left_out = models.JSONField(default=list, blank=True)  # keys of facts the AI neither asks for nor keeps
    stage_points = models.JSONField(default=dict, blank=True)
    signal_points = models.JSONField(default=dict, blank=True)
    disqualifiers = models.JSONField(default=list, blank=True)  # [{"fact", "test", "value", "points"}]
    objections = models.JSONField(default=list, blank=True)  # [{"about", "answer"}]
    forbidden = models.JSONField(default=list, blank=True)  # words and topics never to be said
    human_topics = models.JSONField(default=list, blank=True)  # words that call a person whoever uses them
    handoff_text = models.TextField(default="", blank=True)  # said when a person is called; empty: our own words
    handoff_away_text = models.TextField(default="", blank=True)  # the same outside hours, with {when} in it
    follow_ups = models.JSONField(default=default_follow_ups, blank=True)
    asks_satisfaction = models.BooleanField(default=True)
    holidays = models.JSONField(default=list, blank=True)  # ["YYYY-MM-DD"], closed all day
    yearly_holidays = models.JSONField(default=list, blank=True)  # keys of conversations.holidays, closed every year
    note = models.CharField(max_length=200, default="", blank=True)  # what changed, by who published it
    edited_at = models.DateTimeField(null=True)  # a draft's last change
    edited_by = models.BigIntegerField(null=True)  # person
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

    @property
    def closed_days(self) -> Collection[str]:
        """Days closed all day, YYYY-MM-DD: holidays of every year, and the org's own dates."""
        return closed_days(self.yearly_holidays, self.holidays)
