"""Which schema version the database is at: of public, and of the template that new orgs are made from."""

from django.db import models
from django.utils import timezone


class SchemaVersion(models.Model):
    """`public` or `org`. For `org` also the SQL, so that older code still running makes orgs of the newest shape."""

    name = models.CharField(max_length=16, primary_key=True)
    version = models.CharField(max_length=64)
    migrations = models.JSONField(default=list)  # ["app.0001_name", …] in the order applied
    sql = models.TextField(default="")
    applied_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} {self.version[:12]}"
