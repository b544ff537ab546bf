"""Two programs that answer each other are told apart from people, and stopped (PRODUCT 2, "State")."""

import pytest

from conversations import policy, replies
from conversations.models import AgentVersion, Conversation, Number, Turn
from conversations.policy import Said
from orgs.models import Notification, Person
from tests import fakes
from tests.conversations.conftest import arrive, incoming, ours, send, the_conversation, turn

AWAY = "Obrigado pelo contato, em breve um consultor vai responder"


def talk(*texts: str) -> list[Said]:
    """The lead says these, and we answer each."""
    return [one for text in texts for one in (Said(True, text), Said(False, "E como fazem hoje?"))]


@pytest.mark.parametrize(
    "texts",
    [
        ("Oi", AWAY, AWAY, AWAY),
        (AWAY, "Oi", AWAY.upper(), f"{AWAY}!"),
        ("Oi", "Esta é uma mensagem automática. Aguarde.", "Resposta automática: fora do horário."),
        ("Menu: digite 1 para vendas", "Opção inválida, digite 2 para suporte"),
        ("This is an automated reply, thanks", "Automatic response: we are away"),
        ("Respuesta automática: gracias", "Mensaje automático, no respondas a este mensaje"),
        ("Press 1 for sales", "Invalid. Press 2 for support"),
    ],
)
def test_a_program_is_known(texts: tuple[str, ...]) -> None:
    assert policy.is_automatic(talk("Olá", *texts, "x"))


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("sim", "sim", "sim", "sim", "sim"),
        ("não sei", "não sei", "não sei", "não sei"),
        ("quanto custa isso aí?", "quanto custa isso aí?", "Oi"),
        ("você é um robô? parece resposta automática",),
        ("quero falar com alguém de verdade", "alô, tem alguém aí?", "quero uma pessoa agora"),
        (AWAY, AWAY),
    ],
)
def test_people_are_people(texts: tuple[str, ...]) -> None:
    assert not policy.is_automatic(talk(*texts))


def test_what_is_sent_in_one_go_is_one_answer() -> None:
    assert not policy.is_automatic([Said(True, AWAY)] * 5)


def test_long_ago_does_not_count() -> None:
    assert not policy.is_automatic(talk(AWAY, AWAY, *(f"conta {n} pessoas na equipe" for n in range(6)), AWAY))


def test_another_program_gets_a_person_and_no_answer(number: Number) -> None:
    AgentVersion.objects.update(batching_seconds=1)
    fakes.FakeBrain.script = [f"Pergunta {n}?" for n in range(9)]
    for _ in range(4):
        arrive(number, incoming(AWAY))
        turn(the_conversation())
        send(the_conversation())
    conversation = the_conversation()
    assert (conversation.owner, conversation.needs_reason) == ("person", "another_bot")
    assert len(fakes.phone.sent) == 3  # the third answer to ours made it plain
    assert Turn.objects.filter(state="skipped", reason="another_bot").count() == 1
    assert {told.kind for told in Notification.objects.all()} == {"handoff"}
    assert Notification.objects.count() == 3


def test_no_progress_gets_a_person_too_and_the_team_is_told(number: Number) -> None:
    arrive(number, incoming("Oi"))
    Conversation.objects.update(ai_in_a_row=12)
    turn(the_conversation())
    conversation = the_conversation()
    assert (ours(), conversation.owner, conversation.needs_reason) == ([], "person", "loop")
    assert Notification.objects.count() == 3


def test_who_is_given_back_by_a_person_is_answered(number: Number, ana: Person) -> None:
    for _ in range(4):
        arrive(number, incoming(AWAY))
        turn(the_conversation())
        send(the_conversation())
    replies.give_back(the_conversation(), ana)
    turn(the_conversation())
    send(the_conversation())
    assert (the_conversation().owner, len(fakes.phone.sent)) == ("ai", 4)
    for _ in range(4):  # and found out anew when it goes on
        arrive(number, incoming(AWAY))
        turn(the_conversation())
        send(the_conversation())
    assert (the_conversation().owner, len(fakes.phone.sent)) == ("person", 6)
