"""How a member wants to be told: kinds by channels, quiet hours, summaries."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations.news import NEEDS_ADMIN, NEEDS_SDR
from orgs import push
from orgs.models import Channel, Membership, NotificationKind, NotificationSettings, Role
from orgs.models.notification import KINDS_TO_CHOOSE
from orgs.org_forms import ZoneField

if TYPE_CHECKING:
    SettingsModelForm = forms.ModelForm[NotificationSettings]
else:
    SettingsModelForm = forms.ModelForm  # generic for the type checker only


class ClockInput(forms.TimeInput):
    """A time of day, as browsers take it in any language."""

    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M")


class NotificationSettingsForm(SettingsModelForm):
    """The member's own settings; each kind they can be told of has a box for each channel, `<kind>-<channel>`."""

    time_zone = ZoneField(required=False, label=_("Your time zone"))

    class Meta:
        model = NotificationSettings
        fields = [
            "is_muted", "quiet_from", "quiet_until", "time_zone", "daily_digest", "weekly_digest", "digest_at",
        ]  # fmt: skip
        labels = {
            "is_muted": _("Tell me nothing at all"),
            "quiet_from": _("Quiet from"),
            "quiet_until": _("Quiet until"),
            "daily_digest": _("A summary of each day"),
            "weekly_digest": _("A summary of each week, on Mondays"),
            "digest_at": _("Summaries come at"),
        }
        widgets = {name: ClockInput() for name in ("quiet_from", "quiet_until", "digest_at")}

    def __init__(self, *args: Any, member: Membership, **options: Any) -> None:
        super().__init__(*args, **options)
        self.member = member
        self.fields["time_zone"].help_text = _("Empty: that of the organization, %(zone)s.") % {
            "zone": member.org.time_zone
        }
        for kind in self.kinds():
            chosen = NotificationSettings(channels=self.instance.channels).channels_of(kind)
            for channel in self.ways():
                self.fields[f"{kind}-{channel}"] = forms.BooleanField(
                    required=False, initial=channel in chosen, label=f"{kind.label}: {channel.label}"
                )

    def kinds(self) -> list[NotificationKind]:
        """What somebody of the member's role can be told of."""
        return [
            kind
            for kind in KINDS_TO_CHOOSE
            if (kind not in NEEDS_SDR or self.member.may(Role.SDR))
            and (kind not in NEEDS_ADMIN or self.member.may(Role.ADMIN))
        ]

    @staticmethod
    def ways() -> list[Channel]:
        """The channels that this installation has."""
        return [channel for channel in Channel if channel != Channel.PUSH or push.is_on()]

    @property
    def channels(self) -> list[str | Promise]:
        """The heads of the columns."""
        return [channel.label for channel in self.ways()]

    def rows(self) -> Iterator[tuple[str | Promise, list[BoundField]]]:
        """A line for each kind: its name, and a box for each channel."""
        for kind in self.kinds():
            yield kind.label, [self[f"{kind}-{channel}"] for channel in self.ways()]

    def others(self) -> list[BoundField]:
        """The fields below the table."""
        return [self[name] for name in self.Meta.fields if name != "is_muted"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if (cleaned.get("quiet_from") is None) != (cleaned.get("quiet_until") is None) and not (
            {"quiet_from", "quiet_until"} & set(self.errors)
        ):
            missing = "quiet_until" if cleaned.get("quiet_until") is None else "quiet_from"
            self.add_error(missing, forms.ValidationError(_("Quiet hours need a beginning and an end."), code="half"))
        return dict(cleaned)

    def save(self, commit: bool = True) -> NotificationSettings:
        """Write the row. What the form does not show stays as it was: kinds of other roles, channels that are off."""
        before = {
            kind: NotificationSettings(channels=self.instance.channels).channels_of(kind) for kind in self.kinds()
        }
        chosen = {
            str(kind): sorted(
                {str(channel) for channel in self.ways() if self.cleaned_data[f"{kind}-{channel}"]}
                | {str(channel) for channel in before[kind] if channel not in self.ways()}
            )
            for kind in self.kinds()
        }
        self.instance.channels = {**self.instance.channels, **chosen}
        return super().save(commit)
