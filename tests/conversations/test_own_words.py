"""What an org has written to be said word for word is not judged; what stands around it is."""

from datetime import UTC, datetime

import pytest

from conversations import vetting
from conversations.ports import Context, Decision, Line, Persona

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
BUSINESS = "Consertamos relógios antigos em Olinda, com garantia de dois anos e 98% de peças próprias."
DISCLOSURE = "Aqui fala o robô da Tique-Taque: respondo em 10 segundos e garanto sigilo total."
ANSWER = "Entendo. Por isso parcelamos em 5 vezes e a primeira revisão é grátis."


def talk(*, asks: str = "") -> Context:
    return Context(
        lines=(Line(1, "lead", "achei caro, o que vocês fazem?", NOW),),
        language="pt-br",
        business=BUSINESS,
        disclosure=DISCLOSURE,
        is_first_reply=False,
        persona=Persona(name="Tique", objections=({"about": "price", "answer": ANSWER + asks},)),
        company="Tique-Taque",
        now=NOW,
        conversation_id=3,
    )


@pytest.mark.parametrize("own", [BUSINESS, DISCLOSURE, ANSWER])
def test_what_the_org_wrote_leaves_as_it_is(own: str) -> None:
    assert vetting.violations(talk(), Decision((own,), language="pt-br")) == []
    assert vetting.violations(talk(), Decision((own, "Como está o relógio hoje?"), language="pt-br")) == []


@pytest.mark.parametrize(
    "around",
    ["Hoje sai por R$ 90.", "Prometo que fica pronto amanhã.", "Já marquei sua visita.", "This is for you only."],
)
def test_what_stands_around_it_is_judged(around: str) -> None:
    assert vetting.violations(talk(), Decision((DISCLOSURE, around), language="pt-br")) != []


def test_changed_by_a_word_it_is_judged() -> None:
    changed = ANSWER.replace("5 vezes", "9 vezes")
    assert vetting.violations(talk(), Decision((changed,), language="pt-br")) != []


def test_an_answer_that_asks_counts_among_the_questions_of_a_turn() -> None:
    asking = ANSWER + " Qual é o modelo?"
    found = vetting.violations(talk(asks=" Qual é o modelo?"), Decision((asking, "E o ano?"), language="pt-br"))
    assert "other" in {one.kind for one in found}
