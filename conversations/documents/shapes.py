"""What reading a document gives, and why it may give nothing."""

from dataclasses import dataclass
from enum import StrEnum

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
PLAIN = "text/plain"
LONGEST_TEXT_CHARS = 400_000  # about 150 pages
MOST_PAGES = 300
LARGEST_UNPACKED_BYTES = 30 * 1024 * 1024  # of the one part of a DOCX that is read
MIN_TEXT_CHARS = 20  # a PDF with less on all its pages together is pictures


class Failure(StrEnum):
    """Why no text came out; in words: `conversations.knowledge.words_of`."""

    EMPTY = "empty"
    WRONG_KIND = "wrong_kind"
    BROKEN = "broken"
    ENCRYPTED = "encrypted"
    SCANNED = "scanned"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    NOT_FOUND = "not_found"  # of a page: the site says so, or refuses
    UNREACHABLE = "unreachable"
    REFUSED_ADDRESS = "refused_address"


class CannotRead(Exception):
    """There is no text to be had. `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True)
class Readout:
    """The text of a document: paragraphs apart by blank lines, a heading on a line of its own; `title` may be ""."""

    text: str
    title: str = ""
