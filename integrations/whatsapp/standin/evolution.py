"""Evolution API 2.3.6 from the inside: instances, their message table, and the events that come of what happens.

Only `webhooks` speaks HTTP towards us; `api` and `control` are the two doors in. Everything runs on one event loop.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import qrcode
from pydantic import TypeAdapter

from integrations.whatsapp.standin import samples, shapes
from integrations.whatsapp.standin.faults import Faults, SendFault
from integrations.whatsapp.standin.phones import Addressing, Author, Lead, Media, PhoneMessage, Tick, Whatsapp
from integrations.whatsapp.standin.shapes import Json
from integrations.whatsapp.standin.webhooks import Envelope, Hook, RetryPolicy, Webhooks

# fmt: off
EVENTS = (
    "APPLICATION_STARTUP", "QRCODE_UPDATED", "MESSAGES_SET", "MESSAGES_UPSERT", "MESSAGES_EDITED",
    "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE", "SEND_MESSAGE_UPDATE", "CONTACTS_SET", "CONTACTS_UPSERT",
    "CONTACTS_UPDATE", "PRESENCE_UPDATE", "CHATS_SET", "CHATS_UPSERT", "CHATS_UPDATE", "CHATS_DELETE",
    "GROUPS_UPSERT", "GROUP_UPDATE", "GROUP_PARTICIPANTS_UPDATE", "CONNECTION_UPDATE", "LABELS_EDIT",
    "LABELS_ASSOCIATION", "CALL", "TYPEBOT_START", "TYPEBOT_CHANGE_STATUS", "REMOVE_INSTANCE", "LOGOUT_INSTANCE",
    "INSTANCE_CREATE", "INSTANCE_DELETE", "STATUS_INSTANCE",
)
# fmt: on
CONNECT_SECONDS = 2.0
QR_SECONDS = 45.0
RECONNECT_SECONDS = 1.0
SAVE_SECONDS = 1.0
LOGGED_OUT = 401
QR_LIMIT_STATUS = 428
BUSINESS_STATUS = {Tick.DELIVERY_ACK: "DELIVERED", Tick.READ: "READ", Tick.SERVER_ACK: "SENT"}
PAIRING_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ123456789"


class Integration(StrEnum):
    """The channels of Evolution (evolution.md 7)."""

    BAILEYS = "WHATSAPP-BAILEYS"
    BUSINESS = "WHATSAPP-BUSINESS"
    EVOLUTION = "EVOLUTION"


class EvolutionError(Exception):
    """An answer that is no success: status and `response.message`, or a `body` where Evolution breaks its own form."""

    def __init__(self, status: int, message: object = None, *, body: Json | None = None) -> None:
        super().__init__(f"{status} {message or body}")
        self.status = status
        self.message = message
        self.body = body


@dataclass
class Options:
    """How the stand-in plays. Seconds are multiplied by `time_scale`, as is the back-off of webhooks.

    `delivered_seconds` / `read_seconds`: after a send; None leaves that tick out. `auto_pair_seconds`: the QR code is
    scanned by itself with the `number` of create. `time_zone`: the server's, visible in `date_time`. `seed`: None makes
    message ids unlike those of any other run; a number repeats them. `create_seconds`: how long that takes.
    """

    api_key: str = "standin-global-key"
    control_token: str = "standin-control-token"  # noqa: S105
    seed: int | None = None
    time_scale: float = 1.0
    time_zone: str = "America/Sao_Paulo"
    server_url: str = ""
    delivered_seconds: float | None = 0.4
    read_seconds: float | None = 1.5
    emits_server_ack: bool = False
    auto_pair_seconds: float | None = None
    create_seconds: float = 5.0
    qr_limit: int = 30
    saves_messages: bool = True
    exposes_tokens: bool = False
    state_file: Path | None = None


@dataclass
class Row:
    """A message in Evolution's own table. `key` as in webhooks; `at`: epoch seconds; `updates`: statuses so far."""

    id: str
    key: Json
    push_name: str | None
    message_type: str
    message: Json
    at: int
    source: str
    context: Json | None = None
    status: str = ""
    updates: list[str] = field(default_factory=list)


