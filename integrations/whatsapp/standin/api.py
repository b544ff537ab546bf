"""Evolution's HTTP answers (evolution.md 1.1, 1.2, 2, 3.1, 6): statuses, envelopes, oddities, its order of checks."""

import base64
import binascii
import hmac
import json
import math
import mimetypes
import re
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx2
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from integrations.whatsapp.standin.evolution import (
    CONNECT_SECONDS,
    EVENTS,
    Evolution,
    EvolutionError,
    Instance,
    Integration,
    Row,
    iso,
)
from integrations.whatsapp.standin.phones import Lead, Media, Tick, create_jid
from integrations.whatsapp.standin.shapes import Json, dumps, long

VERSION = "2.3.6"
NUMBER = re.compile(r"^\d+[.@\w-]+")
FETCH_SECONDS = 10.0
PAGE_SIZE = 50
MEDIA_KINDS = {"image", "document", "video", "audio"}
SETTINGS = ("rejectCall", "groupsIgnore", "alwaysOnline", "readMessages", "readStatus", "syncFullHistory")
PRESENCES = {"available", "unavailable", "composing", "recording", "paused"}
NODE_KINDS = {"imageMessage", "videoMessage", "audioMessage", "documentMessage", "stickerMessage", "ptvMessage"}
NO_LENGTH = "Cannot read properties of undefined (reading 'length')"
SWALLOWED: Json = {
    "error": True,
    "message": "[object Object]",
}  # what connect and restart make of an error, with status 200


@dataclass
class Call:
    """One authenticated call of an instance's route."""

    evolution: Evolution
    instance: Instance
    body: Json
    query: Mapping[str, str]


Answer = tuple[int, Any]
Handler = Callable[[Call], Awaitable[Answer]]


async def handle(evolution: Evolution, request: Request) -> Response:
    """Any request that is not for the control API."""
    try:
        status, body = await route(evolution, request)
    except EvolutionError as error:
        status, body = error.status, error.body if error.body is not None else envelope(error)
    content = b"" if body is None and status == HTTPStatus.BAD_GATEWAY else dumps(body)
    return Response(content, status, media_type="application/json; charset=utf-8")


def envelope(error: EvolutionError) -> Json:
    return {"status": error.status, "error": HTTPStatus(error.status).phrase, "response": {"message": error.message}}


async def route(evolution: Evolution, request: Request) -> Answer:
    """Order of the guards: the route, the instance (404) or the free name (403), then the key (401), then the body."""
    if evolution.is_down:
        return HTTPStatus.BAD_GATEWAY, None
    path = request.url.path.strip("/")
    if request.method == "GET" and not path:
        return 200, about_us(request)
    key = request.headers.get("apikey", "")
    parts = path.split("/", 2)
    if (request.method, path) == ("GET", "instance/fetchInstances"):
        return 200, fetch_instances(evolution, key, request.query_params)
    if (request.method, path) == ("POST", "instance/create"):
        return await create(evolution, key, await read_body(request))
    handler = HANDLERS.get((request.method, "/".join(parts[:2]))) if len(parts) == 3 else None
    if handler is None:
        raise EvolutionError(404, [f"Cannot {request.method} /{path}"])
    instance = evolution.instances.get(parts[2])
    if instance is None:
        raise EvolutionError(404, [f'The "{parts[2]}" instance does not exist'])
    if not (same(key, evolution.options.api_key) or same(key, instance.token)):
        raise EvolutionError(401, "Unauthorized")
    body = await read_body(request)
    other = request.query_params.get("instanceName")  # copied over the path's name after the guards (1.3)
    if other:
        instance = evolution.instances.get(other)
        if instance is None:
            raise EvolutionError(500, "Cannot read properties of undefined (reading 'integration')")
    return await handler(Call(evolution, instance, body, request.query_params))


