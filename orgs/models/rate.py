"""Counters behind rate limits: one row per limited thing, in an unlogged table (a crash forgets them, nothing more)."""

from django.db import models


class RateBucket(models.Model):
    """GCRA state of one key (rule and who): the moment at which it has drained, its theoretical arrival time."""

    key = models.CharField(max_length=120, primary_key=True)
    drained_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["drained_at"], name="orgs_rate_drained")]

    def __str__(self) -> str:
        return self.key