@dataclass
class Instance:
    """A connected (or not) number. `offline`: what WhatsApp keeps for it until it is open again."""

    name: str
    id: str
    integration: Integration
    token: str
    number: str = ""
    business_id: str = ""
    state: str = "close"  # connecting, open, close
    has_socket: bool = False  # connect was called at least once
    owner_jid: str = ""
    profile_name: str = ""
    settings: Json = field(default_factory=dict)
    webhook: Json | None = None
    sends_base64: bool = False  # read when the instance connects, not when it is set
    qr: Json = field(default_factory=dict)
    wants_pairing_code: bool = False
    is_leaving: bool = False  # deleted, but the name is not free yet
    disconnection: Json = field(default_factory=dict)
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    rows: dict[str, Row] = field(default_factory=dict)
    offline: list[Json] = field(default_factory=list)
    checked_jids: set[str] = field(default_factory=set)
    subscribed_jids: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    @property
    def is_baileys(self) -> bool:
        return self.integration == Integration.BAILEYS

    @property
    def hears(self) -> bool:
        """Whether inbound messages reach it now. The other channels do not care about their state."""
        return self.state == "open" or not self.is_baileys


@dataclass
class Saved:
    """What survives a restart: Evolution's database and the world outside."""

    instances: dict[str, Instance] = field(default_factory=dict)
    whatsapp: Whatsapp = field(default_factory=Whatsapp)


SAVED: TypeAdapter[Saved] = TypeAdapter(Saved)


