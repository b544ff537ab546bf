"""Reading foreign bytes in a process that can be killed: a document must not hang, fill or crash the worker."""

import json
import subprocess
import sys
from pathlib import Path

from conversations import content
from conversations.documents.shapes import DOCX, HTML, PDF, PLAIN, CannotRead, Failure, Readout

LONGEST_SECONDS = 40.0
ROOT = Path(__file__).resolve().parents[2]
ENDINGS = {PDF: "pdf", DOCX: "docx", HTML: "html", PLAIN: "txt"}


def read(data: bytes, mime: str, *, seconds: float = LONGEST_SECONDS) -> Readout:
    """The text of a document whose kind is known (`kind_of`). Blocks; needs no database. Raises CannotRead."""
    try:
        done = subprocess.run(  # our own module, and a MIME type of ours
            [sys.executable, "-m", "conversations.documents", mime],
            input=data, capture_output=True, timeout=seconds, cwd=ROOT, env={"LC_ALL": "C.UTF-8"}, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CannotRead(Failure.TOO_SLOW) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:  # killed for its processor time, or broken off
        raise CannotRead(Failure.TOO_SLOW if done.returncode < 0 else Failure.BROKEN) from None
    if "failure" in answer:
        raise CannotRead(Failure(answer["failure"]))
    return Readout(answer["text"], answer["title"])


def kind_of(data: bytes, *, claimed: str = "") -> str:
    """The MIME type by content, one of ENDINGS; `claimed` decides only between plain text and a page.

    Raises CannotRead for what we do not read.
    """
    if not data.strip():
        raise CannotRead(Failure.EMPTY)
    mime, _ending = content.sniff(data)
    if mime in ENDINGS:
        return mime
    if mime != content.ANYTHING or (b"\x00" in data[:1024] and not is_wide(data)):
        raise CannotRead(Failure.WRONG_KIND)
    start = data[:1024].lstrip().lower()
    is_page = start.startswith((b"<!doctype html", b"<html")) or claimed.partition(";")[0].strip().lower() in {
        HTML, "application/xhtml+xml",
    }  # fmt: skip
    return HTML if is_page else PLAIN


def is_wide(data: bytes) -> bool:
    """Whether text says of itself that each of its characters takes two bytes."""
    return data.startswith((b"\xff\xfe", b"\xfe\xff"))
