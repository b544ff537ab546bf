"""Facts of a lead are found with the words they stand in, and only then."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.playbook import facts
from conversations.playbook.evaluation import same_value, turns
from conversations.playbook.injection import sift

EVALS = Path(__file__).resolve().parents[1] / "evals"
# F1 of the files: what is reached, less two points. The lists were tuned on the first three only.
FLOORS = {
    "more/messages": 0.78,
    "more/segments_pt": 0.74,
    "messages": 0.83,
    "more/segments_mixed": 0.69,
    "examples": 0.78,
    "../playbook/fresh/conversations": 0.80,  # written before the rules of that day, trained on by nothing
    "injection": 0.78,
}


def found(text: str, question: str = "", language: str = "pt-BR") -> dict[str, Any]:
    return {fact.key: fact.value for fact in facts.find(text, question=question, language=language)}


@pytest.mark.parametrize(
    ("text", "question", "language", "expected"),
    [
        ("oi, me chamo Rogéria", "", "pt-BR", {"name": "Rogéria"}),
        ("Norberto", "Como você se chama?", "pt-BR", {"name": "Norberto"}),
        ("I'm Daphne", "", "en", {"name": "Daphne"}),
        ("no soy Ramiro, soy Rubén", "¿Hablo con Ramiro?", "es", {"name": "Rubén"}),
        ("quatorze", "Quantas pessoas trabalham aí?", "pt-BR", {"team_size": 14}),
        ("somos 8, ops, 9", "Quantos são na equipe?", "pt-BR", {"team_size": 9}),
        ("eu e mais 5", "Quantas pessoas na equipe?", "pt-BR", {"team_size": 6}),
        ("dos docenas", "¿Cuántos empleados tienen?", "es", {"team_size": 24}),
        ("Manda em LARISSA@Exemplo.com.br", "", "pt-BR", {"email": "larissa@exemplo.com.br"}),
        ("bia ponto lima arroba gmail ponto com", "Qual seu e-mail?", "pt-BR", {"email": "bia.lima@gmail.com"}),
        ("31 98888-7766", "Qual o telefone?", "pt-BR", {"phone": "5531988887766"}),
        ("+34 699 11 22 33", "¿Tu número?", "es", {"phone": "34699112233"}),
        ("no máximo 900 por mês", "Qual a verba?", "pt-BR", {"budget": "no máximo 900 por mês"}),
        ("sim", "Fica R$ 210 por mês, cabe?", "pt-BR", {"budget": "R$ 210 por mês"}),
        ("I decide", "Who decides?", "en", {"decision_maker": True}),
        ("preciso alinhar com meu cunhado e o sócio", "Quem decide?", "pt-BR", {"decision_maker": False}),
    ],
)
def test_it_finds_what_is_said(text: str, question: str, language: str, expected: dict[str, Any]) -> None:
    given_facts = found(text, question, language)
    assert {key: given_facts.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("quero falar com um atendente", ""),
        ("obrigado, bom fim de semana", ""),
        ("paguei 400 de multa", "O que aconteceu?"),
        ("sou o dono", ""),
        ("não, a equipe toda saiu", "E agora?"),
    ],
)
def test_it_invents_no_name_team_or_budget(text: str, question: str) -> None:
    assert not {"name", "team_size", "budget", "phone", "email"} & found(text, question).keys()


@pytest.mark.parametrize(
    ("text", "question", "replaced"),
    [
        ("às vezes anoto num bloquinho também", "E o que mais incomoda?", False),
        ("na verdade agora usamos o Trello", "E o que mais incomoda?", True),
        ("no caderno mesmo", "Onde vocês registram os pedidos?", True),
    ],
)
def test_a_passing_word_does_not_replace_what_is_known(text: str, question: str, replaced: bool) -> None:
    told = {fact.key for fact in facts.find(text, question=question, known={"current_tool": "Bling"})}
    assert ("current_tool" in told) is replaced


def test_a_household_word_does_not_make_a_business_a_household() -> None:
    text = "queria ver o movimento da minha casa, à noite"
    assert "person_type" not in {fact.key for fact in facts.find(text, known={"person_type": "PJ"})}
    assert {fact.key: fact.value for fact in facts.find(text)}["person_type"] == "PF"


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("somos quatro", "Quantas pessoas atendem na barbearia?", {"segment": "barbearia", "team_size": 4}),
        ("sou a Ivone do financeiro", "Com quem eu falo?", {"name": "Ivone", "role": "financeiro"}),
        ("sou zeladora, Marlene", "Você mora aí?", {"name": "Marlene"}),
        ("Rui. Seria pra ontem", "Seu nome e o prazo?", {"timeline": "Seria pra ontem"}),
        ("até 70 por aluno", "Quanto pode investir?", {"budget": "até 70"}),
    ],
)
def test_it_reads_the_question_with_the_answer(text: str, question: str, expected: dict[str, Any]) -> None:
    given_facts = found(text, question)
    assert {key: given_facts.get(key) for key in expected} == expected


def test_a_number_of_things_is_no_money() -> None:
    assert "budget" not in found("tenho 8 mil seguidores", "E quanto poderia investir?")


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=120), st.sampled_from(["", "Qual seu nome?", "Qual a verba?", "Para quando?", "How many of you?"])
)
def test_it_quotes_only_what_is_there(text: str, question: str) -> None:
    for fact in facts.find(text, question=question):
        assert fact.quote == text[fact.start : fact.end]
        assert 0.0 < fact.confidence <= 1.0
        assert fact.key in facts.KEYS


@pytest.mark.parametrize(
    "text", ["1 " * 3_000, "Aa " * 3_000, "somos 3, 4 e 5 e " * 300, "x@" * 3_000, "sou da loja de " * 300]
)
def test_it_is_done_soon_whatever_is_sent(text: str) -> None:
    started = time.process_time()
    facts.find(text, question="Qual seu nome e a verba?")
    assert time.process_time() - started < 3.0  # seconds; such a text once took minutes


@pytest.mark.parametrize("file", FLOORS)
def test_it_reaches_its_figure_on_the_file(file: str) -> None:
    counted: Counter[str] = Counter()
    for line in (EVALS / f"{file}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        wanted = row["expect"].get("facts", {})
        given_facts: dict[str, Any] = {}
        asked = turns(row["messages"]) if "messages" in row else [(row.get("context_question") or "", row["text"])]
        for question, text in asked:
            told = facts.find(
                sift(text).honest, question=question, language=row.get("language") or "", known=given_facts
            )
            given_facts |= {fact.key: fact.value for fact in told}
        counted["wanted"] += len(wanted)
        counted["given"] += len(given_facts)
        counted["right"] += sum(key in wanted and same_value(wanted[key], value) for key, value in given_facts.items())
    assert 2 * counted["right"] / (counted["wanted"] + counted["given"]) >= FLOORS[file]
