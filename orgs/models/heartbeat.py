"""Signs of life of workers, for health checks and the operations page."""

from django.db import models


class Heartbeat(models.Model):
    """The last sign of life of one process: `name` is kind@host:pid."""

    name = models.CharField(max_length=120, primary_key=True)
    kind = models.CharField(max_length=32)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
