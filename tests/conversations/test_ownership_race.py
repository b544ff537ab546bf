"""A takeover and a send at once: no send is claimed after the takeover's commit, at most one is on the wire."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from conversations import intake, sending
from conversations.models import Conversation, Message
from orgs.context import in_org
from orgs.models import Org
from tests.conversations.conftest import arrive, incoming, make_number

ROUNDS = 60


def together(org: Org, *functions: Callable[[], object]) -> None:
    start = threading.Barrier(len(functions))
    errors: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            with in_org(org):
                start.wait(10)
                function()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if errors:
        raise errors[0]


def one_queued(number: object, place: int) -> Message:
    arrive(number, incoming(jid=f"55119{place:08}@s.whatsapp.net"))  # type: ignore[arg-type]
    conversation = Conversation.objects.order_by("-pk")[0]
    message = Message.objects.create(
        conversation=conversation, number=conversation.number, author="ai", state="queued",
        seq=conversation.seq + 1, epoch=conversation.epoch, text="oi",
    )  # fmt: skip
    Conversation.objects.filter(pk=conversation.pk).update(seq=conversation.seq + 1)
    return message


@pytest.mark.parametrize("locked", [True, False], ids=["as built", "epoch compared without the lock"])
def test_no_send_is_claimed_after_the_takeovers_commit(
    committed: None, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second case puts the known bug back, and must be caught: else this test would prove nothing.

    Withdrawing what is queued is switched off in both, so that the lock alone is on trial.
    """
    org = Org.objects.get(slug="acme")
    monkeypatch.setattr(intake, "cancel_queued", lambda conversation, *, why: 0)
    if not locked:
        monkeypatch.setattr(sending, "lock_share", look_without_lock)
    late = 0
    on_wire = 0
    with in_org(org):
        number = make_number()
        for place in range(ROUNDS):
            message = one_queued(number, place)
            taken: list[float] = []
            claimed: list[float] = []

            def take(message: Message = message, taken: list[float] = taken) -> None:
                with transaction.atomic():
                    intake.take_over(intake.locked(message.conversation_id), person_id=1, source="inbox")
                taken.append(time.monotonic())

            def send(message: Message = message, claimed: list[float] = claimed) -> None:
                if sending.claim_next(message.conversation_id) is not None:
                    claimed.append(time.monotonic())

            together(org, take, send)
            message.refresh_from_db()
            if claimed and message.state == "sending":
                on_wire += 1
                if message.claimed_at and message.conversation.takeovers.get().started_at < message.claimed_at:
                    late += 1
    if locked:
        assert late == 0
    else:
        assert late > 0
    assert on_wire <= ROUNDS


def look_without_lock(conversation_id: int) -> Conversation | None:
    """What comparing the epoch without the lock looks like, with a pause where a busy machine would make one."""
    conversation = Conversation.objects.filter(pk=conversation_id).first()
    time.sleep(0.02)
    return conversation
