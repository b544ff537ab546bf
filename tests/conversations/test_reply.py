"""Answering as a person: takes over, withdraws what the AI had waiting, and leaves once."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from conversations import replies
from conversations.models import Conversation, Message, Number
from conversations.sending import VERDICT_LATEST
from orgs.models import AuditEntry, Due, Person, Refused
from tests import fakes
from tests.conversations.conftest import JID, arrive, incoming, ours, send, the_conversation, turn

SignIn = Callable[[Person], Client]


def address(end: str = "replies/") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def stuck(**fields: object) -> Message:
    conversation = the_conversation()
    message = conversation.messages.exclude(author="lead").latest("seq")
    Message.objects.filter(pk=message.pk).update(**fields)
    message.refresh_from_db()
    return message


def test_a_reply_takes_over_and_leaves(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    turn(the_conversation())
    answer = sign_in(beto).post(address(), {"text": "  Oi, aqui é o Beto  "})
    assert (answer.status_code, answer.headers["Location"]) == (302, address(""))
    conversation = the_conversation()
    assert (conversation.owner, conversation.owner_person_id, conversation.unread) == ("person", beto.pk, 0)
    assert conversation.needs_person_since is None
    assert [state for state, _ in ours()] == ["cancelled", "queued"]
    send(conversation)
    assert fakes.phone.sent == [(JID, "Oi, aqui é o Beto")]
    assert AuditEntry.objects.get(action="conversation.taken_over").person_id == beto.pk


def test_a_second_reply_takes_nothing_over_again(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    for text in ("um", "dois"):
        replies.reply(the_conversation(), beto, text=text)
    send(the_conversation())
    assert [text for _, text in fakes.phone.sent] == ["um", "dois"]
    assert AuditEntry.objects.filter(action="conversation.taken_over").count() == 1
    assert the_conversation().epoch == 1


def test_the_same_reply_twice_is_stored_once(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    client, key = sign_in(beto), str(uuid4())
    for _ in range(2):
        assert client.post(address(), {"text": "Oi", "key": key}).status_code == 302
    assert ours() == [("queued", "Oi")]


@pytest.mark.parametrize("text", ["", "   \n ", "x" * 4097])
def test_a_wrong_reply_comes_back_as_typed(number: Number, sign_in: SignIn, beto: Person, text: str) -> None:
    arrive(number, incoming())
    client = sign_in(beto)
    for headers in ({}, {"HX-Request": "true"}):
        answer = client.post(address(), {"text": text}, headers=headers)
        html = answer.content.decode()
        assert answer.status_code == 422
        assert 'id="id_text_error"' in html
        assert 'aria-invalid="true"' in html
        assert text.strip() in html
    assert (ours(), the_conversation().owner) == ([], "ai")


def test_htmx_gets_the_new_bubble_and_a_fresh_composer(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    answer = sign_in(beto).post(address(), {"text": "já respondo"}, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert html.index('id="composer"') < html.index('class="thread__messages"')
    assert "já respondo</textarea>" not in html
    assert 'bubble__text">já respondo<' in html


def test_a_viewer_writes_nothing(number: Number, sign_in: SignIn, vera: Person) -> None:
    arrive(number, incoming())
    stuck_pk = the_conversation().messages.get().pk
    before = (list(Conversation.objects.values()), list(Message.objects.values()), Due.objects.count())
    client = sign_in(vera)
    decisions = [f"messages/{stuck_pk}/{verb}/" for verb in ("retry", "approval", "discard")]
    for end in ("replies/", "takeover/", "takeover/end/", *decisions):
        assert client.post(address(end), {"text": "Oi"}).status_code == 403
    assert client.post("/o/acme/inbox/pause/").status_code == 403
    assert (list(Conversation.objects.values()), list(Message.objects.values()), Due.objects.count()) == before
    assert not AuditEntry.objects.filter(action__startswith="conversation.").exists()


def test_a_failed_message_can_be_tried_again(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, text="Oi")
    failed = stuck(state="failed", failure="not_sent_twice", attempts=5)
    Conversation.objects.update(needs_person_since=timezone.now(), needs_reason="not_sent")
    assert sign_in(beto).post(address(f"messages/{failed.pk}/retry/")).status_code == 302
    send(the_conversation())
    assert fakes.phone.sent == [(JID, "Oi")]
    assert (ours(), the_conversation().needs_reason) == ([("sent", "Oi")], "")


def test_an_uncertain_message_is_sent_again_only_after_its_time(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, text="Oi")
    doubtful = stuck(state="unknown", claimed_at=timezone.now())
    with pytest.raises(Refused) as refused:
        replies.retry(doubtful, beto)
    assert (refused.value.code, ours()) == ("not_stuck", [("unknown", "Oi")])
    replies.retry(stuck(claimed_at=timezone.now() - VERDICT_LATEST), beto)
    assert ours() == [("queued", "Oi")]


def test_trying_twice_sends_once(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, text="Oi")
    failed = stuck(state="failed")
    replies.retry(failed, beto)
    with pytest.raises(Refused):
        replies.retry(failed, beto)
    send(the_conversation())
    assert fakes.phone.sent == [(JID, "Oi")]


def test_the_ais_words_are_not_tried_again_once_a_person_has_the_conversation(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    turn(the_conversation())
    failed = stuck(state="failed")
    replies.take_over(the_conversation(), beto)
    with pytest.raises(Refused) as refused:
        replies.retry(failed, beto)
    assert (refused.value.code, [state for state, _ in ours()]) == ("not_ai", ["failed"])


def test_what_did_not_go_out_can_be_given_up(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, text="Oi")
    failed = stuck(state="unknown", claimed_at=timezone.now() - VERDICT_LATEST)
    Conversation.objects.update(needs_person_since=timezone.now(), needs_reason="unknown_send")
    sign_in(beto).post(address(f"messages/{failed.pk}/discard/"))
    assert (ours(), the_conversation().needs_reason) == ([("cancelled", "Oi")], "")


def test_a_click_about_an_earlier_failure_does_nothing(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, text="Oi")
    message = stuck(state="failed", failure="gone", attempts=1)
    client = sign_in(beto)
    assert '<input type="hidden" name="attempt" value="1">' in client.get(address("")).content.decode()
    Message.objects.update(attempts=2)  # tried again, and failed again
    client.post(address(f"messages/{message.pk}/retry/"), {"attempt": "1"})
    assert ours() == [("failed", "Oi")]
    client.post(address(f"messages/{message.pk}/retry/"), {"attempt": "2"})
    assert ours() == [("queued", "Oi")]


def test_a_person_says_that_it_did_arrive(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming("Bom dia"))
    replies.reply(the_conversation(), beto, text="Oi")
    replies.reply(the_conversation(), beto, text="Segue")
    claimed = timezone.now() - VERDICT_LATEST
    message = Message.objects.get(text="Oi")
    Message.objects.filter(pk=message.pk).update(state="unknown", attempts=1, claimed_at=claimed)
    Conversation.objects.update(needs_person_since=timezone.now(), needs_reason="unknown_send")
    Due.objects.all().delete()
    answer = sign_in(beto).post(address(f"messages/{message.pk}/confirmation/"))
    assert answer.status_code == 302
    assert ours() == [("sent", "Oi"), ("queued", "Segue")]
    assert the_conversation().needs_person_since is None
    assert Due.objects.filter(kind="send").exists()
    assert AuditEntry.objects.get(action="message.confirmed").data == {"id": message.pk}
    send(the_conversation())
    assert [text for _, text in fakes.phone.sent] == ["Segue"]  # the first was not sent again
    # When the provider shows it after all, it is that one: no second bubble.
    arrive(number, incoming("Oi", pid="LATE", from_us=True, sent_at=claimed + timedelta(seconds=5)))
    assert ours() == [("sent", "Oi"), ("sent", "Segue")]
    message.refresh_from_db()
    assert message.provider_id == "LATE"


def test_an_uncertain_message_is_not_to_be_decided_too_early(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    message = replies.reply(the_conversation(), beto, text="Oi")
    for fields in ({"state": "unknown", "claimed_at": timezone.now()}, {"state": "failed"}, {"state": "sent"}):
        Message.objects.update(**fields)
        with pytest.raises(Refused):
            replies.confirm_sent(message, beto)
    assert not AuditEntry.objects.filter(action="message.confirmed").exists()
