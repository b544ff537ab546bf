"""A shift that is stopped leaves no message between claim and call, and a vendor who hangs stops nobody's turn."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from conversations import sending
from conversations.models import AgentVersion, Message, Number, Turn
from orgs import shifts
from orgs.context import in_org
from orgs.models import Due, Org
from sdr.lib import jobs
from tests import fakes
from tests.conversations.conftest import Hands, arrive, drive, incoming, make_number, ours, send, the_conversation, turn

SECOND = timedelta(seconds=1)
EACH = 32  # sends of one org at once: its share


@pytest.fixture
def queued(number: Number) -> Message:
    AgentVersion.objects.update(typing_per_character=10, typing_longest=30)
    arrive(number, incoming())
    turn(the_conversation())
    return Message.objects.get(author="ai")


async def stopped_after(hands: Hands, conversation_id: int, when: Callable[[float], bool]) -> None:
    """Send, and cancel as a shift does when it is stopped."""
    task = asyncio.create_task(sending.send_all(conversation_id, hands))
    assert await asyncio.to_thread(when, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_stopped_while_typing_is_shown_it_waits_in_the_queue_again(queued: Message) -> None:
    claimed = threading.Event()
    fakes.phone.typing = claimed.set
    Due.objects.filter(kind="send").delete()
    drive(lambda hands: stopped_after(hands, queued.conversation_id, claimed.wait))
    assert (fakes.phone.sent, ours()) == ([], [("queued", "ok")])
    assert Due.objects.filter(kind="send", ref=str(queued.conversation_id)).exists()
    AgentVersion.objects.update(typing_per_character=0)
    send(the_conversation())
    assert len(fakes.phone.sent) == 1


def test_stopped_while_it_is_claimed_it_waits_in_the_queue_again(
    queued: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, claimed = sending.next_parcel, threading.Event()

    def slow(conversation_id: int) -> sending.Parcel | None:
        parcel = real(conversation_id)
        claimed.set()
        time.sleep(0.1)  # the stop comes while the claim is committed and nobody has it yet
        return parcel

    monkeypatch.setattr(sending, "next_parcel", slow)
    drive(lambda hands: stopped_after(hands, queued.conversation_id, claimed.wait))
    assert (fakes.phone.sent, ours()) == ([], [("queued", "ok")])


def test_who_was_overtaken_while_stopping_puts_nothing_back(queued: Message) -> None:
    stale = sending.claim_next(queued.conversation_id)
    assert stale is not None
    sending.put_back(stale)
    assert sending.claim_next(queued.conversation_id) is not None
    sending.put_back(stale)
    assert ours() == [("sending", "ok")]


def test_sixty_four_hanging_sends_let_the_turns_of_others_go_on(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    orgs = [Org.objects.get(slug=slug) for slug in ("acme", "globex")]
    hung, may_end = threading.Semaphore(0), threading.Event()

    def hang() -> None:
        hung.release()
        may_end.wait(30)

    fakes.phone.script = [hang] * (2 * EACH)
    for org in orgs:
        with in_org(org):
            number = make_number()
            for lead in range(EACH):
                arrive(number, incoming(jid=f"55119999{lead:05}@s.whatsapp.net"))
                turn(number_conversation(number, lead))
    Due.objects.exclude(kind="send").delete()
    kinds = {name: jobs.registry.kinds[name] for name in ("turn", "send")}
    stop = threading.Event()
    shift = jobs.Shift(shifts.DueQueue(), length=60 * SECOND, kinds=kinds, stop=stop.is_set, grace=20 * SECOND)
    working = threading.Thread(target=shift.run)
    working.start()
    try:
        for _ in range(2 * EACH):
            assert hung.acquire(timeout=20)
        with in_org(orgs[0]):
            arrive(Number.objects.get(), incoming(jid="5511988887777@s.whatsapp.net"))
            Due.objects.filter(kind="turn").update(due_at="2020-01-01T00:00Z")
        shift.ring()
        asked = time.monotonic()
        while not answered(orgs[0], 2 * SECOND, since=asked):
            time.sleep(0.02)
        with in_org(orgs[0]):
            assert Message.objects.filter(author="ai", state="sending").count() == EACH
    finally:
        may_end.set()
        stop.set()
        working.join(30)
    assert not working.is_alive()
    assert len(fakes.phone.sent) >= 2 * EACH


def number_conversation(number: Number, lead: int) -> Any:
    return number.conversations.get(contact__phone=f"55119999{lead:05}")


def answered(org: Org, within: timedelta, *, since: float) -> bool:
    assert time.monotonic() - since < within.total_seconds()
    with in_org(org):
        return Turn.objects.filter(state="applied", conversation__contact__phone="5511988887777").exists()
