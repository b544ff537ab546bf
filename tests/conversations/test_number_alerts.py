"""A lost number is told of once, to whom it concerns, in their language; and floods of news write nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations import links
from conversations.models import Number
from conversations.ports import LinkState, LinkUpdate
from orgs.context import in_org
from orgs.models import Due, Mail, NotificationDelivery, Org, Person
from sdr.lib.errors import PortError
from tests import fakes
from tests.conversations.conftest import arrive, at_once, deliver_news, make_number

CONNECTING, OPEN, CLOSED = (LinkUpdate(state) for state in (LinkState.CONNECTING, LinkState.OPEN, LinkState.CLOSED))
LONG_AGO = links.ALERT_AFTER + timedelta(seconds=5)


def again(number: Number) -> Number:
    number.refresh_from_db()
    return number


def letters() -> list[tuple[str, str]]:
    NotificationDelivery.objects.filter(state="sent").update(ended_at=timezone.now() - timedelta(hours=1))
    deliver_news()
    return sorted((mail.kind.rpartition("/")[2], mail.to) for mail in Mail.objects.all())


def lose(number: Number, *, ago: timedelta = LONG_AGO, update: LinkUpdate = CONNECTING) -> None:
    arrive(number, update)
    Number.objects.update(lost_at=timezone.now() - ago)


def regain(number: Number) -> None:
    arrive(again(number), OPEN)
    Number.objects.update(opened_at=timezone.now() - links.BACK_AFTER - timedelta(seconds=1))


def test_owner_and_administrator_are_told_in_their_language(number: Number, ana: Person, davi: Person) -> None:
    Person.objects.filter(pk=davi.pk).update(language="en")
    lose(number)
    links.alert(number.pk)
    assert letters() == [("number_lost", "ana@example.com"), ("number_lost", "davi@example.com")]
    english = Mail.objects.get(to="davi@example.com")
    assert english.language == "en"
    assert english.subject == "“Vendas” is not connected to WhatsApp"
    assert f"/numbers/{number.pk}/" in str(english.text)
    assert "5511" not in str(english.text)
    assert Mail.objects.get(to="ana@example.com").subject != english.subject


def test_a_short_loss_is_not_told(number: Number) -> None:
    lose(number, ago=timedelta(seconds=30))
    links.alert(number.pk)
    assert letters() == []
    due = Due.objects.get(kind="alert")
    assert timedelta(seconds=80) < due.due_at - timezone.now() <= timedelta(seconds=90)
    arrive(again(number), OPEN)
    assert again(number).lost_at is None
    links.alert(number.pk)
    assert letters() == []


def test_it_is_told_once_and_so_is_the_return(number: Number) -> None:
    lose(number)
    for _ in range(3):
        links.alert(number.pk)
    arrive(again(number), CLOSED)
    links.alert(number.pk)
    assert len(letters()) == 2
    regain(number)
    for _ in range(3):
        links.alert(number.pk)
    assert [kind for kind, _ in letters()] == ["number_back", "number_back", "number_lost", "number_lost"]
    assert (again(number).alerted_at, number.lost_at, number.alerted_to) == (None, None, [])


def test_going_on_and_off_is_one_loss(number: Number) -> None:
    lose(number)
    links.alert(number.pk)
    arrive(again(number), OPEN)
    links.alert(number.pk)  # open for a moment only
    arrive(again(number), CONNECTING)
    links.alert(number.pk)
    assert len(letters()) == 2


def test_only_who_was_told_of_the_loss_is_told_of_the_return(number: Number, davi: Person) -> None:
    lose(number)
    links.alert(number.pk)
    assert len(letters()) == 2
    Person.objects.filter(pk=davi.pk).update(is_active=False)
    regain(number)
    links.alert(number.pk)
    assert letters()[0] == ("number_back", "ana@example.com")
    assert len(letters()) == 3


@pytest.mark.parametrize("intent", [Number.Intent.LOGOUT, Number.Intent.REMOVE])
def test_what_somebody_wanted_is_no_loss(number: Number, intent: Number.Intent) -> None:
    Number.objects.update(intent=intent)
    arrive(number, CLOSED)
    assert again(number).lost_at is None
    links.alert(number.pk)
    assert letters() == []


def test_a_server_that_does_not_answer_is_a_loss(number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    Number.objects.update(instance="acme_sales", state_at=timezone.now() - timedelta(hours=1))

    def away(self: object) -> LinkState:
        raise PortError("away")

    monkeypatch.setattr(fakes.FakeTransport, "state", away)
    at_once(links.look(number.pk))
    at_once(links.look(number.pk))
    since = again(number).unreachable_at
    assert since is not None
    Number.objects.update(unreachable_at=since - LONG_AGO)
    links.alert(number.pk)
    assert len(letters()) == 2
    monkeypatch.setattr(fakes.FakeTransport, "state", lambda self: LinkState.OPEN)
    at_once(links.look(number.pk))
    assert again(number).unreachable_at is None
    Number.objects.update(opened_at=timezone.now() - timedelta(hours=1))
    links.alert(number.pk)
    assert len(letters()) == 4


# --- Floods ---------------------------------------------------------------------------------------------------------
def test_a_flood_of_equal_news_writes_nothing(number: Number) -> None:
    arrive(number, CONNECTING)
    before = Number.objects.values().get()
    wanted = Due.objects.filter(kind="look").values().get()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for _ in range(150):
            arrive(again(number), CONNECTING)
    assert [query["sql"] for query in queries if query["sql"].startswith(("UPDATE", "INSERT", "DELETE"))] == []
    assert Number.objects.values().get() == before
    assert Due.objects.filter(kind="look").values().get() == wanted


def test_open_again_after_a_while_is_another_connection(number: Number) -> None:
    Number.objects.update(opened_at=timezone.now() - timedelta(seconds=5), own_jid="")
    recent = again(number).opened_at
    arrive(again(number), OPEN)
    assert again(number).opened_at == recent
    Number.objects.update(opened_at=timezone.now() - timedelta(minutes=5))
    arrive(again(number), OPEN)
    assert again(number).opened_at > timezone.now() - timedelta(seconds=5)  # type: ignore[operator]


def test_news_of_a_removed_number_are_nothing(number: Number) -> None:
    Number.objects.update(removed_at=timezone.now(), state=LinkState.REMOVED)
    arrive(again(number), OPEN)
    assert again(number).state == LinkState.REMOVED


# --- At once --------------------------------------------------------------------------------------------------------
def test_many_who_tell_at_once_tell_once(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        number = make_number()
        with transaction.atomic():
            links.change(number, CONNECTING)
        Number.objects.update(lost_at=timezone.now() - LONG_AGO)
    start = threading.Barrier(6)

    def tell(_: int) -> None:
        try:
            with in_org(acme):
                start.wait(10)
                links.alert(number.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tell, range(6)))
    with in_org(acme):
        assert letters() == [("number_lost", "ana@example.com"), ("number_lost", "davi@example.com")]


def test_a_flood_from_many_threads_is_one_change(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        number = make_number()
    start = threading.Barrier(6)
    seen: list[Any] = []

    def flood(_: int) -> None:
        try:
            with in_org(acme):
                mine = Number.objects.get(pk=number.pk)
                start.wait(10)
                for _ in range(20):
                    with transaction.atomic():
                        links.change(mine, CONNECTING)
                    seen.append(Number.objects.values_list("state_at", "lost_at").get(pk=number.pk))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(flood, range(6)))
    assert len(set(seen)) == 1
    assert Due.objects.filter(kind="alert").count() == 1
