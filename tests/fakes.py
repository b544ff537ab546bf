"""Fakes of our own ports, scripted. Vendors are never faked: their stand-ins play them over real sockets."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from conversations.models import Number
from conversations.ports import (
    ChatAddress,
    Context,
    Decision,
    Incoming,
    LinkState,
    MessageKind,
    ReadBack,
    Sent,
    StatusUpdate,
)


@dataclass
class Phone:
    """What WhatsApp would have: every message that went out, and what happens to the next sends."""

    sent: list[tuple[str, str]] = field(default_factory=list)  # (jid, text) in order
    files: list[tuple[bytes, dict[str, Any]]] = field(default_factory=list)  # content and options, in order
    quoted: list[str] = field(default_factory=list)  # of each send, the message it answers, or ""
    log: list[Incoming] = field(default_factory=list)
    ticks: list[StatusUpdate] = field(default_factory=list)
    readings: list[tuple[datetime, datetime]] = field(default_factory=list)  # spans that were asked for
    script: list[Exception | Callable[[], None]] = field(default_factory=list)  # consumed one per send
    typing: Callable[[], None] | None = None  # called when "typing…" is shown
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, jid: str, text: str, kind: MessageKind = MessageKind.TEXT) -> Sent:
        with self.lock:
            self.sent.append((jid, text))
            provider_id = f"OUT{len(self.sent)}"
            chat = ChatAddress(jid, phone=jid.partition("@")[0])
            self.log.append(Incoming(provider_id, chat, True, timezone.now(), kind, text))
        return Sent(provider_id, jid, timezone.now())

    def step(self) -> None:
        """What the script says happens to this send."""
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            step()


phone = Phone()


class FakeTransport:
    """Every number shares one phone, reset by the fixture that installs it."""

    def __init__(self, number: Number) -> None:
        self.number = number

    def send_text(self, jid: str, text: str, *, quoted_id: str = "") -> Sent:
        phone.step()
        phone.quoted.append(quoted_id)
        return phone.accept(jid, text)

    def send_file(
        self,
        jid: str,
        content: bytes,
        *,
        mime: str,
        file_name: str,
        caption: str = "",
        voice: bool = False,
        quoted_id: str = "",
    ) -> Sent:
        phone.step()
        phone.quoted.append(quoted_id)
        phone.files.append((content, {"mime": mime, "file_name": file_name, "voice": voice}))
        group = "audio" if voice else mime.partition("/")[0]
        kind = MessageKind(group) if group in {"image", "audio", "video"} else MessageKind.DOCUMENT
        return phone.accept(jid, caption, kind)

    def show_typing(self, jid: str, *, milliseconds: int, recording: bool = False) -> None:
        if phone.typing is not None:
            phone.typing()

    def mark_read(self, jid: str, provider_ids: Sequence[str]) -> None: ...

    def fetch_media(self, provider_id: str) -> tuple[bytes, str]:
        return b"", ""

    def recent(self, jid: str, *, since: datetime, until: datetime, from_us: bool | None = None) -> list[Incoming]:
        return [
            one
            for one in phone.log
            if one.chat.jid == jid and one.sent_at and since <= one.sent_at <= until and from_us in {None, one.from_us}
        ]

    def read_back(self, *, since: datetime, until: datetime) -> ReadBack:
        phone.readings.append((since, until))
        found = [one for one in phone.log if one.sent_at and since <= one.sent_at <= until]
        records = {one.provider_id: record_of(one) for one in found}
        in_order = sorted(found, key=lambda one: one.sent_at or since)
        return ReadBack(tuple(in_order), tuple(phone.ticks), records=records)

    def chats(self, *, limit: int) -> list[str]:
        return list(dict.fromkeys(one.chat.jid for one in reversed(phone.log)))[:limit]

    def state(self) -> LinkState:
        return LinkState.OPEN


def record_of(message: Incoming) -> dict[str, Any]:
    """A text message as a provider keeps it, with a key that must not be."""
    return {
        "key": {"id": message.provider_id, "remoteJid": message.chat.jid, "fromMe": message.from_us},
        "pushName": message.sender_name,
        "messageType": "conversation",
        "message": {"conversation": message.text, "messageContextInfo": {"messageSecret": "a-secret"}},
        "messageTimestamp": int(message.sent_at.timestamp()) if message.sent_at else 0,
    }


class FakeBrain:
    """Says `script` one after the other, then "ok"; `during` runs while it thinks."""

    name = "fake"
    is_informed = False
    script: list[str | Exception] = []
    during: Callable[[Context], None] | None = None
    contexts: list[Context] = []

    async def decide(self, context: Context) -> Decision:
        FakeBrain.contexts.append(context)
        if FakeBrain.during is not None:
            import asyncio

            await asyncio.to_thread(FakeBrain.during, context)
        said = FakeBrain.script.pop(0) if FakeBrain.script else "ok"
        if isinstance(said, Exception):
            raise said
        return Decision(bubbles=tuple(said.split("|")))