class Evolution:
    """One Evolution server with WhatsApp behind it. Use it from its event loop only; `Standin` carries calls there."""

    def __init__(self, options: Options, *, faults: Faults | None = None, policy: RetryPolicy | None = None) -> None:
        self.options = options
        self.faults = faults or Faults(seed=options.seed or 0)
        self.policy = policy or RetryPolicy()
        salt = secrets.token_hex(8) if options.seed is None else str(options.seed)
        self.saved = Saved(whatsapp=Whatsapp(salt=salt))
        self.is_down = False
        self.changes = 0
        self.busy = 0  # inbound events under way
        self.locks: dict[str, asyncio.Lock] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.rotations: dict[str, asyncio.Task[Any]] = {}
        self.webhooks: Webhooks

    @property
    def instances(self) -> dict[str, Instance]:
        return self.saved.instances

    @property
    def whatsapp(self) -> Whatsapp:
        return self.saved.whatsapp

    async def start(self) -> None:
        """Loads the state and opens the instances that were open."""
        self.webhooks = Webhooks(policy=self.policy, faults=self.faults, time_scale=self.options.time_scale)
        file = self.options.state_file
        if file and file.exists():
            self.saved = SAVED.validate_json(file.read_bytes())
            self.whatsapp.reindex()
        for instance in self.instances.values():
            if instance.is_baileys and instance.state != "close":
                self.spawn(self.reopen(instance))
        if file:
            self.spawn(self.save_often())

    async def stop(self) -> None:
        for task in [*self.tasks]:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.webhooks.close()
        self.save()

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.options.time_scale)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def save_often(self) -> None:
        saved = self.changes
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            if self.changes != saved:
                saved = self.changes
                self.save()

    def save(self) -> None:
        file = self.options.state_file
        if file is None:
            return
        draft = file.with_suffix(".draft")
        hidden = {"whatsapp": {"chats", "by_id", "by_lid", "typing"}}
        draft.write_bytes(SAVED.dump_json(self.saved, exclude=hidden))
        draft.replace(file)

    # --- Instances ---------------------------------------------------------------------------------------------

    def add(self, instance: Instance) -> None:
        self.instances[instance.name] = instance
        self.changes += 1
        self.emit(instance, "instance.create", {"instanceName": instance.name, "instanceId": instance.id})

    def connect(self, instance: Instance) -> None:
        """Opens the socket: `connecting`, then QR codes that rotate until one is scanned or the limit is reached."""
        instance.has_socket = True
        instance.sends_base64 = bool((instance.webhook or {}).get("webhookBase64"))
        self.change_state(instance, "connecting", 200)
        if old := self.rotations.pop(instance.name, None):
            old.cancel()
        instance.qr = {}
        self.rotations[instance.name] = self.spawn(self.rotate_codes(instance))

    async def rotate_codes(self, instance: Instance) -> None:
        for count in range(1, self.options.qr_limit + 1):
            code = "2@" + ",".join(base64.b64encode(secrets.token_bytes(24)).decode() for _ in range(4))
            pairing = (
                "".join(secrets.choice(PAIRING_LETTERS) for _ in range(8)) if instance.wants_pairing_code else None
            )
            instance.qr = {"pairingCode": pairing, "code": code, "base64": qr_image(code), "count": count}
            shown = {"instance": instance.name, "pairingCode": pairing, "code": code, "base64": instance.qr["base64"]}
            self.emit(instance, "qrcode.updated", {"qrcode": shown})
            if self.options.auto_pair_seconds is not None and instance.number:
                self.spawn(self.pair_later(instance))
            await self.pause(QR_SECONDS)
        instance.qr = {}
        self.emit(
            instance, "qrcode.updated", {"message": "QR code limit reached, please login again", "statusCode": 500}
        )
        self.change_state(instance, "refused", QR_LIMIT_STATUS)
        instance.state = "close"

    async def pair_later(self, instance: Instance) -> None:
        await self.pause(self.options.auto_pair_seconds or 0)
        if instance.state == "connecting":
            self.pair(instance, instance.number)

    def pair(self, instance: Instance, number: str, *, profile_name: str = "") -> None:
        """A phone scans the code. `number`: its digits, whatever number the instance was made for."""
        if old := self.rotations.pop(instance.name, None):
            old.cancel()
        instance.qr = {}
        instance.owner_jid = f"{number}@s.whatsapp.net"
        instance.profile_name = profile_name or instance.profile_name or f"Company {number[-4:]}"
        self.spawn(self.reopen(instance))

    async def reopen(self, instance: Instance) -> None:
        """connecting, then open, then what WhatsApp kept meanwhile, as ordinary upserts."""
        self.change_state(instance, "connecting", 200)
        await self.pause(RECONNECT_SECONDS)
        if instance.state != "connecting" or not instance.owner_jid:
            return
        self.change_state(instance, "open", 200)
        kept, instance.offline = instance.offline, []
        for inbound in kept:
            await self.take(instance, inbound)

    def drop(self, instance: Instance) -> None:
        """The connection is lost for a while. Only `connecting` is ever said about it."""
        self.change_state(instance, "connecting", 200)

    def restore(self, instance: Instance) -> None:
        self.spawn(self.reopen(instance))

    async def log_out(self, instance: Instance, reason: int = LOGGED_OUT) -> None:
        """The session is over for good (401 logged out, 402, 403, 406): three events, then `close`."""
        if old := self.rotations.pop(instance.name, None):
            old.cancel()
        if not instance.is_baileys:
            instance.state = "close"
            return
        now = iso(time.time())
        trouble = {"error": {"data": {"tag": "stream:error", "attrs": {"code": str(reason)}}}, "date": now}
        instance.disconnection = {"code": reason, "object": json.dumps(trouble, separators=(",", ":")), "at": now}
        self.emit(
            instance,
            "status.instance",
            {
                "instance": instance.name,
                "status": "closed",
                "disconnectionAt": now,
                "disconnectionReasonCode": reason,
                "disconnectionObject": instance.disconnection["object"],
            },
        )
        self.change_state(instance, "close", reason)
        if task := self.emit(instance, "logout.instance", None):
            await task

    async def delete(self, instance: Instance) -> None:
        """Gone, but the name is free only when `remove.instance` was delivered or given up."""
        instance.is_leaving = True
        if instance.is_baileys and instance.state == "open":
            await self.log_out(instance)
        instance.state = "close"
        self.emit(instance, "instance.delete", {"instanceName": instance.name, "instanceId": instance.id})
        if task := self.emit(instance, "remove.instance", None):
            await task
        self.instances.pop(instance.name, None)
        self.locks.pop(instance.name, None)
        self.changes += 1

    def change_state(self, instance: Instance, state: str, reason: int) -> None:
        instance.state = state
        instance.updated_at = time.time()
        self.changes += 1
        data: Json = {"instance": instance.name, "state": state, "statusReason": reason}
        if state == "open":
            data = {
                "instance": instance.name,
                "wuid": instance.owner_jid,
                "profileName": instance.profile_name,
                "profilePictureUrl": None,
                "state": state,
                "statusReason": reason,
            }
        self.emit(instance, "connection.update", data)

    async def crash(self, down_seconds: float = 0.0) -> None:
        """kill -9 and a new start: retries, caches and open answers are gone; leads' messages wait at WhatsApp.

        `down_seconds` are real. Meanwhile every call is answered 502, as a proxy in front would.
        """
        self.is_down = True
        await self.webhooks.forget()
        for instance in self.instances.values():
            instance.seen.clear()
        await asyncio.sleep(down_seconds)
        self.is_down = False
        for instance in self.instances.values():
            if instance.is_baileys and instance.owner_jid and instance.state != "close":
                await self.reopen(instance)

    # --- Events ------------------------------------------------------------------------------------------------

    def emit(self, instance: Instance, event: str, data: Any, *about: str) -> asyncio.Task[None] | None:
        """Sends a webhook if the instance subscribed to it. `about` names the thing for repeatable faults."""
        if self.is_down:
            return None
        set_up = instance.webhook
        hook = None
        if set_up:
            events = tuple(set_up["events"])
            hook = Hook(set_up["url"], set_up["headers"] or {}, set_up["webhookByEvents"], events, set_up["enabled"])
        envelope = Envelope(
            instance=instance.name,
            sender=instance.owner_jid or None if instance.is_baileys else None,
            server_url=self.options.server_url,
            apikey=instance.token if self.options.exposes_tokens else None,
            time_zone=ZoneInfo(self.options.time_zone),
        )
        return self.webhooks.emit(hook, envelope, event, data=data, about=about)

    def arrive(self, instance: Instance, inbound: Json) -> None:
        """Something leaves a phone for this number; what leaves first arrives first."""
        self.busy += 1
        self.changes += 1
        self.spawn(self.take(instance, inbound)).add_done_callback(self.one_less)

    def one_less(self, _: asyncio.Task[Any]) -> None:
        self.busy -= 1

    async def take(self, instance: Instance, inbound: Json) -> None:
        """It reaches Evolution. An edit holds up all that follows until our endpoint took it (evolution.md 3.4)."""
        if self.is_down or not instance.hears or instance.is_leaving:
            instance.offline.append(inbound)
            return
        async with self.locks.setdefault(instance.name, asyncio.Lock()):
            if "upsert" in inbound:
                self.upsert(instance, inbound["upsert"])
            if edited := inbound.get("edited"):
                await self.edited(instance, edited)
            if key := inbound.get("deleted"):
                await self.deleted(instance, key)

    def upsert(self, instance: Instance, data: Json) -> None:
        key = data["key"]
        if instance.is_baileys and key["id"] in instance.seen:
            return  # "Message duplicated ignored"
        instance.seen.add(key["id"])
        if self.options.saves_messages and has_nul(data):
            return  # PostgreSQL refuses NUL: the batch is dropped, no webhook
        is_new = (
            not any(row.key["remoteJid"] == key["remoteJid"] for row in instance.rows.values())
            if self.wants(instance, "CONTACTS_UPSERT")
            else False
        )
        self.save_row(instance, data)
        message = self.whatsapp.by_id.get(key["id"])
        if message and message.tick.rank < Tick.DELIVERY_ACK.rank:
            message.tick = Tick.DELIVERY_ACK
        self.emit(instance, "messages.upsert", data, key["id"])
        contact = {
            "remoteJid": key["remoteJid"],
            "pushName": data["pushName"],
            "profilePicUrl": None,
            "instanceId": instance.id,
        }
        if is_new:
            self.emit(instance, "contacts.upsert", contact, key["id"])
        else:
            self.emit(instance, "contacts.update", [contact], key["id"])
        self.emit(instance, "chats.upsert", [], key["id"])

    def wants(self, instance: Instance, event: str) -> bool:
        return bool(instance.webhook and event in instance.webhook["events"])

    async def edited(self, instance: Instance, data: Json) -> None:
        row = instance.rows.get(data["key"]["id"])
        if row and "editedMessage" in data:
            row.message = data["editedMessage"]
        if task := self.emit(instance, "messages.edited", data, data["key"]["id"], str(data.get("timestampMs", ""))):
            await task

    async def deleted(self, instance: Instance, key: Json) -> None:
        revoke = {"key": {"remoteJid": instance.owner_jid, "fromMe": True, "id": key["id"]}, "type": "REVOKE"}
        await self.edited(instance, revoke)
        row = instance.rows.get(key["id"])
        if self.options.saves_messages and row is None:
            return
        if row:
            row.status = "DELETED"
        self.emit(instance, "messages.delete", key, key["id"])

    def save_row(self, instance: Instance, data: Json) -> Row | None:
        if not self.options.saves_messages:
            return None
        row = Row(
            id="cm" + hashlib.blake2b(f"{instance.id}{data['key']['id']}".encode(), digest_size=11).hexdigest(),
            key=data["key"],
            push_name=data.get("pushName"),
            message_type=data["messageType"],
            message=data["message"],
            at=data["messageTimestamp"],
            source=data.get("source", "unknown"),
            context=data.get("contextInfo"),
            status=data.get("status", ""),
        )
        instance.rows[data["key"]["id"]] = row
        self.changes += 1
        return row

    # --- The company's side: what our API calls do -------------------------------------------------------------

    def address(self, instance: Instance, jid: str) -> tuple[str, Lead | None]:
        """The JID a message really goes to, and whose phone that is; EvolutionError when it is not on WhatsApp.

        An unknown LID counts as existing, and the message goes nowhere.
        """
        lead = self.whatsapp.find(jid)
        instance.checked_jids.add(jid)
        if lead is None and not jid.endswith("@lid"):
            number = jid.partition("@")[0]
            raise EvolutionError(400, [{"jid": jid, "exists": False, "number": number}])
        return (jid if jid.endswith("@lid") or lead is None else lead.jid), lead

    def send(
        self,
        instance: Instance,
        jid: str,
        lead: Lead | None,
        *,
        kind: str,
        text: str,
        media: Media | None = None,
        extra: Json | None = None,
        quoted_id: str = "",
        is_rejected: bool = False,
    ) -> Json:
        """Writes a message to WhatsApp: the lead has it, the row is there, `send.message` follows. The answer."""
        now = time.time()
        style = "business" if instance.integration == Integration.BUSINESS else "web"
        message_id = self.whatsapp.new_id(style, instance.name, jid, "api")
        body = shapes.content(kind, text, media=media, extra=extra)
        if lead and kind == "reaction" and extra:
            target = self.whatsapp.by_id.get(extra["key"]["id"])
            if target:
                target.reactions[Author.API] = text
        elif lead and not is_rejected and instance.integration != Integration.EVOLUTION:
            sent = PhoneMessage(
                message_id,
                instance.name,
                lead.phone,
                Author.API,
                kind,
                text,
                now,
                len(self.whatsapp.messages),
                media=media,
                quoted_id=quoted_id,
            )
            self.whatsapp.add(sent)
            self.whatsapp.typing.pop(f"{instance.name}/{lead.phone}", None)
            self.spawn(self.receipts(instance, lead, sent))
        data: Json = {"key": {"remoteJid": jid, "fromMe": True, "id": message_id}}
        if instance.is_baileys:
            data |= {"pushName": "Você", "status": "PENDING"}
        data["message"] = body
        if instance.is_baileys:
            data["contextInfo"] = {"mentionedJid": [], "groupMentions": [], "disappearingMode": {"initiator": 0}}
            if quoted_id and (quoted := instance.rows.get(quoted_id)):
                data["contextInfo"] |= shapes.quote(
                    quoted_id, quoted.key["remoteJid"], quoted.message.get("conversation", "")
                )
        if instance.integration == Integration.EVOLUTION:
            data["key"]["id"] = str(uuid.uuid4())
        data |= {"messageType": next(iter(body)), "messageTimestamp": int(now), "instanceId": instance.id}
        data["source"] = "web" if instance.is_baileys else "unknown"
        if instance.integration == Integration.BUSINESS:
            data["status"] = "PENDING"
        self.save_row(instance, data)
        self.emit(instance, "send.message", data, data["key"]["id"])
        if is_rejected:
            self.spawn(self.reject(instance, data["key"]))
        return data

    async def receipts(self, instance: Instance, lead: Lead, message: PhoneMessage) -> None:
        options = self.options
        if options.emits_server_ack:
            self.tick(instance, lead, message, Tick.SERVER_ACK)
        if options.delivered_seconds is None:
            return
        await self.pause(options.delivered_seconds)
        self.tick(instance, lead, message, Tick.DELIVERY_ACK)
        if options.read_seconds is None or not lead.sends_read_receipts:
            return
        await self.pause(options.read_seconds)
        self.tick(instance, lead, message, Tick.READ)

    def tick(self, instance: Instance, lead: Lead, message: PhoneMessage, tick: Tick) -> None:
        """The lead's phone got or showed it. Told by `messages.update`, under the LID if the lead is known by it."""
        if message.tick.rank >= tick.rank:
            return
        message.tick = tick
        self.update_status(instance, message.id, lead.address, tick)

    def update_status(self, instance: Instance, key_id: str, remote_jid: str, status: Tick | str) -> None:
        row = instance.rows.get(key_id)
        if (self.options.saves_messages and row is None) or not instance.hears:
            return
        data: Json = {
            "keyId": key_id,
            "remoteJid": remote_jid,
            "fromMe": True,
            "status": str(status),
            "instanceId": instance.id,
        }
        if instance.integration == Integration.BUSINESS:
            shown = BUSINESS_STATUS[status] if isinstance(status, Tick) else "FAILED"
            data |= {"fromMe": False, "participant": remote_jid, "status": shown}
        if row:
            data["messageId"] = row.id
            row.updates.append(data["status"])
            row.status = data["status"]
        self.changes += 1
        self.emit(instance, "messages.update", data, key_id, data["status"])

    async def reject(self, instance: Instance, key: Json) -> None:
        await self.pause(self.options.delivered_seconds or 0)
        self.update_status(instance, key["id"], key["remoteJid"], "ERROR")

    async def hang(self) -> None:
        """No answer: the socket stays open until the caller gives up."""
        await asyncio.sleep(self.faults.hang_seconds)
        raise EvolutionError(500, "Timed Out")

    async def guarded_send(self, instance: Instance, jid: str, lead: Lead | None, **what: Any) -> tuple[int, Json]:
        """`send` as the faults allow it: status and body, an EvolutionError, or no answer at all."""
        fault = self.faults.for_send(instance.name, jid, str(what.get("text", "")))
        if self.faults.answer_delay_seconds:
            await asyncio.sleep(self.faults.answer_delay_seconds)
        if fault == SendFault.CONNECTION_CLOSED:
            raise EvolutionError(500, "Connection Closed")
        if fault == SendFault.HANG_BEFORE:
            await self.hang()
        if fault == SendFault.META_ERROR:
            return 201, {
                "message": "(#131056) Pair rate limit hit",
                "type": "OAuthException",
                "code": 131056,
                "fbtrace_id": "Standin",
            }
        sent = self.send(instance, jid, lead, is_rejected=fault == SendFault.REJECTED, **what)
        if fault == SendFault.HANG_AFTER:
            await self.hang()
        if fault == SendFault.ERROR_AFTER:
            raise EvolutionError(
                400, ["PrismaClientKnownRequestError: Timed out fetching a new connection from the connection pool."]
            )
        return 201, sent

    # --- The lead's side, and the company's own phone ----------------------------------------------------------

    def act(self, name: str, phone: str, action: str, fields: Mapping[str, Any]) -> PhoneMessage | None:
        """One thing a person does in the chat between this lead and this number. KeyError for an unknown instance,
        ValueError for an unknown action or message.

        text (text, quoted_id, ad), voice (seconds), image, document, audio, video (text; each with data, mime,
        file_name for a file of one's own), location (text, latitude, longitude), edit (id, text), delete (id),
        reaction (id, text), typing, company (text, via: phone or web): a person at the company writes from its own
        phone. `id` and `at` (epoch seconds) may be given with whatever makes a message.
        """
        instance = self.instances[name]
        lead = self.whatsapp.lead(phone)
        if action == "typing":
            if lead.address in instance.subscribed_jids or lead.jid in instance.subscribed_jids:
                presence = {lead.address: {"lastKnownPresence": fields.get("presence", "composing")}}
                self.emit(instance, "presence.update", {"id": lead.address, "presences": presence})
            return None
        if action in {"edit", "delete", "reaction"}:
            return self.touch(instance, lead, action, fields)
        author = Author.COMPANY if action == "company" else Author.LEAD
        kind = "text" if action == "company" else action
        media = None
        if kind in {"voice", "audio", "image", "video", "document"}:
            media = own_file(kind, fields)
        elif kind not in {"text", "location"}:
            raise ValueError(f"{action!r} is nothing that can be done on a phone.")
        message = self.write(instance, lead, author=author, kind=kind, media=media, fields=fields)
        upsert = self.shape(instance, lead, message, fields)
        self.arrive(instance, {"upsert": upsert})
        return message

    def write(
        self,
        instance: Instance,
        lead: Lead,
        *,
        author: Author,
        kind: str,
        media: Media | None,
        fields: Mapping[str, Any],
    ) -> PhoneMessage:
        style = lead.device
        if instance.integration == Integration.BUSINESS:
            style = "business"
        elif author == Author.COMPANY:
            style = "web" if fields.get("via") == "web" else "android"
        message = PhoneMessage(
            id=str(fields.get("id") or self.whatsapp.new_id(style, instance.name, lead.phone, author)),
            instance=instance.name,
            phone=lead.phone,
            author=author,
            kind=kind,
            text=str(fields.get("text") or ""),
            at=float(fields.get("at") or time.time()),
            order=len(self.whatsapp.messages),
            tick=Tick.SERVER_ACK,
            media=media,
            quoted_id=str(fields.get("quoted_id") or ""),
        )
        self.whatsapp.add(message)
        self.changes += 1
        if author == Author.COMPANY:
            self.read_by_company(instance, lead)
        return message

    def read_by_company(self, instance: Instance, lead: Lead) -> None:
        for message in self.whatsapp.sent(lead.phone, instance.name):
            message.tick = Tick.READ

    def key(self, instance: Instance, lead: Lead, message_id: str, *, from_me: bool) -> Json:
        """The key under which the channel reports a message of this chat."""
        if not instance.is_baileys:
            return {"id": message_id, "remoteJid": lead.jid, "fromMe": from_me}
        is_lid = lead.addressing != Addressing.PHONE
        key: Json = {
            "remoteJid": lead.address,
            "fromMe": from_me,
            "id": message_id,
            "participant": "",
            "addressingMode": "lid" if is_lid else "pn",
        }
        if lead.addressing == Addressing.LID:
            key["remoteJidAlt"] = instance.owner_jid if from_me else lead.jid
        return key

    def shape(self, instance: Instance, lead: Lead, message: PhoneMessage, fields: Mapping[str, Any]) -> Json:
        """The `data` of messages.upsert for what was written on a phone."""
        from_me = message.author == Author.COMPANY
        body = shapes.content(message.kind, message.text, media=message.media, extra=dict(fields))
        data: Json = {
            "key": self.key(instance, lead, message.id, from_me=from_me),
            "pushName": instance.profile_name if from_me else lead.name,
        }
        kind = next(iter(body))
        if instance.is_baileys:
            data["status"] = "SERVER_ACK" if from_me else "DELIVERY_ACK"
            body |= shapes.secrets_of_device(message.id)
        elif message.media and instance.integration == Integration.BUSINESS:
            body = {kind: shapes.business_node(body[kind], message.id[-15:])}
        if message.media and (instance.sends_base64 or instance.integration == Integration.BUSINESS):
            body["base64"] = base64.b64encode(message.media.data).decode()
        data["message"] = body
        context: Json = {}
        if message.quoted_id and (quoted := self.whatsapp.by_id.get(message.quoted_id)):
            author = lead.address if quoted.author == Author.LEAD else instance.owner_jid
            context |= shapes.quote(quoted.id, author, quoted.text)
        if isinstance(fields.get("ad"), dict):
            context |= shapes.referral(fields["ad"])
        if context and instance.integration == Integration.BUSINESS:
            context = {"stanzaId": message.quoted_id}
        if context:
            data["contextInfo"] = context
        source = "web" if fields.get("via") == "web" else "android" if from_me else lead.device
        return data | {
            "messageType": kind,
            "messageTimestamp": int(message.at),
            "instanceId": instance.id,
            "source": source if instance.is_baileys else "unknown",
        }

    def touch(self, instance: Instance, lead: Lead, action: str, fields: Mapping[str, Any]) -> PhoneMessage:
        """The lead edits, deletes or reacts to a message of the chat."""
        message = self.whatsapp.by_id.get(str(fields.get("id")))
        if message is None or (message.phone, message.instance) != (lead.phone, instance.name):
            raise ValueError("There is no such message in this chat.")
        text = str(fields.get("text") or "")
        if action == "reaction":
            message.reactions[Author.LEAD] = text
            if not text:
                del message.reactions[Author.LEAD]
            from_us = message.author != Author.LEAD
            extra = {"key": self.key(instance, lead, message.id, from_me=from_us), "at_ms": int(time.time() * 1000)}
            reaction_id = self.whatsapp.new_id(lead.device, instance.name, lead.phone, "reaction", message.id)
            reaction = PhoneMessage(
                reaction_id, instance.name, lead.phone, Author.LEAD, "reaction", text, time.time(), -1
            )
            self.arrive(instance, {"upsert": self.shape(instance, lead, reaction, extra)})
        elif message.author != Author.LEAD:
            raise ValueError("Only one's own messages can be changed.")
        elif action == "edit":
            message.text, message.is_edited = text, True
            edited = (
                {"conversation": text} if message.media is None else {shapes.NODES[message.kind]: {"caption": text}}
            )
            key = {"remoteJid": instance.owner_jid, "fromMe": True, "id": message.id}  # as the editor sees it
            stamp = str(int(time.time() * 1000))
            data = {"key": key, "type": "MESSAGE_EDIT", "editedMessage": edited, "timestampMs": stamp}
            self.arrive(instance, {"edited": data})
        else:
            message.is_deleted = True
            self.arrive(instance, {"deleted": self.key(instance, lead, message.id, from_me=False)})
        self.changes += 1
        return message


