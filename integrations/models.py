"""What integrations keep in an org's schema."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

KEPT_FOR = timedelta(days=30)
KEPT_BYTES = 64 * 1024  # of a body that was too large to take in
DETAIL_CHARS = 300


class QuarantineQuerySet(models.QuerySet["Quarantine"]):
    def keep(
        self,
        number_id: int,
        body: bytes,
        *,
        reason: "Quarantine.Reason",
        detail: str = "",
        size: int | None = None,
        headers: Mapping[str, str] | None = None,
        context: Mapping[str, Any] | None = None,
        received_at: datetime | None = None,
    ) -> "Quarantine":
        """Keep an authentic body that nobody could use, in the org we are in.

        In: `body` stripped of secrets where it could be read; `size` in bytes of what was sent, when `body` is only its
        beginning; `headers` without those that prove who sends.
        """
        return self.create(
            number_id=number_id,
            body=body,
            size=len(body) if size is None else size,
            is_whole=size is None or size == len(body),
            digest=hashlib.sha256(body).hexdigest(),
            reason=reason,
            detail=detail[:DETAIL_CHARS].replace("\x00", ""),
            headers=dict(headers or {}),
            context=dict(context or {}),
            received_at=received_at or timezone.now(),
        )

    def prune(self, now: datetime) -> int:
        """Delete what is older than 30 days (contract evolution.md 3.4). Out: how many."""
        return self.filter(received_at__lt=now - KEPT_FOR).delete()[0]


class Quarantine(models.Model):
    """A body of an authentic sender that we could not use: kept 30 days, so that a mended parser can have it again."""

    class Reason(models.TextChoices):
        UNREADABLE = "unreadable", _("Nobody can read it")
        TOO_LARGE = "too_large", _("Larger than what is taken in")
        WRONG_INSTANCE = "wrong_instance", _("Names another instance")
        UNSTORABLE = "unstorable", _("The database refuses it")
        FAILED = "failed", _("Reading it failed again and again")
        NUMBER_GONE = "number_gone", _("Its number does not exist any more")

    number_id = models.BigIntegerField()  # no foreign key: it outlives its number
    reason = models.CharField(max_length=16, choices=Reason.choices)
    detail = models.CharField(max_length=DETAIL_CHARS, default="", blank=True)  # for our staff; never a lead's words
    body = models.BinaryField()
    size = models.BigIntegerField()  # bytes as sent
    is_whole = models.BooleanField(default=True)
    digest = models.CharField(max_length=64)  # SHA-256 of `body`
    headers = models.JSONField(default=dict)
    context = models.JSONField(default=dict)  # trace and correlation ids
    received_at = models.DateTimeField(default=timezone.now)
    replayed_at = models.DateTimeField(null=True)

    objects = QuarantineQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "quarantine"
        indexes = [models.Index(fields=["received_at"], name="integrations_quarantine_age")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.reason}"

    @property
    def can_replay(self) -> bool:
        """Whether it is all there and a JSON object; the beginning of something too large is not."""
        return self.is_whole and self._content() is not None

    def _content(self) -> str | None:
        try:
            text = bytes(self.body).decode()
            return text if isinstance(json.loads(text), dict) and "\x00" not in text else None
        except (ValueError, RecursionError):
            return None
