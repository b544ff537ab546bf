"""Two people in one conversation: each sees that the other writes, and nobody sends over the other's head."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from conversations import replies, typists
from conversations.models import Conversation, Message, Number, Typist
from orgs.context import in_org
from orgs.models import Org, Person, Refused
from tests.conversations.conftest import arrive, incoming, make_number, ours, the_conversation

SignIn = Callable[[Person], Client]


@pytest.fixture
def talk(number: Number) -> Conversation:
    arrive(number, incoming())
    return the_conversation()


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def test_the_others_see_who_writes_until_it_is_over(
    talk: Conversation, sign_in: SignIn, ana: Person, beto: Person
) -> None:
    ana.language = "en"
    ana.save(update_fields=["language"])
    hers, words = sign_in(ana), f"{beto.name} is replying."
    assert sign_in(beto).post(address("typing/")).status_code == 204
    assert the_conversation().hold_until is not None
    assert words in hers.get(address()).content.decode()
    assert "is replying" not in sign_in(beto).get(address()).content.decode()
    sign_in(beto).post(address("typing/"), {"over": "1"})
    assert words not in hers.get(address()).content.decode()
    typists.types(talk, beto)
    typists.types(talk, beto)
    assert typists.others(talk, ana) == [beto.pk]
    assert typists.others(talk, ana, now=timezone.now() + timedelta(seconds=60)) == []  # by itself
    Typist.objects.update(until=timezone.now() - timedelta(minutes=1))
    assert typists.others(talk, ana) == []


def test_viewers_cannot_hold_anything(talk: Conversation, sign_in: SignIn, vera: Person) -> None:
    assert sign_in(vera).post(address("typing/")).status_code == 403
    assert (Typist.objects.count(), the_conversation().hold_until) == (0, None)


def test_who_sends_while_another_writes_must_say_so_twice(
    talk: Conversation, sign_in: SignIn, ana: Person, beto: Person
) -> None:
    typists.types(talk, ana)
    client = sign_in(beto)
    for headers in ({}, {"HX-Request": "true"}):
        answer = client.post(address("replies/"), {"text": "Bom dia", "seen": "1"}, headers=headers)
        html = answer.content.decode()
        assert (answer.status_code, 'name="sure"' in html, "Bom dia</textarea>" in html) == (422, True, True)
    assert (ours(), the_conversation().owner) == ([], "ai")
    assert client.post(address("replies/"), {"text": "Bom dia", "seen": "1", "sure": "1"}).status_code == 302
    assert ours() == [("queued", "Bom dia")]


def test_who_has_not_seen_anothers_reply_is_asked(
    talk: Conversation, sign_in: SignIn, ana: Person, beto: Person
) -> None:
    replies.reply(talk, ana, text="Eu respondo")
    client = sign_in(beto)
    assert client.post(address("replies/"), {"text": "Oi", "seen": "1"}).status_code == 422
    assert ours() == [("queued", "Eu respondo")]
    html = client.get(address()).content.decode()
    assert 'name="seen" value="2"' in html  # now they have
    assert client.post(address("replies/"), {"text": "Oi", "seen": "2"}).status_code == 302
    assert client.post(address("replies/"), {"text": "mais", "seen": "2"}).status_code == 302  # their own


def test_sending_ends_the_writing(talk: Conversation, ana: Person, beto: Person) -> None:
    typists.types(talk, beto)
    replies.reply(talk, beto, text="Pronto")
    assert typists.others(talk, ana) == []


def test_words_added_after_an_answer_that_got_lost_are_not_swallowed(
    talk: Conversation, sign_in: SignIn, beto: Person
) -> None:
    key = "6f1f4a52-6f5d-4a55-8f5e-0c7a3f3b9f11"
    client = sign_in(beto)
    client.post(address("replies/"), {"text": "Bom dia", "key": key})
    assert client.post(address("replies/"), {"text": "Bom dia", "key": key}).status_code == 302
    answer = client.post(address("replies/"), {"text": "Bom dia e boa semana", "key": key})
    html = answer.content.decode()
    assert (answer.status_code, "e boa semana</textarea>" in html, key in html) == (422, True, False)
    assert ours() == [("queued", "Bom dia")]


def test_of_two_who_send_at_once_one_is_asked(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    people = [Person.objects.get(email=f"{name}@example.com") for name in ("ana", "beto")]
    with in_org(org):
        arrive(make_number(), incoming())
        talk = the_conversation()
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def run(person: Person) -> None:
        try:
            with in_org(org):
                start.wait(20)
                replies.reply(talk, person, text=person.name, alone_since=talk.seq)
            outcomes.append("sent")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with in_org(org):
        assert Message.objects.filter(author="person").count() == 1
    assert sorted(outcomes) == ["others_replied", "sent"]
