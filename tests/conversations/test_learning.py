"""A document's passages are replaced at once: read twice, at the same time, or after a crash, one set is left."""

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from conversations import learning
from conversations.documents.shapes import Readout
from conversations.learning import Given
from conversations.models import Document, Passage, Product
from orgs.context import in_org
from orgs.models import Due, Org, Person, Refused
from sdr.lib import http, jobs
from sdr.lib.errors import PortError
from tests.conversations.conftest import drive
from tests.conversations.papers import pdf

TEXT = "Horario\n\nAbrimos as 8h.\n\nPreco\n\nCada aula custa R$ 50."
PAGES = {"/ok": (200, TEXT), "/gone": (404, "no"), "/busy": (503, "later")}


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web site on loopback; the guard against such addresses is off for it, and is tested on its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = PAGES[self.path]
            self.send_response(status)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *given: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    real: Callable[..., Any] = http.request
    monkeypatch.setattr(http, "request", lambda *given, **options: real(*given, **options | {"allow_private": True}))
    monkeypatch.setattr(learning, "check_address", lambda url: None)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def given(sort: str, **fields: Any) -> Given:
    return Given(**{"sort": Document.Sort(sort), "language": "pt-br", "title": "T"} | fields)


def read(document: Document, *, attempt: int = 1) -> None:
    def work(hands: Any) -> Any:
        hands.attempt = attempt
        return learning.read(document.pk, hands)

    drive(work)
    document.refresh_from_db()


def passages(document: Document) -> list[tuple[str, str]]:
    return list(document.passages.order_by("position").values_list("heading", "text"))


def test_it_reads_a_file_into_passages(in_acme: Org, ana: Person) -> None:
    document = learning.add(given("file"), ana, data=pdf("Horario\nAbrimos as 8h em ponto."))
    assert (document.state, passages(document)) == ("reading", [])
    read(document)
    assert (document.state, document.failure) == ("ready", "")
    assert passages(document) == [("Horario", "Abrimos as 8h em ponto.")]
    assert "=abrim" in Passage.objects.get().terms


def test_it_reads_a_page_and_says_what_the_site_said(in_acme: Org, ana: Person, site: str) -> None:
    good = learning.add(given("url", title="", url=f"{site}/ok"), ana)
    read(good)
    assert passages(good) == [("Horario", "Abrimos as 8h."), ("Preco", "Cada aula custa R$ 50.")]
    gone = learning.add(given("url", url=f"{site}/gone"), ana)
    read(gone)
    assert (gone.state, gone.failure) == ("failed", "not_found")
    busy = learning.add(given("url", url=f"{site}/busy"), ana)
    with pytest.raises(PortError):
        read(busy)
    busy.refresh_from_db()
    assert busy.state == "reading"
    read(busy, attempt=learning.TRIES)
    assert (busy.state, busy.failure) == ("failed", "unreachable")


def test_it_never_calls_an_address_inside(in_acme: Org, ana: Person) -> None:
    document = learning.add(given("url", url="https://example.com/"), ana)
    Document.objects.filter(pk=document.pk).update(url="http://127.0.0.1:9/")  # a name that points inside, as it were
    read(document)
    assert (document.state, document.failure) == ("failed", "refused_address")


def test_it_leaves_one_set_when_read_twice(in_acme: Org, ana: Person) -> None:
    document = learning.add(given("file"), ana, data=TEXT.encode())
    read(document)
    first = list(Passage.objects.values_list("pk", flat=True))
    read(document)  # a job that comes again
    learning.read_again(document, ana)
    read(document)
    assert list(Passage.objects.values_list("pk", flat=True)) == first  # the same text: citations stay right
    assert document.state == "ready"


def test_it_drops_a_reading_that_was_overtaken(in_acme: Org, ana: Person) -> None:
    document = learning.add(given("file"), ana, data=TEXT.encode())
    old = document.updated_at
    learning.read_again(document, ana)
    learning.settle(document.pk, old, done(Readout("Alte Fassung.")), False)
    document.refresh_from_db()
    assert (document.state, passages(document)) == ("reading", [])
    learning.settle(document.pk, document.updated_at, done(Readout("Neu.")), False)
    assert passages(document) == [("", "Neu.")]


def test_it_keeps_what_was_there_when_a_later_reading_fails(in_acme: Org, ana: Person) -> None:
    document = learning.add(given("file"), ana, data=TEXT.encode())
    read(document)
    default_storage.delete(document.path)
    learning.read_again(document, ana)
    read(document)
    assert (document.state, document.failure) == ("failed", "not_found")
    assert len(passages(document)) == 2


def test_it_says_that_a_reading_was_given_up(in_acme: Org, ana: Person) -> None:
    document = learning.add(given("file"), ana, data=TEXT.encode())
    learning.died(document.pk, "took longer than 90 s")
    learning.died(document.pk, "took longer than 90 s")
    document.refresh_from_db()
    assert (document.state, document.failure) == ("failed", "too_slow")
    assert all(learning.words_of(why).endswith(".") for why in [*learning.WORDS, "something new"])


