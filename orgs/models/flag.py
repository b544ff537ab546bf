"""Feature flags as rows: read through orgs.flags, nowhere else (PRODUCT 7)."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone


class Flag(models.Model):
    """A flag that differs from its setting: on for `percentage` of orgs, chosen by a stable hash."""

    name = models.CharField(max_length=64, primary_key=True)
    percentage = models.PositiveSmallIntegerField(validators=[MaxValueValidator(100)])
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(percentage__lte=100), name="orgs_flag_percentage")]

    def __str__(self) -> str:
        return f"{self.name} {self.percentage} %"


class FlagOverride(models.Model):
    """On or off for one org, whatever the percentage says."""

    name = models.CharField(max_length=64)
    org = models.ForeignKey("orgs.Org", on_delete=models.CASCADE, related_name="flag_overrides")
    is_on = models.BooleanField()
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org", "name"], name="orgs_flagoverride_once")]

    def __str__(self) -> str:
        return f"{self.name} {'on' if self.is_on else 'off'}"
