"""What a file is, told by its first bytes: what a sender claims is no proof (PRODUCT 5, "checked by content").

Signatures: RFC 2083, 3533, 9559, ISO 14496-12, PDF 32000-1, the formats' own documents; only what WhatsApp carries.
"""

import re
import struct
from dataclasses import dataclass

ANYTHING = "application/octet-stream"
PLAIN_TEXT = "text/plain"
SEEN_BYTES = 4096
HEADER_BYTES = 1024 * 1024  # a picture that has not told its size by then does not


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
    Signature.of(rb"....ftyp(iso[2-9m]|mp4|M4V|avc1|qt  |dash|MSNV)", "video/mp4", "mp4"),
    Signature.of(rb"\x1aE\xdf\xa3", "video/webm", "webm"),
    Signature.of(rb"%PDF-", "application/pdf", "pdf"),
    Signature.of(rb"PK\x03\x04", "application/zip", "zip"),  # also what office programs write today
    Signature.of(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "ole"),  # and wrote until 2007
)
AUDIO_OR_VIDEO = {
    "audio/mp4",
    "audio/3gpp",
    "audio/webm",
    "audio/ogg",
    "video/mp4",
    "video/3gpp",
    "video/webm",
}  # boxes that hold either
AUDIO_IN = {  # what the same box is called when it holds sound alone
    "video/mp4": ("audio/mp4", "m4a"),
    "video/3gpp": ("audio/3gpp", "3gp"),
    "video/webm": ("audio/webm", "webm"),
}
OFFICE = "application/vnd.openxmlformats-officedocument"
OFFICE_PARTS = (  # the part that makes a zip such a document (ECMA-376); names stand uncompressed in the zip
    (b"word/document.xml", f"{OFFICE}.wordprocessingml.document", "docx"),
    (b"xl/workbook.xml", f"{OFFICE}.spreadsheetml.sheet", "xlsx"),
    (b"ppt/presentation.xml", f"{OFFICE}.presentationml.presentation", "pptx"),
)
# What a browser may show by itself: it runs nothing of them.
SHOWN = re.compile(r"image/(png|jpeg|gif|webp)|(audio|video)/[a-z0-9]+|application/pdf")


def sniff(content: bytes, *, claimed: str = "") -> tuple[str, str]:
    """MIME type and file ending of the whole content; `application/octet-stream` and `bin` for what nobody knows.

    `claimed` decides only what cannot be told: whether a box for sound or pictures in motion holds sound alone.
    """
    found = next((one for one in SIGNATURES if one.start.match(content[:SEEN_BYTES])), None)
    if found is None:
        return ANYTHING, "bin"
    if found.mime == "application/zip":
        parts = (part for part in OFFICE_PARTS if part[0] in content)
        return next(((mime, ending) for _, mime, ending in parts), (found.mime, found.ending))
    if claimed.strip().lower().startswith("audio/"):
        return AUDIO_IN.get(found.mime, (found.mime, found.ending))
    return found.mime, found.ending


def is_text(content: bytes) -> bool:
    """Whether the content is readable text: UTF-8 without control characters but tab and line ends."""
    try:
        return not re.search(r"[^\t\r\n\x20-\x7e\x80-\U0010ffff]", content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return False


def is_shown(mime: str) -> bool:
    """Whether a browser may show content of this sniffed type; everything else is only ever downloaded."""
    return SHOWN.fullmatch(mime) is not None


def dimensions(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels that a picture's header tells, None for anything else (or a header cut short).

    PNG: RFC 2083 11.2.2; GIF: GIF89a 18; JPEG: ITU T.81 B.2.2; WebP: RFC 9649 2.5–2.7. Orientation tags are not read.
    """
    try:
        match sniff(content)[0]:
            case "image/png":
                width, height = struct.unpack_from(">II", content, 16)
            case "image/gif":
                width, height = struct.unpack_from("<HH", content, 6)
            case "image/jpeg":
                width, height = _jpeg_dimensions(content[:HEADER_BYTES])
            case "image/webp":
                width, height = _webp_dimensions(content)
            case _:
                return None
    except struct.error:
        return None
    return (width, height) if width and height else None


def _jpeg_dimensions(content: bytes) -> tuple[int, int]:
    place = 2
    while True:
        mark, kind = struct.unpack_from(">BB", content, place)
        if mark != 0xFF:
            return 0, 0
        if kind == 0xFF:  # padding
            place += 1
            continue
        if kind in range(0xC0, 0xD0) and kind not in {0xC4, 0xC8, 0xCC}:  # a frame header
            height, width = struct.unpack_from(">HH", content, place + 5)
            return width, height
        if kind == 0xDA:  # the picture itself begins
            return 0, 0
        place += 2 + int(struct.unpack_from(">H", content, place + 2)[0])


def _webp_dimensions(content: bytes) -> tuple[int, int]:
    match content[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", content, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            bits = int(struct.unpack_from("<I", content, 21)[0])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", content, 24)
            return (low_width | high_width << 16) + 1, (low_height | high_height << 16) + 1
        case _:
            return 0, 0


def keeps_promise(claimed: str, found: str) -> bool:
    """Whether content of type `found` may pass as `claimed`: an image must be one, a document may be anything."""
    group = claimed.partition("/")[0].strip().lower()
    if group not in {"image", "audio", "video"}:
        return True
    return found.startswith(f"{group}/") or (group != "image" and found in AUDIO_OR_VIDEO)
