"""Telling open pages that a conversation is another than it was (`orgs.bell`, `conversations.streams`)."""

from django.db import connection

from orgs import bell


def changed(conversation_id: int) -> None:
    """Its row in the lists and its thread look different once the present transaction has committed. Costs no query.

    Recording an event and wanting late work for a conversation do this by themselves; call it for what does neither.
    """
    bell.tell(int(connection.tenant.pk), conversation_id)  # type: ignore[attr-defined]  # django-tenants' wrapper
