"""`make live-check`, with the stand-in in Gemini's place: the report has every figure, and failure is failure."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integrations.gemini import configured
from integrations.gemini.standin import Standin, fails


@pytest.fixture(autouse=True)
def key(gemini: Standin, settings: Any) -> Iterator[None]:
    settings.GEMINI_API_KEY, settings.GEMINI_BASE_URL = gemini.api_key, gemini.url
    configured.client.cache_clear()
    configured.brain.cache_clear()
    yield
    configured.client.cache_clear()
    configured.brain.cache_clear()


def check(*options: str) -> str:
    out = StringIO()
    call_command("live_check", "--conversations", "2", *options, stdout=out)
    return out.getvalue()


def test_it_reports_what_became_of_every_request(gemini: Standin) -> None:
    report = json.loads(check("--json", "--language", "pt-br"))
    assert report["conversations"] == 2
    assert report["replies"] > 2
    replies = [request for request in gemini.requests if request.wants == "reply"]
    assert report["requests"] == len(replies) >= report["replies"] - report["fallbacks"]
    assert report["outcomes"] == {"ok": len(replies)}
    assert float(report["cost_usd"]) > 0
    assert report["tokens"]["in"] > 1000
    assert report["seconds"]["p95"] >= report["seconds"]["median"] > 0
    assert report["talks"]["all"]["n"] == 2
    assert report["hearing"].startswith(("unintelligible", "wrongly heard"))
    assert gemini.refused == [], "everything that was sent is in the form the vendor wants"


@pytest.mark.parametrize("language", ["pt-br", "es", "en"])
def test_the_stand_in_answers_in_the_language_of_the_lead(gemini: Standin, language: str) -> None:
    report = json.loads(check("--json", "--language", language, "--seed", "4"))
    in_theirs = sum(count for pair, count in report["languages"].items() if pair.endswith(f"→{language}"))
    assert in_theirs >= 0.75 * report["replies"], "only before they have said anything that tells is it another"
    assert report["fallbacks"] <= 1


def test_it_says_so_when_gemini_does_not_answer(gemini: Standin) -> None:
    gemini.will(*[fails(403)] * 200)
    with pytest.raises(CommandError, match="are not Gemini's"):
        check()


def test_it_needs_a_key(gemini: Standin, settings: Any) -> None:
    settings.GEMINI_API_KEY = ""
    with pytest.raises(CommandError, match="GEMINI_API_KEY"):
        check()
    assert gemini.requests == []
