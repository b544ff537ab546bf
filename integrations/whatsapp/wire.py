"""Evolution API's JSON, read into the shapes of `conversations.ports` (contract evolution.md 3 to 5, version 2.3.6).

The door calls `load`, `strip` and `dedupe_key`; intake calls `parse` with what `strip` left. Emitters differ between
versions and channels, so every optional field falls back to its default when its type is wrong, and only what a message
cannot do without (its id, its chat, who sent it) makes a body `Unreadable`. Nothing else is ever raised for any bytes.
"""

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from conversations.ports import (
    Ack,
    Call,
    ChatAddress,
    Edit,
    Event,
    Ignored,
    Incoming,
    LinkState,
    LinkUpdate,
    Media,
    MessageKind,
    PairingCode,
    Reaction,
    Referral,
    Revoke,
    SentEcho,
    StatusUpdate,
    Unreadable,
)
from sdr.lib import phone

PERSON = "@s.whatsapp.net"
OPAQUE = "@lid"
MAX_DEPTH = 64  # levels of JSON; real bodies stay below 20
MAX_WRAPPERS = 5
MAX_KEY_CHARS = 200
MAX_NAME_CHARS = 200
MAX_CONTACTS = 20  # shared contacts put into words
MILLISECONDS_FROM = 100_000_000_000  # as seconds, the year 5138
DEGREES = 180.0  # of latitude or longitude
NO_FILES: Mapping[str, bytes] = MappingProxyType({})

NOISE = frozenset({
    "application.startup", "chats.delete", "chats.set", "chats.update", "chats.upsert", "contacts.set",
    "contacts.update", "contacts.upsert", "group-participants.update", "groups.update", "groups.upsert",
    "instance.create", "instance.delete", "labels.association", "labels.edit", "presence.update",
    "typebot.change-status", "typebot.start",
})  # fmt: skip
SECRET_FIELDS = frozenset({
    "apikey", "api_key", "appStateSyncKeyShare", "callKey", "destination", "directPath", "fileEncSha256",
    "fileSha256", "jpegThumbnail", "mediaKey", "messageContextInfo", "messageSecret", "waveform",
})  # fmt: skip
WRAPPERS = (
    "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension",
    "documentWithCaptionMessage", "editedMessage", "deviceSentMessage",
)  # fmt: skip
BESIDE_CONTENT = frozenset({
    "base64", "mediaUrl", "messageContextInfo", "senderKeyDistributionMessage", "speechToText",
})  # fmt: skip
MEDIA = {
    "imageMessage": MessageKind.IMAGE,
    "videoMessage": MessageKind.VIDEO,
    "ptvMessage": MessageKind.VIDEO,
    "audioMessage": MessageKind.AUDIO,
    "documentMessage": MessageKind.DOCUMENT,
    "stickerMessage": MessageKind.STICKER,
}
POLLS = ("pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3")
EDIT_TYPES = frozenset({"MESSAGE_EDIT", "14"})
REVOKE_TYPES = frozenset({"REVOKE", "0"})
ACKS = {
    "ERROR": Ack.ERROR, "PENDING": Ack.PENDING, "SERVER_ACK": Ack.SERVER, "DELIVERY_ACK": Ack.DELIVERED, "READ":
    Ack.READ, "PLAYED": Ack.PLAYED, "DELETED": Ack.DELETED, "0": Ack.ERROR, "1": Ack.PENDING, "2": Ack.SERVER, "3":
    Ack.DELIVERED, "4": Ack.READ, "5": Ack.PLAYED, "SENT": Ack.SERVER, "DELIVERED": Ack.DELIVERED, "FAILED":
    Ack.ERROR,
}  # fmt: skip
LINK_STATES = {
    "connecting": LinkState.CONNECTING,
    "open": LinkState.OPEN,
    "close": LinkState.CLOSED,
    "refused": LinkState.REFUSED,
}
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
DEVICE = re.compile(r":\d+(?=@)")
VCARD_PHONE = re.compile(r"^(?:[\w-]+\.)?TEL\b[^:\n]*:(.+)$", re.MULTILINE | re.IGNORECASE)


