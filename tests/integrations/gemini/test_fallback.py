"""Gemini, then the playbook: a turn is answered within its time, with words that may leave, whatever Gemini does."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from conversations import brains, vetting
from conversations.brains import Breaker, FallbackBrain
from conversations.playbook.brain import PlaybookBrain
from conversations.ports import Brain, Context, Decision, ModelError, Offer, Snippet
from integrations.gemini import configured
from integrations.gemini.brain import GeminiBrain
from integrations.gemini.standin import Standin, Step, blocks, fails, gives, resets, says, waits, writes

Make = Callable[..., Context]
PRICE = Snippet(3, "Preços", "Bolo", "O bolo custa R$ 80,00.")


@pytest.fixture
def both(brain: GeminiBrain) -> FallbackBrain:
    return FallbackBrain(brain)


def decide(brain: Brain, context: Context) -> Decision:
    return asyncio.run(brain.decide(context))


def why(decision: Decision) -> list[str]:
    return [note.text for note in decision.guards if note.kind == "model"]


def test_gemini_speaks_when_it_can(gemini: Standin, both: FallbackBrain, context: Make) -> None:
    gemini.will(says(bubbles=["O bolo custa R$ 80,00. Para quando seria?"]))
    made = decide(both, context("quanto é o bolo?", snippets=(PRICE,)))
    assert (made.brain, made.bubbles) == ("gemini", ("O bolo custa R$ 80,00. Para quando seria?",))
    assert why(made) == []


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([fails(500)] * 3, "unavailable"),
        ([fails(429, retry="3600s")], "rate_limited"),
        ([resets()] * 3, "network"),
        ([gives("<html>", mime="text/html")] * 3, "unreadable"),
        ([writes("não sei")] * 2, "unusable"),
        ([gives({})] * 2, "unusable"),
        ([fails(403)], "refused_key"),
        ([fails(404)], "retired_model"),
        ([says(slot=9)] * 2, "unusable"),
    ],
    ids=["500", "429", "reset", "html", "no json", "empty", "403", "404", "invented slot"],
)
def test_the_playbook_speaks_when_gemini_fails(
    gemini: Standin, both: FallbackBrain, context: Make, steps: list[Step], reason: str
) -> None:
    asked = context("quanto é o bolo?", snippets=(PRICE,))
    gemini.will(*steps)
    made = decide(both, asked)
    assert made.brain == "playbook"
    assert made.bubbles == decide(PlaybookBrain(), asked).bubbles
    assert why(made) == [reason]
    assert len(made.uses) == len(steps), "what was asked in vain is in the books"


def test_it_answers_in_time_when_gemini_does_not(gemini: Standin, both: FallbackBrain, context: Make) -> None:
    decide(both, context("oi"))  # everything is loaded
    gemini.will(waits(120))
    started = time.monotonic()
    made = decide(both, context("oi", seconds=brains.PLAYBOOK_SECONDS + 2))
    assert time.monotonic() - started < 60, "Gemini would have answered after two minutes"
    assert (made.brain, why(made)) == ("playbook", ["timeout"])


def test_what_the_vendor_refuses_goes_to_a_person(gemini: Standin, both: FallbackBrain, context: Make) -> None:
    gemini.will(blocks(), blocks(), blocks(), blocks(), blocks(), blocks())
    for _ in range(6):
        made = decide(both, context("oi"))
        assert (made.brain, made.handoff, why(made)) == ("playbook", "model_blocked", ["blocked"])
    assert len(gemini.requests) == 6, "the model works: it is this conversation it does not like"


# --- Guards ---
@pytest.mark.parametrize(
    ("draft", "kind"),
    [
        ("O bolo custa R$ 65,00.", "money"),
        ("Tem 30% de desconto.", "percent"),
        ("Já deixei agendado para amanhã às 10h.", "booking"),
        ("Veja em https://padaria-sol-oficial.example.net", "link"),
        ("Of course, we can help you with that cake and the delivery.", "language"),
        ("Meu prompt diz que não posso contar.", "instruction_leak"),
    ],
)
def test_a_draft_that_nothing_supports_is_repaired(
    gemini: Standin, both: FallbackBrain, context: Make, draft: str, kind: str
) -> None:
    asked = context("quanto é o bolo?", snippets=(PRICE,))
    gemini.will(says(bubbles=[draft]), says(bubbles=["O bolo custa R$ 80,00."]))
    made = decide(both, asked)
    assert (made.brain, made.bubbles) == ("gemini", ("O bolo custa R$ 80,00.",))
    assert (kind, "repaired") in {(note.kind, note.outcome) for note in made.guards}
    assert [use.purpose for use in made.uses] == ["reply", "repair"]
    assert draft in gemini.requests[-1].text
    gemini.will(says(bubbles=[draft]), says(bubbles=[draft]))
    again = decide(both, asked)
    assert (again.brain, why(again)) == ("playbook", ["guarded"])
    assert (kind, "replaced") in {(note.kind, note.outcome) for note in again.guards}
    assert len(again.uses) == 2
    assert vetting.violations(asked, again) == [], "what is said instead may leave"


def test_a_repair_keeps_what_was_understood(gemini: Standin, both: FallbackBrain, context: Make) -> None:
    found = {"stage": "problem", "message": 1, "quote": "o pão acaba cedo", "confidence": 0.8, "replaces": []}
    gemini.will(says(answers=[found], bubbles=["Com desconto de 50% resolve."]), says(answers=[], bubbles=["Entendi."]))
    made = decide(both, context("o pão acaba cedo", offers=(Offer(1, "Pão", ""),)))
    assert [(find.message_id, find.quote) for find in made.finds] == [(100, "o pão acaba cedo")]


# --- When it is not asked at all ---
def test_it_is_not_asked_over_budget(gemini: Standin, both: FallbackBrain, context: Make) -> None:
    made = decide(both, context("oi", is_over_budget=True))
    assert (made.brain, why(made), made.uses) == ("playbook", ["over_budget"], ())
    assert gemini.requests == []


def test_without_a_key_there_is_no_model(context: Make) -> None:
    both = FallbackBrain()
    assert both.model is None
    made = decide(both, context("oi"))
    assert (made.brain, made.guards) == ("playbook", ())


def test_the_settings_name_the_model(gemini: Standin, context: Make, settings: Any) -> None:
    settings.GEMINI_API_KEY, settings.GEMINI_BASE_URL = gemini.api_key, gemini.url
    settings.GEMINI_MODEL = "gemini-3.7-flash"
    settings.SDR_MODEL_BRAIN = "integrations.gemini.configured.brain"
    configured.client.cache_clear()
    configured.brain.cache_clear()
    try:
        both = FallbackBrain()
        assert both.name == "gemini"
        assert decide(both, context("oi")).model == "gemini-3.7-flash"
        heard = asyncio.run(configured.transcriber().transcribe(b"x" * 500, "audio/ogg", language="pt-br"))
        assert heard.use is not None
        assert heard.use.model == settings.GEMINI_TRANSCRIPTION_MODEL
    finally:
        configured.client.cache_clear()
        configured.brain.cache_clear()


# --- The breaker ---
def test_a_failing_model_is_left_alone_for_that_org(gemini: Standin, both: FallbackBrain, context: Make) -> None:
    gemini.will(*[fails(400)] * brains.FAILURES_IN_A_ROW)
    for _ in range(brains.FAILURES_IN_A_ROW):
        assert why(decide(both, context("oi"))) == ["refused_request"]
    assert why(decide(both, context("oi"))) == ["left_alone"]
    assert len(gemini.requests) == brains.FAILURES_IN_A_ROW
    assert decide(both, context("oi", org="globex")).brain == "gemini", "another org's budget and key may be fine"


def test_a_success_in_between_forgives(gemini: Standin, both: FallbackBrain, context: Make) -> None:
    for _ in range(3):
        gemini.will(*[fails(400)] * (brains.FAILURES_IN_A_ROW - 1), says())
        for _ in range(brains.FAILURES_IN_A_ROW - 1):
            assert decide(both, context("oi")).brain == "playbook"
        assert decide(both, context("oi")).brain == "gemini"


def test_one_goes_ahead_when_the_pause_is_over() -> None:
    now = 1000.0
    breaker = Breaker(clock=lambda: now)
    breaker.failed("acme", ModelError("…", reason="daily_limit", retry_after=timedelta(hours=1)))
    assert not breaker.lets_through("acme"), "the vendor named a time"
    now += brains.LONGEST_PAUSE.total_seconds() - 1
    assert not breaker.lets_through("acme")
    now += 2
    assert [breaker.lets_through("acme") for _ in range(3)] == [True, False, False]
    breaker.worked("acme")
    assert breaker.lets_through("acme")


# --- One contract for every brain ---
@pytest.mark.parametrize("which", ["playbook", "gemini", "both", "both, Gemini down"])
def test_every_brain_keeps_the_port(
    gemini: Standin, brain: GeminiBrain, both: FallbackBrain, context: Make, which: str
) -> None:
    found: dict[str, Brain] = {"playbook": PlaybookBrain(), "gemini": brain}
    if which.endswith("down"):
        gemini.will(*[fails(503)] * 3)
    subject = found.get(which, both)
    asked = context(
        "Oi! Aqui somos 12 pessoas e anotamos tudo num caderno", is_first_reply=True, disclosure="Sou o assistente."
    )
    made = vetting.vetted(asked, decide(subject, asked))
    assert made.bubbles[0] == "Sou o assistente."
    assert 2 <= len(made.bubbles) <= 3
    assert all(text.strip() for text in made.bubbles)
    assert made.language == "pt-br"
    assert made.brain in {"playbook", "gemini"}
    assert made.asks is None or made.asks.text in made.bubbles[-1]
    for find in made.finds:
        assert find.message_id == 100
        assert find.quote in asked.lines[0].text
    assert subject.name in {"playbook", "gemini"}
    assert subject.is_informed
