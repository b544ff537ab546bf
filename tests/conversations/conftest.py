"""A number that is live, leads who write, and a phone that records what they get."""

import asyncio
import queue
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from conversations import intake, news, sending, turns
from conversations.models import AgentVersion, Conversation, Message, Number
from conversations.ports import ChatAddress, Incoming, LinkState, MessageKind
from orgs import notifications
from orgs.models import Due, Notification, Org, Person
from sdr.lib import jobs
from tests import fakes

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")
JID = "5511999990001@s.whatsapp.net"


@pytest.fixture(autouse=True)
def fake_ports(settings: Any) -> Iterator[None]:
    settings.SDR_TRANSPORT = "tests.fakes.FakeTransport"
    settings.SDR_BRAINS = {"playbook": "tests.fakes.FakeBrain"}
    settings.SDR_PACING = False
    fakes.phone.__init__()  # type: ignore[misc]
    sending._witnesses.clear()
    fakes.FakeBrain.script, fakes.FakeBrain.during, fakes.FakeBrain.contexts = [], None, []
    yield


@pytest.fixture
def sign_in(sign_in: Callable[[Person], Client]) -> Callable[[Person], Client]:
    """A signed-in browser whose requests leave the test in the org it had entered."""

    def make(person: Person) -> Client:
        client = sign_in(person)
        ask = client.request

        def request(**given: Any) -> Any:
            before = connection.tenant  # type: ignore[attr-defined]
            try:
                return ask(**given)
            finally:
                connection.set_tenant(before)  # type: ignore[attr-defined]

        client.request = request  # type: ignore[method-assign]
        return client

    return make


def make_number(**fields: Any) -> Number:
    """A connected number whose AI answers everybody, at once."""
    number = Number.objects.create(
        **{"name": "Vendas", "phone": "5511988880000", "mode": Number.Mode.ALL, "state": LinkState.OPEN,
           "opened_at": timezone.now() - timedelta(days=1)} | fields
    )  # fmt: skip
    if not AgentVersion.objects.exists():
        AgentVersion.objects.create(
            state=AgentVersion.State.PUBLISHED, cooldown_seconds=0, typing_per_character=0, batching_seconds=1
        )
    return number


@pytest.fixture
def number(in_acme: Org) -> Number:
    return make_number()


def incoming(text: str = "Oi", *, pid: str = "", jid: str = JID, **fields: Any) -> Incoming:
    """A lead's text message."""
    incoming.count += 1  # type: ignore[attr-defined]
    phone = jid.split("@", maxsplit=1)[0]
    values: dict[str, Any] = {
        "provider_id": pid or f"IN{incoming.count}",  # type: ignore[attr-defined]
        "chat": ChatAddress(jid, phone=phone),
        "from_us": False,
        "sent_at": timezone.now(),
        "kind": MessageKind.TEXT,
        "text": text,
        "sender_name": "Maria",
    }
    return Incoming(**values | fields)


incoming.count = 0  # type: ignore[attr-defined]


def arrive(number: Number, event: Any, *, at: datetime | None = None) -> None:
    with transaction.atomic():
        intake.handle(number, event, received_at=at or timezone.now())


class Hands:
    """What late work may use, with its database work, and its calls, done one after the other in the test's thread."""

    def __init__(self) -> None:
        self.wanted: queue.Queue[tuple[Callable[[], Any], Future[Any]] | None] = queue.Queue()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        future: Future[T] = Future()
        self.wanted.put((partial(function, *args, **kwargs), future))
        return await asyncio.wrap_future(future)

    async def call(self, function: Callable[[], T], *, then: Callable[[Future[T]], V]) -> V:
        def both() -> V:
            outcome: Future[T] = Future()
            try:
                outcome.set_result(function())
            except BaseException as error:
                outcome.set_exception(error)
            return then(outcome)

        return await self.run(both)


def at_once(steps: jobs.Steps[T]) -> T:
    """Run steps to their end here; out: what they return."""
    try:
        call = next(steps)
        while True:
            try:
                value = call()
            except Exception as error:
                call = steps.throw(error)
            else:
                call = steps.send(value)
    except StopIteration as end:
        return cast("T", end.value)


def drive(make: Callable[[Hands], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on a thread of its own while its database work runs here, in this test's transaction."""
    hands = Hands()

    def loop() -> None:
        try:
            asyncio.run(make(hands))
        finally:
            hands.wanted.put(None)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(loop)
        while (item := hands.wanted.get(timeout=30)) is not None:
            function, future = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
        done.result()


def turn(conversation: Conversation) -> None:
    drive(lambda hands: turns.take(conversation.pk, hands.run))


def send(conversation: Conversation) -> None:
    drive(lambda hands: sending.send_all(conversation.pk, hands))


def reconcile(message_id: int) -> None:
    drive(lambda hands: sending.reconcile(message_id, hands))


def told() -> list[tuple[str, str]]:
    """What people were told: (kind, e-mail)."""
    return sorted(Notification.objects.values_list("kind", "membership__person__email"))


def deliver_news() -> None:
    """Have everything sent that waits to leave the app."""
    for ref in list(Due.objects.filter(kind=notifications.KIND).values_list("ref", flat=True)):
        drive(partial(news.send, ref)) if ref.endswith("/push") else news.deliver(ref)


def the_conversation() -> Conversation:
    return Conversation.objects.get()


def ours() -> list[tuple[str, str]]:
    """Our messages: (state, text) by arrival."""
    return list(Message.objects.exclude(author="lead").order_by("seq").values_list("state", "text"))
