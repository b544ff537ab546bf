"""The demo's AI can answer prices, hours and the like, and knows where its knowledge ends."""

import pytest

from conversations import demo, knowledge
from conversations.models import Document, Product
from orgs.models import Org, Person


@pytest.fixture
def taught(in_acme: Org, ana: Person) -> None:
    demo.teach(ana)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("quanto custa o kit de 8 painéis?", "R$ 19.800"),
        ("qual o horário de atendimento?", "das 9h às 18h"),
        ("vocês instalam em Jundiaí?", "Jundiaí"),
        ("qual a garantia dos painéis?", "25 anos"),
        ("dá pra parcelar no cartão?", "12 vezes"),
        ("quanto tempo demora pra instalar?", "45 dias"),
        ("e se faltar luz?", "Com bateria"),
    ],
)
def test_it_answers_what_leads_ask(taught: None, question: str, told: str) -> None:
    found = knowledge.snippets_for(question, language="pt-br")
    assert any(told in one.text for one in found), [one.text for one in found]
    assert found[0].answers


def test_it_tells_no_price_that_is_made_to_measure(taught: None) -> None:
    prices = {offer.name: offer.price for offer in knowledge.offers()}
    assert prices["Usina em solo"] == ""
    assert prices["Kit Casa 4"] == "R$ 11.900"


def test_it_teaches_once(taught: None, ana: Person) -> None:
    before = Document.objects.count(), Product.objects.count()
    demo.teach(ana)
    assert (Document.objects.count(), Product.objects.count()) == before
    assert not Document.objects.exclude(state="ready").exists()