def same(given: str, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def about_us(request: Request) -> Json:
    return {
        "status": 200,
        "message": "Welcome to the Evolution API, it is working!",
        "version": VERSION,
        "clientName": "standin",
        "manager": f"{request.base_url}manager",
        "documentation": "https://doc.evolution-api.com",
        "whatsappWebVersion": "2.3000.0",
    }


async def read_body(request: Request) -> Json:
    """The JSON object or the multipart fields; `file` becomes base64 in `media` and `audio`."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        form = await request.form()
        fields: Json = {name: value for name, value in form.items() if isinstance(value, str)}
        file = form.get("file")
        if isinstance(file, UploadFile):
            data = base64.b64encode(await file.read()).decode()
            fields |= {"media": data, "audio": data, "fileName": fields.get("fileName") or file.filename}
        return fields
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise EvolutionError(400, ["Unexpected token in JSON"]) from None
    return body if isinstance(body, dict) else {}


def require(body: Json, **types: type | tuple[type, ...]) -> None:
    """JSON-schema failure as Evolution words it: a list in a list."""
    problems = [f'instance requires property "{name}"' for name in types if name not in body]
    names = {str: "string", bool: "boolean", int: "number", dict: "object", list: "array"}
    for name, kind in types.items():
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if name in body and not isinstance(body[name], kinds):
            problems.append(f"instance.{name} is not of a type(s) {names.get(kinds[0], 'string')}")
    if problems:
        raise EvolutionError(400, [problems])


# --- /instance ---------------------------------------------------------------------------------------------------


async def create(evolution: Evolution, key: str, body: Json) -> Answer:
    name = body.get("instanceName")
    if isinstance(name, str) and name in evolution.instances:
        raise EvolutionError(403, [f'This name "{name}" is already in use.'])
    if not same(key, evolution.options.api_key):
        raise EvolutionError(401, "Unauthorized")
    require(body, instanceName=str)
    number = body.get("number") or ""
    if number and not (isinstance(number, str) and NUMBER.match(number)):
        raise EvolutionError(400, [['instance.number does not match pattern "^\\\\d+[\\\\.@\\\\w-]+"']])
    if body.get("integration") not in list(Integration):
        raise EvolutionError(400, ["Invalid integration"])
    integration = Integration(body["integration"])
    if integration == Integration.BUSINESS and not (body.get("token") and number):
        raise EvolutionError(400, ["token and number are required"])
    given = body.get("webhook")
    webhook = None
    if isinstance(given, dict) and given.get("url"):
        if not isinstance(given.get("events"), list):
            raise EvolutionError(400, [NO_LENGTH])
        webhook = webhook_row(given, None, is_enabled=True)  # `enabled` of an inline webhook is ignored
    instance = Instance(
        name=str(name),
        id=str(uuid.uuid4()),
        integration=integration,
        token=body.get("token") or secrets.token_hex(16).upper(),
        number=number,
        business_id=body.get("businessId") or "",
        state="close" if integration == Integration.BAILEYS else "open",
        settings={setting: bool(body.get(setting)) for setting in SETTINGS}
        | {"msgCall": body.get("msgCall") or "", "wavoipToken": ""},
        webhook=webhook,
    )
    evolution.add(instance)
    answer: Json = {
        "instance": {
            "instanceName": instance.name,
            "instanceId": instance.id,
            "integration": integration,
            "webhookWaBusiness": None,
            "accessTokenWaBusiness": "",
            "status": instance.state,
        },
        "hash": instance.token,
        "webhook": {},
        **{transport: {} for transport in ("websocket", "rabbitmq", "nats", "sqs")},
        "settings": instance.settings,
    }
    if webhook:
        answer["webhook"] = {
            "webhookUrl": webhook["url"],
            "webhookHeaders": webhook["headers"],
            "webhookByEvents": webhook["webhookByEvents"],
            "webhookBase64": webhook["webhookBase64"],
        }
    if body.get("qrcode") is True and instance.is_baileys:
        instance.wants_pairing_code = bool(number)
        evolution.connect(instance)
        answer["instance"]["status"] = "connecting"
        await evolution.pause(evolution.options.create_seconds)
        answer["qrcode"] = instance.qr or {"count": 0}
    return 201, answer


def fetch_instances(evolution: Evolution, key: str, query: Mapping[str, str]) -> list[Json]:
    is_global = same(key, evolution.options.api_key)
    chosen = [i for i in evolution.instances.values() if is_global or same(key, i.token)]
    if not is_global and not chosen:
        raise EvolutionError(401, "Unauthorized")
    for field, value in (
        ("name", query.get("instanceName")),
        ("id", query.get("instanceId")),
        ("number", query.get("number")),
    ):
        if value:
            chosen = [instance for instance in chosen if getattr(instance, field) == value]
            if not chosen and field == "name":
                raise EvolutionError(404, [f'Instance "{value}" not found'])
    return [instance_row(instance) for instance in chosen]


def instance_row(instance: Instance) -> Json:
    chats = {row.key["remoteJid"] for row in instance.rows.values()}
    return {
        "id": instance.id,
        "name": instance.name,
        "connectionStatus": "open" if not instance.is_baileys else instance.state.replace("refused", "close"),
        "ownerJid": instance.owner_jid or None,
        "profileName": instance.profile_name or None,
        "profilePicUrl": None,
        "integration": instance.integration,
        "number": instance.number or None,
        "businessId": instance.business_id or None,
        "token": instance.token,
        "clientName": "standin",
        "disconnectionReasonCode": instance.disconnection.get("code"),
        "disconnectionObject": instance.disconnection.get("object"),
        "disconnectionAt": instance.disconnection.get("at"),
        "createdAt": iso(instance.created_at),
        "updatedAt": iso(instance.updated_at),
        **dict.fromkeys(("Chatwoot", "Proxy", "Rabbitmq", "Nats", "Sqs", "Websocket")),
        "Setting": instance.settings,
        "_count": {"Message": len(instance.rows), "Contact": len(chats), "Chat": len(chats)},
    }


async def connect(call: Call) -> Answer:
    instance = call.instance
    if instance.state == "open":
        return 200, state_of(instance)
    if not instance.is_baileys:
        return 200, {}
    if instance.state == "close":
        instance.wants_pairing_code = bool(call.query.get("number"))
        call.evolution.connect(instance)
        await call.evolution.pause(CONNECT_SECONDS)
    return 200, instance.qr or {"count": 0}


async def connection_state(call: Call) -> Answer:
    return 200, state_of(call.instance)


def state_of(instance: Instance) -> Json:
    return {
        "instance": {"instanceName": instance.name, "state": "close" if instance.state == "refused" else instance.state}
    }


async def restart(call: Call) -> Answer:
    instance = call.instance
    if instance.state == "close":
        return 200, SWALLOWED
    if instance.state == "connecting":
        return 200, instance.qr or {"count": 0}
    answer = state_of(instance)  # the state seen at once, before the socket has closed
    if instance.is_baileys:
        instance.sends_base64 = bool((instance.webhook or {}).get("webhookBase64"))
        call.evolution.restore(instance)
    return 200, answer


async def logout(call: Call) -> Answer:
    if call.instance.state == "close":
        raise EvolutionError(400, [f'The "{call.instance.name}" instance is not connected'])
    call.evolution.spawn(call.evolution.log_out(call.instance))
    if not call.instance.is_baileys:
        call.instance.state = "close"
    return 200, {"status": "SUCCESS", "error": False, "response": {"message": "Instance logged out"}}


async def delete(call: Call) -> Answer:
    call.evolution.spawn(call.evolution.delete(call.instance))
    return 200, {"status": "SUCCESS", "error": False, "response": {"message": "Instance deleted"}}


async def set_presence(call: Call) -> Answer:
    require(call.body, presence=str)
    if call.body["presence"] not in PRESENCES:
        raise EvolutionError(400, [["instance.presence is not one of enum values: " + ",".join(sorted(PRESENCES))]])
    return 201, {"presence": call.body["presence"]}


# --- /settings, /webhook -----------------------------------------------------------------------------------------


async def set_settings(call: Call) -> Answer:
    require(call.body, **dict.fromkeys(SETTINGS, bool))
    optional = {name: call.body[name] for name in ("msgCall", "wavoipToken") if name in call.body}
    call.instance.settings |= {name: call.body[name] for name in SETTINGS} | optional
    call.evolution.changes += 1
    return 201, {"settings": {"instanceName": call.instance.name, "settings": call.instance.settings}}


async def find_settings(call: Call) -> Answer:
    return 200, call.instance.settings or None


async def set_webhook(call: Call) -> Answer:
    require(call.body, webhook=dict)
    given = call.body["webhook"]
    require(given, enabled=bool, url=str)
    events = given.get("events")
    if given["enabled"] and not isinstance(events, list):
        raise EvolutionError(500, NO_LENGTH)
    for index, event in enumerate(events or []):
        if event not in EVENTS:
            problem = f"instance.webhook.events[{index}] is not one of enum values: {','.join(EVENTS)}"
            raise EvolutionError(400, [[problem]])
    call.instance.webhook = webhook_row(given, call.instance.webhook, is_enabled=given["enabled"])
    call.evolution.changes += 1
    return 201, call.instance.webhook | {"instanceId": call.instance.id}


async def find_webhook(call: Call) -> Answer:
    return 200, call.instance.webhook | {"instanceId": call.instance.id} if call.instance.webhook else None


def webhook_row(given: Json, old: Json | None, *, is_enabled: bool) -> Json:
    """The stored row; headers left out keep the old ones, an empty list of events means all of them."""
    now = iso(time.time())
    return {
        "id": (old or {}).get("id") or "cm" + secrets.token_hex(11),
        "url": given["url"],
        "headers": given["headers"] if "headers" in given else (old or {}).get("headers"),
        "enabled": is_enabled,
        "events": (given.get("events") or list(EVENTS)) if is_enabled else [],
        "webhookByEvents": bool(given.get("byEvents")),
        "webhookBase64": bool(given.get("base64")),
        "createdAt": (old or {}).get("createdAt") or now,
        "updatedAt": now,
    }


# --- /message ----------------------------------------------------------------------------------------------------


def reach(call: Call, number: str) -> tuple[str, Lead | None]:
    """The chat a send goes to. Errors as of the number look-up, which stands before everything else (6.1)."""
    instance = call.instance
    if instance.integration == Integration.EVOLUTION:
        return number, None  # neither normalised nor sent anywhere
    if instance.integration == Integration.BUSINESS:
        digits = re.sub(r"\D", "", number)
        return f"{digits}@s.whatsapp.net", call.evolution.whatsapp.find(f"{digits}@s.whatsapp.net")
    jid = create_jid(number)
    if instance.state != "open":
        if not instance.has_socket:
            raise EvolutionError(500, "Cannot read properties of undefined (reading 'onWhatsApp')")
        if jid in instance.checked_jids:
            raise EvolutionError(400, ["Error: Connection Closed"])
        raise EvolutionError(500, "Connection Closed")
    return call.evolution.address(instance, jid)


async def finish_send(call: Call, jid: str, lead: Lead | None, **what: Any) -> Answer:
    """The blocking `delay`, the quote, the send itself."""
    delay = call.body.get("delay")
    if isinstance(delay, str):
        raise EvolutionError(400, [["instance.delay is not of a type(s) integer"]])
    if delay and call.instance.is_baileys:
        show_presence(call, lead, "recording" if what["kind"] == "voice" else "composing", seconds=delay / 1000)
        await call.evolution.pause(delay / 1000)
    quoted = call.body.get("quoted")
    if isinstance(quoted, dict):
        quoted_id = (quoted.get("key") or {}).get("id") or ""
        is_known = "message" in quoted or quoted_id in call.instance.rows
        what["quoted_id"] = quoted_id if is_known else ""
    return await call.evolution.guarded_send(call.instance, jid, lead, **what)


def show_presence(call: Call, lead: Lead | None, presence: str, *, seconds: float) -> None:
    if lead:
        scaled = seconds * call.evolution.options.time_scale
        call.instance.subscribed_jids.update((lead.jid, lead.lid_jid))
        call.evolution.whatsapp.show_typing(call.instance.name, lead.phone, presence, seconds=scaled)


async def send_text(call: Call) -> Answer:
    require(call.body, number=str, text=str)
    is_generic = call.instance.integration == Integration.EVOLUTION
    jid, lead = reach(call, call.body["number"])
    if not call.body["text"].strip() and not is_generic:
        raise EvolutionError(400, ["Text is required"])
    return await finish_send(call, jid, lead, kind="text", text=call.body["text"])


async def send_media(call: Call) -> Answer:
    require(call.body, number=str, mediatype=str, media=str)
    kind = call.body["mediatype"]
    if kind not in MEDIA_KINDS:
        raise EvolutionError(400, [["instance.mediatype is not one of enum values: " + ",".join(sorted(MEDIA_KINDS))]])
    is_url = is_public_url(call.body["media"])
    if not is_url and not is_base64(call.body["media"]):
        raise EvolutionError(400, ["Owned media must be a url or base64"])
    name = call.body.get("fileName") or ""
    if kind == "document" and not is_url and not name:
        raise EvolutionError(400, ["For base64 the file name must be informed."])
    jid, lead = reach(call, call.body["number"])
    data = await fetch(call.body["media"]) if is_url else base64.b64decode(call.body["media"])
    mime = (
        "image/jpeg"
        if kind == "image" and call.instance.is_baileys
        else call.body.get("mimetype") or guess_mime(name, kind)
    )
    media = Media(data, mime, name or (urlsplit(call.body["media"]).path.rsplit("/", 1)[-1] if is_url else ""))
    return await finish_send(call, jid, lead, kind=kind, text=call.body.get("caption") or "", media=media)


async def send_audio(call: Call) -> Answer:
    require(call.body, number=str, audio=str)
    is_url = is_public_url(call.body["audio"])
    if not is_url and not is_base64(call.body["audio"]):
        raise EvolutionError(400, ["Owned media must be a url or base64"])
    jid, lead = reach(call, call.body["number"])
    data = await fetch(call.body["audio"]) if is_url else base64.b64decode(call.body["audio"])
    call.body.pop("quoted", None)  # ignored here
    return await finish_send(call, jid, lead, kind="voice", text="", media=Media(data, "audio/ogg; codecs=opus"))


async def send_reaction(call: Call) -> Answer:
    require(call.body, key=dict, reaction=str)
    require(call.body["key"], id=str, remoteJid=str, fromMe=bool)
    jid, lead = reach(call, call.body["key"]["remoteJid"])
    extra = {"key": call.body["key"], "at_ms": int(time.time() * 1000)}
    return await finish_send(call, jid, lead, kind="reaction", text=call.body["reaction"], extra=extra)


def is_public_url(text: str) -> bool:
    """What the validator takes for a URL: http(s) and a host with a dot in it, so no localhost and no service name."""
    parts = urlsplit(text) if text.startswith(("http://", "https://")) else None
    return bool(parts and parts.hostname and "." in parts.hostname)


def is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False


async def fetch(url: str) -> bytes:
    try:
        async with httpx2.AsyncClient(timeout=FETCH_SECONDS, trust_env=False, follow_redirects=True) as client:
            answer = await client.get(url)
            answer.raise_for_status()
    except httpx2.HTTPError as error:
        raise EvolutionError(500, [f"AxiosError: {error}"]) from None
    return bytes(answer.content)


def guess_mime(name: str, kind: str) -> str:
    guessed = mimetypes.guess_type(name)[0]
    return guessed or {"image": "image/png", "video": "video/mp4", "audio": "audio/mpeg"}.get(
        kind, "application/octet-stream"
    )


# --- /chat -------------------------------------------------------------------------------------------------------


def only_baileys(call: Call) -> None:
    if call.instance.is_baileys:
        return
    channel = "Evolution Channel" if call.instance.integration == Integration.EVOLUTION else "WhatsApp Business API"
    raise EvolutionError(400, [f"Method not available on {channel}"])


async def whatsapp_numbers(call: Call) -> Answer:
    """Fails in its own way: 400 with the raw error, `{}` for a JavaScript one."""
    require(call.body, numbers=list)
    try:
        only_baileys(call)
    except EvolutionError as error:
        raise EvolutionError(400, body={"status": 400, "error": "Bad Request", "message": error.message}) from None
    if call.instance.state != "open":
        raise EvolutionError(400, body={})
    found = []
    for number in reversed(call.body["numbers"]):
        jid = create_jid(str(number))
        lead = call.evolution.whatsapp.find(jid)
        if lead is None:
            found.append({"jid": jid, "exists": False, "number": str(number)})
        else:
            call.instance.checked_jids.add(jid)
            found.append({"jid": lead.jid, "exists": True, "number": str(number), "name": lead.name, "lid": "lid"})
    return 200, found


async def mark_as_read(call: Call) -> Answer:
    require(call.body, readMessages=list)
    only_baileys(call)
    for key in call.body["readMessages"]:
        message = call.evolution.whatsapp.by_id.get(key.get("id", ""))
        if message and not str(key.get("remoteJid", "")).endswith("@lid"):  # an @lid key is silently ignored
            message.tick = Tick.READ
    return 201, {"message": "Read messages", "read": "success"}


async def send_presence(call: Call) -> Answer:
    require(call.body, number=str, presence=str, delay=int)
    only_baileys(call)
    try:
        _, lead = reach(call, call.body["number"])
    except EvolutionError as error:
        if error.status == 400 and isinstance(error.message, list) and isinstance(error.message[0], dict):
            raise EvolutionError(400, ["[object Object]"]) from None
        raise
    seconds = call.body["delay"] / 1000
    show_presence(call, lead, call.body["presence"], seconds=seconds)
    await call.evolution.pause(seconds)
    return 201, {"presence": call.body["presence"]}


async def media_as_base64(call: Call) -> Answer:
    """By id, from the message table; or of a whole webhook `data` given as `message`."""
    require(call.body, message=dict)
    given = call.body["message"]
    message_id = (given.get("key") or {}).get("id") or ""
    row = call.instance.rows.get(message_id)
    body = given.get("message") or (row.message if row else None)
    if body is None:
        raise EvolutionError(400, ["Message not found"])
    kind = next((name for name in body if name in NODE_KINDS), None)
    if kind is None:
        raise EvolutionError(400, ["The message is not of the media type"])
    message = call.evolution.whatsapp.by_id.get(message_id)
    if message is None or message.media is None or call.evolution.faults.media_expired:
        raise EvolutionError(400, ["AxiosError: Request failed with status code 410"])
    media, node = message.media, body[kind]
    extension = media.mime.partition(";")[0].rpartition("/")[2]
    return 201, {
        "mediaType": kind,
        "fileName": media.file_name or f"{message_id}.{extension}",
        "caption": node.get("caption"),
        "size": {"fileLength": long(len(media.data)), "height": node.get("height"), "width": node.get("width")},
        "mimetype": media.mime,
        "base64": base64.b64encode(media.data).decode(),
        "buffer": None,
    }


async def find_messages(call: Call) -> Answer:
    """Newest first. `fromMe:false` and a single time bound do not filter; neither does any other key (6.4)."""
    where = call.body.get("where") or {}
    key = where.get("key") or {}
    bounds = where.get("messageTimestamp") or {}
    wanted = list(call.instance.rows.values())
    if key.get("id"):
        wanted = [row for row in wanted if row.key["id"] == key["id"]]
    if key.get("remoteJid"):
        wanted = [row for row in wanted if row.key["remoteJid"] == key["remoteJid"]]
    if key.get("fromMe"):
        wanted = [row for row in wanted if row.key["fromMe"]]
    if bounds.get("gte") and bounds.get("lte"):
        low, high = (math.floor(datetime.fromisoformat(bounds[name]).timestamp()) for name in ("gte", "lte"))
        wanted = [row for row in wanted if low <= row.at <= high]
    size, page = int(call.body.get("offset") or PAGE_SIZE), int(call.body.get("page") or 1)
    if call.evolution.faults.unstable_order and page % 2 == 0:
        wanted.reverse()
    wanted = sorted(wanted, key=lambda row: row.at)[::-1]
    records = [message_record(call.instance, row) for row in wanted[(page - 1) * size : page * size]]
    pages = math.ceil(len(wanted) / size)
    return 200, {"messages": {"total": len(wanted), "pages": pages, "currentPage": page, "records": records}}


def message_record(instance: Instance, row: Row) -> Json:
    return {
        "id": row.id,
        "key": row.key,
        "pushName": row.push_name,
        "messageType": row.message_type,
        "message": row.message,
        "messageTimestamp": row.at,
        "instanceId": instance.id,
        "source": row.source,
        "contextInfo": row.context,
        "MessageUpdate": [{"status": status} for status in row.updates],
    }


async def find_status(call: Call) -> Answer:
    wanted = (call.body.get("where") or {}).get("id")
    rows = [row for row in call.instance.rows.values() if not wanted or row.key["id"] == wanted]
    return 200, [
        {
            "id": f"{row.id}-{index}",
            "keyId": row.key["id"],
            "remoteJid": row.key["remoteJid"],
            "fromMe": row.key["fromMe"],
            "participant": row.key.get("participant") or None,
            "pollUpdates": None,
            "status": status,
            "messageId": row.id,
            "instanceId": call.instance.id,
        }
        for row in rows
        for index, status in enumerate(row.updates)
    ]


async def find_chats(call: Call) -> Answer:
    wanted = (call.body.get("where") or {}).get("remoteJid")
    last: dict[str, Row] = {}
    unread: dict[str, int] = {}
    names: dict[str, str | None] = {}
    for row in call.instance.rows.values():
        jid = row.key["remoteJid"]
        if wanted in (None, "", jid):
            last[jid] = row
            unread[jid] = 0 if row.key["fromMe"] else unread.get(jid, 0) + 1
            names[jid] = names.get(jid) if row.key["fromMe"] else row.push_name
    skip, take = int(call.body.get("skip") or 0), int(call.body.get("take") or PAGE_SIZE)
    newest = sorted(last.items(), key=lambda item: item[1].at, reverse=True)[skip : skip + take]
    return 200, [
        {
            "id": row.id,
            "remoteJid": jid,
            "pushName": names[jid],
            "profilePicUrl": None,
            "updatedAt": iso(row.at),
            "windowStart": iso(row.at),
            "windowExpires": iso(row.at + 24 * 3600),
            "windowActive": time.time() < row.at + 24 * 3600,
            "lastMessage": message_record(call.instance, row),
            "unreadCount": unread[jid],
            "isSaved": True,
        }
        for jid, row in newest
    ]


async def find_contacts(call: Call) -> Answer:
    _, chats = await find_chats(call)
    return 200, [
        {
            "id": chat["id"],
            "remoteJid": chat["remoteJid"],
            "pushName": chat["pushName"],
            "profilePicUrl": None,
            "createdAt": chat["updatedAt"],
            "updatedAt": chat["updatedAt"],
            "instanceId": call.instance.id,
            "isGroup": False,
            "isSaved": True,
            "type": "contact",
        }
        for chat in chats
    ]


async def profile_picture(call: Call) -> Answer:
    require(call.body, number=str)
    return 200, {"wuid": create_jid(call.body["number"]), "profilePictureUrl": None}


async def update_message(call: Call) -> Answer:
    """Edits one of our own messages; the answer has string enums, the webhook numbers."""
    require(call.body, number=str, text=str, key=dict)
    only_baileys(call)
    reach(call, call.body["number"])
    key = call.body["key"]
    message = call.evolution.whatsapp.by_id.get(key.get("id", ""))
    row = call.instance.rows.get(key.get("id", ""))
    if row and not row.key["fromMe"]:
        raise EvolutionError(400, ["You cannot edit messages sent by others"])
    if message:
        message.text, message.is_edited = call.body["text"], True
    edited = {"extendedTextMessage": {"text": call.body["text"]}}
    if row:
        row.message = edited
    stamp = int(time.time() * 1000)
    data = {"key": key, "editedMessage": edited, "timestampMs": stamp, "type": 14}
    call.evolution.emit(call.instance, "send.message.update", data, str(key.get("id")))
    protocol = {"key": key, "type": "MESSAGE_EDIT", "editedMessage": edited, "timestampMs": str(stamp)}
    return 200, {
        "key": {**key, "id": call.evolution.whatsapp.new_id("web", "edit")},
        "message": {"protocolMessage": protocol},
        "status": "PENDING",
    }


async def delete_for_everyone(call: Call) -> Answer:
    require(call.body, id=str, remoteJid=str, fromMe=bool)
    only_baileys(call)
    if call.instance.state != "open":
        raise EvolutionError(500, "Connection Closed")
    message = call.evolution.whatsapp.by_id.get(call.body["id"])
    if message:
        message.is_deleted = True
    row = call.instance.rows.get(call.body["id"])
    if row:
        row.status = "DELETED"
        data = message_record(call.instance, row) | {"status": "DELETED", "participant": None}
        data.pop("MessageUpdate")
        call.evolution.emit(call.instance, "messages.delete", data, call.body["id"])
    key = {name: call.body[name] for name in ("id", "remoteJid", "fromMe")}
    return 201, {
        "key": key | {"fromMe": True},
        "message": {"protocolMessage": {"key": key, "type": "REVOKE"}},
        "status": "PENDING",
    }


HANDLERS: dict[tuple[str, str], Handler] = {
    ("GET", "instance/connect"): connect,
    ("GET", "instance/connectionState"): connection_state,
    ("POST", "instance/restart"): restart,
    ("DELETE", "instance/logout"): logout,
    ("DELETE", "instance/delete"): delete,
    ("POST", "instance/setPresence"): set_presence,
    ("POST", "settings/set"): set_settings,
    ("GET", "settings/find"): find_settings,
    ("POST", "webhook/set"): set_webhook,
    ("GET", "webhook/find"): find_webhook,
    ("POST", "message/sendText"): send_text,
    ("POST", "message/sendMedia"): send_media,
    ("POST", "message/sendWhatsAppAudio"): send_audio,
    ("POST", "message/sendReaction"): send_reaction,
    ("POST", "chat/whatsappNumbers"): whatsapp_numbers,
    ("POST", "chat/markMessageAsRead"): mark_as_read,
    ("POST", "chat/sendPresence"): send_presence,
    ("POST", "chat/getBase64FromMediaMessage"): media_as_base64,
    ("POST", "chat/findMessages"): find_messages,
    ("POST", "chat/findStatusMessage"): find_status,
    ("POST", "chat/findChats"): find_chats,
    ("POST", "chat/findContacts"): find_contacts,
    ("POST", "chat/fetchProfilePictureUrl"): profile_picture,
    ("POST", "chat/updateMessage"): update_message,
    ("DELETE", "chat/deleteMessageForEveryone"): delete_for_everyone,
}
