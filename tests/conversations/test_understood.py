"""A turn with the offline brain: what the lead reveals is written with its receipt, and their wishes are followed."""

from typing import Any

import pytest
from django.core import mail

from conversations import intake, turns
from conversations.models import (
    AgentVersion,
    Answer,
    Contact,
    Conversation,
    Event,
    EventName,
    Fact,
    Message,
    Number,
    OptOut,
    Qualification,
    Signal,
    Turn,
)
from conversations.ports import AnswerFound, Decision, Edit, FactFound, SignalFound
from tests import fakes
from tests.conversations.conftest import arrive, incoming, send, the_conversation, turn


@pytest.fixture(autouse=True)
def playbook(settings: Any, fake_ports: None) -> None:
    settings.SDR_BRAINS = {"playbook": "conversations.playbook.brain.PlaybookBrain"}


def talk(number: Number, *texts: str) -> list[str]:
    """The lead says this, one turn each. Out: what they got, in order."""
    for text in texts:
        arrive(number, incoming(text))
        turn(the_conversation())
        send(the_conversation())
    return [text for _, text in fakes.phone.sent]


def decided(decision: Decision) -> bool:
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    return turns.apply(opened, decision)


def test_it_greets_says_who_it_is_and_asks(number: Number) -> None:
    AgentVersion.objects.update(disclosure="Sou a assistente virtual da Acme.")
    said = talk(number, "Oi, boa tarde")
    assert said[0] == "Sou a assistente virtual da Acme."
    assert said[1].endswith("?")
    assert Turn.objects.get().intent == "greeting"
    assert Message.objects.get(bubble=1).extra["asks"]["about"] == "situation"


def test_what_the_lead_reveals_is_written_with_its_receipt(number: Number) -> None:
    talk(number, "Oi", "hoje a gente anota tudo num caderno e somos em 8 pessoas na loja")
    message = Message.objects.filter(author=Message.Author.LEAD).latest("pk")
    answer = Answer.objects.filter(stage="situation").first()
    assert answer is not None
    assert (answer.message_id, answer.turn_id) == (message.pk, Turn.objects.latest("pk").pk)
    assert message.text[answer.start : answer.end] == answer.quote
    assert Fact.objects.get(key="team_size").value == 8
    assert Qualification.objects.get().score > 0
    assert Event.objects.filter(name=EventName.SESSION_UPDATED).exists()


def test_words_that_are_not_in_the_message_are_refused(number: Number) -> None:
    arrive(number, incoming("pago 300 por mês"))
    message = Message.objects.get()
    finds = (
        AnswerFound("problem", message.pk, "perdemos clientes"),
        FactFound("budget", "10 mil", message.pk, "10 mil"),
        SignalFound("urgency", message.pk + 1000, "300"),
    )
    assert decided(Decision(("E como é hoje?",), finds=finds))
    assert not Answer.objects.exists()
    assert not Fact.objects.exists()
    assert not Signal.objects.exists()
    assert not Qualification.objects.exists()


def test_no_question_is_asked_twice(number: Number) -> None:
    replies = talk(number, "Oi", "não sei", "não sei", "hum", "sei lá", "ok", "talvez")
    questions = [text.rpartition(". ")[2] for text in replies if text.endswith("?")]
    assert len(questions) == len(set(questions))


def test_a_wish_to_be_left_alone_in_ones_own_words_is_followed_once(number: Number) -> None:
    said = talk(number, "Oi", "por favor me tira dessa lista, não quero mais receber mensagem de vocês")
    contact = Contact.objects.get()
    assert contact.opted_out_at is not None
    assert OptOut.objects.get().message_id == Message.objects.filter(author=Message.Author.LEAD).latest("pk").pk
    assert len(said) == 3  # who we are, a question, and the confirmation
    assert len(talk(number, "oi")) == len(said)
    assert Turn.objects.latest("pk").reason == "opted_out"


