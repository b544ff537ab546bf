"""A person's own tabs of the inbox."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SavedView(models.Model):
    """Filters under a name, for one person. `query` is `listing.Wanted.query` without a search: no lead's words."""

    person_id = models.BigIntegerField()
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person_id", "name"], name="conversations_view_name")]

    def __str__(self) -> str:
        return self.name