def test_it_removes_the_file_with_the_document_and_sweeps_orphans(
    in_acme: Org, ana: Person, django_capture_on_commit_callbacks: Any
) -> None:
    document = learning.add(given("file"), ana, data=TEXT.encode())
    with django_capture_on_commit_callbacks(execute=True):
        learning.remove(document, ana)
        learning.remove(document, ana)
    assert not default_storage.exists(document.path)
    kept = learning.add(given("file"), ana, data=TEXT.encode())
    lost = default_storage.save(f"{learning.folder(in_acme.pk)}/lost.txt", default_storage.open(kept.path))
    assert learning.sweep(in_acme, timezone.now()) == 0  # came today
    assert learning.sweep(in_acme, timezone.now() + timedelta(days=2)) == 1
    assert default_storage.exists(kept.path)
    assert not default_storage.exists(lost)


def test_it_stores_no_file_of_a_document_that_is_refused(
    in_acme: Org, ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "MOST_DOCUMENTS", 0)
    with pytest.raises(Refused) as refused:
        learning.add(given("file"), ana, data=TEXT.encode())
    assert refused.value.code == "too_many"
    assert not Document.objects.exists()
    assert default_storage.listdir(learning.folder(in_acme.pk))[1] == []
    assert not Due.objects.filter(kind="read_document").exists()


def test_it_cuts_long_paragraphs_by_sentences_with_a_neighbour(in_acme: Org, ana: Person) -> None:
    sentences = [f"Esta e a frase numero {number} de um texto comprido que segue adiante." for number in range(30)]
    document = learning.add(given("text", text="Regras\n" + " ".join(sentences)), ana)
    found = passages(document)
    assert len(found) > 3
    assert all(heading == "Regras" and len(text) <= learning.PASSAGE_CHARS for heading, text in found)
    assert all(any(sentence in text for _, text in found) for sentence in sentences)
    for (_, before), (_, after) in itertools.pairwise(found):
        assert after.startswith(before[before.rindex("Esta") :])


def test_it_tells_of_a_product_only_what_may_be_told(in_acme: Org, ana: Person) -> None:
    plan = learning.save_product(Product(name="Plano A", description="Para casas", price=1297, unit="mês"), ana)
    assert "1.297" not in Passage.objects.get().text
    plan.may_quote = True
    learning.save_product(plan, ana)
    assert "R$ 1.297 / mês" in Passage.objects.get().text
    plan.is_active = False
    learning.save_product(plan, ana)
    assert not Passage.objects.exists()
    assert Document.objects.get().sort == "products"


@pytest.mark.usefixtures("committed")
def test_two_readings_at_the_same_time_leave_one_set() -> None:
    acme, ana = Org.objects.get(slug="acme"), Person.objects.get(email="ana@example.com")
    with in_org(acme):
        document = learning.add(given("file"), ana, data=TEXT.encode())
    together(4, acme, lambda: learning.settle(document.pk, document.updated_at, done(Readout(TEXT)), False))
    with in_org(acme):
        document.refresh_from_db()
        assert (document.state, len(passages(document))) == ("ready", 2)


@pytest.mark.usefixtures("committed")
def test_products_added_at_the_same_time_are_all_in_the_catalogue() -> None:
    acme, ana = Org.objects.get(slug="acme"), Person.objects.get(email="ana@example.com")
    names = iter([f"Plano {number}" for number in range(6)])
    lock = threading.Lock()

    def add() -> None:
        with lock:
            name = next(names)
        learning.save_product(Product(name=name), ana)

    together(6, acme, add)
    with in_org(acme):
        catalogue = Document.objects.get(sort="products")
        assert [heading for heading, _ in passages(catalogue)] == [f"Plano {number}" for number in range(6)]


@pytest.mark.usefixtures("committed")
def test_two_profiles_at_the_same_time_are_one() -> None:
    acme, ana = Org.objects.get(slug="acme"), Person.objects.get(email="ana@example.com")
    refused: list[str] = []

    def add() -> None:
        try:
            learning.add(given("profile", text="Vendemos pão."), ana)
        except Refused as reason:
            refused.append(reason.code)

    together(4, acme, add)
    assert refused == ["second_profile"] * 3
    with in_org(acme):
        assert Passage.objects.count() == 1


def test_the_kind_is_known() -> None:
    assert jobs.registry.kinds[learning.KIND].policy.attempts == learning.TRIES


def done(readout: Readout) -> Any:
    class Done:
        def result(self) -> Readout:
            return readout

    return Done()


def together(count: int, org: Org, act: Callable[[], object]) -> None:
    """Run it on threads with connections of their own, all at once; raises what any of them raised."""
    barrier, errors = threading.Barrier(count), list[BaseException]()

    def run() -> None:
        try:
            with in_org(org):
                barrier.wait(60)
                act()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
