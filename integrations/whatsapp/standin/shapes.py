"""JSON as Evolution 2.3.6 writes it (evolution.md 3.3, 4, 5, 6): message contents, and how bytes and longs come out."""

import hashlib
import json
from typing import Any

from integrations.whatsapp.standin.phones import Media

Json = dict[str, Any]
NODES = {
    "image": "imageMessage",
    "video": "videoMessage",
    "document": "documentMessage",
    "voice": "audioMessage",
    "audio": "audioMessage",
}
ENCRYPTED_URL = "https://mmg.whatsapp.net/v/t62.7118-24/standin.enc?ccb=11-4"
AD_CONVERSION_DELAY_SECONDS = 12


def dumps(value: object) -> bytes:
    """JSON as JavaScript writes it: no spaces, UTF-8, a lone surrogate as an escape."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def octets(data: bytes) -> dict[str, int]:
    """How a byte field is serialised in messages.upsert."""
    return {str(index): byte for index, byte in enumerate(data)}


def long(number: int, *, unsigned: bool = True) -> Json:
    """How a 64-bit field is serialised in messages.upsert; `low` is a signed 32-bit number."""
    low = number & 0xFFFFFFFF
    return {"low": low - 2**32 if low >= 2**31 else low, "high": number >> 32, "unsigned": unsigned}


def content(kind: str, text: str, *, media: Media | None = None, extra: Json | None = None) -> Json:
    """The `message` of one kind of message: text, location, reaction, or a media kind with `media`.

    `extra`: latitude, longitude and name of a location; the target key of a reaction.
    """
    extra = extra or {}
    if kind == "location":
        fields = {
            "degreesLatitude": extra.get("latitude", -23.5614),
            "degreesLongitude": extra.get("longitude", -46.6559),
        }
        return {"locationMessage": {**fields, "name": text, "address": extra.get("address", "")}}
    if kind == "reaction":
        return {
            "reactionMessage": {
                "key": extra["key"],
                "text": text,
                "senderTimestampMs": long(extra["at_ms"], unsigned=False),
            }
        }
    if media is None:
        return {"conversation": text}
    return {NODES[kind]: media_node(kind, text, media)}


def media_node(kind: str, caption: str, media: Media) -> Json:
    digest = hashlib.sha256(media.data).digest()
    node: Json = {
        "interactiveAnnotations": [],
        "scanLengths": [],
        "annotations": [],
        "url": ENCRYPTED_URL,
        "fileSha256": octets(digest),
        "fileLength": long(len(media.data)),
        "mediaKey": octets(digest[::-1]),
        "fileEncSha256": octets(digest[1:]),
        "directPath": "/v/t62.7118-24/standin.enc",
        "mimetype": media.mime,
    }
    if kind in {"image", "video"}:
        node |= {"height": media.height, "width": media.width}
    if kind in {"voice", "audio"}:
        node |= {"seconds": media.seconds, "ptt": kind == "voice"}
    if kind == "voice":
        node["waveform"] = octets(bytes([0, 20, 40, 60, 40, 20, 10, 0]))
    if kind == "document":
        node |= {"title": media.file_name, "fileName": media.file_name, "pageCount": 1}
    if caption and kind not in {"voice", "audio"}:
        node["caption"] = caption
    return node


def business_node(node: Json, media_id: str) -> Json:
    """The same media as Meta names its fields (evolution.md 7)."""
    kept: Json = {name: node[name] for name in ("caption", "fileName") if name in node}
    return {"id": media_id, "mime_type": node["mimetype"], "sha256": "c3RhbmRpbg==", **kept}


def secrets_of_device(message_id: str) -> Json:
    """The `messageContextInfo` that phones put beside the content."""
    return {
        "messageContextInfo": {
            "deviceListMetadataVersion": 2,
            "messageSecret": octets(hashlib.sha256(message_id.encode()).digest()),
        }
    }


def quote(message_id: str, author_jid: str, text: str) -> Json:
    """`contextInfo` of a reply to an earlier message."""
    return {"stanzaId": message_id, "participant": author_jid, "quotedMessage": {"conversation": text}}


def referral(ad: Json) -> Json:
    """`contextInfo` after a tap on an ad; `ad` may give title, body, source_id, source_url, ctwa_clid."""
    return {
        "conversionSource": "FB_Ads",
        "conversionDelaySeconds": AD_CONVERSION_DELAY_SECONDS,
        "externalAdReply": {
            "title": ad.get("title", ""),
            "body": ad.get("body", ""),
            "mediaType": 1,
            "sourceType": "ad",
            "sourceId": ad.get("source_id", "120210000000000001"),
            "sourceUrl": ad.get("source_url", "https://fb.me/standin"),
            "ctwaClid": ad.get("ctwa_clid", "ARAstandin"),
            "showAdAttribution": True,
        },
        "entryPointConversionSource": "ctwa_ad",
        "entryPointConversionApp": "instagram",
    }
