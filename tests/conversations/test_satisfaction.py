"""A lead is asked once, at the end, how content they were; what they answer is kept and disturbs nobody (PRODUCT 2)."""

import json
from collections.abc import Callable
from datetime import timedelta

import jsonschema  # type: ignore[import-untyped]  # no types in the lock
import pytest
from django.utils import timezone

from conversations import envelope, lifecycle, pause, satisfaction
from conversations.models import AgentVersion, Contact, Conversation, Event, Message, Number
from orgs.models import Due, Person
from tests import fakes
from tests.conversations.conftest import arrive, incoming, send, the_conversation, turn

Closing = Conversation.Closing


def talk(number: Number) -> Conversation:
    """Two messages of each side."""
    for said in ("Oi", "Obrigada"):
        arrive(number, incoming(said))
        turn(the_conversation())
        send(the_conversation())
    return the_conversation()


def close(person: Person, reason: Closing = Closing.DONE) -> None:
    lifecycle.close(the_conversation(), person, reason=reason)
    send(the_conversation())


def asked() -> int:
    return Message.objects.filter(extra__sort="satisfaction").count()


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("5", 5), ("1", 1), (" 4! ", 4), ("nota 3", 3), ("Nota: 3", None), ("dou 5", 5), ("5/5", 5), ("4 de 5", 4),
        ("5 estrelas", 5), ("2 stars", 2), ("3 estrellas", 3), ("cinco", 5), ("Três", 3), ("four", 4), ("dos", 2),
        ("5️⃣", 5), ("⭐⭐⭐⭐", 4), ("nota dez", None), ("10", None), ("0", None), ("6", None), ("5 pessoas", None),
        ("as 5", None), ("5 de 10", None), ("quero 2", None), ("", None), ("cinco mil", None), ("1,5", None),
    ],
)  # fmt: skip
def test_a_whole_message_is_a_rating_or_none(text: str, rating: int | None) -> None:
    assert satisfaction.rating_of(text) == rating


def test_it_is_asked_when_a_person_closes_as_done_and_the_answer_is_kept(number: Number, beto: Person) -> None:
    talk(number)
    close(beto)
    question = Message.objects.get(extra__sort="satisfaction")
    assert (question.state, question.text) == ("sent", fakes.phone.sent[-1][1])
    arrive(number, incoming("5"))
    send(the_conversation())
    conversation = the_conversation()
    assert (conversation.rating, conversation.lifecycle, conversation.needs_person_since) == (5, "closed", None)
    assert Message.objects.get(extra__sort="rated").state == "sent"
    turn(conversation)
    assert len(fakes.phone.sent) == 4
    (event,) = Event.objects.filter(name="session.rated.v1")
    (sealed,) = envelope.seal([event])
    jsonschema.Draft202012Validator(json.loads(envelope.schemas()["session.rated.v1"])).validate(sealed.detail)
    assert sealed.detail["rating"] == 5


def test_it_leaves_a_conversation_that_a_person_owned(number: Number, beto: Person) -> None:
    talk(number)
    arrive(number, incoming("deixa que eu falo", from_us=True))
    assert the_conversation().owner == "person"
    close(beto)
    assert asked() == 1
    arrive(number, incoming("4"))
    send(the_conversation())
    conversation = the_conversation()
    assert (conversation.rating, conversation.owner, conversation.needs_person_since) == (4, "person", None)
    assert Message.objects.get(extra__sort="rated").state == "sent"


@pytest.mark.parametrize("language", ["pt-br", "en", "es"])
def test_both_are_in_the_leads_language(number: Number, beto: Person, language: str) -> None:
    talk(number)
    Contact.objects.update(language=language)
    close(beto)
    arrive(number, incoming("5"))
    words = dict(Message.objects.filter(extra__sort__in=["satisfaction", "rated"]).values_list("extra__sort", "text"))
    marks = {"pt-br": ("nota", "Obrigado"), "en": ("rate", "Thank"), "es": ("nota", "Gracias")}[language]
    assert marks[0] in words["satisfaction"]
    assert marks[1] in words["rated"]


