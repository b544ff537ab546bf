"""E-mails on their way out. A row first, so that a mail server that is away loses nothing."""

from django.db import models
from django.utils import timezone

from sdr.lib.secrets import EncryptedTextField


class Mail(models.Model):
    """One e-mail to one address. The bodies hold links that sign people in: encrypted, and emptied once sent."""

    class State(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        FAILED = "failed"  # given up; last_error says why

    to = models.EmailField(max_length=254)
    subject = models.CharField(max_length=200)
    text = EncryptedTextField(default="")
    html = EncryptedTextField(default="")
    language = models.CharField(max_length=8)
    kind = models.CharField(max_length=64)  # template prefix, e.g. "orgs/mail/invitation"
    org = models.ForeignKey("orgs.Org", null=True, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    last_error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["not_before"], name="orgs_mail_queued", condition=models.Q(state="queued")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"
