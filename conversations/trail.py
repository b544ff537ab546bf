"""One line of the audit log about a conversation."""

from typing import cast

from django.db import connection
from django.http import HttpRequest

from conversations.models import Conversation
from orgs import audit
from orgs.models import Org, Person


def note(
    action: audit.Action,
    conversation: Conversation,
    person: Person,
    *,
    request: HttpRequest | None,
    data: dict[str, object] | None = None,
) -> None:
    """The audit entry, in the transaction of the change. Inside the org."""
    org = cast(Org, connection.tenant)  # type: ignore[attr-defined]  # django-tenants' wrapper has it
    audit.record(action, request=request, org=org, person=person, target=f"conversation:{conversation.pk}", data=data)
