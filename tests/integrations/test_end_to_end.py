"""From the lead's phone and back: the stand-in, our web server in a process of its own, and a shift, over real HTTP."""

import http.client
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from conversations import gaps, invariants, links, media, replies
from conversations.models import AgentVersion, Conversation, MediaAsset, Message, Number, Turn
from conversations.ports import Ack, LinkState
from integrations.whatsapp.auth import Proof
from integrations.whatsapp.client import Evolution, Webhook
from integrations.whatsapp.numbers import Provider, add_number, webhook_path
from integrations.whatsapp.standin import Faults, Options, Standin, samples
from orgs import shifts
from orgs.context import in_org
from orgs.models import Due, Org, Person, Received
from sdr.local.embedded import CHECKOUT
from tests import databases

WITHIN = 30.0
FIRST = 2  # messages of a first answer: who we are, then the answer
SECRET = "a-jwt-key-of-many-characters-0123456789"
phones = count(5511999990101)


class World:
    """Acme's number at a running stand-in, with our web server and a shift behind it."""

    def __init__(self, evolution: Standin, instance: str, number_id: int) -> None:
        self.evolution = evolution
        self.instance = instance
        self.number_id = number_id
        self.acme = Org.objects.get(slug="acme")

    def says(self, phone: str, *texts: str) -> None:
        self.evolution.says(self.instance, phone, *texts)

    def answers(self, phone: str) -> list[str]:
        """What reached the lead's phone from our product."""
        return [message.text for message in self.evolution.whatsapp.answers(phone)]

    def stored(self, phone: str) -> list[tuple[str, str]]:
        """(author, text) of the lead's conversation, in order of arrival."""
        with in_org(self.acme):
            found = Message.objects.filter(conversation__contact__phone=phone).order_by("seq")
            return list(found.values_list("author", "text"))

    def conversation(self, phone: str) -> Conversation:
        with in_org(self.acme):
            found: Conversation = Conversation.objects.get(contact__phone=phone)
            return found

    def is_quiet(self) -> bool:
        """Everything is read and done; what only looks again later does not count."""
        later = ["reconcile", "look", "gaps", "alert", "follow_up", "notify", "digest", "reassign"]
        return not Received.objects.exists() and not Due.objects.exclude(kind__in=later).exists()

    def settled(self) -> None:
        eventually(lambda: all(one.outcome != "pending" for one in self.evolution.webhooks) and self.is_quiet())


def eventually(true: Callable[[], bool], *, within: float = WITHIN) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.03)


