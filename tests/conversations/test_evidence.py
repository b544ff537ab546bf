"""Evidence has receipts, is written once, and a person's correction stays (PRODUCT 2, SPIN)."""

from collections.abc import Callable

import pytest
from django.db import transaction
from django.utils import timezone

from conversations import evidence
from conversations.models import (
    AgentVersion,
    Answer,
    Conversation,
    Event,
    EventName,
    Fact,
    Message,
    Number,
    Qualification,
    Signal,
)
from conversations.ports import AnswerFound, FactFound, Found, SignalFound
from conversations.qualification import Evidence, SignalKey
from orgs.context import in_org
from orgs.models import Org
from tests.conversations.conftest import arrive, incoming, make_number, the_conversation
from tests.conversations.test_ownership_race import together

SAID = "Somos a Padaria Sol, umas 8 pessoas, e perdemos pedido toda semana"


@pytest.fixture
def talk(number: Number) -> Conversation:
    arrive(number, incoming(SAID))
    return the_conversation()


@pytest.fixture
def said(talk: Conversation) -> Message:
    return talk.messages.get()


def test_it_keeps_the_words_and_where_they_stand(talk: Conversation, said: Message) -> None:
    assert evidence.write(talk, [AnswerFound("problem", said.pk, "perdemos pedido toda semana", 0.9)]) == []
    answer = Answer.objects.get()
    assert (answer.quote, said.text[answer.start : answer.end]) == ("perdemos pedido toda semana", answer.quote)


@pytest.mark.parametrize(
    ("quote", "kept"),
    [("SOMOS a padaria", "Somos a Padaria"), ("perdemos dinheiro", None), ("", None), ("  ", None)],
)
def test_it_refuses_a_quote_that_is_not_in_the_message(
    talk: Conversation, said: Message, quote: str, kept: str | None
) -> None:
    refused = evidence.write(talk, [AnswerFound("problem", said.pk, quote)])
    assert [one.why for one in refused] == ([] if kept else ["not_in_message"])
    assert list(Answer.objects.values_list("quote", flat=True)) == ([kept] if kept else [])


def test_it_takes_the_words_of_a_transcript(talk: Conversation, said: Message) -> None:
    Message.objects.filter(pk=said.pk).update(text="", transcript="a gente perde venda")
    assert evidence.write(talk, [AnswerFound("problem", said.pk, "perde venda")]) == []


def test_it_refuses_the_words_of_another_conversation_and_our_own(number: Number, talk: Conversation) -> None:
    arrive(number, incoming("perco vendas", jid="5511999990002@s.whatsapp.net"))
    other = Message.objects.get(text="perco vendas")
    ours = Message.objects.create(
        conversation=talk, number=number, author="ai", state="sent", seq=talk.seq + 1, text="perco vendas"
    )
    refused = evidence.write(talk, [FactFound("budget", "x", pk.pk, "perco vendas") for pk in (other, ours)])
    assert [one.why for one in refused] == ["of_another", "of_another"]
    assert not Fact.objects.exists()


def test_it_refuses_kinds_that_do_not_exist(talk: Conversation, said: Message) -> None:
    finds: list[Found] = [
        AnswerFound("qualified", said.pk, "Padaria"),
        FactFound("shoe_size", 42, said.pk, "8 pessoas"),
        SignalFound("gold", said.pk, "Padaria"),
    ]
    assert [one.why for one in evidence.write(talk, finds)] == ["unknown_kind"] * 3


def test_the_same_words_count_once(talk: Conversation, said: Message) -> None:
    for quote in ("perdemos pedido", "perdemos pedido toda semana", "pedido toda semana"):
        evidence.write(talk, [AnswerFound("problem", said.pk, quote)])
    assert Answer.objects.count() == 1


def test_a_correction_by_the_lead_replaces(talk: Conversation, said: Message) -> None:
    evidence.write(talk, [AnswerFound("situation", said.pk, "umas 8 pessoas")])
    first = Answer.objects.get()
    evidence.write(talk, [AnswerFound("situation", said.pk, "Padaria Sol", replaces=(first.pk,))])
    assert list(Answer.objects.filter(ended_at=None).values_list("quote", flat=True)) == ["Padaria Sol"]


