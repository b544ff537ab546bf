"""The control API: the leads, what they do, what goes wrong, what arrived. `Authorization: Bearer <token>`.

    GET  /_control/state                               instances, leads, faults
    POST /_control/faults                              fields of `Faults` to set
    POST /_control/crash                               {"down_seconds": 0}
    GET  /_control/webhooks                            what was delivered, lost or swallowed
    POST /_control/leads                               {"phone", "name", "addressing", "device", "is_on_whatsapp"}
    POST /_control/instances/<name>/<pairing|drop|restoration|logout|events>
    GET  /_control/instances/<name>/chats/<phone>      the chat as it stands on the lead's phone
    POST /_control/instances/<name>/chats/<phone>      {"action": …, …} as in `Evolution.act`; or {"burst": [texts]}
    GET  /_control/media/<message id>                  the bytes of a file in a chat

Our own protocol, not Evolution's.
"""

import hmac
import json
from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from integrations.whatsapp.standin.evolution import Evolution, Instance
from integrations.whatsapp.standin.faults import SendFault
from integrations.whatsapp.standin.phones import Addressing, PhoneMessage
from integrations.whatsapp.standin.shapes import Json

HELD_BACK = {"asked"}


async def handle(evolution: Evolution, request: Request) -> Response:
    """Any request below /_control/."""
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {evolution.options.control_token}".encode()):
        return JSONResponse({"error": "The control token is missing or wrong."}, 401)
    try:
        raw = await request.body()
        body = json.loads(raw) if raw else {}
        return await answer(evolution, request.method, request.url.path.split("/")[2:], body)
    except KeyError as error:
        return JSONResponse({"error": f"There is no {error}."}, 404)
    except (ValueError, TypeError) as error:
        return JSONResponse({"error": str(error)}, 400)


async def answer(evolution: Evolution, method: str, path: list[str], body: Json) -> Response:
    match method, path:
        case "GET", ["state"]:
            return JSONResponse(state(evolution))
        case "POST", ["faults"]:
            set_faults(evolution, body)
            return JSONResponse(state(evolution)["faults"])
        case "POST", ["crash"]:
            evolution.spawn(evolution.crash(float(body.get("down_seconds", 0))))
            return JSONResponse({}, 202)
        case "GET", ["webhooks"]:
            return JSONResponse(deliveries(evolution))
        case "POST", ["leads"]:
            return JSONResponse(asdict(set_lead(evolution, body)), 201)
        case "GET", ["instances", name, "chats", phone]:
            return JSONResponse(chat(evolution, evolution.instances[name], phone))
        case "POST", ["instances", name, "chats", phone]:
            return JSONResponse([shown(message) for message in act(evolution, name, phone, body)], 201)
        case "POST", ["instances", name, verb]:
            await change(evolution, evolution.instances[name], verb, body)
            return JSONResponse(summary(evolution.instances[name]))
        case "GET", ["media", message_id]:
            media = evolution.whatsapp.by_id[message_id].media
            if media is None:
                raise KeyError(message_id)
            return Response(media.data, media_type=media.mime)
    return JSONResponse({"error": "There is no such control."}, 404)


def state(evolution: Evolution) -> Json:
    faults = {
        field.name: getattr(evolution.faults, field.name)
        for field in fields(evolution.faults)
        if field.name not in HELD_BACK
    }
    return {
        "instances": [summary(instance) for instance in evolution.instances.values()],
        "leads": [asdict(lead) for lead in evolution.whatsapp.leads.values()],
        "faults": faults,
        "is_down": evolution.is_down,
    }


def summary(instance: Instance) -> Json:
    return {
        "name": instance.name,
        "state": instance.state,
        "number": instance.number,
        "owner": instance.owner_jid.partition("@")[0],
        "profile_name": instance.profile_name,
        "integration": instance.integration,
        "qr": instance.qr,
    }


def set_faults(evolution: Evolution, body: Json) -> None:
    known = {field.name for field in fields(evolution.faults)} - HELD_BACK
    unknown = set(body) - known
    if unknown:
        raise ValueError(f"Unknown faults: {', '.join(sorted(unknown))}.")
    for name, value in body.items():
        old = getattr(evolution.faults, name)
        if name == "next_sends":
            setattr(evolution.faults, name, [SendFault(fault) for fault in value])
        elif isinstance(old, tuple):
            setattr(evolution.faults, name, tuple(str(event) for event in value))
        elif isinstance(old, bool) == isinstance(value, bool) and isinstance(value, (int, float)):
            setattr(evolution.faults, name, value)
        else:
            raise ValueError(f"{name} is of another type.")


def set_lead(evolution: Evolution, body: Json) -> Any:
    phone = str(body.get("phone") or "")
    if not phone.isdigit():
        raise ValueError("A lead needs the digits of a phone.")
    addressing = Addressing(body["addressing"]) if body.get("addressing") else None
    whatsapp = evolution.whatsapp
    lead = whatsapp.lead(
        phone, name=str(body.get("name") or ""), addressing=addressing, device=str(body.get("device") or "")
    )
    lead.sends_read_receipts = bool(body.get("sends_read_receipts", lead.sends_read_receipts))
    if body.get("is_on_whatsapp", True):
        whatsapp.absent.discard(phone)
    else:
        whatsapp.absent.add(phone)
    evolution.changes += 1
    return lead


def act(evolution: Evolution, name: str, phone: str, body: Json) -> list[PhoneMessage]:
    if "burst" in body:
        done = [evolution.act(name, phone, "text", {"text": str(text)}) for text in body["burst"]]
    else:
        done = [evolution.act(name, phone, str(body.get("action") or "text"), body)]
    return [message for message in done if message]


async def change(evolution: Evolution, instance: Instance, verb: str, body: Json) -> None:
    match verb:
        case "pairing":
            number = str(body.get("number") or instance.number)
            if not number.isdigit():
                raise ValueError("Pairing needs the digits of the phone that scans the code.")
            evolution.pair(instance, number, profile_name=str(body.get("profile_name") or ""))
        case "drop":
            evolution.drop(instance)
        case "restoration":
            evolution.restore(instance)
        case "logout":
            evolution.spawn(evolution.log_out(instance, int(body.get("reason", 401))))
        case "events":
            evolution.emit(instance, str(body["event"]), body.get("data"))
        case _:
            raise KeyError(verb)


def chat(evolution: Evolution, instance: Instance, phone: str) -> Json:
    whatsapp = evolution.whatsapp
    return {
        "lead": asdict(whatsapp.leads[phone]),
        "instance": summary(instance),
        "typing": whatsapp.is_typing(instance.name, phone),
        "messages": [shown(message) for message in whatsapp.chat(phone, instance.name)],
    }


def shown(message: PhoneMessage) -> Json:
    media = message.media
    return {
        "id": message.id,
        "author": message.author,
        "kind": message.kind,
        "text": message.text,
        "at": message.at,
        "tick": message.tick,
        "quoted_id": message.quoted_id,
        "is_edited": message.is_edited,
        "is_deleted": message.is_deleted,
        "reactions": message.reactions,
        "media": media
        and {"mime": media.mime, "file_name": media.file_name, "seconds": media.seconds, "size": len(media.data)},
    }


def deliveries(evolution: Evolution) -> list[Json]:
    return [
        {
            "instance": delivery.instance,
            "event": delivery.event,
            "url": delivery.url,
            "outcome": delivery.outcome,
            "attempts": [asdict(attempt) for attempt in delivery.attempts],
        }
        for delivery in evolution.webhooks.log
    ]