@contextmanager
def web_server(media: Path) -> Iterator[int]:
    """uvicorn with `sdr.asgi` as deployed, on this test's database. Out: its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        environment = {
            "ENVIRONMENT": "test", "DJANGO_SETTINGS_MODULE": "tests.settings", "MEDIA_ROOT": str(media),
            "TEST_DATABASE": connection.settings_dict["NAME"],
        }  # fmt: skip
        command = (sys.executable, "-m", "uvicorn", "sdr.asgi:application", "--no-proxy-headers", "--no-access-log")
        process = subprocess.Popen(
            [*command, "--log-level", "warning", "--fd", str(listener.fileno())],
            cwd=CHECKOUT, env={**os.environ, **environment}, pass_fds=[listener.fileno()],
        )  # fmt: skip
    try:
        eventually(lambda: is_ready(port), within=30)
        yield port
    finally:
        process.terminate()
        process.wait(15)


def is_ready(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        try:
            client.request("GET", "/health/ready")
            return client.getresponse().status == 200
        except OSError:
            return False


@contextmanager
def working_shift() -> Iterator[None]:
    ended = threading.Event()
    length = timedelta(minutes=5)
    thread = threading.Thread(target=lambda: shifts.run_shift(length=length, stop=ended.is_set), name="shift")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(15)
    assert not thread.is_alive()


def connected(evolution: Standin, port: int) -> World:
    """A number of Acme's, made and paired through the stand-in's own API."""
    acme = Org.objects.get(slug="acme")
    instance, token = "acme_sales", secrets.token_urlsafe(16)
    address = add_number(
        acme, "Sales", proof=Proof.JWT, secret=SECRET, provider=Provider(evolution.url, token, instance)
    )
    with in_org(acme):
        Number.objects.filter(pk=address.number_id).update(per_minute=10_000, state=LinkState.CONNECTING)
        AgentVersion.objects.create(
            state=AgentVersion.State.PUBLISHED, batching_seconds=1, cooldown_seconds=0, typing_per_character=0
        )
    webhook = Webhook(f"http://127.0.0.1:{port}{webhook_path(address)}", {"jwt_key": SECRET})
    Evolution(evolution.url, evolution.api_key).create(instance, token=token, webhook=webhook, number="5511988880000")
    world = World(evolution, instance, address.number_id)
    eventually(lambda: link_state(world) == LinkState.OPEN)
    return world


def link_state(world: World) -> str:
    with in_org(world.acme):
        return Number.objects.get(pk=world.number_id).state


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    media = tmp_path_factory.mktemp("media")
    options = Options(create_seconds=0, auto_pair_seconds=0, delivered_seconds=0.05, read_seconds=0.15, time_scale=0.05)
    with (
        django_db_blocker.unblock(),
        override_settings(MEDIA_ROOT=str(media)),
        Standin(options) as evolution,
        web_server(media) as port,
        working_shift(),
    ):
        yield connected(evolution, port)
    with django_db_blocker.unblock():
        databases.restore()


@pytest.fixture(autouse=True)
def without_faults(world: World) -> Iterator[None]:
    """Each test begins in order, and leaves no work without anybody to do it."""
    yield
    world.evolution.evolution.faults.__dict__.update(vars(Faults()))
    world.settled()
    with in_org(world.acme):
        assert (invariants.unanswered_without_turn(), invariants.queued_without_send()) == ([], [])
    assert invariants.received_without_intake(timezone.now() + timedelta(minutes=5)) == []


@pytest.fixture
def phone() -> str:
    """A lead nobody has heard of."""
    return str(next(phones))


def test_it_answers_a_lead_once_and_sees_the_answer_read(world: World, phone: str) -> None:
    world.says(phone, "Oi")
    eventually(lambda: len(world.answers(phone)) > 0)
    world.settled()
    disclosure, answer = world.answers(phone)
    assert "Acme" in disclosure
    assert answer.endswith("?")
    assert world.stored(phone) == [("lead", "Oi"), ("ai", disclosure), ("ai", answer)]
    with in_org(world.acme):
        eventually(lambda: Message.objects.get(text=answer).ack == Ack.READ.rank)
        assert Message.objects.get(text=answer).state == Message.State.SENT
    assert world.conversation(phone).lifecycle == Conversation.Lifecycle.WAITING_LEAD


def test_it_answers_quick_messages_together(world: World, phone: str) -> None:
    world.says(phone, "Oi", "tudo bem?", "quero um orçamento")
    eventually(lambda: len(world.answers(phone)) > 0)
    world.settled()
    with in_org(world.acme):
        assert Turn.objects.filter(conversation__contact__phone=phone, state=Turn.State.APPLIED).count() == 1
    assert sorted(text for author, text in world.stored(phone) if author == "lead") == [
        "Oi", "quero um orçamento", "tudo bem?",
    ]  # fmt: skip


def test_it_is_silent_once_somebody_answers_on_the_companys_phone(world: World, phone: str) -> None:
    world.says(phone, "Oi")
    eventually(lambda: len(world.answers(phone)) == FIRST)
    world.evolution.act(world.instance, phone, "company", text="Aqui é a Ana, já te ajudo.")
    eventually(lambda: world.conversation(phone).owner == Conversation.Owner.PERSON)
    world.says(phone, "obrigada, Ana")
    eventually(lambda: ("lead", "obrigada, Ana") in world.stored(phone))
    world.settled()
    assert len(world.answers(phone)) == FIRST
    assert ("person", "Aqui é a Ana, já te ajudo.") in world.stored(phone)
    assert world.conversation(phone).needs_reason == "lead_waiting"


def test_it_stores_and_answers_once_what_arrives_many_times(world: World, phone: str) -> None:
    world.evolution.faults.duplicate_rate = world.evolution.faults.repeat_rate = 1.0
    world.says(phone, "Oi")
    eventually(lambda: len(world.answers(phone)) > 0)
    world.settled()
    deliveries = [one for one in world.evolution.webhooks if phone.encode() in one.body and b"upsert" in one.body]
    assert sum(len(one.attempts) for one in deliveries) > 1
    assert [author for author, _ in world.stored(phone)] == ["lead", "ai", "ai"]
    assert len(world.answers(phone)) == FIRST


def test_it_goes_on_after_a_webhook_that_never_came(world: World, phone: str) -> None:
    world.evolution.faults.swallow_events = ("messages.upsert",)
    world.evolution.faults.swallow_next = 1
    world.says(phone, "Oi")
    world.says(phone, "alguém aí?")
    eventually(lambda: len(world.answers(phone)) > 0)
    world.settled()
    assert [text for author, text in world.stored(phone) if author == "lead"] == ["alguém aí?"]
    assert len(world.answers(phone)) == FIRST


def test_it_sends_what_waited_although_nobody_said_that_the_number_is_back(
    world: World, phone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "LOOK_AFTER", timedelta(seconds=1.5))
    world.evolution.drop(world.instance)
    eventually(lambda: link_state(world) == LinkState.CONNECTING)
    world.evolution.faults.swallow_events, world.evolution.faults.swallow_rate = ("connection.update",), 1.0
    world.evolution.restore(world.instance)
    world.says(phone, "Oi")
    eventually(lambda: len(world.answers(phone)) == FIRST)
    assert link_state(world) == LinkState.OPEN


def test_it_keeps_a_picture_under_what_it_really_is(world: World, phone: str) -> None:
    world.evolution.act(world.instance, phone, "image", text="a minha conta de luz")
    with in_org(world.acme):
        eventually(lambda: MediaAsset.objects.filter(state=MediaAsset.State.STORED).exists())
        asset = MediaAsset.objects.get(message__conversation__contact__phone=phone)
    assert asset.mime == "image/png"
    assert asset.path.startswith(f"{world.acme.pk}/whatsapp/{timezone.now():%Y-%m-%d}/")
    assert asset.path.endswith(".png")
    with default_storage.open(asset.path) as file:
        (sent,) = world.evolution.whatsapp.sent(phone)
        assert sent.media is not None
        assert file.read() == sent.media.data
    assert asset.size == len(sent.media.data)


def test_a_persons_files_reach_the_lead_in_order(world: World, phone: str) -> None:
    world.says(phone, "Oi")
    eventually(lambda: len(world.answers(phone)) > 0)
    world.settled()
    beto = Person.objects.get(email="beto@example.com")
    picture, voice, offer = samples.picture(32), samples.voice_note(1), samples.document("Proposta")
    with in_org(world.acme):
        for data, name, text in [(picture, "foto.png", "Veja"), (voice, "nota.ogg", "E ouça"), (offer, "p.pdf", "")]:
            replies.reply(world.conversation(phone), beto, upload=media.accept(data, name=name), text=text)
        eventually(lambda: len(world.answers(phone)) == FIRST + 4)
        world.settled()
        sent = world.evolution.whatsapp.answers(phone)[FIRST:]
        assert [(one.kind, one.text, one.media and one.media.data) for one in sent] == [
            ("image", "Veja", picture), ("voice", "", voice), ("text", "E ouça", None), ("document", "", offer),
        ]  # fmt: skip
        ours = Message.objects.filter(conversation__contact__phone=phone, author="person").order_by("seq")
        eventually(lambda: all(one.ack == Ack.READ.rank for one in ours.all()))
        assert [one.provider_id for one in ours] == [one.id for one in sent]


@pytest.fixture
def watchful(world: World, settings: Any) -> Iterator[None]:
    """The gap detective looks every few seconds."""
    settings.SDR_GAP_SECONDS = 4
    with in_org(world.acme):
        Number.objects.filter(pk=world.number_id).update(looked_at=None)
        gaps.want(world.number_id)
    yield
    world.evolution.faults.__dict__.update(vars(Faults()))
    with in_org(world.acme):
        Due.objects.filter(kind=gaps.KIND).delete()


def test_it_finds_and_answers_what_no_webhook_told(world: World, phone: str, watchful: None) -> None:
    world.evolution.faults.swallow_events, world.evolution.faults.swallow_rate = ("messages.upsert",), 1.0
    world.says(phone, "alguém aí?")
    eventually(lambda: len(world.answers(phone)) == FIRST)
    world.settled()
    assert [author for author, _ in world.stored(phone)] == ["lead", "ai", "ai"]
    with in_org(world.acme):
        message = Message.objects.get(conversation__contact__phone=phone, author="lead")
    assert (message.is_recovered, message.is_backlog) == (True, False)
    assert world.conversation(phone).owner == Conversation.Owner.AI


def test_it_finds_one_lost_among_many_that_came(world: World, phone: str, watchful: None) -> None:
    world.evolution.faults.swallow_events, world.evolution.faults.swallow_rate = ("messages.upsert",), 0.3
    world.evolution.faults.duplicate_rate = 0.3
    world.evolution.faults.disorder_seconds = 0.5
    texts = [f"mensagem {number}" for number in range(20)]
    world.says(phone, *texts)
    eventually(lambda: len([one for one in world.stored(phone) if one[0] == "lead"]) == len(texts))
    world.settled()
    assert sorted(text for author, text in world.stored(phone) if author == "lead") == sorted(texts)
    lost = [one for one in world.evolution.webhooks if one.outcome == "swallowed" and phone.encode() in one.body]
    with in_org(world.acme):
        found = Message.objects.filter(conversation__contact__phone=phone, is_recovered=True).count()
    assert found >= len(lost) > 0  # on a busy machine it is quicker than some webhooks


def test_a_reply_on_the_phone_of_which_no_webhook_told_is_a_takeover(world: World, phone: str, watchful: None) -> None:
    world.says(phone, "Oi")
    eventually(lambda: len(world.answers(phone)) == FIRST)
    world.settled()
    world.evolution.faults.swallow_events, world.evolution.faults.swallow_next = ("messages.upsert",), 1
    world.evolution.act(world.instance, phone, "company", text="Aqui é a Ana.")
    eventually(lambda: world.conversation(phone).owner == Conversation.Owner.PERSON)
    assert world.stored(phone)[-1] == ("person", "Aqui é a Ana.")


def test_it_learns_that_an_answer_was_read_although_nobody_told(world: World, phone: str, watchful: None) -> None:
    world.evolution.faults.swallow_events, world.evolution.faults.swallow_rate = ("messages.update",), 1.0
    world.says(phone, "Oi")
    eventually(lambda: len(world.answers(phone)) == FIRST)
    with in_org(world.acme):
        ours = Message.objects.filter(conversation__contact__phone=phone, author="ai")
        eventually(lambda: ours.filter(ack=Ack.READ.rank).exists())


def test_what_was_said_while_the_number_was_away_comes_back(world: World, phone: str, watchful: None) -> None:
    world.evolution.drop(world.instance)
    eventually(lambda: link_state(world) == LinkState.CONNECTING)
    world.says(phone, "vocês caíram?")
    world.evolution.faults.swallow_events, world.evolution.faults.swallow_rate = ("messages.upsert",), 1.0
    world.evolution.restore(world.instance)
    eventually(lambda: len(world.answers(phone)) == FIRST)
