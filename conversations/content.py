"""What a file is, told by its first bytes: what a sender claims is no proof (PRODUCT 5, "checked by content").

Signatures: RFC 2083, 3533, 9559, ISO 14496-12, PDF 32000-1, the formats' own documents; only what WhatsApp carries.
"""

import re
from dataclasses import dataclass

ANYTHING = "application/octet-stream"
SEEN_BYTES = 4096


@dataclass(frozen=True)
class Signature:
    """What a format begins with, and what it is called."""

    start: re.Pattern[bytes]
    mime: str
    ending: str

    @classmethod
    def of(cls, start: bytes, mime: str, ending: str) -> "Signature":
        return cls(re.compile(start, re.DOTALL), mime, ending)


SIGNATURES = (
    Signature.of(rb"\x89PNG\r\n\x1a\n", "image/png", "png"),
    Signature.of(rb"\xff\xd8\xff", "image/jpeg", "jpg"),
    Signature.of(rb"GIF8[79]a", "image/gif", "gif"),
    Signature.of(rb"RIFF....WEBP", "image/webp", "webp"),
    Signature.of(rb"RIFF....WAVE", "audio/wav", "wav"),
    Signature.of(rb"OggS", "audio/ogg", "ogg"),
    Signature.of(rb"ID3|\xff[\xfb\xf3\xf2\xfa]", "audio/mpeg", "mp3"),
    Signature.of(rb"\xff[\xf1\xf9]", "audio/aac", "aac"),
    Signature.of(rb"#!AMR", "audio/amr", "amr"),
    Signature.of(rb"....ftypM4A", "audio/mp4", "m4a"),
    Signature.of(rb"....ftyp3g", "video/3gpp", "3gp"),
    Signature.of(rb"....ftyp(isom|iso2|mp4|M4V|avc1|qt  |dash|MSNV)", "video/mp4", "mp4"),
    Signature.of(rb"\x1aE\xdf\xa3", "video/webm", "webm"),
    Signature.of(rb"%PDF-", "application/pdf", "pdf"),
    Signature.of(rb"PK\x03\x04", "application/zip", "zip"),  # also what office programs write today
)
AUDIO_OR_VIDEO = {"audio/mp4", "video/mp4", "video/3gpp", "video/webm", "audio/ogg"}  # boxes that hold either


def sniff(content: bytes) -> tuple[str, str]:
    """MIME type and file ending of the content; `application/octet-stream` and `bin` for what nobody knows."""
    head = content[:SEEN_BYTES]
    found = next((one for one in SIGNATURES if one.start.match(head)), None)
    return (found.mime, found.ending) if found else (ANYTHING, "bin")


def keeps_promise(claimed: str, found: str) -> bool:
    """Whether content of type `found` may pass as `claimed`: an image must be one, a document may be anything."""
    group = claimed.partition("/")[0].strip().lower()
    if group not in {"image", "audio", "video"}:
        return True
    return found.startswith(f"{group}/") or (group != "image" and found in AUDIO_OR_VIDEO)
