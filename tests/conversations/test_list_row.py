"""What a line of the inbox says is right after a deletion, an edit, a reply by phone, a decision and a hand-back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations import replies
from conversations.models import Conversation, Message, Number
from conversations.ports import Edit, Revoke
from orgs.models import Person
from tests import fakes
from tests.conversations.conftest import arrive, incoming, send, the_conversation, turn


def row() -> tuple[str, str, int, str]:
    conversation = the_conversation()
    assert (conversation.needs_person_since is None) is (conversation.needs_reason == "")
    return conversation.preview, conversation.preview_author, conversation.unread, conversation.needs_reason


def test_a_deleted_last_message_gives_way_to_the_one_before(number: Number) -> None:
    arrive(number, incoming("Oi", pid="A"))
    arrive(number, incoming("meu cartão é 1234", pid="B"))
    arrive(number, Revoke("B"))
    assert row() == ("Oi", "lead", 1, "")
    arrive(number, Revoke("A"))
    assert row() == ("", "", 0, "")


def test_deleting_what_was_read_changes_no_count(number: Number) -> None:
    arrive(number, incoming("Oi", pid="A"))
    Conversation.objects.update(unread=0)
    arrive(number, incoming("e aí?", pid="B"))
    arrive(number, Revoke("A"))
    assert row() == ("e aí?", "lead", 1, "")


def test_an_edited_last_message_is_shown_as_it_stands(number: Number) -> None:
    arrive(number, incoming("quanto cust", pid="A"))
    arrive(number, Edit("A", "quanto custa?", timezone.now()))
    assert row()[0] == "quanto custa?"


def test_nobody_is_called_for_a_message_that_was_taken_back(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    replies.reply(the_conversation(), beto, text="Olá")
    arrive(number, incoming("mensagem errada", pid="B"))
    assert row()[3] == "lead_waiting"
    arrive(number, Revoke("B"))
    assert row() == ("Olá", "person", 0, "")


def test_but_for_the_one_before_it(number: Number, beto: Person) -> None:
    replies.take_over(converse(number), beto)
    arrive(number, incoming("alguém?", pid="A"))
    arrive(number, incoming("mensagem errada", pid="B"))
    arrive(number, Revoke("B"))
    assert row()[3] == "lead_waiting"


def converse(number: Number) -> Conversation:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    return the_conversation()


def test_a_reply_by_phone_reads_and_settles(number: Number, beto: Person) -> None:
    replies.take_over(converse(number), beto)
    arrive(number, incoming("alguém?"))
    arrive(number, incoming("já respondo", from_us=True, sender_name=""))
    assert row() == ("já respondo", "person", 0, "")


@pytest.mark.parametrize("decide", [replies.approve, replies.discard])
def test_deciding_about_the_last_draft_settles(number: Number, beto: Person, decide: object) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    fakes.FakeBrain.script = ["um|dois"]
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    first, second = Message.objects.filter(author="ai").order_by("bubble")
    decide(first, beto)  # type: ignore[operator]
    assert row()[3] == "draft_waits"
    decide(second, beto)  # type: ignore[operator]
    assert row()[3] == ""


def test_a_hand_back_keeps_what_still_needs_somebody(number: Number, beto: Person) -> None:
    """An uncertain send is nobody's talk: whoever owns the conversation, a person must decide about it."""
    conversation = converse(number)
    Message.objects.filter(author="ai").update(state="unknown")
    Conversation.objects.update(needs_person_since=timezone.now(), needs_reason="unknown_send")
    replies.take_over(conversation, beto)
    replies.give_back(conversation, beto)
    assert row()[3] == "unknown_send"


def test_a_hand_back_ends_the_waiting(number: Number, beto: Person) -> None:
    replies.take_over(converse(number), beto)
    arrive(number, incoming("alguém?"))
    replies.give_back(the_conversation(), beto)
    assert row()[3] == ""
    turn(the_conversation())
    assert Message.objects.filter(state="queued").count() == 1


def test_what_waits_says_why(number: Number, settings: object) -> None:
    settings.SDR_PACING = True  # type: ignore[attr-defined]
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    message = Message.objects.get(author="ai")
    for change, why in (
        ({"state": "closed"}, "waits_for_number"),
        ({"state": "open", "daily_cap": 0}, "waits_for_day"),
        ({"daily_cap": 5, "bucket_drained_at": timezone.now() + timedelta(minutes=5)}, "waits_for_pace"),
    ):
        Number.objects.update(**change)
        send(the_conversation())
        message.refresh_from_db()
        assert (message.state, message.failure) == ("queued", why)
        assert row()[3] == ("" if why == "waits_for_number" else "daily_cap")
    Number.objects.update(bucket_drained_at=timezone.now())
    send(the_conversation())
    message.refresh_from_db()
    assert (message.state, message.failure, row()[3]) == ("sent", "", "")
