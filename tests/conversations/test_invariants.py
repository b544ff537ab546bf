"""Work that is there with nobody to do it is found, and what is in order is not reported."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations import intake, invariants
from conversations.models import Conversation, Message, Number
from orgs.models import Due, Org, Received
from sdr.lib import metrics
from tests.conversations.conftest import arrive, incoming, ours, send, the_conversation, turn


def found() -> tuple[list[int], list[int], list[int]]:
    return (
        invariants.unanswered_without_turn(),
        invariants.queued_without_send(),
        invariants.received_without_intake(),
    )


def test_all_is_well_from_the_message_to_the_reply(number: Number) -> None:
    arrive(number, incoming("Oi"))
    assert found() == ([], [], [])
    turn(the_conversation())
    assert found() == ([], [], [])
    Due.objects.filter(kind="turn").delete()  # as the shift does when the turn is done
    send(the_conversation())
    Due.objects.all().delete()
    assert [state for state, _ in ours()] == ["sent"]
    assert found() == ([], [], [])


def test_it_finds_a_message_that_nobody_will_answer(number: Number) -> None:
    arrive(number, incoming("Oi"))
    Due.objects.filter(kind="turn").delete()
    assert found() == ([the_conversation().pk], [], [])


def test_it_finds_a_message_whose_turn_was_given_up_as_dead(number: Number) -> None:
    arrive(number, incoming("Oi"))
    Due.objects.filter(kind="turn").update(dead_at=timezone.now())
    assert found()[0] == [the_conversation().pk]


@pytest.mark.parametrize("change", ["person", "skipped", "deleted", "answered"])
def test_it_leaves_alone_what_the_ai_does_not_owe(number: Number, change: str) -> None:
    if change == "skipped":
        Number.objects.update(mode=Number.Mode.OFF)
    arrive(number, incoming("Oi"))
    match change:
        case "person":
            intake.take_over(the_conversation(), person_id=1, source="inbox")
        case "skipped":
            turn(the_conversation())
        case "deleted":
            Message.objects.update(deleted_at=timezone.now(), text="")
        case "answered":
            Conversation.objects.update(watermark=1)
    Due.objects.all().delete()
    assert found() == ([], [], [])


def test_it_finds_a_reply_that_will_never_leave(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    Due.objects.filter(kind="send").delete()
    assert found()[1] == list(Message.objects.filter(author="ai").values_list("pk", flat=True))


def test_what_waits_behind_an_unsettled_send_is_in_order(number: Number) -> None:
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    conversation = the_conversation()
    conversation.next_seq()
    conversation.save()
    doubt = Message.objects.create(
        conversation=conversation,
        number=number,
        author="ai",
        state=Message.State.UNKNOWN,
        seq=conversation.seq,
        text="?",
    )
    Due.objects.filter(kind="send").delete()
    assert len(found()[1]) == 1
    intake.want("reconcile", doubt.pk)
    assert found()[1] == []


def test_it_finds_a_webhook_that_nobody_reads(in_acme: Org) -> None:
    fields: dict[str, Any] = {"org_id": in_acme.pk, "address_id": 1, "number_id": 1, "body": "{}"}
    old = timezone.now() - timedelta(minutes=2)
    forgotten = Received.objects.create(dedupe_key="a", received_at=old, **fields)
    Received.objects.create(dedupe_key="b", **fields)
    called = Received.objects.create(dedupe_key="c", received_at=old, **fields)
    Due.objects.want(in_acme.pk, "intake", called.pk)
    assert found()[2] == [forgotten.pk]


def test_the_watch_counts_over_all_orgs_into_a_gauge(number: Number) -> None:
    arrive(number, incoming("Oi"))
    Due.objects.all().delete()
    counts = invariants.watch()
    assert counts == {"unanswered_without_turn": 1, "queued_without_send": 0, "received_without_intake": 0}
    line = 'sdr_invariant_violations{name="unanswered_without_turn"} 1.0'
    assert line in metrics.exposition().decode()
