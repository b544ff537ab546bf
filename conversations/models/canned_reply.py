"""Texts an org has at hand for answering."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class CannedReply(models.Model):
    """A text under a short name. It may hold variables (`conversations.canned`): {{first_name}} and the like."""

    shortcut = models.CharField(_("shortcut"), max_length=40)  # lower-case letters, digits, hyphens
    text = models.TextField(_("text"))
    changed_by = models.BigIntegerField(null=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "canned replies"
        constraints = [models.UniqueConstraint(fields=["shortcut"], name="conversations_canned_shortcut")]

    def __str__(self) -> str:
        return self.shortcut