@pytest.mark.parametrize("text", ["oi, voltei", "10", "quero 2 unidades", "nao gostei"])
def test_any_other_word_reopens_as_ever(number: Number, beto: Person, text: str) -> None:
    talk(number)
    close(beto)
    arrive(number, incoming(text))
    conversation = the_conversation()
    assert (conversation.rating, conversation.lifecycle) == (None, "open")
    assert Due.objects.filter(kind="turn", ref=str(conversation.pk)).exists()
    assert not Event.objects.filter(name="session.rated.v1").exists()


def test_a_number_said_later_is_no_rating(number: Number, beto: Person) -> None:
    talk(number)
    close(beto)
    arrive(number, incoming("oi, voltei"))
    turn(the_conversation())
    send(the_conversation())
    arrive(number, incoming("3"))
    assert (the_conversation().rating, the_conversation().lifecycle) == (None, "open")


def test_a_second_rating_is_a_word_like_any_other(number: Number, beto: Person) -> None:
    talk(number)
    close(beto)
    arrive(number, incoming("5"))
    send(the_conversation())
    arrive(number, incoming("1"))
    assert (the_conversation().rating, the_conversation().lifecycle) == (5, "open")
    assert Event.objects.filter(name="session.rated.v1").count() == 1


def test_an_old_question_is_not_answered_any_more(number: Number, beto: Person) -> None:
    talk(number)
    close(beto)
    Conversation.objects.update(rating_asked_at=timezone.now() - timedelta(days=4))
    arrive(number, incoming("5"))
    assert (the_conversation().rating, the_conversation().lifecycle) == (None, "open")


def test_it_is_asked_rarely(number: Number, beto: Person) -> None:
    talk(number)
    close(beto)
    arrive(number, incoming("5"))
    talk(number)
    close(beto)
    assert asked() == 1
    Conversation.objects.update(
        rating_asked_at=timezone.now() - timedelta(days=91), lifecycle="open", last_lead_at=timezone.now()
    )
    close(beto)
    assert asked() == 2


def quarrel() -> None:
    Contact.objects.update(opted_out_at=timezone.now())


@pytest.mark.parametrize(
    "happens",
    [
        quarrel,
        lambda: Contact.objects.update(blocked_at=timezone.now()),
        lambda: Number.objects.update(mode="off"),
        lambda: Number.objects.update(mode="drafts"),
        lambda: AgentVersion.objects.update(asks_satisfaction=False),
        lambda: Conversation.objects.update(last_lead_at=timezone.now() - timedelta(hours=25)),
        lambda: Message.objects.filter(author="lead").first().delete(),  # type: ignore[union-attr]
    ],
    ids=["opted out", "blocked", "off", "drafts", "not wanted", "long ago", "hardly talked"],
)
def test_it_is_not_asked(number: Number, beto: Person, happens: Callable[[], object]) -> None:
    talk(number)
    happens()
    close(beto)
    assert (asked(), the_conversation().rating_asked_at) == (0, None)


@pytest.mark.parametrize("reason", [one for one in Closing if one not in {Closing.DONE, Closing.SILENCE}])
def test_only_the_end_of_a_good_talk_is_asked_about(number: Number, beto: Person, reason: Closing) -> None:
    talk(number)
    close(beto, reason)
    assert asked() == 0


def test_silence_asks_nothing(number: Number) -> None:
    talk(number)
    Conversation.objects.update(last_message_at=timezone.now() - timedelta(days=14))
    lifecycle.tend(the_conversation().pk)
    assert (the_conversation().closed_reason, asked()) == ("silence", 0)


def test_the_red_switch_keeps_the_question_back(number: Number, beto: Person, ana: Person) -> None:
    talk(number)
    pause.pause_all(ana)
    sent = len(fakes.phone.sent)
    close(beto)
    assert len(fakes.phone.sent) == sent


def test_closing_twice_asks_once(number: Number, beto: Person) -> None:
    talk(number)
    close(beto)
    close(beto)
    assert asked() == 1
