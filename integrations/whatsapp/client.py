"""Calls to an Evolution API server, 2.3.5 or newer (contract evolution.md 1, 2 and 6).

Only we may talk to Evolution: it stands on a private network, at an address that the operator of this installation
set; that is why private addresses are allowed here. One that a customer named must be public (`is_outside`). Redirects
are never followed.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from conversations.ports import LinkState, Sent, Uncertain
from integrations.whatsapp.wire import moment
from sdr.lib import http
from sdr.lib.errors import PortError, parse_retry_after
from sdr.lib.http import HttpError, Response, Timeout

QUICK = Timeout(connect=3.0, read=10.0, total=12.0)
SEND = Timeout(connect=3.0, read=30.0, total=30.0)
UPLOAD = Timeout(connect=3.0, read=60.0, total=60.0)  # a file goes up, and is converted before the answer
CREATE = Timeout(connect=3.0, read=30.0, total=30.0)  # takes 5 s at least
PRESENCE_MARGIN_SECONDS = 8.0  # on top of the time that the contact sees "typing"
LONGEST_PRESENCE_MS = 20_000
MAX_MEDIA_BYTES = 64 * 1024 * 1024  # as base64 inside JSON
MAX_LIST_BYTES = 32 * 1024 * 1024
OLDEST_VERSION = (2, 3, 5)
EVENTS = (
    "MESSAGES_UPSERT", "MESSAGES_EDITED", "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE", "SEND_MESSAGE_UPDATE",
    "CONNECTION_UPDATE", "QRCODE_UPDATED", "STATUS_INSTANCE", "LOGOUT_INSTANCE", "REMOVE_INSTANCE",
)  # fmt: skip
STATES = {"open": LinkState.OPEN, "connecting": LinkState.CONNECTING, "close": LinkState.CLOSED}
# What Evolution says before it has sent anything (6.1).
NOT_CONNECTED = re.compile(r"(Error: )?(Connection Closed|Timed Out)|.*reading 'onWhatsApp'.*")
REFUSED = re.compile(r"Text is required|Owned media must be .*|Method not available on .*")


class Outcome(StrEnum):
    """What became of a send (contract 6.1)."""

    SENT = "sent"
    REFUSED = "refused"  # never sent, and never will be
    MISCONFIGURED = "misconfigured"  # never sent; a person must repair the connection
    NOT_YET = "not_yet"  # never sent; may be tried again once the number is open
    UNCERTAIN = "uncertain"  # nobody knows


class EvolutionError(PortError):
    """Evolution said no. `problem` is a closed word for it; its own words may hold a phone and are not kept."""

    def __init__(
        self,
        problem: str,
        *,
        status: int | None = None,
        permanent: bool = False,
        needs_reconnect: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(
            f"Evolution: {problem.replace('_', ' ')}" + (f" ({status})." if status else "."),
            permanent=permanent,
            needs_reconnect=needs_reconnect,
            retry_after=retry_after,
            status=status,
        )
        self.problem = problem


class NotOnWhatsApp(EvolutionError):
    """Nobody has WhatsApp under that number; it may be looked up again some day."""

    def __init__(self) -> None:
        super().__init__("number_not_on_whatsapp", status=HTTPStatus.BAD_REQUEST, permanent=True)


@dataclass(frozen=True)
class Webhook:
    """Where Evolution posts a number's events. `headers`: the secrets it sends along (contract 3.5)."""

    url: str
    headers: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "headers": dict(self.headers),
            "byEvents": False,
            "base64": False,
            "events": list(EVENTS),
        }


@dataclass(frozen=True)
class Instance:
    """A row of `fetchInstances`."""

    name: str
    state: str
    own_jid: str
    token: str


@dataclass(frozen=True)
class Pairing:
    """What to scan (a PNG data URL, a secret) or type; both empty until WhatsApp has given them; `is_open`: no need."""

    qr_png: str = ""
    code: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class KnownNumber:
    """One answer of `whatsappNumbers`; `jid` is how WhatsApp itself spells the number."""

    number: str
    exists: bool
    jid: str


@dataclass(frozen=True)
class Page:
    """One page of stored messages, newest first, as Evolution holds them. `total`: of all pages, 0 when not told."""

    records: list[dict[str, Any]]
    page: int
    pages: int
    total: int = 0


def _or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""


OptionalText = Annotated[str, BeforeValidator(_or_empty)]


