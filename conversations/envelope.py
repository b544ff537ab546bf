"""Events as other programs get them: source, detail type and detail, as the published schemas say (PRODUCT 5).

A detail is made when it is sent, from the recorded ids and values and from the message as it stands: the words of a
message that was edited are the new ones, those of one that was deleted are gone, also when an old event is sent again.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from conversations.models import Event, EventName, MediaAsset, Message, Number
from conversations.ports import MessageKind
from orgs.context import current_org
from orgs.models import Org
from sdr.lib import phone

FOLDER = Path(__file__).parent / "schemas"
FILES = frozenset(
    {MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.DOCUMENT, MessageKind.STICKER}
)  # fmt: skip
SOURCES = {
    EventName.MESSAGE_RECEIVED: "app.messaging",
    EventName.MESSAGE_SENT: "app.messaging",
    EventName.MESSAGE_FAILED: "app.messaging",
    EventName.AI_RESPONDED: "app.ai",
    EventName.SESSION_UPDATED: "app.sessions",
    EventName.SESSION_HANDED_OFF: "app.sessions",
    EventName.SESSION_TAKEN_OVER: "app.sessions",
    EventName.SESSION_GIVEN_BACK: "app.sessions",
    EventName.SESSION_RATED: "app.sessions",
}
SESSION_FIELDS = ("stage", "score", "threshold", "qualified", "owner", "lifecycle")
AI_FIELDS = ("stage", "brain", "model", "inputTokens", "outputTokens", "costUsd")


@dataclass(frozen=True)
class Envelope:
    """What a bus or a webhook carries. `detail` is plain JSON in camelCase."""

    source: str
    detail_type: str
    detail: dict[str, Any]
    occurred_at: datetime


def seal(events: Iterable[Event]) -> list[Envelope]:
    """The envelopes of events of the org we are in, in their order; three queries for all of them."""
    events = list(events)
    ids = {event.message_id for event in events if event.message_id is not None}
    messages = Message.objects.select_related("media").in_bulk(ids)
    conversations = {event.conversation_id for event in events}
    numbers = {
        conversation: number
        for number in Number.objects.filter(conversations__in=conversations).distinct()
        for conversation in number.conversations.filter(pk__in=conversations).values_list("pk", flat=True)
    }
    org = current_org()
    return [
        seal_one(event, messages.get(event.message_id or 0), numbers[event.conversation_id], org) for event in events
    ]


def seal_one(event: Event, message: Message | None, number: Number, org: Org) -> Envelope:
    name = EventName(event.name)
    provider_id = event.data.get("providerMessageId") or (message.provider_id if message else None)
    is_incoming = name is EventName.MESSAGE_RECEIVED and provider_id
    key = provider_id if is_incoming else str(event.message_id) if event.message_id else f"event-{event.pk}"
    detail = {
        "orgId": str(org.pk),
        "sessionId": str(event.conversation_id),
        "contactId": str(event.conversation.contact_id),
        "messageId": str(event.message_id) if event.message_id else None,
        "providerMessageId": provider_id,
        "occurredAt": instant(event.occurred_at),
        "idempotencyKey": key,
        "sequence": event.sequence,
        **FIELDS[name](event, message, number),
    }
    if "text" in detail and (not org.shares_text or message is None or message.deleted_at is not None):
        del detail["text"]
    return Envelope(SOURCES[name], name.value, detail, event.occurred_at)


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- Per type ---------------------------------------------------------------------------------------------------------
def said(event: Event, message: Message | None, number: Number) -> dict[str, Any]:
    return {"text": message.text if message else "", "media": file_of(message), "number": e164(number)}


def answered(event: Event, message: Message | None, number: Number) -> dict[str, Any]:
    return {"text": message.text if message else ""} | {name: event.data.get(name) for name in AI_FIELDS}


def failed(event: Event, message: Message | None, number: Number) -> dict[str, Any]:
    return {"reason": str(event.data.get("reason", "")), "number": e164(number)}


def stands(event: Event, message: Message | None, number: Number) -> dict[str, Any]:
    return {name: event.data.get(name) for name in SESSION_FIELDS}


def handed_off(event: Event, message: Message | None, number: Number) -> dict[str, Any]:
    return stands(event, message, number) | {"reason": event.data.get("reason")}


def changed_hands(event: Event, message: Message | None, number: Number) -> dict[str, Any]:
    return stands(event, message, number) | {"cause": event.data.get("source")}


def rated(event: Event, message: Message | None, number: Number) -> dict[str, Any]:
    return {"rating": event.data.get("rating")}


FIELDS: dict[EventName, Callable[[Event, Message | None, Number], dict[str, Any]]] = {
    EventName.MESSAGE_RECEIVED: said,
    EventName.MESSAGE_SENT: said,
    EventName.MESSAGE_FAILED: failed,
    EventName.AI_RESPONDED: answered,
    EventName.SESSION_UPDATED: stands,
    EventName.SESSION_HANDED_OFF: handed_off,
    EventName.SESSION_TAKEN_OVER: changed_hands,
    EventName.SESSION_GIVEN_BACK: changed_hands,
    EventName.SESSION_RATED: rated,
}


def file_of(message: Message | None) -> dict[str, Any] | None:
    """What the message's file is; null for none, and for one that was deleted."""
    if message is None or message.deleted_at is not None or message.kind not in FILES:
        return None
    asset: MediaAsset | None = getattr(message, "media", None)
    return {
        "kind": message.kind,
        "mimeType": (asset.mime or asset.claimed_mime or None) if asset else None,
        "fileName": (asset.file_name or None) if asset else None,
        "sizeBytes": asset.size if asset else None,
        "seconds": asset.seconds if asset else None,
    }


def e164(number: Number) -> str | None:
    """The number's phone as paired, else as declared."""
    paired = phone.canonical(number.own_jid.partition("@")[0].partition(":")[0]) if number.own_jid else None
    digits = paired or number.phone
    return f"+{digits}" if digits else None


# --- Schemas ----------------------------------------------------------------------------------------------------------
@cache
def schemas() -> dict[str, str]:
    """The published JSON Schemas (draft 2020-12) of details as text, by detail type."""
    return {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.json"))}


@cache
def digest(name: str) -> str:
    """Changes when the schema does. Raises KeyError."""
    return hashlib.sha256(schemas()[name].encode()).hexdigest()[:32]
