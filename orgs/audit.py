"""The append-only record (PRODUCT 8): who did what, when, from where, on what.

A database trigger refuses change and removal. Write the entry inside the
transaction of the change, so that neither exists without the other.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from structlog.contextvars import get_contextvars

from orgs.models import AuditEntry, Org, Person

MASK = "***"
MAX_VALUE_CHARS = 300
SECRET_KEYS = re.compile(
    r"password|passwd|passphrase|secret|token|api_?key|private_?key|credential|authorization|cookie|session_?key"
    r"|(^|_)otp(_|$)|recovery_?code|keyring|signature|phone|(^|_)(message|body|text|transcript|prompt)(_|$)",
    re.IGNORECASE,
)
SECRET_VALUES = re.compile(
    r"\b(sk|rk|pk)_(test|live)_\w{8,}|\bwhsec_\w{8,}|\bgAAAAA[\w-]{20,}|\beyJ[\w-]{10,}\.|\$argon2|pbkdf2_sha"
    r"|\bBearer\s+\S{8,}|-----BEGIN|\b[0-9a-f]{40,}\b|\b(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{40,}"
)


class Action(StrEnum):
    """What can be recorded: noun and past participle. A value, once written, keeps its meaning."""

    # Orgs
    ORG_CREATED = "org.created"
    ORG_CHANGED = "org.changed"
    ORG_SUSPENDED = "org.suspended"
    ORG_UNSUSPENDED = "org.unsuspended"
    ORG_DELETION_REQUESTED = "org.deletion_requested"
    ORG_DELETION_CANCELLED = "org.deletion_cancelled"
    ORG_DELETED = "org.deleted"
    # Members
    PERSON_INVITED = "person.invited"
    INVITATION_RESENT = "invitation.resent"
    INVITATION_REVOKED = "invitation.revoked"
    INVITATION_ACCEPTED = "invitation.accepted"
    MEMBERSHIP_ROLE_CHANGED = "membership.role_changed"
    MEMBERSHIP_REMOVED = "membership.removed"
    MEMBERSHIP_LEFT = "membership.left"
    OWNERSHIP_TRANSFERRED = "ownership.transferred"
    # Numbers
    NUMBER_ADDED = "number.added"
    NUMBER_CHANGED = "number.changed"
    NUMBER_MODE_CHANGED = "number.mode_changed"
    NUMBER_CONNECTION_STARTED = "number.connection_started"
    NUMBER_CONNECTION_RENEWED = "number.connection_renewed"
    NUMBER_RESTARTED = "number.restarted"
    NUMBER_WEBHOOK_SET = "number.webhook_set"
    NUMBER_LOGGED_OUT = "number.logged_out"
    NUMBER_REMOVED = "number.removed"
    NUMBER_SECRET_ROTATED = "number.secret_rotated"  # noqa: S105  # the name of a fact
    NUMBER_SECRET_ENDED = "number.secret_ended"  # noqa: S105
    NUMBER_SECRET_SHOWN = "number.secret_shown"  # noqa: S105
    # Conversations
    LEAD_CORRECTED = "lead.corrected"
    CONVERSATION_TAKEN_OVER = "conversation.taken_over"
    CONVERSATION_GIVEN_BACK = "conversation.given_back"
    CONVERSATION_CLOSED = "conversation.closed"
    CONVERSATION_REOPENED = "conversation.reopened"
    CONVERSATION_SNOOZED = "conversation.snoozed"
    CONVERSATION_STARTED = "conversation.started"  # a person writes first
    CONVERSATION_MERGED = "conversation.merged"
    CONVERSATION_PAUSED = "conversation.ai_paused"
    CONTACT_ADMITTED = "contact.admitted"  # a lead again, after having been marked as something else
    ANSWER_STOPPED = "answer.stopped"
    ANSWER_HURRIED = "answer.hurried"
    CONVERSATION_ASSIGNED = "conversation.assigned"
    ASSIGNMENT_CHANGED = "assignment.changed"
    DRAFT_APPROVED = "draft.approved"
    DRAFT_DISCARDED = "draft.discarded"
    MESSAGE_RETRIED = "message.retried"
    MESSAGE_CONFIRMED = "message.confirmed"  # a person says that an uncertain one did arrive
    CONTACT_ERASED = "contact.erased"
    CONTACT_EXPORTED = "contact.exported"
    CONTACT_OPTED_OUT = "contact.opted_out"  # a person says that they asked for it
    CONTACT_OPTED_BACK = "contact.opted_back"
    CANNED_REPLY_ADDED = "canned_reply.added"
    CANNED_REPLY_CHANGED = "canned_reply.changed"
    CANNED_REPLY_REMOVED = "canned_reply.removed"
    DOCUMENT_ADDED = "document.added"
    DOCUMENT_CHANGED = "document.changed"
    DOCUMENT_REMOVED = "document.removed"
    PRODUCT_ADDED = "product.added"
    PRODUCT_CHANGED = "product.changed"
    PRODUCT_REMOVED = "product.removed"
    EVAL_CASE_ADDED = "eval_case.added"
    EVAL_CASE_CHANGED = "eval_case.changed"
    EVAL_CASE_REMOVED = "eval_case.removed"
    EVAL_CASES_EXPORTED = "eval_cases.exported"
    AGENT_CHANGED = "agent.changed"  # its draft
    AGENT_DRAFT_DISCARDED = "agent.draft_discarded"
    AGENT_PUBLISHED = "agent.published"
    AGENT_ROLLED_BACK = "agent.rolled_back"
    AGENT_SEPARATED = "agent.separated"  # a number got one of its own
    AGENT_SHARED = "agent.shared"  # a number uses the shared one again
    AI_PAUSED = "ai.paused"
    AI_RESUMED = "ai.resumed"
    # People
    PERSON_SIGNED_UP = "person.signed_up"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_SIGNED_OUT = "person.signed_out"
    PERSON_SIGN_IN_FAILED = "person.sign_in_failed"
    PERSON_CHANGED = "person.changed"
    PERSON_DEACTIVATED = "person.deactivated"
    PERSON_REACTIVATED = "person.reactivated"
    PERSON_DELETED = "person.deleted"
    PERSON_SESSIONS_ENDED = "person.sessions_ended"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  # the name of a fact
    PASSWORD_RESET = "password.reset"  # noqa: S105
    EMAIL_CHANGED = "email.changed"
    EMAIL_VERIFIED = "email.verified"
    MFA_ADDED = "mfa.added"
    MFA_REMOVED = "mfa.removed"
    MFA_RESET = "mfa.reset"
    RECOVERY_CODES_MADE = "recovery_codes.made"
    ACCOUNT_CONNECTED = "account.connected"
    ACCOUNT_DISCONNECTED = "account.disconnected"
    # Ours
    FLAG_CHANGED = "flag.changed"
    FLAG_OVERRIDDEN = "flag.overridden"
    FLAG_OVERRIDE_CLEARED = "flag.override_cleared"
    QUEUE_REPLAYED = "queue.replayed"
    QUARANTINE_REPLAYED = "quarantine.replayed"
    QUARANTINE_DISMISSED = "quarantine.dismissed"
    STAFF_LOOKED = "staff.looked"
    STAFF_CHANGED = "staff.changed"
    SECRETS_ROTATED = "secrets.rotated"


class SecretInAuditError(ValueError):
    """Something that looks like a secret or like a lead's words was about to be recorded."""


