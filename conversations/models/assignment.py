"""Who is given the next lead (PRODUCT 3, "Assignment")."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

SILENT_MINUTES = (5, 24 * 60)


class Assignment(models.Model):
    """One row: the org's rules and whose turn it is. Whoever gives a lead away holds it for update.

    `rules`: a list of {"number": id or null, "source": "", "ad" or "direct", "hours": "", "open" or "closed", "people":
    ids}; the first that fits decides. No people, or no rule that fits: everybody who may answer. `turns`: person id →
    when they were given one last, as a number that rises with each lead given.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    is_on = models.BooleanField(_("give leads to people in turn"), default=False)
    silent_minutes = models.PositiveSmallIntegerField(
        _("give a lead to somebody else after so many minutes of silence"),
        null=True,
        blank=True,
        validators=[MinValueValidator(SILENT_MINUTES[0]), MaxValueValidator(SILENT_MINUTES[1])],
    )
    rules = models.JSONField(default=list)
    turns = models.JSONField(default=dict)
    given = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="conversations_one_assignment")]

    def __str__(self) -> str:
        return "on" if self.is_on else "off"
