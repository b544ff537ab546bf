"""What integrations keep of a lead's words, named in the registry of `conversations.erasure`."""

from typing import Any

from django.db.models import Func, QuerySet, TextField

from conversations.erasure import Holding, Subject, about, register
from integrations.models import Quarantine


class AsText(Func):
    """Bytes as text, whatever they are: what is no ASCII is escaped."""

    function = "encode"
    template = "%(function)s(%(expressions)s, 'escape')"
    output_field = TextField()


def quarantined(subject: Subject) -> QuerySet[Any]:
    """Bodies that nobody could use and that are about the lead, also those that are no JSON."""
    return about(subject, Quarantine.objects.annotate(readable=AsText("body")), "readable")


def register_all() -> None:
    register(
        Holding(
            "integrations.Quarantine", quarantined, ("reason", "received_at"),
            ("detail", "body", "digest", "headers", "context"), is_queue=True,
        )
    )  # fmt: skip
