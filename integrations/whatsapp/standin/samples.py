"""Small real files made by code: a picture, a voice note, a document. What leads of the demo and of tests send."""

import struct
import zlib

OPUS_SILENCE = b"\xf8\xff\xfe"  # one 20 ms frame (RFC 6716, 3.1: CELT, full band, mono, one frame)
OPUS_FRAMES_PER_SECOND = 50
OPUS_SAMPLES_PER_FRAME = 960  # Ogg Opus counts at 48 kHz whatever the input was (RFC 7845, 4)
OGG_FIRST, OGG_LAST = 0x02, 0x04
OGG_PACKETS_PER_PAGE = 100
OGG_POLYNOMIAL = 0x04C11DB7


def png(rows: list[bytes]) -> bytes:
    """A PNG of these rows of equal length; each pixel is three bytes: red, green, blue."""
    raw = b"".join(b"\x00" + row for row in rows)
    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in parts)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(side: int = 96) -> bytes:
    """A square PNG with a soft gradient, recognisable as a picture at a glance. `side` in pixels."""
    return png([bytes(colour_at(x, y, side)[c] for x in range(side) for c in range(3)) for y in range(side)])


def colour_at(x: int, y: int, side: int) -> tuple[int, int, int]:
    return 40 + 150 * x // side, 120 + 90 * y // side, 170 - 80 * x // side


def voice_note(seconds: int = 3) -> bytes:
    """An Ogg Opus file of that many seconds of silence (RFC 3533, RFC 7845): plays everywhere, says nothing."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48_000, 0, 0)
    vendor = b"standin"
    tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0)
    pages = [ogg_page([head], granule=0, number=0, flags=OGG_FIRST), ogg_page([tags], granule=0, number=1, flags=0)]
    frames = seconds * OPUS_FRAMES_PER_SECOND
    for start in range(0, frames, OGG_PACKETS_PER_PAGE):
        end = min(start + OGG_PACKETS_PER_PAGE, frames)
        flags = OGG_LAST if end == frames else 0
        packets = [OPUS_SILENCE] * (end - start)
        pages.append(ogg_page(packets, granule=end * OPUS_SAMPLES_PER_FRAME, number=len(pages), flags=flags))
    return b"".join(pages)


def ogg_page(packets: list[bytes], *, granule: int, number: int, flags: int) -> bytes:
    """One page of stream 1; each packet is shorter than 255 bytes."""
    head = b"OggS" + struct.pack("<BBqII", 0, flags, granule, 1, number)
    rest = bytes([len(packets), *(len(packet) for packet in packets)]) + b"".join(packets)
    return head + struct.pack("<I", ogg_crc(head + b"\0\0\0\0" + rest)) + rest


def ogg_crc(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ OGG_POLYNOMIAL if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def document(title: str = "Proposal") -> bytes:
    """A one-page PDF with that title (Latin letters) on it."""
    shown = title.encode("latin-1", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    stream = b"BT /F1 24 Tf 72 720 Td (" + shown + b") Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    pdf, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    return (
        pdf
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table)
        + (b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(pdf)))
    )
