"""A question that the org's line about itself answers is answered with it, once, in the language it is written in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from conversations.playbook import brain
from conversations.ports import Context, Decision, Line, Persona, Snippet

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
LINES = {
    "pt-br": "Afinamos e restauramos pianos em Curitiba. Também alugamos pianos para eventos.",
    "es": "Afinamos y restauramos pianos en Montevideo. También alquilamos pianos para eventos.",
    "en": "We tune and restore pianos in Halifax. We also rent pianos for events.",
}


def asked(text: str, *, language: str = "pt-br", said: str = "", **fields: Any) -> Decision:
    lines = [Line(1, "ai", said, NOW)] if said else []
    context = Context(
        lines=(*lines, Line(2, "lead", text, NOW)),
        language=language,
        business=LINES[language],
        disclosure="",
        is_first_reply=False,
        company="Pianíssimo",
        now=NOW,
        conversation_id=5,
        **{"persona": Persona(language=language), **fields},
    )
    return brain.decide(context)


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("pt-br", "o que vocês fazem?"),
        ("pt-br", "vcs afinam piano em Curitiba?"),
        ("pt-br", "com o que vocês trabalham?"),
        ("es", "a qué se dedican?"),
        ("es", "alquilan pianos?"),
        ("en", "what do you guys do?"),
        ("en", "do you tune pianos in Halifax?"),
    ],
)
def test_it_answers_with_what_the_org_says_of_itself(language: str, question: str) -> None:
    decision = asked(question, language=language)
    assert decision.bubbles[0] == LINES[language]
    assert not decision.handoff


def test_it_answers_nothing_the_line_does_not_say() -> None:
    assert LINES["pt-br"] not in asked("vocês consertam violino?").bubbles
    assert LINES["pt-br"] not in asked("que horas vocês abrem?").bubbles


def test_it_is_said_once_and_only_in_its_own_language() -> None:
    assert LINES["pt-br"] not in asked("o que vocês fazem?", said=LINES["pt-br"]).bubbles
    assert LINES["pt-br"] not in asked("what do you guys do?").bubbles


def test_a_passage_that_answers_comes_before_a_likeness_of_the_line() -> None:
    passage = Snippet(9, "Preços", "Aluguel", "O aluguel de um piano para eventos inclui o transporte.")
    assert asked("vocês alugam piano?", snippets=(passage,)).passages == (9,)


@pytest.mark.parametrize(
    "text", ["alguém aí?", "Oi? tem alguém aí?", "oi?", "hello, anyone there?", "hola, hay alguien?"]
)
def test_who_knocks_is_greeted_and_asks_nothing(text: str) -> None:
    decision = asked(text)
    assert decision.handoff == ""
    assert decision.asks is not None
