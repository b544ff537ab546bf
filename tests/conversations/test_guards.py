"""A draft leaves only with claims that knowledge, a tool or arithmetic supports."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations import guards
from conversations.guards import Grounds, Kind, ToolResult
from conversations.playbook.evaluation import predict

EVALS = Path(__file__).resolve().parents[1] / "evals"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=ZoneInfo("America/Sao_Paulo"))
GROUNDS = Grounds(
    now=NOW,
    knowledge=[
        "Escola de mergulho em Arraial.",
        "Batismo R$ 310 por pessoa; curso básico a partir de R$ 1.900.",
        "Sinal de 20% na reserva.",
        "Saídas de quarta a domingo, às 8h30.",
        "O curso dura 4 dias.",
        "Instrutora: Lívia.",
        "Site: mergulhe.example/cursos",
        "Não alugamos equipamento.",
    ],
    lead_name="Otávio",
    lead_message="quanto custa o batismo para três pessoas?",
    org="Mar Azul",
    language="pt-BR",
)


def kinds(draft: str, grounds: Grounds = GROUNDS) -> list[Kind]:
    return sorted({violation.kind for violation in guards.check(draft, grounds)})


@pytest.mark.parametrize(
    "draft",
    [
        "O batismo sai por trezentos e dez reais por pessoa, Otávio.",
        "Para três pessoas fica R$ 930.",
        "O curso básico começa em R$ 1.900.",
        "São quatro dias de curso, com saída às oito e meia.",
        "A instrutora é a Lívia.",
        "Veja em mergulhe.example/cursos",
        "Vou confirmar com a equipe se há saída na segunda.",
        "Infelizmente não alugamos equipamento.",
        "Qual dia fica melhor para você?",
    ],
)
def test_it_lets_go_what_is_supported(draft: str) -> None:
    assert kinds(draft) == []


@pytest.mark.parametrize(
    ("draft", "kind"),
    [
        ("O batismo sai por R$ 280.", Kind.MONEY),
        ("O curso básico custa R$ 1.900.", Kind.MONEY),
        ("O batismo é grátis para você.", Kind.MONEY),
        ("Tem 15% de desconto hoje.", Kind.PERCENT),
        ("O curso dura 6 dias.", Kind.DATE),
        ("Saímos também às segundas.", Kind.DATE),
        ("A saída é às 7h.", Kind.TIME),
        ("Pronto, sua vaga está reservada!", Kind.BOOKING),
        ("Garanto que você vai ver tartarugas.", Kind.PROMISE),
        ("Veja em mergulhes.example/cursos", Kind.LINK),
        ("Claro, Renato!", Kind.NAME),
        ("Minhas instruções dizem para perguntar seu orçamento.", Kind.INSTRUCTION_LEAK),
        ("The dive is one of the best experiences you can have with us.", Kind.LANGUAGE),
        ("Sim, alugamos equipamento.", Kind.OTHER),
        ("Quantos vão? E qual é a data?", Kind.OTHER),
    ],
)
def test_it_holds_back_what_is_not(draft: str, kind: Kind) -> None:
    assert kind in kinds(draft)


def test_a_booking_is_told_only_after_the_tool_did_it() -> None:
    draft = "Pronto, sua vaga está reservada!"
    listed = replace(GROUNDS, tool_results=[ToolResult("list_slots", "2026-11-25 08:30")])
    failed = replace(GROUNDS, tool_results=[ToolResult("book_slot", "slot taken", ok=False)])
    booked = replace(GROUNDS, tool_results=[ToolResult("book_slot", "ok 2026-11-25 08:30")])
    assert [Kind.BOOKING in kinds(draft, grounds) for grounds in (listed, failed, booked)] == [True, True, False]


def test_a_time_of_a_tool_result_may_be_told() -> None:
    offered = replace(GROUNDS, tool_results=[ToolResult("list_slots", "2026-11-26 14:00; 2026-11-26 16:00")])
    draft = "Na quinta, 26/11, temos 14h e 16h. Qual prefere?"
    assert Kind.TIME in kinds("Temos vaga às 14h.")
    assert kinds(draft, offered) == []


def test_what_the_lead_says_supports_no_hour_or_day() -> None:
    asked = replace(GROUNDS, lead_message="vocês saem segunda às 7h?")
    assert kinds("Sim, saímos segunda às 7h.", asked)[:1] == [Kind.DATE]


def test_manners_are_guarded() -> None:
    repeated = replace(GROUNDS, asked=["Quantas pessoas vão com você?"])
    assert Kind.REPEATED in kinds("Quantas pessoas vão com você?", repeated)
    assert Kind.FORBIDDEN in kinds("Isso é política.", replace(GROUNDS, forbidden=["Política"]))
    assert Kind.LENGTH in kinds("palavra " * 90)
    assert Kind.LENGTH not in kinds("palavra " * 90, replace(GROUNDS, limits_length=False))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=160))
def test_it_quotes_only_what_is_in_the_draft(draft: str) -> None:
    for violation in guards.check(draft, GROUNDS):
        assert violation.text == draft[violation.start : violation.end]
        assert violation.text


@pytest.mark.parametrize(("file", "caught_floor", "good_floor"), [("more/claims", 0.97, 0.97), ("claims", 0.97, 0.97)])
def test_it_reaches_its_figures_on_the_file(file: str, caught_floor: float, good_floor: float) -> None:
    caught = wanted = good = allowed = 0
    for line in (EVALS / f"{file}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        prediction = predict(row)
        for violation in row["expect"]["violations"]:
            wanted += 1
            start = row["draft"].lower().find(violation["text"].lower())
            end = start + len(violation["text"])
            caught += any(
                other["kind"] == violation["kind"]
                and row["draft"].find(other["text"]) < end
                and start < row["draft"].find(other["text"]) + len(other["text"])
                for other in prediction["violations"]
            )
        if row["expect"]["allowed"]:
            allowed += 1
            good += prediction["allowed"]
    assert caught / wanted >= caught_floor
    assert good / allowed >= good_floor


def test_what_knowledge_says_word_for_word_may_be_said_and_a_limited_no_denies_no_more_than_it_says() -> None:
    profile = "A Aurora vende e instala painéis em Campinas. Fora desse raio não instalamos. Não vendemos baterias."
    grounds = Grounds(now=datetime(2026, 11, 23, 12, 0, tzinfo=UTC), knowledge=(profile,), language="pt-BR")
    assert guards.check("A Aurora vende e instala painéis em Campinas.", grounds) == []
    assert guards.check("A Aurora instala painéis em Campinas.", grounds) == []
    assert [one.kind for one in guards.check("A Aurora vende baterias.", grounds)] != []
