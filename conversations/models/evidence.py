"""What a lead revealed, each with its receipt: the message, the words in it, how sure, and who says so (PRODUCT 2).

Evidence is never overwritten. A newer or corrected row supersedes the former one, and what a person set stays: the AI
neither replaces it nor writes again what a person has struck out (conversations.evidence).
"""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.models.contact import Contact
from conversations.models.conversation import Conversation
from conversations.models.message import Message
from conversations.models.turn import Turn
from conversations.qualification import SignalKey, Stage


class FactKey(models.TextChoices):
    """What is worth knowing of a lead; never asked again once known."""

    NAME = "name", _("Name")
    PERSON_TYPE = "person_type", _("Person or company")
    COMPANY = "company", _("Company")
    ROLE = "role", _("Role")
    EMAIL = "email", _("E-mail")
    PHONE = "phone", _("Phone")
    SEGMENT = "segment", _("Segment")
    TEAM_SIZE = "team_size", _("Team size")
    CURRENT_TOOL = "current_tool", _("Current tool")
    BUDGET = "budget", _("Budget")
    TIMELINE = "timeline", _("Timeline")
    DECISION_MAKER = "decision_maker", _("Decision maker")
    PREFERRED_TIMES = "preferred_times", _("Preferred times")


class Receipt(models.Model):
    """What Answer, Fact and Signal share. `start` and `end` are characters of the message's text."""

    class Author(models.TextChoices):
        AI = "ai", _("AI")
        PERSON = "person", _("Person")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="%(class)ss")
    message = models.ForeignKey(Message, null=True, on_delete=models.CASCADE, related_name="+")  # null: a person's word
    quote = models.TextField(default="", blank=True)  # verbatim
    start = models.PositiveIntegerField(default=0)
    end = models.PositiveIntegerField(default=0)
    confidence = models.FloatField(default=1)  # 0–1
    author = models.CharField(max_length=6, choices=Author.choices, default=Author.AI)
    person_id = models.BigIntegerField(null=True)
    turn = models.ForeignKey(Turn, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)  # superseded, corrected by the lead, or struck out by a person
    ended_by = models.BigIntegerField(null=True)  # the person who struck it out

    class Meta:
        abstract = True


class Answer(Receipt):
    """Something the lead said that counts for a stage."""

    stage = models.CharField(max_length=12, choices=[(stage.value, stage.value) for stage in Stage])

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "stage", "message", "start"],
                condition=models.Q(message__isnull=False),
                name="conversations_answer_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.stage} #{self.pk}"


class Fact(Receipt):
    """Something known of the contact, whichever conversation it comes from. `value`: text, number or yes/no."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="facts")
    key = models.CharField(max_length=20, choices=FactKey.choices)
    value = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "key"], condition=models.Q(ended_at=None), name="conversations_fact_current"
            )
        ]

    def __str__(self) -> str:
        return f"{self.key} #{self.pk}"


class Signal(Receipt):
    """Budget, urgency or the power to decide: there (`is_true`), or said not to be."""

    key = models.CharField(max_length=20, choices=[(key.value, key.value) for key in SignalKey])
    is_true = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "key"], condition=models.Q(ended_at=None), name="conversations_signal_current"
            )
        ]

    def __str__(self) -> str:
        return f"{self.key} #{self.pk}"


class Qualification(models.Model):
    """How the lead of a conversation stands: what `qualification.judge` made of the rows, kept for lists and events."""

    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="qualification")
    stage = models.CharField(max_length=12, default=Stage.SITUATION)
    score = models.PositiveSmallIntegerField(default=0)
    is_qualified = models.BooleanField(default=False)
    qualified_at = models.DateTimeField(null=True)  # the last time it became so
    told_at = models.DateTimeField(null=True)  # the team was told
    points = models.JSONField(default=list)  # [{"about", "amount", "rows"}]
    ruled_out_by = models.JSONField(default=list)  # keys of facts
    agent_version_id = models.BigIntegerField(null=True)
    summary = models.TextField(default="", blank=True)  # for people
    summary_at = models.DateTimeField(null=True)  # when it last said something else
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["-score", "-conversation"], name="conversations_by_score")]

    def __str__(self) -> str:
        return f"{self.stage} {self.score}"
