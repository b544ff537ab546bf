"""What was said, by whom, and how far it has come."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.models.conversation import Conversation
from conversations.models.number import Number
from conversations.models.turn import Turn
from conversations.ports import MessageKind

ACCENTED, PLAIN = "áàâãäåéèêëíìîïóòôõöúùûüçñ", "aaaaaaeeeeiiiiooooouuuucn"


class Words(models.Func):
    """The words of texts without case and accents, as PostgreSQL searches them (`conversations.finding`)."""

    output_field = SearchVectorField()
    template = f"to_tsvector('simple'::regconfig, translate(lower(%(expressions)s), '{ACCENTED}', '{PLAIN}'))"
    arg_joiner = " || ' ' || "


class Message(models.Model):
    """A message. A lead's is there or not; one of ours goes QUEUED → SENDING → SENT | UNKNOWN | FAILED | CANCELLED."""

    class Author(models.TextChoices):
        LEAD = "lead", _("Lead")
        AI = "ai", _("AI")
        PERSON = "person", _("Person")  # `person_id`; without one: the company's phone
        SYSTEM = "system", _("System")

    class State(models.TextChoices):
        RECEIVED = "received", _("Received")
        DRAFT = "draft", _("Waiting for approval")
        QUEUED = "queued", _("Queued")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Sent")
        UNKNOWN = "unknown", _("Not sure whether it was sent")
        FAILED = "failed", _("Not sent")
        CANCELLED = "cancelled", _("Cancelled")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    number = models.ForeignKey(Number, on_delete=models.PROTECT, related_name="+")
    author = models.CharField(max_length=8, choices=Author.choices)
    person_id = models.BigIntegerField(null=True)
    state = models.CharField(max_length=10, choices=State.choices)
    seq = models.PositiveIntegerField()  # order of arrival in the conversation; the watermark counts these
    provider_id = models.CharField(max_length=120, null=True)
    kind = models.CharField(max_length=12, default=MessageKind.TEXT)
    type_name = models.CharField(max_length=60, default="", blank=True)
    text = models.TextField(default="", blank=True)
    quoted_id = models.CharField(max_length=120, default="", blank=True)
    extra = models.JSONField(default=dict)
    sent_at = models.DateTimeField(null=True)  # by the provider's clock: what the thread is ordered by
    created_at = models.DateTimeField(default=timezone.now)
    is_recovered = models.BooleanField(default=False)  # found by reading back, not by a webhook
    is_backlog = models.BooleanField(default=False)  # too old on arrival to be answered by the AI
    transcript = models.TextField(default="", blank=True)  # of a voice note, or what an image shows; untrusted
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    reaction = models.CharField(max_length=16, default="", blank=True)  # theirs, on this message
    # Ours only:
    turn = models.ForeignKey(Turn, null=True, on_delete=models.SET_NULL, related_name="messages")
    bubble = models.PositiveSmallIntegerField(null=True)
    epoch = models.PositiveIntegerField(default=0)  # of the conversation when it was written
    ack = models.PositiveSmallIntegerField(default=0)  # ports.Ack.rank, only ever rises
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)  # the pause after a failed try
    failure = models.CharField(max_length=200, default="", blank=True)  # in words a person understands
    resent = models.BooleanField(default=False)  # the one automatic resend has been used

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["number", "provider_id"],
                condition=models.Q(provider_id__isnull=False),
                name="conversations_message_provider_id",
            ),
            models.UniqueConstraint(
                fields=["turn", "bubble"], condition=models.Q(turn__isnull=False), name="conversations_message_bubble"
            ),
            models.UniqueConstraint(fields=["conversation", "seq"], name="conversations_message_seq"),
        ]
        indexes = [
            models.Index(
                fields=["conversation", "state"],
                name="conversations_message_out",
                condition=models.Q(state__in=["queued", "sending", "unknown", "draft"]),
            ),
            GinIndex(Words("text", "transcript"), name="conversations_message_words"),
        ]

    def __str__(self) -> str:
        return f"{self.author} {self.state} #{self.pk}"


class Correction(models.Model):
    """An edit or a deletion, kept: what the text was before."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="corrections")
    former_text = models.TextField(default="", blank=True)
    is_deletion = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return "deleted" if self.is_deletion else "edited"


class Pending(models.Model):
    """News about a message we do not have yet (statuses, edits and deletions may come first); applied on arrival."""

    number = models.ForeignKey(Number, on_delete=models.CASCADE, related_name="+")
    target_id = models.CharField(max_length=120)
    sort = models.CharField(max_length=10)  # ack, edit, revoke, reaction
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["number", "target_id"], name="conversations_pending_target")]

    def __str__(self) -> str:
        return f"{self.sort} for {self.target_id}"


class MediaAsset(models.Model):
    """The file of a message: where it is, or why it is not there yet."""

    class State(models.TextChoices):
        WANTED = "wanted"
        STORED = "stored"
        FAILED = "failed"
        REFUSED = "refused"  # too large, or not what it claimed to be

    class Hearing(models.TextChoices):
        """How far sound has come on its way to a transcript; empty: nobody asked for one."""

        WANTED = "wanted"
        HEARD = "heard"
        UNCLEAR = "unclear"  # nobody can make out what is said
        TOO_LONG = "too_long"
        NO_BUDGET = "no_budget"  # the month's money for models is spent
        FAILED = "failed"

    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="media")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WANTED)
    path = models.CharField(max_length=300, default="", blank=True)
    claimed_mime = models.CharField(max_length=120, default="", blank=True)
    mime = models.CharField(max_length=120, default="", blank=True)  # by content
    file_name = models.CharField(max_length=200, default="", blank=True)
    size = models.PositiveBigIntegerField(null=True)
    seconds = models.PositiveIntegerField(null=True)
    width = models.PositiveIntegerField(null=True)  # of a picture, in pixels, by content
    height = models.PositiveIntegerField(null=True)
    is_voice_note = models.BooleanField(default=False)
    hearing = models.CharField(max_length=10, choices=Hearing.choices, default="", blank=True)
    heard_at = models.DateTimeField(null=True)  # when that was settled
    failure = models.CharField(max_length=200, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.state} {self.mime}"
