"""What the org's people give the AI to know: documents and the catalogue (PRODUCT 2).

What is typed is cut into passages at once, in the transaction that stores it. A file or a page is read later, by the
kind `read_document`, in a process of its own. A reading replaces a document's passages all at once, under the
document's lock, and only while nobody has asked for another one since: `updated_at` is the stamp it began with.
"""

import re
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations import intake, knowledge
from conversations.documents import apart
from conversations.documents.shapes import CannotRead, Failure, Readout
from conversations.models import Document, Passage, Product
from conversations.playbook import search
from orgs import audit
from orgs.context import current_org
from orgs.models import Org, Person, Refused
from sdr.lib import http, jobs
from sdr.lib.errors import PortError

KIND = "read_document"
LARGEST_FILE_BYTES = 10 * 1024 * 1024
LARGEST_PAGE_BYTES = 5 * 1024 * 1024
LOADING = http.Timeout(connect=5, read=10, total=20)
TRIES = 4  # of a site that does not answer
MOST_DOCUMENTS = 500
MOST_PASSAGES = 1_500  # of one document
PASSAGE_CHARS = 600
CUT = "1"  # changes when the cutting does: what was cut differently is then cut anew
ORPHAN_AFTER = timedelta(days=1)
TYPED = frozenset({Document.Sort.PROFILE, Document.Sort.FAQ, Document.Sort.TEXT})
PRICE_WORD = {"pt-br": "Preço", "en": "Price", "es": "Precio"}

WORDS: dict[str, str | Promise] = {
    Failure.EMPTY: _("There is nothing in it."),
    Failure.WRONG_KIND: _("It is not of a kind we can read: PDF, Word (DOCX), text or a web page."),
    Failure.BROKEN: _("It is damaged and cannot be opened."),
    Failure.ENCRYPTED: _("It is protected with a password. Save it without one and add it again."),
    Failure.SCANNED: _("It is made of pictures, such as a scan, and holds no text. Add its text instead."),
    Failure.TOO_LONG: _("It is too long: about 150 pages of text are the limit. Divide it."),
    Failure.TOO_LARGE: _("It is too large to be read."),
    Failure.TOO_SLOW: _("Reading it took too long."),
    Failure.NOT_FOUND: _("The site says that there is no such page, or does not show it to us."),
    Failure.UNREACHABLE: _("The site did not answer."),
    Failure.REFUSED_ADDRESS: _("The address cannot be opened: it must be a page on the public internet."),
}


@dataclass(frozen=True)
class Given:
    """What a person gave. Of an FAQ `title` is the question and `text` the answer; of a page `url` is all there is."""

    sort: Document.Sort
    language: str
    title: str = ""
    text: str = ""
    url: str = ""
    is_active: bool = True


def titled(given: Given, title: str) -> Given:
    """The same under a title."""
    return replace_fields(given, title=title[:300])


def words_of(failure: str) -> str:
    """Why a document could not be read, as a sentence."""
    return str(WORDS.get(failure, _("It could not be read.")))


# --- Documents --------------------------------------------------------------------------------------------------------
def add(given: Given, person: Person, *, data: bytes = b"", request: HttpRequest | None = None) -> Document:
    """Store a document; what was typed is ready at once, a file (`data`) or a page is read soon. Inside the org.

    Raises Refused: too many documents, a second business profile, a file that is too large or of another kind, an
    address that may not be called.
    """
    mime = path = ""
    if given.sort == Document.Sort.URL:
        check_address(given.url)
    if given.sort == Document.Sort.FILE:
        mime = checked(data)
        path = str(
            default_storage.save(f"{folder(intake.org_id())}/{uuid4()}.{apart.ENDINGS[mime]}", ContentFile(data))
        )
    try:
        with transaction.atomic():
            room_for(given.sort)
            document = Document.objects.create(
                sort=given.sort, title=given.title or given.url[:300], language=given.language, text=given.text,
                url=given.url, path=path, mime=mime, size=len(data) or len(given.text.encode()),
                is_active=given.is_active, created_by=person.pk,
            )  # fmt: skip
            begin(document)
            note(audit.Action.DOCUMENT_ADDED, document, person, request)
    except BaseException:
        if path:
            default_storage.delete(path)
        raise
    return document


