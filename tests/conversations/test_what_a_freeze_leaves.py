"""A process freezes, or another one comes in between: what is certain stays certain, nothing waits for ever."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conversations import intake, invariants, sending, turns
from conversations.models import Contact, Conversation, Message, Number, Pending, Turn
from conversations.ports import Decision, Edit, LinkState, Revoke, Sent, Uncertain
from conversations.replies import is_stuck
from integrations.whatsapp import client
from orgs.context import in_org
from orgs.models import Due, Org, Want
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


def test_an_edit_that_arrives_with_its_message_is_applied(committed: None) -> None:
    """The message is stored and looks for news; the edit finds no message yet. Whoever is second must see the first."""
    org = Org.objects.get(slug="acme")
    stored, may_commit = threading.Event(), threading.Event()

    def store() -> None:
        try:
            with in_org(org), transaction.atomic():
                intake.handle(number, incoming("helo", pid="TYPO"), received_at=timezone.now())
                stored.set()
                may_commit.wait(10)
        finally:
            connection.close()

    def edit() -> None:
        try:
            with in_org(org):
                arrive(number, Edit("TYPO", "hello", timezone.now()))
        finally:
            connection.close()

    with in_org(org):
        number = make_number()
        storing, editing = threading.Thread(target=store), threading.Thread(target=edit)
        storing.start()
        assert stored.wait(10)
        editing.start()
        editing.join(0.5)
        may_commit.set()
        for thread in (storing, editing):
            thread.join(10)
        assert Message.objects.get().text == "hello"
        assert not Pending.objects.exists()


def test_deleting_the_newer_message_brings_the_older_ones_turn_back(number: Number) -> None:
    arrive(number, incoming("quanto custa?"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    arrive(number, incoming("ops", pid="OOPS"))
    assert not turns.apply(opened, Decision(("…",)))
    arrive(number, Revoke("OOPS"))
    turn(the_conversation())
    Due.objects.filter(kind="turn").delete()
    assert not invariants.unanswered_without_turn()
    assert the_conversation().watermark == 1
    assert ours() == [("queued", "ok")]


def test_an_opt_out_on_another_number_leaves_a_reason_here(number: Number) -> None:
    arrive(number, incoming("quanto custa?"))
    here = the_conversation()
    opened = turns.open_turn(here.pk)
    assert opened is not None
    other = Number.objects.create(name="Suporte", mode=Number.Mode.ALL, state="open")
    arrive(other, incoming("pare"))
    assert Contact.objects.get().opted_out_at is not None
    Due.objects.all().delete()
    assert not turns.apply(opened, Decision(("…",)))
    assert list(Due.objects.values_list("kind", "ref")) == [("turn", str(here.pk))]
    turn(here)
    Due.objects.all().delete()
    assert Turn.objects.filter(conversation=here, state="skipped", reason="opted_out").exists()


def test_a_parked_message_of_our_side_holds_the_ai_after_its_transaction_is_undone(number: Number) -> None:
    arrive(number, incoming())
    turn(the_conversation())
    fakes.phone.script = [Uncertain("timeout")]
    send(the_conversation())
    foreign = incoming("outra coisa", from_us=True)
    with pytest.raises(intake.Parked) as parked, transaction.atomic():
        intake.handle(number, foreign, received_at=timezone.now())
    assert not the_conversation().is_held
    parked.value.hold()
    assert the_conversation().is_held


@pytest.mark.parametrize("decided", ["queued", "failed", "cancelled", "unknown"])
def test_an_answer_that_was_read_before_a_long_freeze_still_counts(number: Number, decided: str) -> None:
    arrive(number, incoming())
    turn(the_conversation())
    claim = sending.claim_next(the_conversation().pk)
    assert claim is not None
    Message.objects.filter(pk=claim.message_id).update(state=decided)
    sending.mark_sent(claim, Sent("WIRE", JID, timezone.now()))
    send(the_conversation())
    assert fakes.phone.sent == []
    assert Message.objects.get(pk=claim.message_id).provider_id == "WIRE"
    assert ours() == [("sent", "ok")]


def test_the_verdict_waits_ninety_seconds_longer_than_the_client() -> None:
    assert client.SEND.total == sending.CALL_TIMEOUT.total_seconds()
    assert timedelta(seconds=client.SEND.total + 90) <= sending.VERDICT_AFTER


def test_a_turn_that_a_stopped_worker_took_back_is_made_by_somebody(number: Number) -> None:
    """One freezes before opening, loses the row, thaws, retakes the turn, and is told that the row is lost."""
    arrive(number, incoming("quanto custa?"))
    Due.objects.filter(kind="turn").update(due_at=timezone.now())
    [claimed] = Due.objects.claim([Want("turn", 1, 1)], lease=timedelta(seconds=15))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    assert turns.open_turn(the_conversation().pk) is not None  # the frozen one's, which is cancelled after it
    assert not turns.apply(opened, Decision(("…",)))
    Due.objects.finish([claimed])
    assert not invariants.unanswered_without_turn()
    turn(the_conversation())
    assert ours() == [("queued", "ok")]


def test_an_uncertain_send_of_an_unreachable_number_is_a_persons_to_decide(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    assert sending.claim_next(the_conversation().pk) is not None  # and its process is killed
    message = Message.objects.get(author="ai")
    message.claimed_at = timezone.now() - sending.VERDICT_LATEST
    message.save(update_fields=["claimed_at"])
    Number.objects.update(state=LinkState.CONNECTING)
    reconcile(message.pk)
    message.refresh_from_db()
    assert message.state == Message.State.UNKNOWN
    assert is_stuck(message)
    assert the_conversation().needs_reason == "unknown_send"


def test_what_was_queued_behind_a_frozen_send_leaves_when_it_is_recorded(number: Number) -> None:
    """Others came for it, found one on the wire and were done; the frozen sender has lost its row by then."""
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    claim = sending.claim_next(the_conversation().pk)
    assert claim is not None
    arrive(number, incoming("e o preço?", pid="SECOND"))
    Conversation.objects.update(last_ai_at=timezone.now() - timedelta(minutes=1))
    turn(the_conversation())
    assert [state for state, _ in ours()] == ["sending", "queued"]
    send(the_conversation())
    Due.objects.filter(kind="send").delete()
    sending.mark_sent(claim, Sent("LATE1", JID, timezone.now()))
    Due.objects.filter(kind="reconcile").delete()
    assert not invariants.queued_without_send()
    send(the_conversation())
    assert [state for state, _ in ours()] == ["sent", "sent"]
