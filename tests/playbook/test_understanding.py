"""One turn of a lead, understood offline: in sentences nobody trained on."""

import time

import pytest

from conversations.playbook.replies import YesNo
from conversations.playbook.understanding import Intent, understand


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a gente controla as comandas num bloco e some metade", "pt-BR"),
        ("we keep the work orders on a clipboard in the garage", "en"),
        ("las reservas las apuntamos en una pizarra de la cocina", "es"),
    ],
)
def test_it_knows_the_language_and_finds_how_things_are_today(text: str, language: str) -> None:
    found = understand(text, question="")
    assert found.language == language
    assert found.answers
    assert all(text[answer.start : answer.end] == answer.text for answer in found.answers)


def test_it_counts_two_statements_of_one_message_and_quotes_them_verbatim() -> None:
    text = "somos seis mecânicos na oficina e usamos um caderno de capa dura"
    found = understand(text, question="Como vocês se organizam hoje?")
    assert [answer.stage for answer in found.answers] == ["situation", "situation"]
    assert [answer.text for answer in found.answers] == [
        "somos seis mecânicos na oficina",
        "usamos um caderno de capa dura",
    ]


def test_it_counts_the_same_statement_once() -> None:
    found = understand("o portão trava toda manhã\no portão trava toda manhã!", question="O que incomoda?")
    assert [answer.stage for answer in found.answers] == ["problem"]


@pytest.mark.parametrize("text", ["sim", "ok", "não sei", "ia ajudar bastante"])
def test_it_gives_nothing_for_words_that_say_nothing(text: str) -> None:
    assert understand(text, question="Resolver isso ajudaria vocês?").answers == ()


def test_a_bare_no_answers_a_concrete_question() -> None:
    found = understand("não", question="Vocês usam algum programa para as escalas?")
    assert [answer.stage for answer in found.answers] == ["situation"]
    assert found.reply is YesNo.NO


def test_the_question_before_makes_a_word_a_wish_or_none() -> None:
    assert understand("sair", question="Se preferir não receber mais nada, digite SAIR.").opt_out is True
    assert understand("cancelar", question="Lembrete: sua aula experimental é amanhã às 7h.").intent is Intent.CANCEL
    assert understand("não", question="Quer continuar recebendo as promoções da semana?").opt_out is True
    assert understand("não", question="Você já usa algum CRM?").opt_out is False


@pytest.mark.parametrize(
    "text",
    [
        "quero parar de jogar comida fora",
        "I want to stop losing bookings over the weekend",
        "queremos dejar de pagar recargos",
    ],
)
def test_stopping_something_else_is_no_wish_to_be_left_alone(text: str) -> None:
    assert understand(text, question="O que gostariam de mudar?").opt_out is not True


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("no máximo 900 reais por mês", "budget"),
        ("preciso disso até sexta agora", "urgency"),
        ("sou eu quem decide, sozinha", "decision_maker"),
    ],
)
def test_it_hears_signals_with_their_words(text: str, signal: str) -> None:
    question = {
        "budget": "Tem um valor previsto?",
        "urgency": "Qual o prazo?",
        "decision_maker": "Quem aprova a compra?",
    }
    found = understand(text, question=question[signal])
    assert [span.signal for span in found.signals] == [signal]
    assert all(text[span.start : span.end] == span.text for span in found.signals)


def test_it_decides_well_within_thirty_milliseconds() -> None:
    text = (
        "oi, hoje a gente anota tudo num caderno e perde pedido toda semana; já custou um cliente grande. quanto custa?"
    )
    understand(text, question="Como é hoje?")
    spent = []
    for number in range(40):
        started = time.process_time()
        understand(f"{text} {number}", question="Como é hoje?")
        spent.append(time.process_time() - started)
    assert sorted(spent)[37] < 0.03
