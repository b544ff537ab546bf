"""Bytes of a known kind to text. Runs in a process of its own (`apart`): the bytes are whatever a stranger made."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from xml.etree import ElementTree

import bs4
import pypdf
import pypdf.errors

from conversations.documents.shapes import (
    DOCX,
    HTML,
    LARGEST_UNPACKED_BYTES,
    LONGEST_TEXT_CHARS,
    MIN_TEXT_CHARS,
    MOST_PAGES,
    PDF,
    PLAIN,
    CannotRead,
    Failure,
    Readout,
)

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"  # ECMA-376, part 1, 17
NOISE = ("script", "style", "noscript", "template", "svg", "nav", "footer", "form", "iframe", "aside", "button")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
BLOCKS = ("p", "li", "td", "th", "dt", "dd", "blockquote", "pre", "figcaption", "div", "section", "article", "tr", "br")
FULL_LINE = 0.7  # of the longest line: a shorter one that ends a sentence ends a paragraph, too
HEADING_CHARS = 70
SENTENCE_ENDS = (".", "!", "?", ";", ":")
ITEM = re.compile(r"[-•*–▪●]|\d{1,2}[.)]\s")


def read(data: bytes, mime: str) -> Readout:
    """The text of `data`. `mime` is one of READERS, as told by content. Raises CannotRead."""
    reader = READERS.get(mime)
    if reader is None:
        raise CannotRead(Failure.WRONG_KIND)
    found = reader(data)
    text = tidy(found.text)
    if not text:
        raise CannotRead(Failure.EMPTY)
    if len(text) > LONGEST_TEXT_CHARS:
        raise CannotRead(Failure.TOO_LONG)
    return Readout(text, " ".join(tidy(found.title).split())[:300])


def plain(data: bytes) -> Readout:
    """UTF-8, with or without a mark; else UTF-16 with one; else what Windows wrote in the West."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        try:
            return Readout(data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            encoding = "cp1252"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise CannotRead(Failure.WRONG_KIND) from None
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise CannotRead(Failure.WRONG_KIND)
    return Readout(text)


def pdf(data: bytes) -> Readout:
    """The text layer of a PDF; one that asks for a password, or is made of pictures, says so."""
    try:
        document = pypdf.PdfReader(io.BytesIO(data))
        if document.is_encrypted and not document.decrypt(""):
            raise CannotRead(Failure.ENCRYPTED)
        if len(document.pages) > MOST_PAGES:
            raise CannotRead(Failure.TOO_LONG)
        pages = []
        length = 0
        for page in document.pages:
            text = page.extract_text() or ""
            length += len(text)
            if length > 2 * LONGEST_TEXT_CHARS:
                raise CannotRead(Failure.TOO_LONG)
            pages.append(text)
        title = (document.metadata.title if document.metadata else "") or ""
    except (CannotRead, MemoryError):
        raise
    except pypdf.errors.DependencyError:  # a cipher nobody here knows
        raise CannotRead(Failure.ENCRYPTED) from None
    except Exception:
        raise CannotRead(Failure.BROKEN) from None
    text = "\n\n".join(unwrapped(page) for page in pages)
    if len(re.sub(r"\s", "", text)) < MIN_TEXT_CHARS:
        raise CannotRead(Failure.SCANNED if pages else Failure.EMPTY)
    return Readout(text, str(title))


def unwrapped(page: str) -> str:
    """Lines that the page's width has broken are joined again; paragraphs, items and headings stand apart."""
    lines = [line.strip() for line in page.splitlines()]
    widest = max((len(line) for line in lines), default=0)
    blocks = [""]
    for line, after in pairwise([*lines, ""]):
        is_short, ends = len(line) < FULL_LINE * widest, line.endswith(SENTENCE_ENDS)
        if not line:
            blocks.append("")
        elif ITEM.match(line):
            blocks[-1] += f"\n{line}"
        elif is_short and not ends and len(line) <= HEADING_CHARS and (after[:1].isupper() or ITEM.match(after)):
            blocks.append(f"{line}\n")
        else:
            blocks[-1] += f"{'' if blocks[-1][-1:] in {'', chr(10)} else ' '}{line}"
            if is_short and ends:
                blocks.append("")
    return "\n\n".join(block for block in blocks if block)


def docx(data: bytes) -> Readout:
    """Paragraphs, headings and table rows of a Word document's main part."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            part = archive.getinfo("word/document.xml")
            if part.flag_bits & 1:
                raise CannotRead(Failure.ENCRYPTED)
            with archive.open(part) as stream:
                xml = stream.read(LARGEST_UNPACKED_BYTES + 1)  # what the zip claims of its size is no proof
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError):
        raise CannotRead(Failure.BROKEN) from None
    if len(xml) > LARGEST_UNPACKED_BYTES:
        raise CannotRead(Failure.TOO_LARGE)
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml:  # no office program writes them; entities can grow without end
        raise CannotRead(Failure.BROKEN)
    try:
        body = ElementTree.fromstring(xml).find(f"{WORD}body")  # noqa: S314  # without a DTD there is nothing to expand
    except (ElementTree.ParseError, RecursionError):
        raise CannotRead(Failure.BROKEN) from None
    return Readout("\n".join(word_blocks(body)) if body is not None else "")


def word_blocks(body: ElementTree.Element) -> Iterator[str]:
    for element in body:
        if element.tag == f"{WORD}p":
            style = element.find(f"{WORD}pPr/{WORD}pStyle")
            name = (style.get(f"{WORD}val") or "").lower() if style is not None else ""
            text = words_of(element)
            is_heading = name.startswith(("heading", "ttulo", "titulo", "título", "title"))
            is_item = element.find(f"{WORD}pPr/{WORD}numPr") is not None
            if is_heading and text:
                yield f"\n{text}"
            elif text:
                yield f"- {text}" if is_item else f"{text}\n"
        elif element.tag == f"{WORD}tbl":
            yield ""
            for row in element.iter(f"{WORD}tr"):
                cells = [" ".join(words_of(one) for one in cell.iter(f"{WORD}p")) for cell in row.iter(f"{WORD}tc")]
                if line := ": ".join(filter(None, (cells[0].strip(), ", ".join(filter(None, cells[1:]))))):
                    yield f"- {line}"
            yield ""
        elif element.tag == f"{WORD}sdt":
            content = element.find(f"{WORD}sdtContent")
            if content is not None:
                yield from word_blocks(content)


def words_of(paragraph: ElementTree.Element) -> str:
    pieces = {f"{WORD}tab": " ", f"{WORD}br": " "}
    return "".join(
        (one.text or "") if one.tag == f"{WORD}t" else pieces.get(one.tag, "") for one in paragraph.iter()
    ).strip()


def page(data: bytes) -> Readout:
    """What a reader of a web page reads: its main part without menus, forms and scripts."""
    try:
        soup = bs4.BeautifulSoup(data, "html.parser")
        title = soup.title.get_text(" ", strip=True) if soup.title else ""
        for noise in soup(NOISE):
            noise.decompose()
        for hidden in soup.select('[hidden], [aria-hidden="true"]'):
            hidden.decompose()
        main = soup.find("main") or soup.find("article") or soup.body or soup
        for heading in main.find_all(HEADINGS):
            heading.insert_before("\n\n")
            heading.append("\n")
        for block in main.find_all(BLOCKS):
            block.insert_before("\n- " if block.name == "li" else "\n")
            if block.name == "p":
                block.append("\n")
        text = main.get_text("")
    except RecursionError:
        raise CannotRead(Failure.BROKEN) from None
    return Readout(text, title)


def tidy(text: str) -> str:
    """One kind of line end and of blank, no character that does not print, at most one blank line in a row."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00ad", "")
    text = re.sub(r"[^\S\n]+", " ", text)
    text = "".join(one for one in text if one == "\n" or one.isprintable())
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


READERS: dict[str, Callable[[bytes], Readout]] = {PDF: pdf, DOCX: docx, HTML: page, PLAIN: plain}