def test_a_newer_fact_supersedes_and_the_former_one_stays_on_record(talk: Conversation, said: Message) -> None:
    evidence.write(talk, [FactFound("team_size", 8, said.pk, "8 pessoas")])
    evidence.write(talk, [FactFound("team_size", 9, said.pk, "umas 8 pessoas")])
    assert evidence.of(talk).facts == {"team_size": 9}
    assert Fact.objects.count() == 2


def test_what_a_person_set_stays(talk: Conversation, said: Message) -> None:
    evidence.set_fact(talk, "team_size", 12, person_id=1)
    evidence.set_signal(talk, SignalKey.BUDGET, False, person_id=1)
    refused = evidence.write(
        talk, [FactFound("team_size", 8, said.pk, "8 pessoas"), SignalFound("budget", said.pk, "Padaria")]
    )
    assert [one.why for one in refused] == ["corrected", "corrected"]
    assert evidence.of(talk).facts == {"team_size": 12}
    assert evidence.of(talk).signals == {}


def test_what_a_person_struck_out_does_not_come_back(talk: Conversation, said: Message) -> None:
    finds: list[Found] = [
        AnswerFound("problem", said.pk, "perdemos pedido"),
        FactFound("team_size", 8, said.pk, "8 pessoas"),
        SignalFound("urgency", said.pk, "toda semana"),
    ]
    evidence.write(talk, finds)
    for model in (Answer, Fact, Signal):
        evidence.strike(model.objects.get(), person_id=1)
    assert [one.why for one in evidence.write(talk, finds)] == ["corrected"] * 3
    assert evidence.of(talk) == Evidence()


def test_an_edit_ends_what_it_takes_away(talk: Conversation, said: Message) -> None:
    evidence.write(talk, [FactFound("team_size", 8, said.pk, "8 pessoas"), SignalFound("urgency", said.pk, "semana")])
    said.text = "Somos 8 pessoas"
    said.save()
    assert evidence.review(said)
    assert (evidence.of(talk).facts, evidence.of(talk).signals) == ({"team_size": 8}, {})


def test_a_deletion_ends_all_but_what_people_set(talk: Conversation, said: Message) -> None:
    evidence.write(talk, [FactFound("team_size", 8, said.pk, "8 pessoas")])
    evidence.set_fact(talk, "company", "Padaria Sol", person_id=1)
    said.deleted_at = timezone.now()
    said.save()
    assert evidence.review(said)
    assert evidence.of(talk).facts == {"company": "Padaria Sol"}


def test_a_verdict_is_kept_and_each_change_is_an_event(talk: Conversation, said: Message) -> None:
    agent = AgentVersion.objects.get()
    agent.threshold = 20
    evidence.requalify(talk, agent)
    evidence.write(
        talk, [AnswerFound("problem", said.pk, "perdemos pedido"), AnswerFound("problem", said.pk, "toda semana")]
    )
    assert evidence.requalify(talk, agent).qualified
    assert evidence.requalify(talk, agent).qualified
    assert Qualification.objects.get().qualified_at is not None
    evidence.strike(Answer.objects.order_by("pk")[0], person_id=1)
    assert not evidence.requalify(talk, agent).qualified
    changes = Event.objects.filter(name=EventName.SESSION_UPDATED).order_by("sequence")
    assert [(event.data["score"], event.data["qualified"]) for event in changes][-3:] == [
        (0, False),
        (25, True),
        (13, False),
    ]


def test_two_conversations_of_one_contact_writing_at_once_leave_one_fact(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        for name in ("Vendas", "Suporte"):
            arrive(make_number(name=name), incoming("Sou a Maria, 8 pessoas"))
        talks = list(Conversation.objects.order_by("pk"))
        assert len(talks) == 2

    def writes(talk: Conversation) -> Callable[[], object]:
        def run() -> None:
            with transaction.atomic():
                Conversation.objects.select_for_update().get(pk=talk.pk)
                message = talk.messages.get()
                evidence.write(talk, [FactFound("team_size", talk.pk, message.pk, "8 pessoas")])

        return run

    together(org, *(writes(talk) for talk in talks))
    with in_org(org):
        assert Fact.objects.filter(ended_at=None).count() == 1
