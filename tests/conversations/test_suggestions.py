"""A draft on request: by the brain that would answer, guarded like its answers, never sent."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from conversations import suggestions
from conversations.models import Contact, Conversation, Event, Message, ModelCall, Number, Turn
from conversations.ports import Context, Decision, ModelUse, Wish
from orgs import ratelimit
from orgs.models import Person
from sdr.lib.errors import PortError
from tests import fakes
from tests.conversations.conftest import arrive, incoming, ours, the_conversation

SignIn = Callable[[Person], Client]
SCRIPTS = {"HX-Request": "true"}


class Drafter:
    """A brain that decides what the test says."""

    name = "gemini"
    is_informed = True
    decision = Decision(bubbles=("Temos horário amanhã?",), brain="gemini")
    asked: list[Context] = []

    async def decide(self, context: Context) -> Decision:
        Drafter.asked.append(context)
        return Drafter.decision


@pytest.fixture
def talk(number: Number, settings: Any) -> Conversation:
    settings.SDR_BRAINS = {"playbook": "tests.conversations.test_suggestions.Drafter"}
    Drafter.asked = []
    Drafter.decision = Decision(bubbles=("Posso ajudar com isso.", "Qual é o bairro?"), brain="gemini")
    arrive(number, incoming("Vocês atendem aqui?"))
    return the_conversation()


@pytest.fixture
def in_english(beto: Person) -> Person:
    beto.language = "en"
    beto.save(update_fields=["language"])
    return beto


def address(end: str = "suggestions/") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def test_it_fills_an_empty_composer_and_says_which_brain(
    talk: Conversation, sign_in: SignIn, in_english: Person
) -> None:
    before = (talk.owner, talk.epoch, talk.seq, talk.watermark, Event.objects.count())
    html = sign_in(in_english).post(address(), headers=SCRIPTS).content.decode()
    assert "Posso ajudar com isso.\nQual é o bairro?" in html
    assert "Drafted by Gemini" in html
    page = sign_in(in_english).post(address(), {"text": "  "}).content.decode()  # without scripts
    assert "Posso ajudar com isso.\nQual é o bairro?</textarea>" in page
    [context, _] = Drafter.asked
    assert (context.purpose, context.is_first_reply) == ("suggest", False)
    after = the_conversation()
    assert (after.owner, after.epoch, after.seq, after.watermark, Event.objects.count()) == before
    assert (ours(), Turn.objects.count(), fakes.phone.sent) == ([], 0, [])


def test_typed_words_stay_before_it(talk: Conversation, sign_in: SignIn, beto: Person) -> None:
    html = sign_in(beto).post(address(), {"text": "Oi, Maria!"}).content.decode()
    assert "Oi, Maria!\nPosso ajudar com isso.\nQual é o bairro?</textarea>" in html


def test_what_nothing_supports_is_held_back(talk: Conversation, sign_in: SignIn, in_english: Person) -> None:
    Drafter.decision = Decision(bubbles=("Custa R$ 49,90 por mês, com 70% de desconto.",), brain="gemini")
    html = sign_in(in_english).post(address(), headers=SCRIPTS).content.decode()
    assert "49,90" not in html
    assert "nothing supported it" in html


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision(bubbles=("Certo, não escrevo mais.",), wish=Wish.OPT_OUT), "left alone"),
        (Decision(bubbles=("Vou chamar um colega.",), wish=Wish.HUMAN, handoff="lead_asked"), "asks for a person"),
        (Decision(bubbles=()), "no answer to"),
    ],
)
def test_words_that_only_call_a_person_are_of_no_use_to_one(
    talk: Conversation, sign_in: SignIn, in_english: Person, decision: Decision, words: str
) -> None:
    Drafter.decision = decision
    html = sign_in(in_english).post(address(), headers=SCRIPTS).content.decode()
    assert words in html
    assert "data-draft" not in html
    assert Contact.objects.get().opted_out_at is None


def test_what_it_costs_is_in_the_books(talk: Conversation) -> None:
    use = ModelUse("suggest", "gemini-3.8-flash", input_tokens=900, output_tokens=40, cost_usd=Decimal("0.001"))
    Drafter.decision = Decision(bubbles=("Sim?",), brain="gemini", uses=(use,))
    suggestions.suggest(talk)
    call = ModelCall.objects.get()
    assert (call.purpose, call.turn_id, call.cost_usd) == ("suggest", None, Decimal("0.001"))


def test_nothing_is_drafted_when_nothing_waits_for_an_answer(
    talk: Conversation, sign_in: SignIn, in_english: Person
) -> None:
    Message.objects.create(
        conversation=talk, number=talk.number, author="person", state="sent", seq=2, text="Já respondi"
    )
    html = sign_in(in_english).post(address(), headers=SCRIPTS).content.decode()
    assert "nothing that is not answered" in html
    assert Drafter.asked == []


def test_a_brain_that_fails_or_is_slow_leaves_the_composer(
    talk: Conversation, sign_in: SignIn, in_english: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(self: Drafter, context: Context) -> Decision:
        raise PortError("away")

    monkeypatch.setattr(Drafter, "decide", fails)
    html = sign_in(in_english).post(address(), {"text": "Meu texto"}).content.decode()
    assert "Meu texto</textarea>" in html
    assert "could not answer" in html
    with monkeypatch.context() as patch:
        for _ in range(suggestions.AT_ONCE):
            suggestions._room.acquire()
        patch.setattr(suggestions, "SECONDS", 1.0)
        busy = sign_in(in_english).post(address(), headers=SCRIPTS).content.decode()
        for _ in range(suggestions.AT_ONCE):
            suggestions._room.release()
    assert "Try again in some seconds" in busy


def test_viewers_get_none_and_there_is_a_limit(
    talk: Conversation, sign_in: SignIn, vera: Person, beto: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign_in(vera).post(address()).status_code == 403
    assert Drafter.asked == []
    rule = ratelimit.Rule("suggest-once", 1, ratelimit.HOUR, burst=1)
    monkeypatch.setitem(ratelimit.RATE_LIMITS, "conversations:suggestions", ((rule, ratelimit.person),))
    client = sign_in(beto)
    assert [client.post(address(), headers=SCRIPTS).status_code for _ in range(2)] == [200, 429]
    assert len(Drafter.asked) == 1
