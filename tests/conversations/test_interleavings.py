"""Hostile orders of events (DESIGN 4): two senders at once, locks of several conversations, an answer that was lost."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from conversations import intake, pause, replies, sending
from conversations.models import Contact, Conversation, Message, Number
from conversations.ports import ChatAddress, Incoming, Uncertain
from orgs.context import in_org
from orgs.models import Due, Org, Person
from tests import fakes
from tests.conversations.conftest import (
    JID,
    arrive,
    incoming,
    make_number,
    ours,
    reconcile,
    send,
    the_conversation,
    turn,
)
from tests.conversations.test_pause import wait_for_a_lock
from tests.conversations.test_send import canary, past_verdict

SignIn = Callable[[Person], Client]
LID = "88800011122233"


def elsewhere(function: Callable[[], object]) -> object:
    """Run in Acme on this thread's own connection."""
    try:
        with in_org(Org.objects.get(slug="acme")):
            return function()
    finally:
        connection.close()


@pytest.mark.parametrize("again", [True, False], ids=["as built", "asked once"])
def test_two_senders_of_one_conversation_put_one_message_on_the_wire(
    committed: None, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lost its lease while it held the share lock; the next holds it too. The second case must be caught."""
    fakes.FakeBrain.script = ["um|dois"]
    with in_org(Org.objects.get(slug="acme")):
        arrive(make_number(), incoming())
        turn(the_conversation())
        pk = the_conversation().pk
        if not again:
            asked: set[int] = set()
            real = sending.on_the_wire

            def once(conversation: Conversation) -> bool:
                me = threading.get_ident()
                if me in asked:
                    return False
                asked.add(me)
                return real(conversation)

            monkeypatch.setattr(sending, "on_the_wire", once)
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                assert isinstance(sending.claim_locked(pk), sending.Claim)
                second = pool.submit(elsewhere, lambda: sending.claim_next(pk))
                wait_for_a_lock()
            assert (second.result(20) is None) is again
        states = [state for state, _ in ours()]
        assert states == (["sending", "queued"] if again else ["sending", "sending"])


def two_conversations() -> tuple[int, int]:
    """Of one person: known by phone on the first number, by LID alone on the second, whose id is higher."""
    first, second = make_number(), make_number(name="Suporte", phone="5511988880001")
    arrive(first, incoming())
    arrive(second, incoming(jid=f"{LID}@lid", chat=ChatAddress(f"{LID}@lid", lid=LID)))
    low, high = Conversation.objects.order_by("pk").values_list("pk", flat=True)
    return low, high


def is_free(pk: int) -> bool:
    try:
        with transaction.atomic():
            Conversation.objects.select_for_update(nowait=True).get(pk=pk)
    except OperationalError:
        return False
    return True


@pytest.mark.parametrize("what", ["merge", "opt-out"])
def test_who_needs_several_conversations_locks_them_by_id(committed: None, what: str) -> None:
    """Else the red switch, which locks many in this order, would meet them half way, and one of the two be killed."""
    with in_org(Org.objects.get(slug="acme")):
        low, high = two_conversations()
        number = Number.objects.get(name="Suporte")
        both = ChatAddress(f"{LID}@lid", phone="5511999990001", lid=LID)
        if what == "opt-out":
            arrive(number, incoming(chat=both))  # one contact from now on

        def come() -> None:
            arrive(number, incoming("pare", jid=f"{LID}@lid", chat=both))

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                intake.locked(low)
                coming = pool.submit(elsewhere, come)
                wait_for_a_lock()
                assert pool_of_one(lambda: is_free(high))
            coming.result(20)
        contact = Contact.objects.get(merged_into=None)
        assert contact.opted_out_at is not None
        assert set(contact.conversations.values_list("pk", flat=True)) == {low, high}


def pool_of_one(function: Callable[[], bool]) -> bool:
    with ThreadPoolExecutor(1) as pool:
        return bool(pool.submit(elsewhere, function).result(20))


def test_an_answer_that_was_lost_while_a_person_had_the_conversation_is_made_anew(number: Number, beto: Person) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    fakes.phone.script = [Uncertain("timeout")]
    send(the_conversation())
    replies.take_over(the_conversation(), beto)
    replies.give_back(the_conversation(), beto)
    turn(the_conversation())
    past_verdict()
    canary()
    Due.objects.all().delete()
    reconcile(Message.objects.get(author="ai").pk)
    assert [state for state, _ in ours()] == ["cancelled"]
    assert Due.objects.filter(kind="turn", ref=str(the_conversation().pk)).exists()
    turn(the_conversation())
    send(the_conversation())
    assert [state for state, _ in ours()] == ["cancelled", "sent"]
    assert [text for jid, text in fakes.phone.sent if jid == JID] == ["ok"]


def test_a_verdict_about_a_former_try_says_nothing_about_the_next(number: Number) -> None:
    """Read back before the verdict, judged after a person had it sent again: nothing is decided."""
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    fakes.phone.script = [Uncertain("timeout")]
    send(the_conversation())
    past_verdict()
    canary()
    message = Message.objects.get(author="ai")
    question = sending.ask(message.pk)
    assert question is not None
    outcome: Future[tuple[list[Incoming], bool]] = Future()
    outcome.set_result(sending.look_back(question))
    Message.objects.filter(pk=message.pk).update(claimed_at=timezone.now(), attempts=2)
    sending.judge(question, outcome)
    assert [state for state, _ in ours()] == ["unknown"]


def test_a_keystroke_in_the_page_holds_the_ai(number: Number, sign_in: SignIn, beto: Person, vera: Person) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    address = f"/o/acme/inbox/{the_conversation().pk}/typing/"
    assert sign_in(vera).post(address).status_code == 403
    assert not the_conversation().is_held
    assert sign_in(beto).post(address).status_code == 204
    held = the_conversation().hold_until
    assert held is not None
    assert timedelta(seconds=15) < held - timezone.now() <= timedelta(seconds=20)
    send(the_conversation())
    assert (fakes.phone.sent, Message.objects.get(author="ai").failure) == ([], "waits_for_person")
    page = sign_in(beto).get(f"/o/acme/inbox/{the_conversation().pk}/").content.decode()
    assert f'url="{address}"' in page


def test_a_number_that_is_switched_off_sends_nothing_more_of_the_ais(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    with transaction.atomic():
        pause.set_mode(number, Number.Mode.OFF)
    send(the_conversation())
    turn(the_conversation())
    assert (fakes.phone.sent, [state for state, _ in ours()]) == ([], ["cancelled"])
    assert the_conversation().needs_reason == "number_off"
