"""Whether a number is connected: told by webhooks that come late or never, so it is asked for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations import links, sending
from conversations.models import Number
from conversations.ports import LinkState, LinkUpdate
from orgs.models import Due
from tests import fakes
from tests.conversations.conftest import arrive, at_once, incoming, send, the_conversation, turn


def due(kind: str) -> Due | None:
    return Due.objects.filter(kind=kind).first()


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> list[LinkState]:
    """What the provider says when it is asked."""
    states = [LinkState.OPEN]
    monkeypatch.setattr(fakes.FakeTransport, "state", lambda self: states[0])
    return states


@pytest.fixture
def connected(number: Number) -> Number:
    """The number, with an instance at the provider."""
    Number.objects.update(instance="acme_sales", state_at=timezone.now() - timedelta(hours=1))
    number.refresh_from_db()
    return number


def test_it_is_asked_for_soon_after_news_that_it_is_not_open(connected: Number, state: list[LinkState]) -> None:
    arrive(connected, LinkUpdate(LinkState.CONNECTING))
    look = due("look")
    assert look is not None
    assert timedelta() < look.due_at - timezone.now() < timedelta(seconds=4)
    at_once(links.look(connected.pk))
    connected.refresh_from_db()
    assert connected.state == LinkState.OPEN
    assert due("wake") is not None


def test_it_is_asked_for_while_something_waits_to_leave(connected: Number, state: list[LinkState]) -> None:
    arrive(connected, incoming("Oi"))
    turn(the_conversation())
    Number.objects.update(state=LinkState.CONNECTING)
    send(the_conversation())
    assert due("look") is not None
    assert fakes.phone.sent == []
    at_once(links.look(connected.pk))
    Due.objects.filter(kind="send").delete()
    sending.wake(connected.pk)
    waiting = due("send")
    assert waiting is not None
    assert waiting.due_at <= timezone.now()
    send(the_conversation())
    assert len(fakes.phone.sent) == 1


def test_it_is_asked_for_again_while_it_connects(connected: Number, state: list[LinkState]) -> None:
    state[0] = LinkState.CONNECTING
    Number.objects.update(state=LinkState.CONNECTING)
    at_once(links.look(connected.pk))
    look = due("look")
    assert look is not None
    assert look.due_at > timezone.now() + timedelta(seconds=20)


def test_news_that_come_while_it_is_asked_are_believed(connected: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed_meanwhile(self: object) -> LinkState:
        arrive(connected, LinkUpdate(LinkState.CLOSED))
        return LinkState.OPEN

    monkeypatch.setattr(fakes.FakeTransport, "state", closed_meanwhile)
    at_once(links.look(connected.pk))
    connected.refresh_from_db()
    assert connected.state == LinkState.CLOSED
    assert due("look") is not None


def test_a_number_without_an_instance_is_asked_nothing(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fakes.FakeTransport, "state", lambda self: pytest.fail("it was asked"))
    at_once(links.look(number.pk))
    assert due("look") is None
