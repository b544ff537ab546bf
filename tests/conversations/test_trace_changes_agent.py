"""From a turn's trace into the agent's draft: words never to be said, and right answers. It holds once published."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import Client

from conversations import agents, settings_of, transcript, turns, vetting
from conversations.models import AgentVersion, Number, Turn
from conversations.playbook import brain
from conversations.ports import Context, Decision
from orgs.models import AuditEntry, Person
from tests.conversations.conftest import arrive, incoming, the_conversation

SignIn = Callable[[Person], Client]
DRAFT = "Nosso período de degustação é ótimo."


@pytest.fixture
def answered(number: Number) -> Number:
    arrive(number, incoming("Tem teste?"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    assert turns.apply(opened, Decision((DRAFT,)))
    return number


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/turns/{Turn.objects.earliest('pk').pk}/{end}"


def publish(person: Person) -> None:
    AgentVersion.objects.filter(state="draft").update(cooldown_seconds=1)  # the tests' own is out of bounds
    assert agents.publish(None, person_id=person.pk) is not None


def context_now(number: Number, text: str) -> Context:
    """What a brain would be given for the lead's next message."""
    arrive(number, incoming(text))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    return replace(transcript.inform(opened.context, settings_of.number(number)), is_first_reply=False)


def test_never_say_that_waits_in_the_draft_and_then_holds(answered: Number, sign_in: SignIn, ana: Person) -> None:
    client = sign_in(ana)
    assert client.post(address("forbidden/"), {"words": " período  de DEGUSTACAO "}).status_code == 302
    assert "Nunca dizer “período de DEGUSTACAO”" in client.get(address()).content.decode()
    before = context_now(answered, "E aí?")
    assert vetting.violations(before, Decision((DRAFT,))) == []
    publish(ana)
    now = replace(before, persona=transcript.persona(settings_of.number(answered)))
    assert [str(one.kind) for one in vetting.violations(now, Decision((DRAFT,)))] == ["forbidden"]
    held = vetting.vetted(now, Decision((DRAFT,)))
    assert DRAFT not in held.bubbles
    assert held.handoff
    assert "Nunca dizer “" not in client.get(address()).content.decode()  # it waits no more


def test_the_right_answer_is_in_the_draft_and_then_may_be_told(answered: Number, sign_in: SignIn, ana: Person) -> None:
    told = "O plano Ouro custa R$ 297 por mês."
    client = sign_in(ana)
    client.post(address("answers/"), {"about": "preço do plano Ouro", "answer": "O plano Ouro custa R$ 300."})
    client.post(address("answers/"), {"about": "Preco do plano ouro", "answer": told})
    page = client.get(address()).content.decode()
    assert told in page
    assert "R$ 300" not in page
    before = context_now(answered, "Qual é o preço do plano Ouro?")
    assert [str(one.kind) for one in vetting.violations(before, Decision((told,)))] == ["money"]
    publish(ana)
    now = replace(before, persona=transcript.persona(settings_of.number(answered)))
    assert vetting.violations(now, Decision((told,))) == []
    assert told in brain.decide(now).bubbles[0]
    other = replace(now, lines=(replace(now.lines[-1], text="Qual é o preço do plano Prata?"),))
    assert told not in " ".join(brain.decide(other).bubbles)


def test_the_numbers_own_agent_is_changed(answered: Number, sign_in: SignIn, ana: Person) -> None:
    AgentVersion.objects.create(number_id=answered.pk, state="published")
    sign_in(ana).post(address("forbidden/"), {"words": "desconto"})
    assert AgentVersion.objects.get(state="draft").number_id == answered.pk


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("forbidden/", {"words": "…"}),
        ("forbidden/", {"words": "x" * 81}),
        ("answers/", {"about": "o da", "answer": "Custa R$ 297."}),
        ("answers/", {"about": "preço", "answer": " "}),
    ],
)
def test_what_means_nothing_is_refused_in_place(
    answered: Number, sign_in: SignIn, ana: Person, place: str, body: dict[str, str]
) -> None:
    answer = sign_in(ana).post(address(place), body)
    assert answer.status_code == 422
    assert all(value in answer.content.decode() for value in body.values())
    assert not AgentVersion.objects.filter(state="draft").exists()


def test_a_seller_changes_no_agent(answered: Number, sign_in: SignIn, beto: Person) -> None:
    client = sign_in(beto)
    assert "/forbidden/" not in client.get(address()).content.decode()
    assert client.post(address("forbidden/"), {"words": "desconto"}).status_code == 403
    assert client.post(address("answers/"), {"about": "preço", "answer": "R$ 1."}).status_code == 403
    assert not AgentVersion.objects.filter(state="draft").exists()
    assert not AuditEntry.objects.exists()