def test_an_opt_out_in_drafts_mode_says_nothing(number: Number) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    arrive(number, incoming("parem de me mandar mensagem, não quero mais"))
    turn(the_conversation())
    assert Contact.objects.get().opted_out_at is not None
    assert not Message.objects.exclude(author=Message.Author.LEAD).exists()


def test_who_asks_for_a_person_gets_one_and_the_team_is_told_once(number: Number) -> None:
    talk(number, "Oi", "quero falar com um atendente humano", "quero falar com uma pessoa agora")
    conversation = the_conversation()
    assert conversation.needs_reason == "lead_asked"
    assert conversation.owner == Conversation.Owner.AI
    assert Event.objects.filter(name=EventName.SESSION_HANDED_OFF).count() == 1
    assert len({one.to[0] for one in mail.outbox}) == len(mail.outbox)


def test_a_lead_who_qualifies_is_told_that_a_person_arranges_it(number: Number) -> None:
    arrive(number, incoming("decido sozinho, verba aprovada, é urgente. Usamos caderno. Perdemos vendas."))
    lead = Message.objects.get()
    finds = [AnswerFound(stage, lead.pk, quote) for stage, quote in (
        ("situation", "Usamos"), ("situation", "caderno"), ("problem", "Perdemos"), ("problem", "vendas"),
        ("implication", "decido"), ("implication", "verba"),
    )]  # fmt: skip
    assert decided(Decision(("Certo.",), finds=tuple(finds)))
    assert Qualification.objects.get().score == 75
    said = talk(number, "e como seguimos?")
    assert the_conversation().needs_reason == "qualified"
    assert Turn.objects.latest("pk").state == Turn.State.APPLIED
    assert "pessoa" in said[-1].lower() or "equipe" in said[-1].lower()


def test_evidence_goes_with_the_words_it_stood_in(number: Number) -> None:
    arrive(number, incoming("somos 8 na loja", pid="A"))
    lead = Message.objects.get()
    assert decided(Decision(("Ok?",), finds=(FactFound("team_size", 8, lead.pk, "8 na loja"),)))
    intake.handle(number, Edit("A", "somos muitos", None), received_at=lead.created_at)
    assert not Fact.objects.filter(ended_at=None).exists()


def test_progress_keeps_the_loop_guard_from_ending_a_good_talk(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    assert the_conversation().ai_in_a_row == 1
    arrive(number, incoming("usamos planilha"))
    lead = Message.objects.filter(author=Message.Author.LEAD).latest("pk")
    assert decided(Decision(("E?",), finds=(AnswerFound("situation", lead.pk, "usamos planilha"),)))
    assert the_conversation().ai_in_a_row == 1


def test_the_lead_is_answered_in_their_language_from_then_on(number: Number) -> None:
    said = talk(number, "Hello, I would like to know more about what you do, can you help me please?")
    assert Contact.objects.get().language == "en"
    assert not any(word in said[-1] for word in ("você", "vocês", "hoje"))
    AgentVersion.objects.update(answers_in_lead_language=False, language="es")
    assert "¿" in talk(number, "We use a spreadsheet for that")[-1]


def test_what_nothing_supports_does_not_leave(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    from conversations.playbook import brain

    async def invent(self: brain.PlaybookBrain, context: Any) -> Decision:
        return Decision(("O plano custa R$ 99,00 por mês. Fechamos?",), language="pt-br")

    monkeypatch.setattr(brain.PlaybookBrain, "decide", invent)
    said = talk(number, "quanto custa?")
    assert not any("99" in text for text in said)
    assert [note["kind"] for note in Turn.objects.get().guards] == ["money"]
    assert the_conversation().needs_reason == "guarded"


def test_it_says_what_it_was_decided_on(number: Number) -> None:
    talk(number, "Oi")
    made = Turn.objects.get()
    assert made.brain == "playbook"
    assert made.seen["messages"] == [Message.objects.get(author=Message.Author.LEAD).pk]
    assert made.agent_version_id == AgentVersion.objects.get().pk
    assert set(made.timings) == {"thought", "waited"}