class WrongInstance(Unreadable):
    """The body names an instance that is not this number's: kept, and somebody is told (contract 3.4)."""


@dataclass(frozen=True)
class Stripped:
    """A body fit to be stored. `files`: what was embedded, by message id. `ignored`: nothing is to be stored."""

    body: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    ignored: Ignored | None = None


# --- The door -----------------------------------------------------------------------------------------------------


def load(body: bytes) -> dict[str, Any]:
    """A request's body as an object that PostgreSQL can hold: no NUL, no lone surrogates, no infinite numbers.

    Raises Unreadable: not JSON, not an object, or nested more than 64 levels deep.
    """
    try:
        value = DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))  # as json.loads does it
    except (ValueError, RecursionError):
        raise Unreadable("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Unreadable("The body is not a JSON object.")
    return value if _is_plainly_clean(body) else _clean_object(value)


def strip(body: dict[str, Any], *, is_loaded: bool = False) -> Stripped:
    """What the door may store of an authentic body (contract 8.13, 8.15, 8.16); `body` itself stays as it is.

    Removed: API keys, our own URL, key material, thumbnails, hashes; embedded files go to `files` (but never those that
    are to be viewed once); groups, status posts, newsletters and protocol noise make it `ignored`. Raises Unreadable
    for a body that is nested too deeply. `is_loaded`: it comes from `load`, which leaves nothing to be cleaned.
    """
    clean = body if is_loaded else _clean_object(body)
    event = _event(clean)
    why = _why_ignored(event, clean.get("data"))
    if why:
        return Stripped({"event": event}, ignored=Ignored(why))
    clean = _without_secrets(clean)  # a copy, so that what follows may change it
    data = clean.get("data")
    files: dict[str, bytes] = {}
    if event == "messages.set" and isinstance(data, list):
        clean["data"] = data = [item for item in data if not _why_ignored("messages.upsert", item)]
        if not data:
            return Stripped({"event": event}, ignored=Ignored("nothing but groups"))
    for item in data if isinstance(data, list) else [data]:
        files |= _cut_file(item)
    return Stripped(clean, files if event != "send.message" else {})


def dedupe_key(body: bytes | dict[str, Any]) -> str:
    """What makes a delivery the same as another one of this number, however often it comes (contract 3.4, 8.1).

    Messages: event and id; statuses: also the status; edits: also their time; calls: also their status. Whatever has no
    id (connections, codes) is the same only as its own retry: equal data and time of emission. At most 200 characters.
    """
    if isinstance(body, bytes):
        try:
            clean = load(body)
        except Unreadable:
            return f"raw:{hashlib.sha256(body).hexdigest()}"
    else:
        clean = body
    event, data = _event(clean), clean.get("data")
    parts = _identity(event, data if isinstance(data, dict) else {})
    if not parts:
        content = json.dumps([data, clean.get("date_time")], sort_keys=True, default=str).encode()
        parts = (hashlib.sha256(content).hexdigest(),)
    key = _clean_text(":".join((event, *parts)))
    return key if len(key) <= MAX_KEY_CHARS else f"long:{hashlib.sha256(key.encode()).hexdigest()}"


# --- Reading ------------------------------------------------------------------------------------------------------


def parse(
    body: bytes | dict[str, Any],
    *,
    own_jid: str = "",
    instances: Collection[str] = (),
    instance_ids: Collection[str] = (),
    files: Mapping[str, bytes] = NO_FILES,
) -> list[Event]:
    """What one webhook says, in the order it says it; never empty.

    In: the raw body or what `strip` left of it, with its `files`; `own_jid` is the connected number (never a lead);
    `instances` and `instance_ids` are what this number's instance is or was called in the last 45 minutes, by name and
    by Evolution's own id (empty: not compared; a body without an id passes: 3.5).
    Raises Unreadable, and WrongInstance for another instance's body; nothing else.
    """
    clean = load(body) if isinstance(body, bytes) else _clean_object(body)
    event, data = _event(clean), clean.get("data")
    if instances and not _text(clean.get("instance")):
        raise Unreadable("The body names no instance.")
    if instances and clean["instance"] not in instances:
        raise WrongInstance("The body names an instance that is not this number's.")
    instance_id = _text(_object(data).get("instanceId"))
    if instance_ids and instance_id and instance_id not in instance_ids:
        raise WrongInstance("The body holds the id of an instance that is not this number's.")
    why = _why_ignored(event, data)
    if why:
        return [Ignored(why)]
    reader = _Reader(_own_phones(own_jid, clean.get("sender")), files)
    try:
        return reader.read(event, data)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
        raise Unreadable(f"{event}: {place or 'data'} is missing or of another type.") from None


def parse_record(record: Any, *, own_jid: str = "") -> Event:
    """One message as `findMessages` returns it (contract 6.4). Raises Unreadable."""
    return parse({"event": "messages.upsert", "data": record}, own_jid=own_jid)[0]


def parse_ticks(record: Any) -> list[StatusUpdate]:
    """The statuses that `findMessages` returns with a message (contract 6.4); unknown ones are left out."""
    key = _object(_object(record).get("key"))
    name, from_us = _text(key.get("id")), key.get("fromMe") is True
    acks = (ACKS.get(_enum(row.get("status")).upper()) for row in _objects(_object(record).get("MessageUpdate")))
    return [StatusUpdate(name, ack, from_us) for ack in acks if ack is not None] if name else []


def is_direct(jid: str) -> bool:
    """Whether a JID is a person's: not a group's, a status post's, a newsletter's or an unknown server's."""
    return jid.endswith((PERSON, OPAQUE)) or (jid.isascii() and jid.isdigit())


def moment(value: Any) -> datetime | None:
    """A protobuf time as an aware UTC moment: seconds or milliseconds, as number, decimal string or Long object."""
    number = _long(value)
    if number is None or number <= 0:
        return None
    seconds = number / 1000 if number >= MILLISECONDS_FROM else number
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


# --- Types of fields: a wrong type is an absent field --------------------------------------------------------------


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _truth(value: Any) -> bool:
    return value is True


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _long(value: Any) -> int | None:
    """An integer however it was written; None for anything else, and for what no protobuf integer can hold."""
    if isinstance(value, dict):
        low, high = value.get("low"), value.get("high")
        if not isinstance(low, int) or not isinstance(high, int):
            return None
        value = high * 2**32 + low % 2**32
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,20}", value, re.ASCII):
        value = int(value)
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    return value if _is_int(value) and abs(value) < 2**64 else None


