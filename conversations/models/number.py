"""A connected WhatsApp number: its state, how far it is live, and how fast it may speak."""

from datetime import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.ports import LinkState
from sdr.lib.secrets import EncryptedTextField


class Number(models.Model):
    """One number of the org. Messages reach it through its `orgs.ChannelAddress`, found there by the key in the URL."""

    class Mode(models.TextChoices):
        """How far the AI is live (PRODUCT 2, "Going live safely")."""

        OFF = "off", _("Off")
        DRAFTS = "drafts", _("Drafts for approval")
        NEW = "new", _("Only new contacts")
        ALL = "all", _("All")

    class Intent(models.TextChoices):
        """What somebody wants done at the provider: written before anything is called, cleared when it is done."""

        NONE = "", ""
        CONNECT = "connect"
        RENEW = "renew"  # connect with a fresh session, the old one is thrown away
        RESTART = "restart"
        WEBHOOK = "webhook"  # tell the provider our address and secret once more
        LOGOUT = "logout"
        REMOVE = "remove"

    name = models.CharField(_("name"), max_length=80)
    phone = models.CharField(max_length=20, default="", blank=True)  # canonical digits, as declared
    own_jid = models.CharField(max_length=80, default="", blank=True)  # what was paired, as the provider says
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.OFF)
    mode_since = models.DateTimeField(default=timezone.now)  # for NEW: contacts whose first message is younger
    state = models.CharField(max_length=12, default=LinkState.CLOSED)
    state_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True)  # of the present connection: older messages are backlog
    reason = models.SmallIntegerField(null=True)  # why it is not open, in the provider's code
    heard_at = models.DateTimeField(null=True)  # last webhook of any sort, to half a minute
    lost_at = models.DateTimeField(null=True)  # since when it is lost without anybody having wanted it
    unreachable_at = models.DateTimeField(null=True)  # since when the provider does not answer
    alerted_at = models.DateTimeField(null=True)  # when people were told of the present loss
    alerted_to = models.JSONField(default=list)  # their ids
    provider_url = models.CharField(max_length=300, default="", blank=True)  # empty: the installation's own server
    provider_key = EncryptedTextField(default="")  # of the one instance
    server_key = EncryptedTextField(default="")  # of the whole server, where the org named its own
    is_outside = models.BooleanField(default=False)  # the org named the server: public addresses only
    instance = models.CharField(max_length=120, default="", blank=True)
    is_ours = models.BooleanField(default=False)  # we made the instance, so it goes when the number goes
    leftovers = models.JSONField(default=list)  # names of former instances of ours still to be deleted
    instance_id = models.CharField(max_length=80, default="", blank=True)
    intent = models.CharField(max_length=8, choices=Intent.choices, default=Intent.NONE, blank=True)
    intent_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=24, default="", blank=True)  # why the last thing wanted did not work
    code = EncryptedTextField(default="")  # what to scan or type now, as JSON; a secret
    code_at = models.DateTimeField(null=True)  # since when it is that one
    pairing_until = models.DateTimeField(null=True)  # codes are asked for until then
    webhook_set_at = models.DateTimeField(null=True)  # when the provider was last told our address
    verified_at = models.DateTimeField(null=True)  # first authentic webhook since
    removed_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)  # by the gap detective
    read_until = models.DateTimeField(null=True)  # what the provider had stored till then has been compared
    rhythm = models.JSONField(default=dict)  # conversations.rhythm.Rhythm
    daily_cap = models.PositiveIntegerField(default=1000)  # AI messages a day
    per_minute = models.PositiveIntegerField(default=20)  # AI messages a minute, as a token bucket
    bucket_drained_at = models.DateTimeField(default=timezone.now)  # GCRA state of the bucket
    sent_on = models.DateField(null=True)
    sent_today = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        return self.state == LinkState.OPEN

    def is_backlog(self, sent_at: datetime | None, *, limit_seconds: int) -> bool:
        """True for a message so old that answering it now would be odd (contracts/evolution.md 8.4)."""
        if sent_at is None:
            return False
        return (timezone.now() - sent_at).total_seconds() > limit_seconds


class Control(models.Model):
    """One row: the org's red switch. Sends read it with a share lock, the switch takes it for update."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    paused_at = models.DateTimeField(null=True)
    paused_by = models.BigIntegerField(null=True)  # person

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="conversations_one_control")]

    def __str__(self) -> str:
        return "paused" if self.paused_at else "running"
