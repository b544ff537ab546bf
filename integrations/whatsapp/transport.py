"""The plug for `conversations.ports.Transport`: one connected number of an Evolution server."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from conversations.models import Number
from conversations.ports import Incoming, LinkState, ReadBack, Sent, StatusUpdate, Unreadable
from integrations.whatsapp.client import Evolution
from integrations.whatsapp.connect import client_of
from integrations.whatsapp.wire import is_direct, moment, parse_record, parse_ticks
from sdr.lib.errors import PortError

PAGE_ROWS = 50
READ_BACK_ROWS = (100, 111, 123)  # of a page at the first, second and third reading: so that they end elsewhere
MAX_PAGES = 20  # a thousand rows: more is not a gap but a history
NEVER = datetime.min.replace(tzinfo=UTC)


def for_number(number: Number) -> "EvolutionTransport":
    """The plug of `settings.SDR_TRANSPORT`. Raises PortError for a number that only receives."""
    if not number.instance:
        raise PortError("This number has no Evolution server to send through.", permanent=True, needs_reconnect=True)
    return EvolutionTransport(client_of(number), number.instance, own_jid=number.own_jid)


class EvolutionTransport:
    """In: the server, the instance's name and the number's own JID ("" while unknown). Contract evolution.md 6."""

    def __init__(self, evolution: Evolution, instance: str, *, own_jid: str = "") -> None:
        self._evolution = evolution
        self._instance = instance
        self._own_jid = own_jid

    def send_text(self, jid: str, text: str, *, quoted_id: str = "") -> Sent:
        return self._evolution.send_text(self._instance, jid=jid, text=text, quoted_id=quoted_id)

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
        """A voice note carries no caption and no name, and answers no message."""
        if voice:
            return self._evolution.send_audio(self._instance, jid=jid, content=content)
        return self._evolution.send_media(
            self._instance, jid=jid, content=content, mime=mime, file_name=file_name, caption=caption,
            quoted_id=quoted_id,
        )  # fmt: skip

    def show_typing(self, jid: str, *, milliseconds: int, recording: bool = False) -> None:
        """Returns when it is over: the wait before a send is this very call."""
        self._evolution.presence(self._instance, jid=jid, milliseconds=milliseconds, recording=recording)

    def mark_read(self, jid: str, provider_ids: Sequence[str]) -> None:
        if provider_ids:
            self._evolution.mark_read(self._instance, jid=jid, ids=provider_ids)

    def fetch_media(self, provider_id: str) -> tuple[bytes, str]:
        return self._evolution.media(self._instance, message_id=provider_id)

    def recent(self, jid: str, *, since: datetime, until: datetime, from_us: bool | None = None) -> list[Incoming]:
        """Oldest first, at most a thousand. Rows nobody can read are left out, they came as webhooks to Quarantine."""
        found: list[Incoming] = []
        for number in range(1, MAX_PAGES + 1):
            page = self._evolution.find_messages(
                self._instance, jid=jid, since=since, until=until, from_us=from_us, page=number, size=PAGE_ROWS
            )
            for record in page.records:
                try:
                    event = parse_record(record, own_jid=self._own_jid)
                except Unreadable:
                    continue
                if isinstance(event, Incoming):
                    found.append(event)
            if number >= page.pages:
                break
        # The sort is stable and the rows came newest first: messages of one second keep their order.
        found.reverse()
        return sorted(found, key=lambda message: message.sent_at or NEVER)

    def read_back(self, *, since: datetime, until: datetime) -> ReadBack:
        """One question for all chats (contract 6.4, "Reconciliation job"); groups and what nobody can read left out.

        Evolution sorts by the second alone: rows of one second may change places from page to page, and one of them be
        on none. So what was read is counted, and where some is missing read once more, with pages that end elsewhere.
        """
        records: dict[str, dict[str, Any]] = {}
        missing: int | None = None
        for size in READ_BACK_ROWS:
            missing = self._read_pages(records, since, until, size=size)
            if not missing:
                break
        messages: list[Incoming] = []
        ticks: list[StatusUpdate] = []
        by_id: dict[str, dict[str, Any]] = {}
        for record in records.values():
            try:
                event = parse_record(record, own_jid=self._own_jid)
            except Unreadable:
                continue
            if isinstance(event, Incoming):
                messages.append(event)
                by_id[event.provider_id] = record
                ticks += parse_ticks(record)
        messages.reverse()
        in_order = sorted(messages, key=lambda message: message.sent_at or NEVER)
        return ReadBack(tuple(in_order), tuple(ticks), is_whole=missing == 0, records=by_id)

    def _read_pages(
        self, records: dict[str, dict[str, Any]], since: datetime, until: datetime, *, size: int
    ) -> int | None:
        """Add what is stored of that time to `records`, by row. Out: how many are missing, None for a history."""
        stored: list[int] = []
        for number in range(1, MAX_PAGES + 1):
            page = self._evolution.find_messages(self._instance, since=since, until=until, page=number, size=size)
            stored.append(page.total)
            for record in page.records:
                records.setdefault(str(record.get("id") or len(records)), record)
            if number >= page.pages:
                return max(0, min(stored) - len(records))  # what came in meanwhile is the next reading's
        return None

    def chats(self, *, limit: int) -> list[str]:
        newest: dict[str, datetime] = {}
        for number in range(MAX_PAGES):
            rows = self._evolution.find_chats(self._instance, take=PAGE_ROWS, skip=number * PAGE_ROWS)
            for row in rows:
                jid = row.get("remoteJid")
                if isinstance(jid, str) and is_direct(jid):
                    newest[jid] = max(newest.get(jid, NEVER), _active_at(row))
            if len(rows) < PAGE_ROWS:
                break
        return sorted(newest, key=lambda jid: newest[jid], reverse=True)[:limit]

    def state(self) -> LinkState:
        return self._evolution.state(self._instance)


def _active_at(row: dict[str, object]) -> datetime:
    """When a chat was last active: its last message's time, else the row's."""
    last = row.get("lastMessage")
    sent_at = moment(last.get("messageTimestamp")) if isinstance(last, dict) else None
    if sent_at is not None:
        return sent_at
    try:
        return datetime.fromisoformat(str(row.get("updatedAt")).replace("Z", "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError):
        return NEVER
