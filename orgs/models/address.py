"""Where the outside world finds an org: public, because the way to the org is what these rows are."""

from django.db import models
from django.utils import timezone

from sdr.lib.secrets import EncryptedTextField


class ChannelAddress(models.Model):
    """The webhook of one number: an unguessable key in the URL, and how its sender proves itself (PRODUCT 8).

    Two secrets live at once, so that rotating loses nothing; `former_instances` are names that retries still carry
    for 45 minutes after the number was paired again (contracts/evolution.md 3.4).
    """

    class Auth(models.TextChoices):
        HMAC = "hmac"
        JWT = "jwt"
        TOKEN = "token"  # noqa: S105

    org = models.ForeignKey("orgs.Org", on_delete=models.CASCADE, related_name="channel_addresses")
    number_id = models.BigIntegerField()
    key = models.CharField(max_length=64)
    auth = models.CharField(max_length=5, choices=Auth.choices)
    secret = EncryptedTextField()
    former_secret = EncryptedTextField(default="")
    former_secret_until = models.DateTimeField(null=True)
    instance = models.CharField(max_length=120, default="", blank=True)
    instance_id = models.CharField(max_length=80, default="", blank=True)
    former_instances = models.JSONField(default=list)  # [{"name", "id", "until"}]
    own_jid = models.CharField(max_length=80, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], name="orgs_channeladdress_key"),
            models.UniqueConstraint(fields=["org", "number_id"], name="orgs_channeladdress_number"),
        ]

    def __str__(self) -> str:
        return f"{self.auth} of number {self.number_id}"
