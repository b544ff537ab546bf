"""What members are told of, how they want to be told, and what is still on its way (PRODUCT 3, "Notifications").

Ids and codes only: no row here holds what a lead said or is. All rows hang on the membership, so that whoever leaves an
org, or is removed, is told nothing more by what was written before.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orgs.models.people import Membership

MORNING = time(8)


class NotificationKind(models.TextChoices):
    """What people are told of."""

    HANDOFF = "handoff", _("A lead needs a person")
    HOT = "hot", _("A lead is qualified")
    ASSIGNED = "assigned", _("A lead is assigned to you")
    MENTION = "mention", _("Somebody mentions you")
    NUMBER = "number", _("A number loses its connection")
    LIMIT = "limit", _("A number reaches its limit of the day")
    DIGEST = "digest", _("Summary of a day or a week")


class Channel(models.TextChoices):
    """The ways to a person."""

    IN_APP = "in_app", _("In the app")
    EMAIL = "email", _("E-mail")
    PUSH = "push", _("Browser")


KINDS_TO_CHOOSE = tuple(kind for kind in NotificationKind if kind != NotificationKind.DIGEST)
USUAL_CHANNELS: dict[str, frozenset[str]] = {kind.value: frozenset(Channel.values) for kind in KINDS_TO_CHOOSE}


class NotificationSettings(models.Model):
    """How one member of one org wants to be told. Without a row everything is as usual."""

    membership = models.OneToOneField(
        Membership, primary_key=True, on_delete=models.CASCADE, related_name="notification_settings"
    )
    channels = models.JSONField(default=dict)  # kind → names of channels, where they are not the usual ones
    is_muted = models.BooleanField(_("tell me nothing"), default=False)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("until"), null=True, blank=True)
    time_zone = models.CharField(_("your time zone"), max_length=64, default="", blank=True)  # empty: the org's
    daily_digest = models.BooleanField(_("a summary of each day"), default=True)
    weekly_digest = models.BooleanField(_("a summary of each week, on Mondays"), default=True)
    digest_at = models.TimeField(_("summaries come at"), default=MORNING)

    class Meta:
        verbose_name_plural = "notification settings"

    def __str__(self) -> str:
        return f"#{self.membership_id}"

    def channels_of(self, kind: str) -> frozenset[str]:
        """By which channels they are told of this kind; none while they are muted."""
        if self.is_muted:
            return frozenset()
        if kind not in self.channels:
            return USUAL_CHANNELS.get(kind, frozenset())
        return frozenset(self.channels[kind]) & frozenset(Channel.values)

    def zone(self) -> ZoneInfo:
        """Where the person's clock hangs. One query unless the membership's org is loaded."""
        return ZoneInfo(self.time_zone or self.membership.org.time_zone)

    def quiet_over(self, now: datetime) -> datetime | None:
        """When the quiet hours that hold at `now` (aware) end, as an aware time; None outside of them.

        By the person's clock: hours that a change of clocks skips or repeats are as long as the clock says.
        """
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return None
        zone = self.zone()
        local = now.astimezone(zone)
        at = local.time().replace(fold=0)
        crosses = self.quiet_from > self.quiet_until
        is_quiet = (
            at >= self.quiet_from or at < self.quiet_until if crosses else self.quiet_from <= at < self.quiet_until
        )
        if not is_quiet:
            return None
        day = local.date() + timedelta(days=1) if crosses and at >= self.quiet_from else local.date()
        over = datetime.combine(day, self.quiet_until, tzinfo=zone)
        return over if over > now else now + timedelta(minutes=1)


class NotificationQuerySet(models.QuerySet["Notification"]):
    def shown(self) -> "NotificationQuerySet":
        """What stands in the app, newest first."""
        return self.filter(in_app=True).order_by("-pk")


class Notification(models.Model):
    """One member is told of one thing. `cause` names it: whoever says so twice, or at the same time, tells once."""

    membership = models.ForeignKey(
        Membership, on_delete=models.CASCADE, related_name="notifications", db_index=False
    )  # the constraint's index leads to it
    kind = models.CharField(max_length=16, choices=NotificationKind.choices)
    cause = models.CharField(max_length=80)
    conversation_id = models.BigIntegerField(null=True)  # in the org's schema
    number_id = models.BigIntegerField(null=True)  # likewise
    data = models.JSONField(default=dict)  # codes and ids that the words are made from
    in_app = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["membership", "kind", "cause"], name="orgs_notification_once"),
        ]
        indexes = [
            models.Index(fields=["membership", "-id"], name="orgs_notification_shown", condition=models.Q(in_app=True)),
            models.Index(
                fields=["membership"],
                name="orgs_notification_unread",
                condition=models.Q(in_app=True, read_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.cause}"


class NotificationDelivery(models.Model):
    """A notification on its way out of the app."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        DROPPED = "dropped"  # read meanwhile, not wanted any more, or not theirs to see any more

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=8, choices=Channel.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "notification deliveries"
        constraints = [
            models.UniqueConstraint(fields=["notification", "channel"], name="orgs_delivery_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.state}"
