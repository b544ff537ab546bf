"""Deciding about one message at once: whatever is pressed together, one decision counts and one send leaves."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from conversations import media, replies, sending
from conversations.models import Conversation, MediaAsset, Message
from conversations.ports import Media, MessageKind
from orgs.context import in_org
from orgs.models import AuditEntry, Due, Org, Person, Refused
from tests.conversations.conftest import arrive, incoming, make_number

ROUNDS = 25


def at_once(org: Org, *functions: Callable[[], object]) -> Counter[str]:
    """Run them together on connections of their own. Out: how many were done, and how many refused by which code."""
    start = threading.Barrier(len(functions))
    outcomes: Counter[str] = Counter()

    def run(function: Callable[[], object]) -> None:
        try:
            with in_org(org):
                start.wait(10)
                function()
            outcomes["done"] += 1
        except Refused as refused:
            outcomes[refused.code] += 1
        except BaseException as error:
            outcomes[repr(error)] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def stuck(place: int, state: str) -> Message:
    """A person's message that will not go out by itself."""
    conversation = Conversation.objects.latest("pk")
    long_ago = timezone.now() - sending.VERDICT_LATEST - timedelta(minutes=1)
    Conversation.objects.filter(pk=conversation.pk).update(owner="person", seq=conversation.seq + 1)
    return Message.objects.create(
        conversation=conversation, number_id=conversation.number_id, author="person", state=state,
        seq=conversation.seq + 1, text=f"oi {place}", attempts=1, claimed_at=long_ago, epoch=conversation.epoch,
    )  # fmt: skip


def test_several_clicks_queue_a_failed_message_once(committed: None) -> None:
    org, beto = Org.objects.get(slug="acme"), Person.objects.get(email="beto@example.com")
    with in_org(org):
        number = make_number()
        for place in range(ROUNDS):
            arrive(number, incoming(jid=f"55119{place:08}@s.whatsapp.net"))
            message = stuck(place, "failed")

            def press(message: Message = message) -> None:
                replies.retry(message, beto, attempt=1)

            assert at_once(org, press, press, press) == {"done": 1, "not_stuck": 2}
            message.refresh_from_db()
            assert (message.state, message.attempts) == ("queued", 1)
            assert sending.claim_next(message.conversation_id) is not None
            assert sending.claim_next(message.conversation_id) is None
    assert AuditEntry.objects.filter(action="message.retried").count() == ROUNDS


@pytest.mark.parametrize("first", ["confirm", "again"])
def test_it_arrived_and_send_again_cannot_both_win(committed: None, first: str) -> None:
    org, beto = Org.objects.get(slug="acme"), Person.objects.get(email="beto@example.com")
    states: Counter[str] = Counter()
    with in_org(org):
        number = make_number()
        for place in range(ROUNDS):
            arrive(number, incoming(jid=f"55119{place:08}@s.whatsapp.net"))
            message = stuck(place, "unknown")

            def confirm(message: Message = message) -> None:
                replies.confirm_sent(message, beto)

            def again(message: Message = message) -> None:
                replies.retry(message, beto, attempt=1)

            both = (confirm, again) if first == "confirm" else (again, confirm)
            assert at_once(org, *both) == {"done": 1, "not_stuck": 1}
            message.refresh_from_db()
            states[message.state] += 1
    assert sum(states.values()) == ROUNDS
    assert set(states) <= {"sent", "queued"}
    decided = AuditEntry.objects.filter(action__in=["message.retried", "message.confirmed"])
    assert decided.count() == ROUNDS


def test_a_file_asked_for_by_several_is_asked_for_once(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        number = make_number()
        arrive(number, incoming("", kind=MessageKind.IMAGE, media=Media(mime="image/png")))
        message = Message.objects.get(author="lead")
        for _ in range(ROUNDS):
            MediaAsset.objects.update(state="failed")
            Due.objects.filter(kind="media").delete()
            assert at_once(org, *[lambda: media.want_again(message)] * 3) == {"done": 1, "not_missing": 2}
            assert Due.objects.filter(kind="media", ref=str(message.pk)).count() == 1
