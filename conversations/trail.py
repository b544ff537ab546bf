"""One line of the audit log about a conversation."""

from django.http import HttpRequest

from conversations.models import Conversation
from orgs import audit
from orgs.context import current_org
from orgs.models import Person


def note(
    action: audit.Action,
    conversation: Conversation,
    person: Person,
    *,
    request: HttpRequest | None,
    data: dict[str, object] | None = None,
) -> None:
    """The audit entry, in the transaction of the change. Inside the org."""
    org = current_org()
    audit.record(action, request=request, org=org, person=person, target=f"conversation:{conversation.pk}", data=data)
