"""The first words a lead gets from the AI say who speaks, whichever brain wrote them (PRODUCT 2)."""

import pytest

from conversations import transcript, vetting
from conversations.models import AgentVersion, Contact, Message, Number
from conversations.ports import Context, Decision, Wish
from tests.conversations.conftest import arrive, incoming, the_conversation, turn


def context(number: Number) -> Context:
    arrive(number, incoming("Oi"))
    return transcript.context(the_conversation(), Contact.objects.get(), AgentVersion.objects.get())


@pytest.mark.parametrize(
    ("language", "words"), [("pt-br", "assistente virtual"), ("en", "virtual assistant"), ("es", "asistente virtual")]
)
def test_it_has_words_in_three_languages(number: Number, language: str, words: str) -> None:
    context(number)
    Contact.objects.update(language=language)
    found = context(number)
    assert words in found.disclosure
    assert "Acme" in found.disclosure


def test_an_orgs_own_words_are_used(number: Number) -> None:
    AgentVersion.objects.update(disclosure="Aqui fala o robô da Acme.")
    assert context(number).disclosure == "Aqui fala o robô da Acme."


def test_it_comes_before_the_first_words_that_lack_it(number: Number) -> None:
    first = context(number)
    decision = vetting.vetted(first, Decision(("Tudo bem, obrigado.",), language="pt-br"))
    assert decision.bubbles == (first.disclosure, "Tudo bem, obrigado.")
    assert vetting.vetted(first, decision).bubbles == decision.bubbles


def test_it_comes_in_the_language_of_the_answer(number: Number) -> None:
    decision = vetting.vetted(context(number), Decision(("All right, thanks.",), language="en"))
    assert "virtual assistant" in decision.bubbles[0]
    assert decision.bubbles[1:] == ("All right, thanks.",)
    other = vetting.disclosed(context(number), Decision((context(number).disclosure, "All right."), language="en"))
    assert other.bubbles == (decision.bubbles[0], "All right.")


def test_it_is_not_said_to_who_wants_to_be_left_alone_nor_into_silence(number: Number) -> None:
    first = context(number)
    assert vetting.disclosed(first, Decision(("Certo.",), wish=Wish.OPT_OUT)).bubbles == ("Certo.",)
    assert vetting.disclosed(first, Decision(())).bubbles == ()


@pytest.mark.parametrize("state", ["queued", "sending", "sent", "unknown"])
def test_it_is_said_once(number: Number, state: str) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    Message.objects.filter(author="ai").update(state=state)
    later = context(number)
    assert not later.is_first_reply
    assert vetting.disclosed(later, Decision(("Certo.",))).bubbles == ("Certo.",)


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_it_is_said_anew_when_the_first_words_never_left(number: Number, state: str) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    Message.objects.filter(author="ai").update(state=state)
    assert context(number).is_first_reply