def own_file(kind: str, fields: Mapping[str, Any]) -> Media:
    """The file given in `data` (base64 or bytes) with `mime` and `file_name`, else a sample of that kind."""
    given = fields.get("data")
    if given:
        data = given if isinstance(given, bytes) else base64.b64decode(given, validate=True)
        mime = str(fields.get("mime") or "application/octet-stream")
        return Media(data, mime, str(fields.get("file_name") or ""), seconds=int(fields.get("seconds") or 0))
    if kind in {"voice", "audio"}:
        seconds = int(fields.get("seconds") or 3)
        return Media(samples.voice_note(seconds), "audio/ogg; codecs=opus", seconds=seconds)
    if kind == "image":
        return Media(samples.picture(), "image/png", width=96, height=96)
    if kind == "document":
        return Media(samples.document(), "application/pdf", str(fields.get("file_name") or "proposal.pdf"))
    raise ValueError("A video needs its `data`.")


def has_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(has_nul(item) for item in value.values())
    if isinstance(value, list):
        return any(has_nul(item) for item in value)
    return isinstance(value, str) and "\x00" in value


def qr_image(code: str) -> str:
    """The QR code as a PNG data URL, four pixels to the module."""
    drawing = qrcode.QRCode(border=4, mask_pattern=0)  # the best mask would take most of the time
    drawing.add_data(code)
    drawing.make(fit=True)
    black, white = bytes(12), b"\xff" * 12
    lines = [b"".join(black if module else white for module in row) for row in drawing.get_matrix()]
    rows = [line for line in lines for _ in range(4)]
    return "data:image/png;base64," + base64.b64encode(samples.png(rows)).decode()


def iso(at: float) -> str:
    """Epoch seconds as JavaScript's toISOString writes them."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(at * 1000) % 1000:03d}Z"
