"""A voice note without words is acknowledged politely, by what became of it, in three languages (PRODUCT 2)."""

from datetime import UTC, datetime

import pytest

from conversations import vetting
from conversations.playbook import wording
from conversations.playbook.brain import decide
from conversations.ports import Context, Line

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def context(language: str, *lines: Line) -> Context:
    said = (Line(1, "lead", "oi", NOW), Line(2, "ai", "Como vocês cuidam disso hoje?", NOW))
    return Context((*said, *lines), language, business="Padaria Sol", disclosure="", is_first_reply=False)


def voice(hearing: str = "", text: str = "") -> Line:
    return Line(3, "lead", text, NOW, kind="audio", hearing=hearing)


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize(
    ("hearing", "key"),
    [
        ("wanted", "voice_later"), ("unclear", "voice_unclear"), ("", "voice_unreadable"),
        ("failed", "voice_unreadable"), ("too_long", "voice_unreadable"), ("no_budget", "voice_unreadable"),
    ],
)  # fmt: skip
def test_it_is_said_what_became_of_it(language: str, hearing: str, key: str) -> None:
    given = context(language, voice(hearing))
    decision = decide(given)
    assert decision.bubbles[-1] in wording.SAY[language][key]
    assert decision.handoff == ""
    assert vetting.violations(given, decision) == []


def test_what_was_heard_is_read_like_any_text() -> None:
    decision = decide(context("pt-br", voice(text="não quero mais receber mensagens, me tira da lista")))
    assert decision.wish == "opt_out"


def test_the_newest_voice_note_decides() -> None:
    decision = decide(context("pt-br", voice("failed"), voice("unclear")))
    assert decision.bubbles[-1] in wording.SAY["pt-br"]["voice_unclear"]


def test_words_beside_it_are_answered() -> None:
    decision = decide(context("pt-br", voice("unclear"), Line(4, "lead", "usamos planilhas", NOW)))
    assert not set(decision.bubbles) & set(wording.SAY["pt-br"]["voice_unclear"])


def test_a_file_is_no_voice_note() -> None:
    decision = decide(context("pt-br", Line(3, "lead", "", NOW, kind="document")))
    assert decision.bubbles[-1] in wording.SAY["pt-br"]["unreadable"]
