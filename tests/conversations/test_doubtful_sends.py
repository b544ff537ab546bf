"""A send of which only a person can say whether it went out is never forgotten, whatever else they are called for."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from conversations import intake, invariants, policy, replies, sending
from conversations.models import Conversation, Message, Number
from orgs.models import Due, Person
from tests.conversations.conftest import arrive, incoming, send, the_conversation, turn


def stuck(number: Number, *, since: timedelta = sending.VERDICT_LATEST) -> Message:
    """The AI's answer, claimed that long ago; nobody knows whether it went out."""
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    message = Message.objects.get(author="ai")
    Message.objects.filter(pk=message.pk).update(
        state=Message.State.UNKNOWN, attempts=1, claimed_at=timezone.now() - since
    )
    Due.objects.filter(kind="send").delete()
    return message


@pytest.fixture
def parked(number: Number) -> Message:
    """Its reconciliation has just given up."""
    message = stuck(number)
    message.refresh_from_db()
    assert message.claimed_at is not None
    sending.wait_or_park(message, timezone.now(), message.claimed_at)
    assert the_conversation().needs_reason == "unknown_send"
    return message


def take_over_and_give_back(beto: Person, *, meanwhile: str) -> None:
    with transaction.atomic():
        intake.take_over(intake.locked(the_conversation().pk), person_id=beto.pk, source="inbox")
    arrive(Number.objects.get(), incoming(meanwhile))
    turn(the_conversation())
    with transaction.atomic():
        intake.give_back(intake.locked(the_conversation().pk), person_id=beto.pk)


def test_it_is_still_to_be_decided_after_a_takeover_with_a_reason_of_its_own(parked: Message, beto: Person) -> None:
    take_over_and_give_back(beto, meanwhile="alguém aí?")
    conversation = the_conversation()
    assert (conversation.owner, conversation.needs_reason) == (Conversation.Owner.AI, "unknown_send")
    assert conversation.needs_person_since is not None
    turn(conversation)
    send(the_conversation())
    assert Message.objects.filter(author="ai").order_by("seq").last().state == Message.State.QUEUED  # type: ignore[union-attr]
    assert invariants.queued_without_send() == []


def test_it_is_still_to_be_decided_when_the_ai_could_answer_again(parked: Message, number: Number) -> None:
    Conversation.objects.update(needs_reason=policy.Silence.PAUSED)
    arrive(number, incoming("e agora?"))
    turn(the_conversation())
    assert the_conversation().needs_reason == "unknown_send"


def test_it_is_still_to_be_decided_when_somebody_answered_on_the_phone(parked: Message, number: Number) -> None:
    arrive(number, incoming("respondi pelo celular", from_us=True), at=timezone.now() - timedelta(minutes=1))
    conversation = the_conversation()
    assert (conversation.owner, conversation.needs_reason) == (Conversation.Owner.PERSON, "unknown_send")


def test_a_person_is_called_when_the_next_words_must_wait_behind_it(parked: Message, number: Number) -> None:
    Conversation.objects.update(needs_person_since=None, needs_reason="")  # as when it was put off or closed
    arrive(number, incoming("e agora?"))
    turn(the_conversation())
    assert the_conversation().needs_person_since is None
    send(the_conversation())
    assert the_conversation().needs_reason == "unknown_send"
    assert invariants.queued_without_send() == []


def test_nobody_is_called_while_it_may_still_settle_by_itself(number: Number, beto: Person) -> None:
    stuck(number, since=timedelta(minutes=1))
    take_over_and_give_back(beto, meanwhile="alguém aí?")
    turn(the_conversation())
    send(the_conversation())
    assert the_conversation().needs_person_since is None


def test_nobody_is_needed_once_a_person_has_decided(parked: Message, beto: Person) -> None:
    replies.retry(parked, beto)
    assert the_conversation().needs_person_since is None
