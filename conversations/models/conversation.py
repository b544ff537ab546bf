"""A talk with one contact on one number: who owns it, and everything a send must compare under its lock (DESIGN 4)."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.models.contact import Contact
from conversations.models.number import Number

KEYSTROKE_HOLD = timedelta(seconds=20)


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def recent_first(self) -> "ConversationQuerySet":
        return self.order_by("-last_message_at", "-pk")

    def with_inbox_data(self) -> "ConversationQuerySet":
        """Everything a list row shows, in one query."""
        return self.select_related("contact", "number")


class Conversation(models.Model):
    """`seq` counts arrivals, given under this row's lock; `watermark` is the last one the AI has dealt with.

    `epoch` rises with every change of owner: what was written for an older epoch never leaves. Lock order everywhere:
    contacts by id, then the conversation, then messages.
    """

    class Owner(models.TextChoices):
        AI = "ai", _("AI")
        PERSON = "person", _("Person")
        NOBODY = "nobody", _("Nobody")

    class Lifecycle(models.TextChoices):
        OPEN = "open", _("Open")
        WAITING_LEAD = "waiting_lead", _("Waiting for the lead")
        SNOOZED = "snoozed", _("Snoozed")
        CLOSED = "closed", _("Closed")

    class Closing(models.TextChoices):
        """Why a conversation was closed. By a person, all but the last."""

        DONE = "done", _("Done")
        NOT_INTERESTED = "not_interested", _("Not interested")
        WRONG_NUMBER = "wrong_number", _("Wrong number")
        JOB_SEEKER = "job_seeker", _("Looks for a job")
        SPAM = "spam", _("Spam")
        CUSTOMER = "customer", _("Is a customer already")
        SUPPLIER = "supplier", _("Is a supplier")
        TEAM = "team", _("Is one of us")
        SILENCE = "silence", _("Long silence")

    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="conversations")
    number = models.ForeignKey(Number, on_delete=models.PROTECT, related_name="conversations")
    reply_jid = models.CharField(max_length=80)  # exactly as the last message named the chat
    owner = models.CharField(max_length=8, choices=Owner.choices, default=Owner.AI)
    owner_person_id = models.BigIntegerField(null=True)  # null with PERSON: somebody on the company's phone
    assignee_id = models.BigIntegerField(null=True)  # the person whose lead it is, whoever speaks at present
    assigned_at = models.DateTimeField(null=True)
    epoch = models.PositiveIntegerField(default=0)
    hold_until = models.DateTimeField(null=True)  # nothing of the AI leaves before
    lifecycle = models.CharField(max_length=12, choices=Lifecycle.choices, default=Lifecycle.OPEN)
    closed_reason = models.CharField(max_length=40, choices=Closing.choices, default="", blank=True)
    snoozed_until = models.DateTimeField(null=True)
    needs_person_since = models.DateTimeField(null=True)  # handed off, an AI failure, or a person's turn to answer
    needs_reason = models.CharField(max_length=80, default="", blank=True)
    told_since = models.DateTimeField(null=True)  # `needs_person_since` of the handoff that the team was told of
    seq = models.PositiveIntegerField(default=0)
    watermark = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0)  # edits and deletions by the lead: a draft is for one revision
    away_until = models.DateTimeField(null=True)  # the opening the lead was told of: not told again before
    event_seq = models.PositiveIntegerField(default=0)
    ai_in_a_row = models.PositiveIntegerField(default=0)  # AI turns without progress, for the loop guard
    last_ai_at = models.DateTimeField(null=True)
    first_lead_at = models.DateTimeField(null=True)
    last_lead_at = models.DateTimeField(null=True)
    last_message_at = models.DateTimeField(default=timezone.now)
    preview = models.CharField(max_length=120, default="", blank=True)
    preview_author = models.CharField(max_length=8, default="", blank=True)
    follow_up_step = models.PositiveSmallIntegerField(default=0)  # rungs of the ladder used since their last message
    rating_asked_at = models.DateTimeField(null=True)
    rating = models.PositiveSmallIntegerField(null=True)  # 1–5, the lead's
    unread = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["contact", "number"], name="conversations_one_per_number")]
        indexes = [
            models.Index(fields=["-last_message_at", "-id"], name="conversations_recent"),
            # The tabs of the inbox (`conversations.listing`): a page and a bounded count of each are read off these.
            models.Index(
                fields=["-last_message_at", "-id"],
                name="conversations_needing",
                condition=models.Q(needs_person_since__isnull=False),
            ),
            models.Index(
                fields=["owner", "owner_person_id", "-last_message_at", "-id"],
                name="conversations_owned",
                condition=~models.Q(lifecycle="closed"),
            ),
            models.Index(
                fields=["assignee_id", "-last_message_at", "-id"],
                name="conversations_assigned",
                condition=models.Q(assignee_id__isnull=False),
            ),
            models.Index(
                fields=["needs_person_since", "id"],
                name="conversations_waiting",
                condition=models.Q(needs_person_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_held(self) -> bool:
        return self.hold_until is not None and self.hold_until > timezone.now()

    def next_seq(self) -> int:
        """The next arrival number; the row must be locked, and saved by the caller."""
        self.seq += 1
        return self.seq

    def hold(self, until: datetime) -> None:
        """Keep the AI from speaking until then; never shortens a hold. One statement, no lock needed before."""
        Conversation.objects.filter(pk=self.pk).filter(
            models.Q(hold_until=None) | models.Q(hold_until__lt=until)
        ).update(hold_until=until)


class Takeover(models.Model):
    """Somebody took the conversation from the AI, or gave it back."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="takeovers")
    person_id = models.BigIntegerField(null=True)
    source = models.CharField(max_length=12)  # inbox, phone, handoff, system
    epoch = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.source} {self.started_at:%Y-%m-%d %H:%M}"


class FormerConversation(models.Model):
    """The id of a conversation that is no more: it became one with another, or its lead's words were erased.

    Its old address leads to `into`, or says that it is gone when there is none.
    """

    former_id = models.BigIntegerField(primary_key=True)
    into = models.ForeignKey(Conversation, null=True, on_delete=models.SET_NULL, related_name="former")
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"#{self.former_id}"
