"""Browsers that people let show them what they are told (RFC 8030, web push)."""

from django.db import models
from django.utils import timezone

from sdr.lib.secrets import EncryptedTextField


class PushSubscription(models.Model):
    """One browser of a person, as long as the session lives in which they switched it on.

    `endpoint` is an address of the browser's maker and lets its holder wake the browser: it is kept like a secret, and
    found by its digest.
    """

    person = models.ForeignKey("orgs.Person", on_delete=models.CASCADE, related_name="push_subscriptions")
    digest = models.CharField(max_length=64)  # SHA-256 of the endpoint
    endpoint = EncryptedTextField()
    auth = EncryptedTextField()  # base64url, 16 bytes the browser shares with us
    p256dh = models.CharField(max_length=100)  # base64url, the browser's public key
    session_key = models.CharField(max_length=40)
    user_agent = models.CharField(max_length=200, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["digest"], name="orgs_push_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"
