"""Our client against Gemini on a real socket: every way it fails is named, and tried again only where that may help."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from conversations.ports import ModelError, ModelUse
from integrations.gemini.client import Client
from integrations.gemini.standin import Standin, Step, fails, gives, resets, waits, writes
from integrations.gemini.wire import Answer
from tests.integrations.gemini.conftest import LONG_SECONDS


def ask(
    client: Client, *, model: str = "gemini-3.8-flash", seconds: float = LONG_SECONDS
) -> tuple[Answer, list[ModelUse]]:
    uses: list[ModelUse] = []

    async def go() -> Answer:
        contents = [{"role": "user", "parts": [{"text": "oi"}]}]
        until = time.monotonic() + seconds
        return await client.generate(model=model, contents=contents, config={}, purpose="reply", until=until, uses=uses)

    return asyncio.run(go()), uses


def refusal(client: Client, **options: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ask(client, **options)
    return caught.value


def test_it_counts_what_it_asked(gemini: Standin, client: Client) -> None:
    gemini.will(writes("olá"))
    answer, (use,) = ask(client)
    assert (answer.text, answer.finish, answer.blocked, answer.calls) == ("olá", "STOP", "", ())
    assert (use.purpose, use.model, use.outcome, use.response_id) == ("reply", "gemini-3.8-flash", "ok", "resp-1")
    assert use.input_tokens > 0
    assert use.thought_tokens == 30
    assert use.cost_usd > 0
    assert use.price_from is not None
    assert gemini.requests[0].headers["x-goog-api-key"] == gemini.api_key
    assert gemini.requests[0].headers["x-server-timeout"] == "20", "every request has a timeout"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_it_asks_the_version_of_the_settings(gemini: Standin, version: str) -> None:
    ask(Client(api_key=gemini.api_key, base_url=gemini.url, api_version=version))
    assert gemini.requests[0].version == version


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (fails(500), "unavailable"),
        (fails(503), "unavailable"),
        (fails(504), "timeout"),
        (fails(429, retry="0.01s"), "rate_limited"),
        (resets(), "network"),
        (gives("<html>moment</html>", mime="text/html"), "unreadable"),
        (gives("<html>bad gateway</html>", status=502, mime="text/html"), "unavailable"),
        (gives('{"candidates": [{"conte'), "unreadable"),
    ],
    ids=["500", "503", "504", "429", "reset", "html", "502 page", "cut"],
)
def test_it_tries_again_what_may_pass(gemini: Standin, client: Client, step: Step, reason: str) -> None:
    gemini.will(step, writes("olá"))
    answer, uses = ask(client)
    assert answer.text == "olá"
    assert [use.outcome for use in uses] == [reason, "ok"]
    gemini.will(step, step, step)
    failure = refusal(client)
    assert failure.reason == reason
    assert not failure.permanent
    assert [use.outcome for use in failure.uses] == [reason] * 3
    assert len(gemini.requests) == 5, "three tries are enough"


@pytest.mark.parametrize(
    ("step", "reason", "reconnects"),
    [
        (fails(400), "refused_request", False),
        (fails(400, reason="API_KEY_INVALID"), "refused_key", True),
        (fails(400, "FAILED_PRECONDITION"), "billing", False),
        (fails(401), "refused_key", True),
        (fails(403), "refused_key", True),
        (fails(404), "retired_model", False),
    ],
    ids=["400", "invalid key", "billing", "401", "403", "404"],
)
def test_it_tries_nothing_again_that_cannot_pass(
    gemini: Standin, client: Client, step: Step, reason: str, reconnects: bool
) -> None:
    gemini.will(step)
    failure = refusal(client)
    assert (failure.reason, failure.permanent, failure.needs_reconnect) == (reason, True, reconnects)
    assert len(gemini.requests) == 1
    assert "scripted" not in str(failure), "the vendor's words are not ours to show"


def test_it_names_a_wrong_key_and_a_retired_model(gemini: Standin, client: Client) -> None:
    assert refusal(Client(api_key="another", base_url=gemini.url)).reason == "refused_key"
    assert refusal(client, model="gemini-2.0-flash").reason == "retired_model"
    assert gemini.requests == []


def test_it_waits_as_long_as_it_is_told(gemini: Standin, client: Client) -> None:
    gemini.will(fails(429, retry="1.2s"), writes("olá"))
    ask(client)
    first, second = gemini.requests
    assert second.at - first.at >= 1.2


def test_it_does_not_wait_beyond_its_deadline(gemini: Standin, client: Client) -> None:
    gemini.will(fails(429, retry="900s"))
    failure = refusal(client)
    assert (failure.reason, failure.retry_after) == ("rate_limited", timedelta(seconds=900))
    assert len(gemini.requests) == 1


def test_it_leaves_a_used_up_day_alone(gemini: Standin, client: Client) -> None:
    gemini.will(fails(429, retry="1s", is_daily=True))
    failure = refusal(client)
    assert (failure.reason, failure.retry_after) == ("daily_limit", timedelta(hours=1))
    assert len(gemini.requests) == 1


def test_it_ends_at_its_deadline_whatever_happens(gemini: Standin, client: Client) -> None:
    ask(client)  # the SDK is imported
    gemini.will(waits(120), waits(120), waits(120))
    started = time.monotonic()
    failure = refusal(client, seconds=1.5)
    assert failure.reason == "timeout"
    assert time.monotonic() - started < 60, "the stand-in would have answered after two minutes"


def test_it_asks_nothing_without_time(gemini: Standin, client: Client) -> None:
    assert refusal(client, seconds=0.5).reason == "timeout"
    assert gemini.requests == []


def test_nothing_listening_is_a_network_failure(gemini: Standin) -> None:
    gemini.server.socket.close()
    assert refusal(Client(api_key="key", base_url=gemini.url)).reason == "network"


def test_each_event_loop_has_a_client_of_its_own(gemini: Standin, client: Client) -> None:
    for _ in range(3):  # asyncio.run makes a new one each time
        ask(client)
    assert len(gemini.requests) == 3


def test_it_never_shows_its_key(client: Client, gemini: Standin) -> None:
    assert gemini.api_key not in repr(client)