class _Json(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _SentKey(_Json):
    id: Annotated[str, Field(min_length=1, strict=True)]
    jid: Annotated[OptionalText, Field(alias="remoteJid")] = ""


class _SentMessage(_Json):
    key: _SentKey
    sent_at: Annotated[datetime | None, BeforeValidator(moment), Field(alias="messageTimestamp")] = None


class _Row(_Json):
    name: OptionalText = ""
    state: Annotated[OptionalText, Field(alias="connectionStatus")] = ""
    own_jid: Annotated[OptionalText, Field(alias="ownerJid")] = ""
    token: OptionalText = ""


class _Number(_Json):
    number: OptionalText = ""
    exists: bool = False
    jid: OptionalText = ""


class Evolution:
    """One server and one key: the global one for `create`, `instances` and `delete`, else an instance's token.

    `is_outside`: a customer named the server, so only public addresses are asked.

    Every method raises PortError: EvolutionError for an answer, HttpError for none. Only `send_*` raise Uncertain.
    """

    def __init__(self, base_url: str, api_key: str, *, is_outside: bool = False) -> None:
        self._base = base_url.rstrip("/")
        self._key = api_key
        self._is_outside = is_outside

    # --- Instances ---

    def version(self) -> tuple[int, ...]:
        """The server's version as numbers. Raises EvolutionError for one older than 2.3.5."""
        text = _or_empty(_dict(self._call("GET", "/", op="version")).get("version"))
        numbers = tuple(int(part) for part in re.findall(r"\d+", text)[:3])
        if numbers < OLDEST_VERSION:
            raise EvolutionError("version_not_supported", permanent=True)
        return numbers

    def create(self, instance: str, *, token: str, webhook: Webhook, number: str = "") -> Pairing:
        """Make an instance whose token is ours; a QR code comes at once or by `qrcode.updated`.

        Not idempotent at Evolution's: when its answer is lost, the instance is adopted if it exists with our token.
        """
        body = {
            "instanceName": instance, "integration": "WHATSAPP-BAILEYS", "token": token, "qrcode": True,
            "rejectCall": False, "msgCall": "", "groupsIgnore": True, "alwaysOnline": False, "readMessages": False,
            "readStatus": False, "syncFullHistory": False, "webhook": webhook.as_json(),
        } | ({"number": number} if number else {})  # fmt: skip
        try:
            answer = _dict(self._call("POST", "/instance/create", json=body, timeout=CREATE, op="create"))
        except HttpError as error:
            if error.unsent or not any(row.token == token for row in self.instances(instance)):
                raise
            return Pairing()
        return _pairing(_dict(answer.get("qrcode")))

    def instances(self, instance: str = "") -> list[Instance]:
        """All instances, or the one of that name; empty when it does not exist."""
        params = {"instanceName": instance} if instance else None
        try:
            rows = self._call(
                "GET", "/instance/fetchInstances", params=params, max_bytes=MAX_LIST_BYTES, op="instances"
            )
        except EvolutionError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return []
            raise
        found = [_Row.model_validate(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return [Instance(row.name, row.state, row.own_jid, row.token) for row in found]

    def connect(self, instance: str, *, number: str = "") -> Pairing:
        """Start connecting (takes 2 s). With `number` (digits) also a code to type instead of a QR code to scan."""
        params = {"number": number} if number else None
        return _pairing(_dict(self._call("GET", f"/instance/connect/{_name(instance)}", params=params, op="connect")))

    def restart(self, instance: str) -> Pairing:
        """Close the socket and open it again; the answer is no proof that it worked: ask `state` later."""
        return _pairing(_dict(self._call("POST", f"/instance/restart/{_name(instance)}", op="restart")))

    def state(self, instance: str) -> LinkState:
        """REMOVED when there is no such instance, CONNECTING while the server is still loading it."""
        try:
            answer = _dict(self._call("GET", f"/instance/connectionState/{_name(instance)}", op="state"))
        except EvolutionError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return LinkState.REMOVED
            raise
        return STATES.get(_or_empty(_dict(answer.get("instance")).get("state")), LinkState.CONNECTING)

    def logout(self, instance: str) -> None:
        """Unlink the phone. One that is not linked (400) counts as done."""
        self._gone("DELETE", f"/instance/logout/{_name(instance)}", HTTPStatus.BAD_REQUEST, op="logout")

    def delete(self, instance: str) -> None:
        """Delete the instance with its messages, in the background. One that does not exist counts as done."""
        self._gone("DELETE", f"/instance/delete/{_name(instance)}", HTTPStatus.NOT_FOUND, op="delete")

    def set_webhook(self, instance: str, webhook: Webhook) -> None:
        """Replace URL, headers and events; works at once, but retries under way keep going to the old URL."""
        body = {"webhook": {"enabled": True, **webhook.as_json()}}
        self._call("POST", f"/webhook/set/{_name(instance)}", json=body, op="set_webhook")

    def find_webhook(self, instance: str) -> dict[str, Any]:
        """The stored row (`url`, `headers`, `enabled`, `events`, …), empty when there is none; holds secrets."""
        return _dict(self._call("GET", f"/webhook/find/{_name(instance)}", op="find_webhook"))

    # --- Sending ---

    def send_text(self, instance: str, *, jid: str, text: str, quoted_id: str = "") -> Sent:
        """Send words to a JID as received, or digits. Raises PortError: not sent; Uncertain: nobody knows."""
        body: dict[str, Any] = {"number": jid, "text": text, "linkPreview": False}
        if quoted_id:
            body["quoted"] = {"key": {"id": quoted_id}}
        return self._send("sendText", instance, body, timeout=SEND)

    def send_media(
        self,
        instance: str,
        *,
        jid: str,
        content: bytes,
        mime: str,
        file_name: str,
        caption: str = "",
        quoted_id: str = "",
    ) -> Sent:
        """Send a file; the ending of `file_name` decides its type at Evolution's. Raises like `send_text`."""
        kind = mime.partition("/")[0]
        body: dict[str, Any] = {
            "number": jid, "mediatype": kind if kind in {"image", "video", "audio"} else "document", "mimetype": mime,
            "media": base64.b64encode(content).decode(), "fileName": file_name, "caption": caption,
        }  # fmt: skip
        if quoted_id:
            body["quoted"] = {"key": {"id": quoted_id}}
        return self._send("sendMedia", instance, body, timeout=UPLOAD)

    def send_audio(self, instance: str, *, jid: str, content: bytes) -> Sent:
        """Send a voice note; Evolution converts it to Ogg/Opus. Raises like `send_text`."""
        body = {"number": jid, "audio": base64.b64encode(content).decode(), "encoding": True}
        return self._send("sendWhatsAppAudio", instance, body, timeout=UPLOAD)

    def presence(self, instance: str, *, jid: str, milliseconds: int, recording: bool = False) -> None:
        """Show "typing" or "recording" in the chat; returns when it is over, after 20 s at most."""
        milliseconds = max(0, min(milliseconds, LONGEST_PRESENCE_MS))
        wait = milliseconds / 1000 + PRESENCE_MARGIN_SECONDS
        body = {"number": jid, "presence": "recording" if recording else "composing", "delay": milliseconds}
        path = f"/chat/sendPresence/{_name(instance)}"
        self._call("POST", path, json=body, timeout=Timeout(connect=3.0, read=wait, total=wait), op="presence")

    def mark_read(self, instance: str, *, jid: str, ids: Sequence[str]) -> None:
        """Blue ticks on a contact's messages. Evolution ignores an `@lid` address: give the phone's."""
        keys = [{"remoteJid": jid, "fromMe": False, "id": message_id} for message_id in ids]
        path = f"/chat/markMessageAsRead/{_name(instance)}"
        self._call("POST", path, json={"readMessages": keys}, op="mark_read")

    # --- Reading ---

    def media(self, instance: str, *, message_id: str) -> tuple[bytes, str]:
        """Content and MIME type of a message's file. Raises EvolutionError (permanent) when it is gone."""
        body = {"message": {"key": {"id": message_id}}, "convertToMp4": False}
        path = f"/chat/getBase64FromMediaMessage/{_name(instance)}"
        answer = _dict(self._call("POST", path, json=body, timeout=UPLOAD, max_bytes=MAX_MEDIA_BYTES, op="media"))
        try:
            content = base64.b64decode(_or_empty(answer.get("base64")), validate=True)
        except (binascii.Error, ValueError):
            content = b""
        if not content:
            raise EvolutionError("no_content", permanent=True)
        return content, _or_empty(answer.get("mimetype"))

    def find_messages(
        self,
        instance: str,
        *,
        jid: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        from_us: bool | None = None,
        page: int = 1,
        size: int = 50,
    ) -> Page:
        """Stored messages, newest first. Times count only together (both aware); `from_us=False` is sorted out by us.

        Contract 6.4: a chat's LID and phone are separate queries.
        """
        key: dict[str, Any] = {"remoteJid": jid} if jid else {}
        if from_us:
            key["fromMe"] = True
        where: dict[str, Any] = {"key": key} if key else {}
        if since is not None and until is not None:
            where["messageTimestamp"] = {"gte": _iso(since), "lte": _iso(until)}
        path = f"/chat/findMessages/{_name(instance)}"
        body = {"where": where, "page": page, "offset": size}
        answer = self._call("POST", path, json=body, timeout=SEND, max_bytes=MAX_LIST_BYTES, op="find_messages")
        messages = _dict(_dict(answer).get("messages"))
        records = messages.get("records")
        if not isinstance(records, list):
            raise EvolutionError("unreadable_answer")
        found = [record for record in records if isinstance(record, dict)]
        if from_us is False:
            found = [record for record in found if _dict(record.get("key")).get("fromMe") is False]
        pages, total = messages.get("pages"), messages.get("total")
        return Page(
            found, page, pages if isinstance(pages, int) else page, total=total if isinstance(total, int) else 0
        )

    def find_chats(self, instance: str, *, take: int, skip: int = 0) -> list[dict[str, Any]]:
        """Rows of chats (`remoteJid`, `updatedAt`, …) in the server's order."""
        path = f"/chat/findChats/{_name(instance)}"
        body = {"where": {}, "take": take, "skip": skip}
        rows = self._call("POST", path, json=body, timeout=SEND, max_bytes=MAX_LIST_BYTES, op="find_chats")
        if not isinstance(rows, list):
            raise EvolutionError("unreadable_answer")
        return [row for row in rows if isinstance(row, dict)]

    def whatsapp_numbers(self, instance: str, numbers: Sequence[str]) -> dict[str, KnownNumber]:
        """Who of these (digits only) has WhatsApp, by the number asked for. Few at a time: bulk checks risk a ban."""
        path = f"/chat/whatsappNumbers/{_name(instance)}"
        rows = self._call("POST", path, json={"numbers": list(numbers)}, timeout=SEND, op="whatsapp_numbers")
        try:
            found = [_Number.model_validate(row) for row in rows] if isinstance(rows, list) else []
        except ValidationError:
            raise EvolutionError("unreadable_answer") from None
        return {row.number: KnownNumber(row.number, row.exists, row.jid) for row in found}

    # --- One call ---

    def _send(self, operation: str, instance: str, body: dict[str, Any], *, timeout: Timeout) -> Sent:
        path = f"/message/{operation}/{_name(instance)}"
        try:
            response = self._request("POST", path, json=body, timeout=timeout, op=operation)
        except HttpError as error:
            if error.unsent:
                raise
            raise Uncertain(f"Evolution gave no usable answer ({error.failure}).") from None
        outcome = outcome_of(response.status, _json(response))
        if outcome is Outcome.UNCERTAIN:
            raise Uncertain(f"Evolution answered {response.status}, which does not say whether it was sent.")
        if outcome is Outcome.SENT:
            message = _SentMessage.model_validate(_json(response))
            return Sent(provider_id=message.key.id, chat_jid=message.key.jid or body["number"], sent_at=message.sent_at)
        raise _refusal(response, outcome)

    def _gone(self, method: str, path: str, already: int, *, op: str) -> None:
        try:
            self._call(method, path, op=op)
        except EvolutionError as error:
            if error.status != already:
                raise

    def _call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        timeout: Timeout = QUICK,
        max_bytes: int = http.MAX_BYTES,
        op: str,
    ) -> Any:
        """The answer's JSON. Raises EvolutionError for every kind of "no", also the one with status 200 (1.2)."""
        response = self._request(method, path, json=json, params=params, timeout=timeout, max_bytes=max_bytes, op=op)
        answer = _json(response)
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise _failure(response, answer)
        if response.status >= HTTPStatus.MULTIPLE_CHOICES or answer is NO_JSON:
            raise EvolutionError("unreadable_answer", status=response.status)
        if isinstance(answer, dict) and answer.get("error") is True:
            raise EvolutionError("operation_failed", status=response.status)
        return answer

    def _request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        timeout: Timeout = QUICK,
        max_bytes: int = http.MAX_BYTES,
        op: str,
    ) -> Response:
        return http.request(
            method,
            f"{self._base}{path}",
            headers={"apikey": self._key},
            params=params,
            json=json,
            timeout=timeout,
            max_bytes=max_bytes,
            allow_private=not self._is_outside,
            dep="evolution",
            op=op,
        )


NO_JSON = object()


def outcome_of(status: int, body: Any) -> Outcome:
    """What an answer to a send means: the table of contract 6.1. In: the status, the JSON or `NO_JSON`.

    Whatever the table does not name is UNCERTAIN: to send twice is worse than to ask.
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        if not isinstance(body, dict):
            return Outcome.UNCERTAIN
        key = _dict(body.get("key"))
        # A 201 with Meta's error object, or with "error": true, has no key (6.1, 7).
        return Outcome.SENT if isinstance(key.get("id"), str) and key["id"] else Outcome.REFUSED
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        return Outcome.MISCONFIGURED
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Outcome.NOT_YET
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Outcome.REFUSED
    if status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR}:
        return Outcome.UNCERTAIN
    said = messages_of(body)
    if any(NOT_CONNECTED.fullmatch(words) for words in said):
        return Outcome.NOT_YET
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome.UNCERTAIN
    if is_not_on_whatsapp(body) or is_schema_failure(body) or any(REFUSED.fullmatch(words) for words in said):
        return Outcome.REFUSED
    return Outcome.UNCERTAIN


def messages_of(body: Any) -> list[str]:
    """The words of an error in any of its shapes (1.2): string, list, nested list, flat `message`, or none."""
    if not isinstance(body, dict):
        return []
    response = body.get("response")
    message = response.get("message") if isinstance(response, dict) else body.get("message")
    return list(_words(message))


def is_not_on_whatsapp(body: Any) -> bool:
    """Whether an error says `exists: false` of the number (1.2)."""
    message = _dict(_dict(body).get("response")).get("message")
    return isinstance(message, list) and any(_dict(item).get("exists") is False for item in message)


def is_schema_failure(body: Any) -> bool:
    """Whether an error is the nested list of a failed JSON schema (1.2): our bug."""
    message = _dict(_dict(body).get("response")).get("message")
    return isinstance(message, list) and bool(message) and all(isinstance(item, list) for item in message)


def _words(message: Any) -> list[str]:
    if isinstance(message, str):
        return [message]
    return [words for item in message for words in _words(item)] if isinstance(message, list) else []


def _refusal(response: Response, outcome: Outcome) -> PortError:
    body = _json(response)
    match outcome:
        case Outcome.MISCONFIGURED:
            return EvolutionError("access_refused", status=response.status, permanent=True, needs_reconnect=True)
        case Outcome.NOT_YET:
            retry_after = parse_retry_after(response.headers.get("retry-after", ""))
            return EvolutionError("not_connected", status=response.status, retry_after=retry_after)
    if is_not_on_whatsapp(body):
        return NotOnWhatsApp()
    return EvolutionError("message_refused", status=response.status, permanent=True)


def _failure(response: Response, body: Any) -> EvolutionError:
    """An error that is not a send's: 5xx, 408 and 429 may be tried again, the rest not."""
    status = response.status
    if any(NOT_CONNECTED.fullmatch(words) for words in messages_of(body)):
        return EvolutionError("not_connected", status=status)
    if is_not_on_whatsapp(body):
        return NotOnWhatsApp()
    is_transient = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
    if any("already in use" in words for words in messages_of(body)):
        return EvolutionError("name_in_use", status=status, permanent=True)
    return EvolutionError(
        "temporary_failure" if is_transient else "request_refused",
        status=status,
        permanent=not is_transient,
        needs_reconnect=status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN},
        retry_after=parse_retry_after(response.headers.get("retry-after", "")) if is_transient else None,
    )


def _pairing(answer: dict[str, Any]) -> Pairing:
    is_open = _dict(answer.get("instance")).get("state") == "open"
    return Pairing(_or_empty(answer.get("base64")), _or_empty(answer.get("pairingCode")), is_open)


def _json(response: Response) -> Any:
    try:
        return response.json()
    except (HttpError, RecursionError):
        return NO_JSON


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(instance: str) -> str:
    return quote(instance, safe="")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