def record(
    action: Action | str,
    *,
    request: HttpRequest | None = None,
    org: Org | None = None,
    person: Person | None = None,
    target: str = "",
    data: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write one entry.

    In: `action` is one of Action (ValueError otherwise). `request` tells from where, and who when `person` is not
    given; without both the system did it. `person` is the one who acts, `target` what it was done to, such as
    "membership:7" (at most 64 characters), `data` what changed: plain values, never a secret, a phone number or a
    message. Errors: SecretInAuditError in tests when `data` breaks that rule; elsewhere the value is masked, since
    the change matters more.
    """
    if person is None and request is not None:
        user = getattr(request, "user", None)
        person = user if isinstance(user, Person) else None
    return AuditEntry.objects.create(
        org_id=org.pk if org else None,
        org_slug=org.slug if org else "",
        person_id=person.pk if person else None,
        actor=person.email if person else "",
        action=Action(action).value,
        target=target[:64],
        data=safe_data(dict(data or {})),
        ip=client_ip(request) if request else None,
        user_agent=request.headers.get("User-Agent", "").replace("\x00", "")[:200] if request else "",
        request_id=request_id(request),
    )


def client_ip(request: HttpRequest) -> str | None:
    """Address of the client, as the front door resolved it from trusted proxies; None when it is no address."""
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return None


def request_id(request: HttpRequest | None) -> str:
    """The id under which the log knows this request or job, or empty."""
    bound = get_contextvars()
    return str(getattr(request, "id", None) or bound.get("request_id") or bound.get("correlation_id") or "")[:64]


def safe_data(value: Any, *, key: str = "") -> Any:
    """`value` as JSON can hold it, without what must not be kept. Errors: see `record`."""
    if isinstance(value, Mapping):
        return {str(name): safe_data(item, key=str(name)) for name, item in value.items()}
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes | bytearray):
        return [safe_data(item, key=key) for item in value]
    text = str(value).replace("\x00", "")
    if text and (isinstance(value, bytes | bytearray) or SECRET_KEYS.search(key) or SECRET_VALUES.search(text)):
        return refuse(key)
    return text[:MAX_VALUE_CHARS]


def refuse(key: str) -> str:
    if settings.ENVIRONMENT == "test":
        raise SecretInAuditError(f"The audit log keeps no secrets and no messages: {key or 'a value'} looks like one.")
    return MASK
