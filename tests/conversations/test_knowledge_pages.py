"""Administrators tell the AI what it may say, on pages that everybody in the org can read."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from conversations.models import Document, Passage, Product
from orgs.context import in_org
from orgs.models import AuditEntry, Due, Org, Person
from orgs.ratelimit import KNOWLEDGE_ORG

SignIn = Callable[[Person], Client]
HOURS = {"title": "Que horas vocês abrem?", "text": "Abrimos às 9h, de segunda a sábado.", "language": "pt-br",
         "is_active": "on"}  # fmt: skip
PLAN = {"name": "Plano Essencial", "description": "Para casas", "price": "297", "currency": "BRL", "unit": "mês",
        "may_quote": "on", "is_active": "on"}  # fmt: skip
BASE = "/o/acme/knowledge/"


@pytest.fixture
def sign_in(sign_in: SignIn) -> SignIn:
    """A browser of somebody who reads English."""

    def make(person: Person) -> Client:
        Person.objects.filter(pk=person.pk).update(language="en")
        return sign_in(person)

    return make


def test_it_knows_a_question_at_once_and_says_so(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    answer = sign_in(ana).post(f"{BASE}new/faq/", HOURS, follow=True)
    assert "Abrimos às 9h, de segunda a sábado." in answer.content.decode()
    document = Document.objects.get()
    assert (document.state, document.title, document.language) == ("ready", HOURS["title"], "pt-br")
    assert list(document.passages.values_list("heading", "text")) == [(HOURS["title"], HOURS["text"])]
    entry = AuditEntry.objects.get(action="document.added")
    assert (entry.actor, entry.target) == (ana.email, f"document:{document.pk}")


def test_it_shows_what_a_question_would_find(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    client.post(f"{BASE}new/faq/", HOURS)
    found = client.get(BASE, {"q": "a que horas abre?"}).content.decode()
    assert "Would be told" in found
    assert HOURS["text"] in found
    unknown = client.get(BASE, {"q": "vocês alugam bicicletas?"}).content.decode()
    assert "No document answers this." in unknown


def test_it_takes_a_file_and_reads_it_later(
    in_acme: Org, ana: Person, sign_in: SignIn, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    given = {
        "language": "pt-br",
        "is_active": "on",
        "file": SimpleUploadedFile("tabela.txt", b"Precos\n\nCusta R$ 10."),
    }
    assert sign_in(ana).post(f"{BASE}new/file/", given).status_code == 302
    document = Document.objects.get()
    assert (document.sort, document.state, document.title) == ("file", "reading", "tabela")
    assert document.path.startswith(f"{in_acme.pk}/knowledge/")
    assert Due.objects.filter(org_id=in_acme.pk, kind="read_document", ref=str(document.pk)).exists()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [("leer.pdf", b"", "There is nothing in it."), ("bild.pdf", b"\x89PNG\r\n\x1a\n....", "not of a kind we can read")],
)
def test_it_refuses_a_file_in_words_and_keeps_nothing(
    in_acme: Org, ana: Person, sign_in: SignIn, name: str, content: bytes, why: str
) -> None:
    given = {"language": "pt-br", "file": SimpleUploadedFile(name, content)}
    answer = sign_in(ana).post(f"{BASE}new/file/", given)
    assert answer.status_code == 422
    assert why in answer.content.decode()
    assert not Document.objects.exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "http://169.254.169.254/latest", "ftp://example.com/x"])
def test_it_refuses_an_address_that_is_not_public(in_acme: Org, ana: Person, sign_in: SignIn, url: str) -> None:
    answer = sign_in(ana).post(f"{BASE}new/url/", {"url": url, "language": "en"})
    assert answer.status_code == 422
    assert not Document.objects.exists()
    assert not Due.objects.filter(kind="read_document").exists()


def test_it_changes_and_removes_a_document_with_its_passages(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    client.post(f"{BASE}new/faq/", HOURS)
    pk = Document.objects.get().pk
    client.post(f"{BASE}{pk}/edit/", HOURS | {"text": "Abrimos às 10h."})
    assert list(Passage.objects.values_list("text", flat=True)) == ["Abrimos às 10h."]
    assert "cannot be undone" in client.get(f"{BASE}{pk}/removal/").content.decode()
    assert Document.objects.exists()
    client.post(f"{BASE}{pk}/removal/")
    assert not Document.objects.exists()
    assert not Passage.objects.exists()
    actions = AuditEntry.objects.filter(action__startswith="document.").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["document.added", "document.changed", "document.removed"]


def test_it_has_one_business_profile(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    profile = {"text": "Vendemos bolos em Recife.", "language": "pt-br", "is_active": "on"}
    assert client.post(f"{BASE}new/profile/", profile).status_code == 302
    answer = client.post(f"{BASE}new/profile/", profile | {"text": "Outro"})
    assert answer.status_code == 422
    assert "There is a business profile already." in answer.content.decode()
    assert Document.objects.get().text == "Vendemos bolos em Recife."


def test_it_keeps_a_catalogue_and_wants_the_price_that_may_be_told(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    assert client.post(f"{BASE}products/new/", PLAN | {"price": ""}).status_code == 422
    assert not Product.objects.exists()
    assert client.post(f"{BASE}products/new/", PLAN).status_code == 302
    assert "R$ 297 / mês" in client.get(BASE).content.decode()
    pk = Product.objects.get().pk
    client.post(f"{BASE}products/{pk}/", PLAN | {"price": "310"})
    assert "R$ 310 / mês" in Passage.objects.get().text
    client.post(f"{BASE}products/{pk}/removal/")
    assert not Product.objects.exists()
    assert not Passage.objects.exists()


def test_it_lets_others_read_and_change_nothing(in_acme: Org, ana: Person, beto: Person, sign_in: SignIn) -> None:
    sign_in(ana).post(f"{BASE}new/faq/", HOURS)
    client, pk = sign_in(beto), Document.objects.get().pk
    page = client.get(BASE).content.decode()
    assert HOURS["title"] in page
    assert "new/" not in page.partition("<main")[2]
    before = list(Document.objects.values()), list(Passage.objects.values())
    for path in ("new/text/", f"{pk}/edit/", f"{pk}/reading/", f"{pk}/removal/", "products/new/"):
        assert client.post(f"{BASE}{path}", HOURS).status_code == 403, path
    assert before == (list(Document.objects.values()), list(Passage.objects.values()))
    assert not Product.objects.exists()


def test_it_invites_to_begin_when_there_is_nothing(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    page = sign_in(ana).get(BASE).content.decode()
    assert "Tell the AI about your business" in page
    assert f"{BASE}new/profile/" in page


def test_it_hides_what_the_other_org_knows(acme: Org, globex: Org, ana: Person, carla: Person, sign_in: SignIn) -> None:
    sign_in(ana).post(f"{BASE}new/faq/", HOURS)
    with in_org(globex):
        assert not Document.objects.exists()
    assert sign_in(carla).get(BASE).status_code == 404
    assert HOURS["text"] not in sign_in(carla).get("/o/globex/knowledge/", {"q": HOURS["title"]}).content.decode()


def test_it_bounds_how_often_an_org_lets_documents_be_read(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    client.post(f"{BASE}new/faq/", HOURS)
    path = f"{BASE}{Document.objects.get().pk}/reading/"
    answers = [client.post(path).status_code for _ in range(KNOWLEDGE_ORG.burst + 30)]
    assert answers[0] == 302
    assert answers[-1] == 429