@transaction.atomic
def change(document: Document, given: Given, person: Person, *, request: HttpRequest | None = None) -> Document:
    """Other words, title, language, or whether the AI may use it. Raises Refused when it is gone meanwhile."""
    ours = locked(document.pk)
    ours.title, ours.language, ours.is_active = given.title or ours.title, given.language, given.is_active
    if ours.sort in TYPED:
        ours.text, ours.size = given.text, len(given.text.encode())
        begin(ours)
    ours.save(update_fields=["title", "language", "is_active", "text", "size"])
    note(audit.Action.DOCUMENT_CHANGED, ours, person, request)
    return ours


@transaction.atomic
def remove(document: Document, person: Person, *, request: HttpRequest | None = None) -> None:
    """It goes with its passages and its file. Removing what is gone does nothing."""
    ours = Document.objects.select_for_update().filter(pk=document.pk).exclude(sort=Document.Sort.PRODUCTS).first()
    if ours is None:
        return
    note(audit.Action.DOCUMENT_REMOVED, ours, person, request)
    path = ours.path
    ours.delete()
    if path:
        transaction.on_commit(lambda: default_storage.delete(path))


@transaction.atomic
def read_again(document: Document, person: Person, *, request: HttpRequest | None = None) -> None:
    """Read a file or a page anew. Its passages stay until the new ones are there. Raises Refused."""
    ours = locked(document.pk)
    if ours.sort not in {Document.Sort.FILE, Document.Sort.URL}:
        raise Refused("not_read", _("Only files and web pages are read."))
    begin(ours)
    note(audit.Action.DOCUMENT_CHANGED, ours, person, request)


def begin(document: Document) -> None:
    """Cut what was typed, or let the document be read."""
    document.updated_at = timezone.now()
    if document.sort in TYPED:
        store(document, Readout(document.text))
        return
    document.state, document.failure = Document.State.READING, ""
    document.save(update_fields=["state", "failure", "updated_at"])
    intake.want(KIND, document.pk)


def checked(data: bytes) -> str:
    """The kind of a file that we can read. Raises Refused in words."""
    if len(data) > LARGEST_FILE_BYTES:
        raise Refused("too_large", _("The file is too large: 10 MB is the limit."))
    try:
        return apart.kind_of(data)
    except CannotRead as reason:
        raise Refused(reason.failure, words_of(reason.failure)) from None


def check_address(url: str) -> None:
    """Raises Refused for an address that is not one of the public web."""
    try:
        http.check_url(url)
    except http.HttpError:
        raise Refused(Failure.REFUSED_ADDRESS, words_of(Failure.REFUSED_ADDRESS)) from None


