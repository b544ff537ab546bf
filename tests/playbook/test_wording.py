"""Whatever the offline brain may say leaves: no line of ours is held back by the guards that a turn asks."""

from datetime import UTC, datetime, timedelta
from string import Formatter
from typing import Any

import pytest

from conversations import vetting
from conversations.playbook import wording
from conversations.playbook.dialogue import in_words
from conversations.ports import Asked, Context, Decision, Line

NOW = datetime(2026, 11, 23, 20, 15, tzinfo=UTC)
BACK = NOW + timedelta(hours=13, minutes=45)
LEAD_SAYS = {
    "pt-br": "Hoje é tudo no papel e a gente se perde",
    "en": "It is all on paper today and we lose track",
    "es": "Hoy todo va en papel y nos perdemos",
}
SAID = [
    (language, key, way)
    for language in wording.LANGUAGES
    for key, ways in wording.SAY[language].items()
    for way in ways
]
ASKED = [
    (language, about, text) for language in wording.LANGUAGES for about in wording.QUESTIONS[language]
    for text in wording.questions(language, about)
]  # fmt: skip


def context(language: str, **fields: Any) -> Context:
    values: dict[str, Any] = {
        "lines": (Line(1, "lead", LEAD_SAYS[language], NOW),), "language": language, "is_first_reply": False,
        "business": "A Padaria Sol faz pães e bolos por encomenda.", "company": "Padaria Sol", "contact_name": "Camila",
        "disclosure": "", "now": NOW, "back_at": BACK, "conversation_id": 7,
    }  # fmt: skip
    return Context(**values | fields)


def filled(language: str, way: str) -> str:
    when = in_words(BACK, NOW, language)
    back = wording.say(language, "back", seed="", when=when)
    samples = {"name": "Camila", "company": "Padaria Sol", "business": "Padaria Sol", "when": when, "back": back}
    names = {name for _, name, _, _ in Formatter().parse(way) if name}
    return way.format(**{name: samples[name] for name in names})


@pytest.mark.parametrize(("language", "key", "way"), SAID)
def test_every_line_may_leave(language: str, key: str, way: str) -> None:
    decision = Decision((filled(language, way),), language=language)
    assert vetting.violations(context(language), decision) == []


@pytest.mark.parametrize(("language", "about", "text"), ASKED)
def test_every_question_may_be_asked_after_all_others(language: str, about: str, text: str) -> None:
    """No two are the same question. Of a stage a lead is asked either what businesses are asked or what anybody is."""
    of_others = about.removeprefix("any:") if about.startswith("any:") else f"any:{about}"
    others = [
        Asked(where, one) for told, where, one in ASKED if told == language and one != text and where != of_others
    ]  # fmt: skip
    known = context(language).known.__class__(asked=tuple(others))
    decision = Decision((text,), language=language, asks=Asked(about, text))
    assert vetting.violations(context(language, known=known), decision) == []


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_line_goes_with_every_question(language: str) -> None:
    """What is said before a question asks nothing itself, and both are short enough together."""
    before = ("ack", "ack_problem", "ack_cost", "ack_payoff", "met", "no_matter", "going_on", "welcome", "objection",
              "unknown", "price_later", "price_team", "hello")  # fmt: skip
    longest = max((text for told, _, text in ASKED if told == language), key=len)
    for key in before:
        for way in wording.SAY[language][key]:
            decision = Decision((f"{filled(language, way)} {longest}",), language=language)
            assert vetting.violations(context(language), decision) == [], way


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_line_no_guard_would_let_leave_is_noticed(language: str) -> None:
    decision = Decision(("R$ 4.321,00?  87%! https://example.org",), language=language)
    assert vetting.violations(context(language), decision)
