"""Whole turns of the agent with Gemini behind them: what is written, what is counted, and what the lead gets."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from conversations import attachments, turns
from conversations.models import (
    AgentVersion,
    Conversation,
    Document,
    Event,
    EventName,
    Fact,
    MediaAsset,
    Message,
    ModelCall,
    Number,
    Passage,
    Turn,
)
from conversations.playbook import search
from conversations.ports import Decision, MessageKind, ModelUse
from integrations.gemini import configured
from integrations.gemini.standin import Standin, calls, fails, says
from tests import fakes
from tests.conversations.conftest import arrive, fake_ports, incoming, number, send, the_conversation, turn

__all__ = ["fake_ports", "number"]


@pytest.fixture(autouse=True)
def gemini_agent(gemini: Standin, number: Number, settings: Any) -> Iterator[None]:
    settings.SDR_BRAINS = {"gemini": "conversations.brains.FallbackBrain"}
    settings.SDR_MODEL_BRAIN = "integrations.gemini.configured.brain"
    settings.GEMINI_API_KEY, settings.GEMINI_BASE_URL = gemini.api_key, gemini.url
    AgentVersion.objects.update(brain="gemini", turn_timeout_seconds=120, disclosure="Sou a assistente da Acme.")
    configured.client.cache_clear()
    configured.brain.cache_clear()
    yield
    configured.client.cache_clear()
    configured.brain.cache_clear()


def talk(number: Number, text: str) -> Conversation:
    arrive(number, incoming(text))
    turn(the_conversation())
    send(the_conversation())
    return the_conversation()


def test_a_turn_writes_what_was_said_found_and_spent(number: Number, gemini: Standin) -> None:
    fact = {"key": "team_size", "value": "12", "message": 1, "quote": "somos 12", "confidence": 0.9}
    gemini.will(says(facts=[fact], bubbles=["Que equipe boa! Como anotam os pedidos?"], asks_about="situation"))
    talk(number, "Oi, somos 12 aqui")
    assert fakes.phone.sent[-1][1] == "Que equipe boa! Como anotam os pedidos?"
    assert Fact.objects.get().value == 12
    made = Turn.objects.get()
    call = ModelCall.objects.get()
    assert (made.brain, made.model, made.state) == ("gemini", "gemini-3.8-flash", Turn.State.APPLIED)
    assert len(made.prompt_hash) == 64
    assert (call.turn, call.purpose, call.outcome) == (made, "reply", "ok")
    assert made.cost_usd == call.cost_usd > 0
    assert made.input_tokens == call.input_tokens
    assert made.output_tokens == call.output_tokens + call.thought_tokens
    event, *others = Event.objects.filter(name=EventName.AI_RESPONDED).order_by("sequence")
    assert [other.data["costUsd"] for other in others] == ["0"], "it was one turn's"
    assert event.data["model"] == "gemini-3.8-flash"
    assert Decimal(event.data["costUsd"]) == call.cost_usd


def test_a_failing_gemini_is_in_the_books_and_the_playbook_answers(number: Number, gemini: Standin) -> None:
    gemini.will(fails(403))
    talk(number, "Oi, boa tarde")
    assert len(fakes.phone.sent) == 2, "who we are, and an answer"
    made = Turn.objects.get()
    assert (made.brain, made.state) == ("playbook", Turn.State.APPLIED)
    assert made.guards == [{"kind": "model", "text": "refused_key", "outcome": "replaced"}]
    assert [(call.outcome, call.cost_usd, call.price_from) for call in ModelCall.objects.all()] == [
        ("refused_key", Decimal(0), None)
    ]


def test_a_month_whose_money_is_spent_belongs_to_the_playbook(number: Number, gemini: Standin) -> None:
    AgentVersion.objects.update(monthly_budget_usd=Decimal("0.01"))
    ModelCall.objects.create(purpose="reply", model="m", cost_usd=Decimal("0.0099"))
    talk(number, "Oi")
    assert Turn.objects.get().brain == "gemini", "not yet"
    talk(number, "Tudo bem?")
    assert Turn.objects.latest("pk").brain == "playbook"
    assert Turn.objects.latest("pk").guards[0]["text"] == "over_budget"
    assert len(gemini.requests) == 1


def test_what_is_thrown_away_was_paid_for(number: Number, gemini: Standin) -> None:
    arrive(number, incoming("Oi"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    use = ModelUse("reply", "gemini-3.8-flash", cost_usd=Decimal("0.002"))
    Conversation.objects.update(epoch=9)  # somebody took over meanwhile
    assert not turns.apply(opened, Decision(bubbles=("Oi!",), uses=(use,)))
    assert Message.objects.filter(author=Message.Author.AI).count() == 0
    assert ModelCall.objects.get().cost_usd == Decimal("0.002")
    assert Turn.objects.get().cost_usd == Decimal("0.002")


def test_a_model_may_look_into_the_orgs_documents(number: Number, gemini: Standin) -> None:
    text = "Entregamos em Santos às quintas-feiras."
    document = Document.objects.create(title="Entrega", sort=Document.Sort.TEXT, state=Document.State.READY)
    terms = search.stored_terms(document.title, text)
    passage = Passage.objects.create(document=document, position=0, text=text, terms=terms)
    gemini.will(
        calls(("knowledge.search", {"query": "entrega Santos"})),
        says(bubbles=[text], passages=[passage.pk]),
    )
    talk(number, "e aí?")
    made = Turn.objects.get()
    assert fakes.phone.sent[-1][1] == text, "what a tool gave may be said"
    assert made.seen["passages"] == [passage.pk]
    assert [(tool["name"], tool["ok"]) for tool in made.tools] == [("knowledge.search", True)]
    response = gemini.requests[-1].body["contents"][-1]["parts"][0]["functionResponse"]
    assert [one["id"] for one in json.loads(response["response"]["result"])] == [passage.pk]


def test_pictures_of_the_newest_messages_are_looked_at(number: Number, gemini: Standin) -> None:
    arrive(number, incoming("", kind=MessageKind.IMAGE))
    message = Message.objects.get()
    path = default_storage.save("tests/picture.png", ContentFile(b"picture"))
    asset = {"path": path, "mime": "image/png", "size": 7, "state": MediaAsset.State.STORED}
    MediaAsset.objects.update_or_create(message=message, defaults=asset)
    try:
        turn(the_conversation())
    finally:
        default_storage.delete(path)
    parts = gemini.requests[0].body["contents"][0]["parts"]
    assert [part["inlineData"]["mimeType"] for part in parts if "inlineData" in part] == ["image/png"]


@pytest.mark.parametrize(
    "asset",
    [
        {"mime": "application/zip"},
        {"state": MediaAsset.State.REFUSED},
        {"size": attachments.LARGEST_BYTES + 1},
        {"path": "tests/never-there.png"},
    ],
    ids=["kind", "refused", "size", "gone"],
)
def test_other_files_stay_where_they_are(number: Number, gemini: Standin, asset: dict[str, Any]) -> None:
    arrive(number, incoming("veja", kind=MessageKind.IMAGE))
    path = default_storage.save("tests/picture.png", ContentFile(b"picture"))
    stored = {"path": path, "mime": "image/png", "size": 7, "state": MediaAsset.State.STORED}
    MediaAsset.objects.update_or_create(message=Message.objects.get(), defaults=stored | asset)
    try:
        turn(the_conversation())
    finally:
        default_storage.delete(path)
    assert "inlineData" not in json.dumps(gemini.requests[0].body)


def test_withdrawn_words_and_files_are_not_sent(number: Number, gemini: Standin) -> None:
    arrive(number, incoming("segredo"))
    arrive(number, incoming("outra coisa"))
    Message.objects.filter(text="segredo").update(deleted_at=timezone.now())
    turn(the_conversation())
    assert "segredo" not in json.dumps(gemini.requests[0].body)