def room_for(sort: Document.Sort) -> None:
    """One profile, and a bounded number of documents; under the lock that all additions of this org take."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('knowledge'), %s)", [intake.org_id()])
    if Document.objects.count() >= MOST_DOCUMENTS:
        raise Refused("too_many", _("There are too many documents. Remove some first."))
    if sort == Document.Sort.PROFILE and Document.objects.filter(sort=sort).exists():
        raise Refused("second_profile", _("There is a business profile already. Change it instead."))


def locked(pk: int) -> Document:
    """The document, locked. Raises Refused when it is gone."""
    document = Document.objects.select_for_update().filter(pk=pk).first()
    if document is None:
        raise Refused("gone", _("Somebody has removed it meanwhile."))
    return document


# --- Reading ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Source:
    """What is to be read, and the stamp of the wish."""

    stamp: datetime
    sort: str
    path: str
    mime: str
    url: str


async def read(document_id: int, work: jobs.Work) -> None:
    """Read a document that waits for it. Safe to repeat and to run twice: one set of passages is left."""
    source = await work.run(source_of, document_id)
    if source is None:
        return
    is_last = work.attempt >= TRIES
    await work.call(lambda: readout_of(source), then=lambda done: settle(document_id, source.stamp, done, is_last))


def source_of(document_id: int) -> Source | None:
    document = Document.objects.filter(pk=document_id, state=Document.State.READING).first()
    if document is None:
        return None
    return Source(document.updated_at, document.sort, document.path, document.mime, document.url)


def readout_of(source: Source) -> Readout:
    """The text of a file or page. Outside any org; raises CannotRead, or PortError for what may go better later."""
    if source.sort == Document.Sort.FILE:
        try:
            with default_storage.open(source.path) as file:
                data = bytes(file.read(LARGEST_FILE_BYTES + 1))
        except FileNotFoundError:
            raise CannotRead(Failure.NOT_FOUND) from None
        return apart.read(data, source.mime)
    data, claimed = fetched(source.url)
    return apart.read(data, apart.kind_of(data, claimed=claimed))


def fetched(url: str) -> tuple[bytes, str]:
    """What an address on the public web answers, and the type it claims. Raises as `readout_of`."""
    try:
        response = http.request(
            "GET", url, headers={"accept": "text/html, application/pdf, text/plain;q=0.9, */*;q=0.1"}, timeout=LOADING,
            max_bytes=LARGEST_PAGE_BYTES, follow_redirects=True, dep="web", op="page",
        ).raise_for_status()  # fmt: skip
    except http.HttpError as error:
        if error.failure in {http.Failure.BAD_ADDRESS, http.Failure.REFUSED_ADDRESS}:
            raise CannotRead(Failure.REFUSED_ADDRESS) from None
        if error.failure == http.Failure.TOO_LARGE:
            raise CannotRead(Failure.TOO_LARGE) from None
        if error.permanent:
            raise CannotRead(Failure.UNREACHABLE) from None
        raise
    except PortError as error:
        if error.permanent:
            raise CannotRead(Failure.NOT_FOUND) from None
        raise
    return response.content, response.headers.get("content-type", "")


def settle(document_id: int, stamp: datetime, done: "Future[Readout]", is_last: bool) -> None:
    """Write how a reading ended, unless another one was asked for since. Raises PortError to be tried again."""
    try:
        readout = done.result()
        pieces = cut(readout.text)
        failure = Failure.TOO_LONG if len(pieces) > MOST_PASSAGES else Failure.EMPTY if not pieces else None
    except CannotRead as reason:
        readout, failure = Readout(""), reason.failure
    except PortError:
        if not is_last:
            raise
        readout, failure = Readout(""), Failure.UNREACHABLE
    with transaction.atomic():
        document = waiting(document_id, stamp)
        if document is None:
            return
        if failure is not None:
            fail(document, failure)
            return
        if readout.title and document.title in {"", document.url[:300]}:
            document.title = readout.title
        store(document, readout)


def died(document_id: int, reason: str) -> None:
    """Reading was given up. Inside the org; safe to repeat."""
    del reason  # not a sentence for people
    with transaction.atomic():
        document = waiting(document_id)
        if document is not None:
            fail(document, Failure.TOO_SLOW)


def waiting(document_id: int, stamp: datetime | None = None) -> Document | None:
    """The document, locked, if it still waits for the reading that began with this stamp."""
    found = Document.objects.select_for_update().filter(pk=document_id, state=Document.State.READING)
    return (found.filter(updated_at=stamp) if stamp else found).first()


def fail(document: Document, failure: Failure) -> None:
    """What it held before stays: an old price list is better than none, and the page says how old it is."""
    document.state, document.failure = Document.State.FAILED, failure.value
    document.save(update_fields=["state", "failure"])


def store(document: Document, readout: Readout) -> None:
    """The passages of a locked document become those of `readout`; the same text leaves them as they are."""
    heading = document.title if document.sort == Document.Sort.FAQ else ""
    digest = sha256(f"{CUT}\0{heading}\0{readout.text}".encode()).hexdigest()
    if digest != document.digest:
        pieces = [search.Passage(heading, text) for text in parts(readout.text)] if heading else cut(readout.text)
        replace(document, pieces[:MOST_PASSAGES])
    document.text, document.digest = readout.text, digest
    document.state, document.failure = Document.State.READY, ""
    document.save(update_fields=["title", "text", "digest", "state", "failure", "updated_at"])


def replace(document: Document, pieces: list[search.Passage]) -> None:
    """New passages in place of the old ones, sorted into the index now: what waits there slows look-ups."""
    document.passages.all().delete()
    Passage.objects.bulk_create(
        Passage(
            document=document, position=position, heading=piece.heading[:300], text=piece.text,
            terms=search.stored_terms(piece.heading or document.title, piece.text),
        )
        for position, piece in enumerate(pieces)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT gin_clean_pending_list('conversations_passage_terms'::regclass)")


def cut(text: str) -> list[search.Passage]:
    """Paragraphs under their headings; a long one in parts of whole sentences."""
    return [search.Passage(passage.heading, part) for passage in search.split(text) for part in parts(passage.text)]


def parts(text: str) -> list[str]:
    """At most PASSAGE_CHARS each, by whole sentences or lines; a neighbour's sentence is repeated at the seam."""
    if len(text) <= PASSAGE_CHARS:
        return [text.strip()] if text.strip() else []
    found: list[str] = []
    current: list[str] = []
    for sentence in sentences(text):
        if current and len(" ".join([*current, sentence])) > PASSAGE_CHARS:
            found.append(" ".join(current))
            last = current[-1]
            current = [last] if len(last) + len(sentence) < PASSAGE_CHARS and len(current) > 1 else []
        current.append(sentence)
    return [*found, " ".join(current)]