def _number(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) <= DEGREES else None


def _enum(value: Any) -> str:
    return str(value) if _is_int(value) else _text(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Text = Annotated[str, BeforeValidator(_text)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Long = Annotated[int | None, BeforeValidator(_long)]
Number = Annotated[float | None, BeforeValidator(_number)]
Enum = Annotated[str, BeforeValidator(_enum)]
Moment = Annotated[datetime | None, BeforeValidator(moment)]
Content = Annotated[dict[str, Any], BeforeValidator(_object)]
Contents = Annotated[list[dict[str, Any]], BeforeValidator(_objects)]
Id = Annotated[str, Field(min_length=1, max_length=500)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Key(_Wire):
    id: Id
    jid: Annotated[str, Field(alias="remoteJid", min_length=1)]
    from_us: Annotated[bool, Field(alias="fromMe")]
    alt: Annotated[Text, Field(alias="remoteJidAlt")] = ""
    sender_pn: Annotated[Text, Field(alias="senderPn")] = ""
    previous: Annotated[Text, Field(alias="previousRemoteJid")] = ""


class _Message(_Wire):
    key: _Key
    name: Annotated[Text, Field(alias="pushName")] = ""
    content: Annotated[Content, Field(alias="message")] = {}
    context: Annotated[Content, Field(alias="contextInfo")] = {}
    type_name: Annotated[Text, Field(alias="messageType")] = ""
    sent_at: Annotated[Moment, Field(alias="messageTimestamp")] = None


class _Target(_Wire):
    id: Id


class _Protocol(_Wire):
    type: Enum = ""
    key: _Target
    edited: Annotated[Content, Field(alias="editedMessage")] = {}
    edited_at: Annotated[Moment, Field(alias="timestampMs")] = None


class _Status(_Wire):
    id: Annotated[Id, Field(alias="keyId")]
    status: Annotated[str, BeforeValidator(_enum), Field(min_length=1)]
    from_us: Annotated[Truth, Field(alias="fromMe")] = False


class _Connection(_Wire):
    state: str
    reason: Annotated[Long, Field(alias="statusReason")] = None
    own: Annotated[Text, Field(alias="wuid")] = ""
    name: Annotated[Text, Field(alias="profileName")] = ""


class _Closed(_Wire):
    status: str
    reason: Annotated[Long, Field(alias="disconnectionReasonCode")] = None


class _Code(_Wire):
    png: Annotated[Text, Field(alias="base64")] = ""
    pairing: Annotated[Text, Field(alias="pairingCode")] = ""


class _CallData(_Wire):
    id: Id
    status: Annotated[str, Field(min_length=1)]
    chat: Annotated[Text, Field(alias="chatId")] = ""
    caller: Annotated[Text, Field(alias="from")] = ""


class _Context(_Wire):
    quoted_id: Annotated[Text, Field(alias="stanzaId")] = ""
    is_forwarded: Annotated[Truth, Field(alias="isForwarded")] = False
    score: Annotated[Long, Field(alias="forwardingScore")] = None
    ad: Annotated[Content, Field(alias="externalAdReply")] = {}


class _Ad(_Wire):
    source_id: Annotated[Text, Field(alias="sourceId")] = ""
    source_url: Annotated[Text, Field(alias="sourceUrl")] = ""
    source_type: Annotated[Text, Field(alias="sourceType")] = ""
    title: Text = ""
    body: Text = ""
    click_id: Annotated[Text, Field(alias="ctwaClid")] = ""


class _File(_Wire):
    mime: Annotated[Text, Field(validation_alias=AliasChoices("mimetype", "mime_type"))] = ""
    name: Annotated[Text, Field(validation_alias=AliasChoices("fileName", "filename"))] = ""
    title: Text = ""
    caption: Text = ""
    size: Annotated[Long, Field(alias="fileLength")] = None
    seconds: Long = None
    is_voice_note: Annotated[Truth, Field(alias="ptt")] = False
    is_view_once: Annotated[Truth, Field(alias="viewOnce")] = False


class _Location(_Wire):
    latitude: Annotated[Number, Field(alias="degreesLatitude")] = None
    longitude: Annotated[Number, Field(alias="degreesLongitude")] = None
    name: Text = ""
    address: Text = ""


class _Card(_Wire):
    name: Annotated[Text, Field(alias="displayName")] = ""
    vcard: Text = ""


class _Reaction(_Wire):
    key: _Target
    emoji: Annotated[Text, Field(alias="text")] = ""


# --- One body -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Said:
    """What a message's content comes to."""

    kind: MessageKind
    text: str = ""
    type_name: str = ""
    choice: str = ""
    media: Media | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reader:
    own: frozenset[str]
    files: Mapping[str, bytes]

    def read(self, event: str, data: Any) -> list[Event]:
        if event in {"logout.instance", "remove.instance"}:
            return [LinkUpdate(LinkState.REMOVED if event == "remove.instance" else LinkState.CLOSED)]
        if event == "messages.set":
            return self._history(data)
        if isinstance(data, list) and data:
            return [found for item in data for found in self._item(event, item)]
        if not isinstance(data, dict):
            raise Unreadable(f"{event}: data is not an object.")
        return [self._one(event, data)]

    def _item(self, event: str, item: Any) -> list[Event]:
        why = _why_ignored(event, item)
        return [Ignored(why)] if why else self.read(event, item)

    def _one(self, event: str, data: dict[str, Any]) -> Event:
        match event:
            case "messages.upsert":
                return self._message(_Message.model_validate(data))
            case "send.message":
                return self._echo(_Message.model_validate(data))
            case "messages.edited" | "send.message.update":
                return _protocol(data)
            case "messages.delete":
                return Revoke(_Target.model_validate(data["key"] if isinstance(data.get("key"), dict) else data).id)
            case "messages.update":
                return _status(_Status.model_validate(data))
            case "connection.update":
                return _connection(_Connection.model_validate(data))
            case "status.instance":
                return _closed(_Closed.model_validate(data))
            case "qrcode.updated":
                return _code(data)
            case "call":
                return self._call(_CallData.model_validate(data))
        raise Unreadable("The event is not known.")

    def _history(self, data: Any) -> list[Event]:
        if not isinstance(data, list):
            raise Unreadable("messages.set: data is not a list.")
        found: list[Event] = []
        for item in data:
            if _why_ignored("messages.upsert", item):
                continue
            try:
                found.append(self._message(_Message.model_validate(item), is_history=True))
            except (ValidationError, Unreadable):
                found.append(Ignored("an unreadable message of the past"))
        return found or [Ignored("nothing of the past")]

    def _message(self, message: _Message, *, is_history: bool = False) -> Event:
        chat = self._chat(message.key)
        if chat is None:
            return Ignored("a note to oneself")
        content, wrappers = unwrap(message.content)
        if "protocolMessage" in content:
            return _protocol(_object(content["protocolMessage"]))
        if "reactionMessage" in content:
            reaction = _Reaction.model_validate(_object(content["reactionMessage"]))
            return Reaction(message.key.id, chat, message.key.from_us, reaction.key.id, reaction.emoji)
        said = self._said(message, content, wrappers)
        context = _context(message, content)
        ad = _Ad.model_validate(context.ad)
        return Incoming(
            provider_id=message.key.id,
            chat=chat,
            from_us=message.key.from_us,
            sent_at=message.sent_at,
            kind=said.kind,
            text=said.text,
            sender_name="" if message.key.from_us else _name(message.name),
            type_name=said.type_name,
            quoted_id=context.quoted_id,
            choice=said.choice,
            media=said.media,
            referral=Referral(**ad.model_dump()) if any(ad.model_dump().values()) else None,
            is_forwarded=context.is_forwarded or bool(context.score and context.score > 0),
            is_history=is_history,
            extra=said.extra,
        )

    def _echo(self, message: _Message) -> Event:
        chat = self._chat(message.key)
        if chat is None:
            return Ignored("a note to oneself")
        content, wrappers = unwrap(message.content)
        return SentEcho(message.key.id, chat, self._said(message, content, wrappers).text, message.sent_at)

    def _call(self, call: _CallData) -> Event:
        chat = self._address([jid for jid in (call.chat, call.caller) if jid])
        return Call(call.id, chat, call.status) if chat else Ignored("a call of our own")

    def _chat(self, key: _Key) -> ChatAddress | None:
        return self._address([key.jid, key.alt, key.sender_pn, key.previous])

    def _address(self, jids: list[str]) -> ChatAddress | None:
        """Who a chat is with (contract 5.3); None when it is only ourselves. Raises Unreadable when nobody is named."""
        bare = [DEVICE.sub("", jid) for jid in jids]
        if not bare:
            raise Unreadable("Nobody is named.")
        numbers = [number for number in (_phone(jid) for jid in bare) if number]
        foreign = next((number for number in numbers if number not in self.own), None)
        lid = next((jid.removesuffix(OPAQUE) for jid in bare if jid.endswith(OPAQUE) and jid != OPAQUE), None)
        if foreign is None and lid is None:
            if numbers:
                return None
            raise Unreadable("The chat's address is not a person's.")
        jid = bare[0] if "@" in bare[0] else f"{bare[0]}{PERSON}"
        return ChatAddress(jid=jid, phone=foreign, lid=lid)

    def _said(self, message: _Message, content: dict[str, Any], wrappers: tuple[str, ...]) -> _Said:
        known = [name for name in content if name in READERS]
        if known:
            name = next((name for name in known if content[name]), known[0])
            return self._media(message, content, name, wrappers) if name in MEDIA else _words(content[name], name)
        unknown = next((name for name in content if name not in BESIDE_CONTENT), "")
        return _Said(MessageKind.UNSUPPORTED, type_name=(unknown or message.type_name or "unknown")[:100])

    def _media(self, message: _Message, content: dict[str, Any], name: str, wrappers: tuple[str, ...]) -> _Said:
        file = _File.model_validate(_object(content[name]))
        is_view_once = file.is_view_once or any(wrapper.startswith("viewOnce") for wrapper in wrappers)
        url = _text(message.content.get("mediaUrl") or content.get("mediaUrl"))
        inline = self.files.get(message.key.id) or _decoded(message.content.get("base64") or content.get("base64"))
        media = Media(
            mime=file.mime,
            file_name=(file.name or file.title) if name == "documentMessage" else file.name,
            size=file.size if file.size is not None and file.size >= 0 else None,
            seconds=file.seconds if file.seconds is not None and file.seconds >= 0 else None,
            is_voice_note=file.is_voice_note,
            inline=None if is_view_once else inline,
            url=url if url.startswith(("https://", "http://")) and not is_view_once else "",
            is_view_once=is_view_once,
        )
        speech = _text(message.content.get("speechToText")).removeprefix("[audio]").strip()
        return _Said(MEDIA[name], file.caption or speech, name, media=media)


def unwrap(content: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The content inside at most five wrappers (disappearing, view-once, captioned: contract 5.2), and their names."""
    names: list[str] = []
    while len(names) < MAX_WRAPPERS and not any(content.get(name) for name in READERS):
        name = next((name for name in WRAPPERS if isinstance(_object(content.get(name)).get("message"), dict)), None)
        if name is None:
            break
        names.append(name)
        content = content[name]["message"]
    return content, tuple(names)


def _words(node: Any, name: str) -> _Said:
    said = READERS_BY_NAME[name](node)
    return _Said(said.kind, said.text, name, said.choice, None, said.extra)


def _conversation(node: Any) -> _Said:
    return _Said(MessageKind.TEXT, _text(node))


def _extended(node: Any) -> _Said:
    return _Said(MessageKind.TEXT, _text(_object(node).get("text")))


def _location(node: Any) -> _Said:
    place = _Location.model_validate(_object(node))
    known = place.latitude is not None and place.longitude is not None
    position = f"{place.latitude}, {place.longitude}" if known else ""
    extra = {"latitude": str(place.latitude), "longitude": str(place.longitude)} if known else {}
    return _Said(MessageKind.LOCATION, _lines(place.name, place.address, position), extra=extra)


def _contact(node: Any) -> _Said:
    return _Said(MessageKind.CONTACT, _card(_object(node)))


def _contacts(node: Any) -> _Said:
    cards = _objects(_object(node).get("contacts"))[:MAX_CONTACTS]
    return _Said(
        MessageKind.CONTACT, _lines(*(_card(card) for card in cards)) or _text(_object(node).get("displayName"))
    )


def _card(node: dict[str, Any]) -> str:
    card = _Card.model_validate(node)
    phones = (found.strip() for found in VCARD_PHONE.findall(card.vcard.replace("\r", "")))
    return " ".join([card.name, *phones]).strip()


def _poll(node: Any) -> _Said:
    options = (_text(option.get("optionName")) for option in _objects(_object(node).get("options")))
    return _Said(
        MessageKind.POLL, _lines(_text(_object(node).get("name")), *(f"- {option}" for option in options if option))
    )


def _button(node: Any) -> _Said:
    reply = _object(node)
    return _reply(_text(reply.get("selectedDisplayText")), _text(reply.get("selectedButtonId")))


def _row(node: Any) -> _Said:
    reply = _object(node)
    return _reply(_text(reply.get("title")), _text(_object(reply.get("singleSelectReply")).get("selectedRowId")))


def _template_button(node: Any) -> _Said:
    reply = _object(node)
    return _reply(_text(reply.get("selectedDisplayText")), _text(reply.get("selectedId")))


def _interactive(node: Any) -> _Said:
    reply = _object(node)
    try:
        chosen = _object(json.loads(_text(_object(reply.get("nativeFlowResponseMessage")).get("paramsJson"))))
        chosen = _clean_object(chosen)
    except (ValueError, RecursionError, Unreadable):
        chosen = {}
    text = (
        _text(_object(reply.get("body")).get("text")) or _text(chosen.get("display_text")) or _text(chosen.get("title"))
    )
    return _reply(text, _text(chosen.get("id")))


def _reply(text: str, choice: str) -> _Said:
    return _Said(MessageKind.REPLY, text, choice=choice)


READERS_BY_NAME = {
    "conversation": _conversation,
    "extendedTextMessage": _extended,
    "locationMessage": _location,
    "liveLocationMessage": _location,
    "contactMessage": _contact,
    "contactsArrayMessage": _contacts,
    "buttonsResponseMessage": _button,
    "listResponseMessage": _row,
    "templateButtonReplyMessage": _template_button,
    "interactiveResponseMessage": _interactive,
    **dict.fromkeys(POLLS, _poll),
}
READERS = READERS_BY_NAME.keys() | MEDIA.keys()


def _protocol(data: dict[str, Any]) -> Event:
    kind = _enum(data.get("type"))
    if kind not in EDIT_TYPES | REVOKE_TYPES:
        return Ignored("protocol")
    change = _Protocol.model_validate(data)
    if kind in REVOKE_TYPES:
        return Revoke(change.key.id)
    content, wrappers = unwrap(change.edited)
    stand_in = {"key": {"id": change.key.id, "remoteJid": "-", "fromMe": True}, "message": content}
    said = _Reader(frozenset(), NO_FILES)._said(_Message.model_validate(stand_in), content, wrappers)
    return Edit(change.key.id, said.text, change.edited_at)


def _status(status: _Status) -> Event:
    ack = ACKS.get(status.status.upper())
    if ack is None:
        raise Unreadable("messages.update: the status is not known.")
    return StatusUpdate(status.id, ack, status.from_us)


def _connection(update: _Connection) -> Event:
    state = LINK_STATES.get(update.state)
    if state is None:
        raise Unreadable("connection.update: the state is not known.")
    return LinkUpdate(state, DEVICE.sub("", update.own), update.name[:MAX_NAME_CHARS], update.reason)


def _closed(update: _Closed) -> Event:
    if update.status != "closed":
        raise Unreadable("status.instance: the status is not known.")
    return LinkUpdate(LinkState.CLOSED, reason=update.reason)


def _code(data: dict[str, Any]) -> Event:
    if isinstance(data.get("qrcode"), dict):
        code = _Code.model_validate(data["qrcode"])
        return PairingCode(qr_png=code.png, code=code.pairing)
    if "limit" in _text(data.get("message")):
        return PairingCode(limit_reached=True)
    raise Unreadable("qrcode.updated: there is no code.")


def _context(message: _Message, content: dict[str, Any]) -> _Context:
    """Of the envelope, else of the content itself: wrapped messages have it only there (contract 5.1)."""
    inside = (_object(_object(node).get("contextInfo")) for node in content.values())
    return _Context.model_validate(next(filter(None, inside), {}) | message.context)


# --- Small parts --------------------------------------------------------------------------------------------------


def _event(body: dict[str, Any]) -> str:
    return _text(body.get("event"))[:100]


def _why_ignored(event: str, data: Any) -> str:
    """Why an event is none of our business; empty when it is, or when nobody can tell."""
    if event in NOISE:
        return event
    if not isinstance(data, dict):
        return ""
    jid = next((jid for jid in _jids(event, data) if isinstance(jid, str) and jid), "")
    if jid and not is_direct(jid):
        return "not a chat with a person"
    if event == "call" and data.get("isGroup") is True:
        return "not a chat with a person"
    if event in {"messages.edited", "send.message.update"}:
        change: Any = data
    elif event == "messages.upsert":
        content, _ = unwrap(_object(data.get("message")))
        if "pollUpdateMessage" in content:
            return "a vote"
        if not content.keys() - BESIDE_CONTENT and "senderKeyDistributionMessage" in content:
            return "protocol"
        change = content.get("protocolMessage")
    else:
        return ""
    is_noise = isinstance(change, dict) and _enum(change.get("type")) not in EDIT_TYPES | REVOKE_TYPES
    return "protocol" if is_noise else ""


def _jids(event: str, data: dict[str, Any]) -> Iterator[Any]:
    if event == "call":
        yield from (data.get("chatId"), data.get("from"))
    elif event in {"messages.upsert", "send.message", "messages.edited", "send.message.update", "messages.delete"}:
        yield _object(data.get("key")).get("remoteJid")
        yield data.get("remoteJid")
    elif event == "messages.update":
        yield data.get("remoteJid")


def _identity(event: str, data: dict[str, Any]) -> tuple[str, ...]:
    key = _object(data.get("key"))
    match event:
        case "messages.upsert" | "send.message":
            parts: tuple[Any, ...] = (key.get("id"),)
        case "messages.edited" | "send.message.update":
            parts = (key.get("id"), _enum(data.get("type")), str(_long(data.get("timestampMs"))))
        case "messages.delete":
            parts = (key.get("id") or data.get("id"),)
        case "messages.update":
            parts = (data.get("keyId"), _enum(data.get("status")))
        case "call":
            parts = (data.get("id"), data.get("status"))
        case _:
            return ()
    return tuple(parts) if all(isinstance(part, str) and part for part in parts) else ()


def _cut_file(item: Any) -> dict[str, bytes]:
    """Take the embedded file out of a message (in place): {message id: content}, empty if there is none to keep."""
    content = _object(_object(item).get("message"))
    inner, wrappers = unwrap(content)
    encoded = content.pop("base64", None) or inner.get("base64")
    inner.pop("base64", None)
    is_view_once = any(name.startswith("viewOnce") for name in wrappers) or any(
        _object(node).get("viewOnce") is True for node in inner.values()
    )
    found, name = _decoded(encoded), _object(_object(item).get("key")).get("id")
    return {name: found} if found and isinstance(name, str) and not is_view_once else {}


def _decoded(encoded: Any) -> bytes | None:
    if not isinstance(encoded, str) or not encoded:
        return None
    try:
        return base64.b64decode(encoded, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _without_secrets(value: Any) -> Any:
    """A copy, as deep as there are objects and lists; what is neither is not called for: bodies have hundreds."""
    if isinstance(value, dict):
        return {
            name: _without_secrets(inner) if isinstance(inner, (dict, list)) else inner
            for name, inner in value.items()
            if name not in SECRET_FIELDS
        }
    if isinstance(value, list):
        return [_without_secrets(inner) if isinstance(inner, (dict, list)) else inner for inner in value]
    return value


def _own_phones(*jids: Any) -> frozenset[str]:
    found = (_phone(DEVICE.sub("", jid)) for jid in jids if isinstance(jid, str))
    return frozenset(number for number in found if number)


def _phone(jid: str) -> str | None:
    if "@" in jid and not jid.endswith(PERSON):
        return None
    digits = jid.removesuffix(PERSON)
    return phone.canonical(digits) if digits.isascii() and digits.isdigit() else None


def _name(name: str) -> str:
    """A sender's name, or nothing when it is only a number or a JID in disguise (contract 5.1)."""
    name = name.strip()[:MAX_NAME_CHARS]
    return "" if "@" in name or phone.canonical(name) else name


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _is_plainly_clean(body: bytes) -> bool:
    """True only if cleaning can change nothing: no escaped character, valid UTF-8, too few levels to be deep."""
    if b"\\u" in body or b"\x00" in body or body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)  # one: making it costs as much again


def _clean_object(value: dict[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = _clean(value, 0)
    return clean


def _clean(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Unreadable("The body is nested too deeply.")
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict):
        return {_clean_text(str(name)): _clean(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner, depth + 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _clean_text(text: str) -> str:
    """Without NUL, and with U+FFFD for half characters: PostgreSQL takes neither (contract 8.8)."""
    text = text.replace("\x00", "")
    return text if text.isascii() else LONE_SURROGATE.sub("\ufffd", text)
