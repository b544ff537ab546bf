"""An insult aimed at us ends the talk politely, whatever else it sounds like; anger about the day's work does not."""

from datetime import UTC, datetime

import pytest

from conversations.playbook import brain
from conversations.ports import Asked, Context, Known, Line

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def handed_off(text: str, language: str) -> str:
    asked = Asked("problem", "What gets in the way?")
    lines = (Line(1, "ai", asked.text, NOW), Line(2, "lead", text, NOW))
    context = Context(
        lines=lines,
        language=language,
        business="",
        disclosure="",
        is_first_reply=False,
        known=Known(asked=(asked,)),
        now=NOW,
        conversation_id=2,
    )
    return brain.decide(context).handoff


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "you're such idiots, this costs me my whole morning"),
        ("pt-br", "vocês são uns idiotas, perco meu dia com isso"),
        ("es", "ustedes son unos estúpidos y pierdo clientes"),
    ],
)
def test_an_insult_aimed_at_us_is_one_even_when_it_tells_something(language: str, text: str) -> None:
    assert handed_off(text, language) == "hostile"


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "the stupid printer jams and we lose orders"), ("pt-br", "a porra da impressora trava e perdemos pedidos")],
)
def test_anger_about_what_goes_wrong_is_an_answer(language: str, text: str) -> None:
    assert handed_off(text, language) != "hostile"
