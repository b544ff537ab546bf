"""Note01 … Note25: text, numbers, times, a parent in the same schema, an author in public (without a constraint)."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

TABLES = 25


class Note(models.Model):
    title = models.CharField(max_length=120)
    body = models.TextField(default="")
    amount = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    is_done = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, db_constraint=False, on_delete=models.DO_NOTHING, related_name="+"
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.title


def make(number: int) -> type[Note]:
    """A concrete table; each but the first points at the one before."""
    body: dict[str, object] = {"__module__": __name__}
    if number > 1:
        body["parent"] = models.ForeignKey(
            f"rehearsal.Note{number - 1:02}", null=True, on_delete=models.CASCADE, related_name="children"
        )
    if number == 1:
        body["colour"] = models.CharField(max_length=16, null=True)  # added later: what migrate_orgs is tried with
    body["Meta"] = type(
        "Meta",
        (),
        {"indexes": [models.Index(fields=["is_done", "created_at"], name=f"rehearsal_note{number:02}_done")]},
    )
    return type(f"Note{number:02}", (Note,), body)


NOTES: list[Any] = [make(number) for number in range(1, TABLES + 1)]
Note01, Note02, Note03 = NOTES[:3]
