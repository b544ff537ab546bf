"""A number is connected at a playing Evolution server over real HTTP, whatever is repeated, lost or changed halfway."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import RequestFactory
from django.utils import timezone

from conversations.models import Contact, Conversation, Number
from conversations.ports import LinkState, PairingCode
from integrations import tasks
from integrations.models import Quarantine
from integrations.whatsapp import changes, connect
from integrations.whatsapp.client import Evolution, EvolutionError
from integrations.whatsapp.standin import Options, Standin
from orgs.audit import Action
from orgs.context import in_org
from orgs.models import AuditEntry, ChannelAddress, Due, Org, Person, Received, Refused
from sdr.lib.http import HttpError
from tests.conversations.conftest import at_once

PHONE = "5511988880000"
Intent = Number.Intent


@pytest.fixture
def evolution() -> Iterator[Standin]:
    with Standin(Options(time_scale=0.001, qr_limit=10_000)) as standin:
        yield standin


@pytest.fixture
def request_of_ana(in_acme: Org, ana: Person, evolution: Standin, settings: Any) -> Any:
    settings.EVOLUTION_URL, settings.EVOLUTION_API_KEY = evolution.url, evolution.api_key
    request: Any = RequestFactory().post("/")
    request.user, request.org = ana, in_acme
    return request


@dataclass
class World:
    request: Any
    evolution: Standin
    number: Number

    def again(self) -> Number:
        self.number.refresh_from_db()
        return self.number

    def carry_out(self) -> Number:
        at_once(connect.carry_out(self.number.pk))
        return self.again()

    def ask(self, intent: Number.Intent) -> Number:
        changes.ask(self.request, self.number, intent)
        return self.again()

    def pair(self, phone: str = PHONE) -> Number:
        """Somebody scans the code, and the page asks once more."""
        self.evolution.pair(self.number.instance, phone)
        until(lambda: self.evolution.instance(self.number.instance).state == "open")
        return self.carry_out()

    @property
    def address(self) -> ChannelAddress:
        return ChannelAddress.objects.get(number_id=self.number.pk)

    @property
    def instances(self) -> list[str]:
        return list(self.evolution.evolution.instances)


def until(true: Any, *, seconds: float = 25.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


@pytest.fixture
def world(request_of_ana: Any, evolution: Standin) -> World:
    number = changes.start(request_of_ana, "Vendas", phone=PHONE, mode=Number.Mode.OFF)
    return World(request_of_ana, evolution, number)


def is_due(kind: str) -> bool:
    return Due.objects.filter(kind=kind).exists()


# --- From nothing to open -------------------------------------------------------------------------------------------
def test_nothing_is_called_before_the_wish_is_written(world: World) -> None:
    assert world.instances == []
    assert (world.number.intent, world.number.state, is_due("number")) == (Intent.CONNECT, LinkState.CLOSED, True)
    made = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert made[-2:] == [Action.NUMBER_ADDED, Action.NUMBER_CONNECTION_STARTED]


def test_it_makes_an_instance_that_posts_to_us_and_shows_a_code(world: World) -> None:
    number = world.carry_out()
    [name] = world.instances
    assert (number.instance, name.startswith("t_"), world.address.instance) == (name, True, name)
    made = world.evolution.instance(name)
    assert made.webhook is not None
    assert made.webhook["url"] == connect.public_url(world.address)
    assert made.webhook["headers"] == {"jwt_key": world.address.secret}
    assert len(made.webhook["events"]) == 11
    code = connect.code_of(number)
    assert code["qr"].startswith("data:image/png;base64,")
    assert len(code["code"]) == 8  # the phone is declared, so it can be typed, too
    assert number.code_at is not None
    assert number.code_at > timezone.now() - timedelta(seconds=10)
    assert number.webhook_set_at is not None
    assert number.verified_at is None
    assert is_due("number")


def test_the_code_is_renewed_and_keeps_its_age_while_it_is_the_same(world: World) -> None:
    world.evolution.options.time_scale = 1.0
    world.evolution.options.create_seconds = 0.0
    first = world.carry_out()
    seen = (first.code, first.code_at)
    again = world.carry_out()
    assert (again.code, again.code_at) == seen
    connect.note_code(again, PairingCode(qr_png="data:image/png;base64,AA==", code="ABCDEFGH"))
    third = world.again()
    assert connect.code_of(third)["code"] == "ABCDEFGH"
    assert third.code_at is not None
    assert seen[1] is not None
    assert third.code_at > seen[1]


def test_scanned_it_is_open_and_the_code_is_gone(world: World) -> None:
    world.carry_out()
    number = world.pair()
    assert (number.state, number.own_jid, number.code, number.pairing_until) == (
        LinkState.OPEN, f"{PHONE}@s.whatsapp.net", "", None,
    )  # fmt: skip
    connect.note_heard(number, received_at=timezone.now(), is_proof=True)
    assert world.carry_out().intent == Intent.NONE


def test_nobody_scans_it_in_time(world: World) -> None:
    world.carry_out()
    Number.objects.update(pairing_until=timezone.now() - timedelta(seconds=1))
    number = world.carry_out()
    assert (number.intent, number.trouble, number.code) == (Intent.NONE, "nobody_scanned", "")


# --- Twice, and after a crash ---------------------------------------------------------------------------------------
def test_an_instance_whose_answer_was_lost_is_found_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Evolution.create

    def lost(self: Any, *args: Any, **given: Any) -> None:
        create(self, *args, **given)
        raise KeyboardInterrupt  # the process dies between the call and the record

    monkeypatch.setattr(Evolution, "create", lost)
    with pytest.raises(KeyboardInterrupt):
        world.carry_out()
    monkeypatch.undo()
    number = world.carry_out()
    assert world.instances == [number.instance]
    assert connect.code_of(number)["qr"]


def test_a_name_that_is_not_free_is_exchanged(world: World) -> None:
    world.carry_out()
    first = world.number.instance
    world.evolution.instance(first).token = "of somebody else"
    world.ask(Intent.CONNECT)
    number = world.carry_out()
    assert number.instance != first
    assert number.instance in world.instances
    assert [former["name"] for former in world.address.former_instances] == [first]


def test_one_that_was_removed_meanwhile_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Evolution.create

    def removed_meanwhile(self: Any, *args: Any, **given: Any) -> Any:
        changes.ask(world.request, world.number, Intent.REMOVE)
        monkeypatch.setattr(Evolution, "create", create)
        at_once(connect.carry_out(world.number.pk))  # another shift is quicker
        return create(self, *args, **given)

    monkeypatch.setattr(Evolution, "create", removed_meanwhile)
    at_once(connect.carry_out(world.number.pk))
    until(lambda: world.instances == [])
    assert not Number.objects.exists()
    assert not ChannelAddress.objects.exists()


def test_each_step_may_be_repeated(world: World) -> None:
    world.carry_out()
    world.pair()
    for intent in (Intent.RESTART, Intent.WEBHOOK, Intent.LOGOUT):
        world.ask(intent)
        wanted = world.number.intent_at
        for _ in range(2):
            Number.objects.update(intent=intent, intent_at=wanted)
            world.carry_out()
    assert len(world.instances) == 1
    world.ask(Intent.REMOVE)
    at_once(connect.remove(Number.objects.get()))
    at_once(connect.carry_out(world.number.pk))
    until(lambda: world.instances == [])


# --- Other wishes ---------------------------------------------------------------------------------------------------
def test_beginning_anew_takes_a_fresh_name_and_deletes_the_former(world: World) -> None:
    world.carry_out()
    former = world.number.instance
    world.ask(Intent.RENEW)
    number = world.carry_out()
    until(lambda: world.instances == [number.instance])
    assert (number.instance != former, number.leftovers, number.intent) == (True, [], Intent.CONNECT)
    [kept] = world.address.former_instances
    left = timezone.datetime.fromisoformat(kept["until"]) - timezone.now()  # type: ignore[attr-defined]
    assert (kept["name"], timedelta(minutes=44) < left < timedelta(minutes=46)) == (former, True)
    assert connect.is_former(number, {"instance": former})
    assert not connect.is_former(number, {"instance": number.instance})


def test_logged_out_it_stays_and_nobody_is_alarmed(world: World) -> None:
    world.carry_out()
    world.pair()
    world.ask(Intent.LOGOUT)
    number = world.carry_out()
    assert (number.state, number.lost_at, number.intent) == (LinkState.CLOSED, None, Intent.NONE)
    until(lambda: world.evolution.instance(number.instance).state == "close")


def test_removed_it_is_gone_here_and_there(world: World) -> None:
    world.carry_out()
    world.ask(Intent.REMOVE)
    at_once(connect.carry_out(world.number.pk))
    until(lambda: world.instances == [])
    assert not Number.objects.exists()
    assert not ChannelAddress.objects.exists()


def test_one_that_has_talked_is_put_away(world: World) -> None:
    world.carry_out()
    contact = Contact.objects.create(name="Maria")
    Conversation.objects.create(contact=contact, number=world.number, reply_jid="5511999990001@s.whatsapp.net")
    world.ask(Intent.REMOVE)
    number = world.carry_out()
    assert (number.removed_at is not None, number.mode, number.instance, number.provider_key, number.state) == (
        True, Number.Mode.OFF, "", "", LinkState.REMOVED,
    )  # fmt: skip
    assert not ChannelAddress.objects.exists()
    with pytest.raises(Refused):
        world.ask(Intent.CONNECT)


# --- What goes wrong ------------------------------------------------------------------------------------------------
def test_a_server_that_is_away_is_tried_again(world: World) -> None:
    world.evolution.evolution.is_down = True
    with pytest.raises(EvolutionError):
        world.carry_out()
    number = world.again()
    assert (number.trouble, number.intent) == ("unreachable", Intent.CONNECT)
    world.evolution.evolution.is_down = False
    assert world.carry_out().code


def test_nobody_at_the_address(world: World, settings: Any) -> None:
    settings.EVOLUTION_URL = "http://127.0.0.1:9"
    with pytest.raises(HttpError):
        world.carry_out()
    assert world.again().trouble == "unreachable"


def test_a_wrong_key_is_said_and_not_tried_again(world: World, settings: Any) -> None:
    settings.EVOLUTION_API_KEY = "wrong"
    number = world.carry_out()
    assert (number.trouble, number.intent, world.instances) == ("access_refused", Intent.NONE, [])


def test_a_server_named_by_the_org_must_be_public(request_of_ana: Any, evolution: Standin) -> None:
    server = changes.Server(evolution.url, evolution.api_key)
    number = changes.start(request_of_ana, "Own", phone="", mode=Number.Mode.OFF, server=server)
    at_once(connect.carry_out(number.pk))
    number.refresh_from_db()
    assert (number.trouble, number.intent, list(evolution.evolution.instances)) == ("not_public", Intent.NONE, [])


def test_another_phone_than_the_declared_one_switches_the_ai_off(world: World) -> None:
    world.carry_out()
    Number.objects.update(mode=Number.Mode.ALL)
    number = world.pair("5511977770000")
    assert (number.state, number.mode, number.trouble) == (LinkState.OPEN, Number.Mode.OFF, "other_phone")


# --- Is the webhook heard? ------------------------------------------------------------------------------------------
def test_an_event_with_the_present_secret_verifies_it(world: World) -> None:
    world.carry_out()
    number = world.again()
    assert number.webhook_set_at is not None
    early = number.webhook_set_at - timedelta(seconds=1)
    connect.note_heard(number, received_at=early, is_proof=True)
    assert world.again().verified_at is None
    at = timezone.now() + timedelta(minutes=1)
    connect.note_heard(number, received_at=at, is_proof=False)
    number = world.again()
    assert (number.verified_at, number.heard_at) == (None, at)
    connect.note_heard(number, received_at=at, is_proof=True)
    assert world.again().verified_at == at


@pytest.mark.parametrize(
    ("changed", "trouble"),
    [(None, "webhook_silent"), ("url", "webhook_changed"), ("name", "webhook_wrong_instance")],
)
def test_silence_gets_a_reason(world: World, changed: str | None, trouble: str) -> None:
    world.carry_out()
    number = world.pair()
    if changed == "url":
        world.evolution.instance(number.instance).webhook["url"] = "https://elsewhere.example/"  # type: ignore[index]
    if changed == "name":
        Quarantine.objects.keep(number.pk, b"{}", reason=Quarantine.Reason.WRONG_INSTANCE)
    Number.objects.update(webhook_set_at=timezone.now() - timedelta(seconds=30), intent_at=timezone.now())
    Quarantine.objects.update(received_at=timezone.now())
    assert at_once(connect.verify(world.again())) is None
    assert world.again().trouble == trouble
    connect.note_heard(world.again(), received_at=timezone.now(), is_proof=True)
    assert world.again().trouble == ""


def test_a_secret_is_rotated_with_two_alive_until_the_new_one_was_heard(world: World) -> None:
    world.carry_out()
    old = world.address.secret
    changes.rotate_secret(world.request, world.number)
    address = world.address
    assert (address.former_secret, address.former_secret_until) == (old, None)
    assert address.secret != old
    with pytest.raises(Refused):
        changes.rotate_secret(world.request, world.number)
    number = world.carry_out()
    assert world.evolution.instance(number.instance).webhook["headers"] == {"jwt_key": address.secret}  # type: ignore[index]
    connect.note_heard(number, received_at=timezone.now(), is_proof=True)
    until_ = world.address.former_secret_until
    assert until_ is not None
    assert timedelta(minutes=44) < until_ - timezone.now() < timedelta(minutes=46)
    changes.end_former_secret(world.request, world.number)
    assert world.address.former_secret == ""


def test_signed_by_the_proxy_the_secret_follows_from_the_master(request_of_ana: Any, settings: Any) -> None:
    settings.SIGNING_PROXY_URL, settings.SIGNING_PROXY_KEYRING = "http://proxy.example:8090", ["m" * 32]
    number = changes.start(request_of_ana, "Signed", phone="", mode=Number.Mode.OFF)
    webhook = connect.webhook_of(number)
    assert webhook.url.startswith("http://proxy.example:8090/hooks/whatsapp/")
    assert list(webhook.headers) == ["X-Webhook-Token"]
    address = ChannelAddress.objects.get()
    assert (address.auth, changes.is_by_proxy(address)) == ("hmac", True)
    with pytest.raises(Refused):
        changes.rotate_secret(request_of_ana, number)


# --- What arrives by webhook ----------------------------------------------------------------------------------------
def receive(world: World, event: str, data: Any, *, instance: str = "", **context: Any) -> Number:
    """An authentic body, as the door has left it, is taken in."""
    body = {"event": event, "instance": instance or world.number.instance, "data": data}
    received = Received(
        org_id=world.request.org.pk, number_id=world.number.pk, body=json.dumps(body), context=context,
        received_at=timezone.now(),
    )  # fmt: skip
    with transaction.atomic():
        tasks.apply(received, attempt=1)
    return world.again()


def test_a_webhook_of_the_present_instance_and_secret_is_the_proof(world: World) -> None:
    world.carry_out()
    update = {"instance": world.number.instance, "state": "connecting", "statusReason": 200}
    assert receive(world, "connection.update", update, former_secret=True).verified_at is None
    assert receive(world, "connection.update", update, instance="t_former").verified_at is None
    number = receive(world, "connection.update", update)
    assert number.verified_at is not None
    assert number.state == LinkState.CONNECTING


def test_news_of_a_former_instance_change_nothing(world: World) -> None:
    world.carry_out()
    number = world.pair()
    assert number.state == LinkState.OPEN
    assert receive(world, "remove.instance", None, instance="t_former").state == LinkState.OPEN
    assert receive(world, "logout.instance", None, instance="t_former").lost_at is None
    assert receive(world, "logout.instance", None).state == LinkState.CLOSED


def test_a_code_comes_by_webhook_sooner_than_it_is_asked_for(world: World) -> None:
    world.carry_out()
    shown = {"instance": world.number.instance, "pairingCode": "HGFEDCBA", "code": "2@x",
             "base64": "data:image/png;base64,iVBORw0KGgo="}  # fmt: skip
    number = receive(world, "qrcode.updated", {"qrcode": shown})
    assert connect.code_of(number) == {"qr": "data:image/png;base64,iVBORw0KGgo=", "code": "HGFEDCBA"}
    Number.objects.update(intent=Intent.NONE)
    shown["pairingCode"] = "ZZZZZZZZ"
    assert connect.code_of(receive(world, "qrcode.updated", {"qrcode": shown}))["code"] == "HGFEDCBA"


# --- At once --------------------------------------------------------------------------------------------------------
def test_two_shifts_at_once_make_one_instance(committed: None, evolution: Standin, settings: Any) -> None:
    settings.EVOLUTION_URL, settings.EVOLUTION_API_KEY = evolution.url, evolution.api_key
    acme, ana = Org.objects.get(slug="acme"), Person.objects.get(email="ana@example.com")
    request: Any = RequestFactory().post("/")
    request.user, request.org = ana, acme
    with in_org(acme):
        number = changes.start(request, "Vendas", phone=PHONE, mode=Number.Mode.OFF)
    start = threading.Barrier(4)

    def work(_: int) -> None:
        try:
            with in_org(acme):
                start.wait(10)
                at_once(connect.carry_out(number.pk))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with in_org(acme):
        at_once(connect.carry_out(number.pk))
        number.refresh_from_db()
        assert connect.code_of(number)["qr"]
    until(lambda: list(evolution.evolution.instances) == [number.instance])
    assert ChannelAddress.objects.get().instance == number.instance
