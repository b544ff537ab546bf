"""A Gemini on loopback, our client and brain in front of it, and contexts to decide on."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from conversations import brains
from conversations.ports import Context, Line, Persona
from integrations.gemini import client as client_module
from integrations.gemini.brain import GeminiBrain
from integrations.gemini.client import Client
from integrations.gemini.standin import Standin

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
LONG_SECONDS = 300.0  # what never is the limit, however slow the machine


@pytest.fixture
def gemini() -> Iterator[Standin]:
    with Standin() as standin:
        yield standin


@pytest.fixture
def client(gemini: Standin) -> Client:
    return Client(api_key=gemini.api_key, base_url=gemini.url)


@pytest.fixture
def brain(client: Client) -> GeminiBrain:
    return GeminiBrain(client, model="gemini-3.8-flash")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between tries of our own; what the vendor asks us to wait is waited."""
    monkeypatch.setattr(client_module, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def fresh_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brains, "breaker", brains.Breaker())


@pytest.fixture
def context() -> Callable[..., Context]:
    """What the lead has just said, one message each; anything else by name."""

    def make(*said: str, **fields: Any) -> Context:
        lines = fields.pop("lines", ()) + tuple(
            Line(100 + number, "lead", text, NOW) for number, text in enumerate(said)
        )
        given: dict[str, Any] = {
            "language": "pt-br", "business": "Padaria Sol. Pães e bolos.", "disclosure": "", "is_first_reply": False,
            "persona": Persona(), "now": NOW, "org": "acme", "seconds": LONG_SECONDS, "company": "Padaria Sol",
        }  # fmt: skip
        return Context(lines=lines, **(given | fields))

    return make
