"""A person's silence gives the conversation back to the AI, late enough, and only where nothing else waits for them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conversations import intake, lifecycle, replies
from conversations.models import AgentVersion, Contact, Conversation, Event, Message, Number, Takeover
from orgs.context import in_org
from orgs.models import Due, Later, Org, Person
from tests.conversations.conftest import arrive, incoming, make_number, ours, the_conversation, turn
from tests.conversations.test_pause import wait_for_a_lock

HOURS = timedelta(hours=12)


def tended_at() -> datetime:
    """When the conversation's clock is looked at next."""
    later: Later | Due = Later.objects.filter(kind="tend").first() or Due.objects.get(kind="tend")
    return later.due_at


def ago(past: timedelta) -> None:
    """All that people did is so long ago; the lead had begun a minute before."""
    Message.objects.filter(author="lead", seq=1).update(sent_at=timezone.now() - past - timedelta(minutes=1))
    Message.objects.filter(author="person").update(created_at=timezone.now() - past)
    Takeover.objects.update(started_at=timezone.now() - past)


@pytest.fixture
def replied(number: Number, beto: Person) -> Conversation:
    arrive(number, incoming("Oi"))
    replies.reply(the_conversation(), beto, text="Oi, sou o Beto")
    Message.objects.filter(author="person").update(state="sent")
    return the_conversation()


def test_it_is_looked_at_when_the_hours_are_over(replied: Conversation) -> None:
    assert abs(tended_at() - (timezone.now() + HOURS)) < timedelta(minutes=1)


def test_after_the_hours_it_is_the_ais_again(replied: Conversation) -> None:
    ago(HOURS)
    for _ in range(2):
        lifecycle.tend(replied.pk)
    conversation = the_conversation()
    assert (conversation.owner, conversation.owner_person_id, conversation.epoch) == ("ai", None, replied.epoch + 1)
    events = Event.objects.filter(name="session.given_back.v1")
    assert [(event.person_id, event.data["source"]) for event in events] == [(None, "silence")]
    arrive(Number.objects.get(), incoming("e então?"))
    turn(the_conversation())
    assert ours()[-1] == ("queued", "ok")


def test_a_newer_word_of_theirs_moves_it(replied: Conversation, beto: Person) -> None:
    ago(HOURS)
    replies.reply(the_conversation(), beto, text="Ainda aqui")
    lifecycle.tend(replied.pk)
    assert the_conversation().owner == "person"
    assert abs(tended_at() - (timezone.now() + HOURS)) < timedelta(minutes=1)


def test_what_the_lead_wrote_into_the_silence_is_answered_while_it_is_fresh(replied: Conversation) -> None:
    ago(HOURS)
    arrive(Number.objects.get(), incoming("alguém aí?"))
    assert the_conversation().needs_reason == "lead_waiting"
    lifecycle.tend(replied.pk)
    turn(the_conversation())
    assert ours()[-1] == ("queued", "ok")
    assert the_conversation().needs_person_since is None


def test_what_waited_too_long_stays_a_persons_business(replied: Conversation) -> None:
    ago(HOURS)
    arrive(Number.objects.get(), incoming("alguém aí?"))
    Message.objects.filter(author="lead").update(created_at=timezone.now() - timedelta(hours=3))
    lifecycle.tend(replied.pk)
    turn(the_conversation())
    assert (the_conversation().owner, the_conversation().needs_reason) == ("ai", "waited_too_long")


@pytest.mark.parametrize("reason", ["not_sent", "unknown_send", "handoff", "backlog"])
def test_what_needs_the_person_keeps_it(replied: Conversation, reason: str) -> None:
    ago(HOURS)
    Conversation.objects.update(needs_person_since=timezone.now(), needs_reason=reason)
    lifecycle.tend(replied.pk)
    assert the_conversation().owner == "person"
    assert tended_at() > timezone.now() + timedelta(minutes=50)


@pytest.mark.parametrize(
    "change", [{"opted_out_at": timezone.now()}, {"ignored_as": "customer"}, {"blocked_at": timezone.now()}]
)
def test_whom_the_ai_must_not_write_to_stays_with_people(replied: Conversation, change: dict[str, object]) -> None:
    ago(HOURS)
    Contact.objects.update(**change)
    lifecycle.tend(replied.pk)
    assert the_conversation().owner == "person"


def test_where_a_person_began_it_is_off(number: Number) -> None:
    arrive(number, incoming("Olá, aqui é o Beto", from_us=True, sender_name=""))
    arrive(number, incoming("Oi Beto"))
    Conversation.objects.update(needs_person_since=None, needs_reason="")
    ago(HOURS * 10)
    lifecycle.tend(the_conversation().pk)
    assert the_conversation().owner == "person"


def test_it_can_be_switched_off(replied: Conversation) -> None:
    AgentVersion.objects.update(hand_back_hours=None)
    ago(HOURS * 10)
    lifecycle.tend(replied.pk)
    assert the_conversation().owner == "person"


def test_a_reply_at_the_same_moment_wins_or_takes_it_back(committed: None) -> None:
    """The reply holds the lock; the hand-back waits, looks again behind it, and finds them present."""
    acme = Org.objects.get(slug="acme")
    beto = Person.objects.get(email="beto@example.com")
    with in_org(acme):
        arrive(make_number(), incoming("Oi"))
        replies.reply(the_conversation(), beto, text="Oi")
        ago(HOURS)
        pk = the_conversation().pk
    done = threading.Event()

    def tend() -> None:
        try:
            with in_org(acme):
                lifecycle.tend(pk)
                done.set()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, in_org(acme):
        with transaction.atomic():
            intake.locked(pk)
            tending = pool.submit(tend)
            wait_for_a_lock()
            replies.reply(the_conversation(), beto, text="Ainda aqui")
            assert not done.is_set()
        tending.result(20)
        assert (the_conversation().owner, the_conversation().owner_person_id) == ("person", beto.pk)
        assert Message.objects.filter(state="queued", author="person").count() == 2
