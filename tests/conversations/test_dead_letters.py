"""What was given up calls a person, in words, in the org it belongs to; replaying it works."""

import pytest

from conversations import intake, invariants, media, sending, turns, wording
from conversations.models import MediaAsset, Message, Number, Turn
from conversations.ports import Decision, Media, MessageKind, Uncertain
from conversations.replies import is_stuck
from orgs.models import Due
from sdr.lib import jobs
from tests import fakes
from tests.conversations.conftest import arrive, incoming, ours, send, the_conversation, turn


@pytest.mark.parametrize("kind", ["turn", "send", "reconcile", "media"])
def test_every_kind_that_somebody_waits_for_takes_note_of_its_death(kind: str) -> None:
    assert jobs.registry.kinds[kind].on_dead is not None


def test_a_turn_that_was_given_up_calls_a_person_and_can_be_replayed(number: Number) -> None:
    arrive(number, incoming("Oi"))
    for _ in range(2):
        turns.died(the_conversation().pk, "took longer than 150 s")
    conversation = the_conversation()
    assert conversation.needs_reason == "ai_failed"
    assert wording.need(conversation.needs_reason) != wording.need("?")
    assert list(Turn.objects.values_list("state", "reason")) == [("failed", "took longer than 150 s")]
    Due.objects.filter(kind="turn").delete()
    assert not invariants.unanswered_without_turn()
    turn(conversation)
    assert ours() == [("queued", "ok")]
    assert the_conversation().needs_person_since is None


def test_a_turn_that_dies_although_it_was_answered_calls_nobody(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    turns.died(the_conversation().pk, "OperationalError")
    assert the_conversation().needs_person_since is None
    assert Turn.objects.get().state == Turn.State.APPLIED


def test_a_turn_that_dies_owing_an_answer_that_was_withdrawn_calls_a_person(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    intake.take_over(the_conversation(), person_id=1, source="inbox")
    intake.give_back(the_conversation(), person_id=1)
    assert ours() == [("cancelled", "ok")]
    turns.died(the_conversation().pk, "did not come to an end in 8 tries")
    assert the_conversation().needs_reason == "ai_failed"
    assert sorted(Turn.objects.values_list("state", flat=True)) == ["applied", "failed"]


def test_a_frozen_brain_writes_nothing_after_its_turn_has_died(number: Number) -> None:
    arrive(number, incoming("Oi"))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    turns.died(the_conversation().pk, "TimeoutError")
    assert not turns.apply(opened, Decision(("tarde",)))
    assert ours() == []


def test_a_send_that_was_given_up_fails_what_it_had_and_calls_a_person(number: Number) -> None:
    fakes.FakeBrain.script = ["um|dois|três"]
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    Message.objects.filter(bubble=0).update(state="sending")  # on the wire: not ours to judge
    for _ in range(2):
        sending.died(the_conversation().pk, "ValueError")
    assert [state for state, _ in ours()] == ["sending", "failed", "failed"]
    assert the_conversation().needs_reason == "not_sent"
    assert all(is_stuck(message) for message in Message.objects.filter(state="failed"))
    Due.objects.filter(kind="send").delete()
    assert not invariants.queued_without_send()


def test_a_reconciliation_that_was_given_up_lets_a_person_decide_at_once(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    fakes.phone.script = [Uncertain("timeout")]
    send(the_conversation())
    message = Message.objects.get(author="ai")
    assert not is_stuck(message)
    sending.reconciliation_died(message.pk, "ValueError")
    message.refresh_from_db()
    assert (message.state, is_stuck(message)) == ("unknown", True)
    assert the_conversation().needs_reason == "unknown_send"


def test_a_file_that_was_given_up_says_so(number: Number) -> None:
    arrive(number, incoming("", kind=MessageKind.IMAGE, media=Media(mime="image/jpeg")))
    message = Message.objects.get()
    media.died(message.pk, "did not come to an end in 8 tries")
    assert MediaAsset.objects.get().state == MediaAsset.State.FAILED
    assert the_conversation().needs_reason == "media_failed"