def sentences(text: str) -> Iterator[str]:
    """Sentences and lines, in pieces of at most PASSAGE_CHARS where somebody has written without a stop."""
    for sentence in re.split(r"(?<=[.!?;])\s+|\n", text):
        rest = sentence.strip()
        while len(rest) > PASSAGE_CHARS:
            end = rest.rfind(" ", 0, PASSAGE_CHARS)
            end = end if end > 0 else PASSAGE_CHARS
            yield rest[:end]
            rest = rest[end:].strip()
        if rest:
            yield rest


# --- The catalogue ----------------------------------------------------------------------------------------------------
@transaction.atomic
def save_product(product: Product, person: Person, *, request: HttpRequest | None = None) -> Product:
    """A new or changed row of the catalogue; what the AI may quote of it changes in the same transaction."""
    is_new = product.pk is None
    product.save()
    write_catalogue()
    action = audit.Action.PRODUCT_ADDED if is_new else audit.Action.PRODUCT_CHANGED
    note_product(action, product, person, request)
    return product


@transaction.atomic
def remove_product(product: Product, person: Person, *, request: HttpRequest | None = None) -> None:
    """The row goes, and what could be quoted of it. Removing what is gone does nothing."""
    pk = product.pk
    if not Product.objects.filter(pk=pk).delete()[0]:
        return
    write_catalogue()
    note_product(audit.Action.PRODUCT_REMOVED, Product(pk=pk, name=product.name), person, request)


def write_catalogue() -> None:
    """The catalogue's passages from its rows. Whoever comes second waits here, and then sees the rows of the first."""
    language = current_org().language
    Document.objects.get_or_create(
        sort=Document.Sort.PRODUCTS, defaults={"title": str(_("Catalogue")), "language": language}
    )
    document = Document.objects.select_for_update().get(sort=Document.Sort.PRODUCTS)
    pieces = [
        search.Passage(row.name, sentence_of(row, language))
        for row in Product.objects.filter(is_active=True).order_by("name", "pk")
    ]
    replace(document, pieces[:MOST_PASSAGES])
    document.state, document.updated_at = Document.State.READY, timezone.now()
    document.save(update_fields=["state", "updated_at"])


def sentence_of(product: Product, language: str) -> str:
    """ "Essencial: para casas. Preço: R$ 297 / mês. Doze meses." Without a price not to be told."""
    price = knowledge.price_of(product) if product.may_quote else ""
    pieces = [
        f"{product.name}: {product.description}" if product.description else product.name,
        f"{PRICE_WORD.get(language, PRICE_WORD['en'])}: {price}" if price else "",
        product.conditions if price else "",
    ]
    return " ".join(piece if piece.endswith((".", "!", "?")) else f"{piece}." for piece in pieces if piece)


# --- Files ------------------------------------------------------------------------------------------------------------
def folder(org_id: int) -> str:
    return f"{org_id}/knowledge"


def sweep(ours: Org, now: datetime) -> int:
    """Inside the org: remove files of documents that are gone. Out: how many. What came today is left alone."""
    place = folder(ours.pk)
    try:
        _folders, found = default_storage.listdir(place)
    except FileNotFoundError:
        return 0
    orphans = {f"{place}/{name}" for name in found} - set(
        Document.objects.filter(sort=Document.Sort.FILE).values_list("path", flat=True)
    )
    gone = [path for path in orphans if default_storage.get_modified_time(path) < now - ORPHAN_AFTER]
    for path in gone:
        default_storage.delete(path)
    return len(gone)


# --- The record -------------------------------------------------------------------------------------------------------
def note(action: audit.Action, document: Document, person: Person, request: HttpRequest | None) -> None:
    data = {"sort": document.sort, "title": document.title[:100]}
    audit.record(action, request=request, org=current_org(), person=person, target=f"document:{document.pk}", data=data)


def note_product(action: audit.Action, product: Product, person: Person, request: HttpRequest | None) -> None:
    data = {"name": product.name[:100], "may_quote": product.may_quote}
    audit.record(action, request=request, org=current_org(), person=person, target=f"product:{product.pk}", data=data)
