"""From Received to messages: both happen or neither, whatever fails on the way."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError
from django.utils import timezone

from conversations import intake
from conversations.models import Contact, Conversation, MediaAsset, Message, Number, Pending
from integrations import tasks
from integrations.models import Quarantine
from integrations.whatsapp import webhook
from orgs import ingest
from orgs.context import in_org
from orgs.ingest import Arrival
from orgs.models import ChannelAddress, Claimed, Due, Org, Received, Want
from sdr.lib import jobs
from tests.integrations.whatsapp.arrivals import make_number, payload, text

LEASE = timedelta(seconds=15)
Arrive = Callable[..., Received]


@pytest.fixture
def number(acme: Org) -> ChannelAddress:
    return make_number()


@pytest.fixture
def arrive(number: ChannelAddress) -> Arrive:
    """A stripped body in the queue, as the door leaves it."""

    def put(body: dict[str, Any] | str, **context: Any) -> Received:
        content = body if isinstance(body, str) else webhook.compact(body)
        ingest.put_now(Arrival(number.org_id, number.pk, number.number_id, f"key:{uuid4()}", content, context))
        return Received.objects.latest("pk")

    return put


def claim() -> Claimed:
    (row,) = Due.objects.claim([Want("intake", 1, 1)], lease=LEASE)
    return row


def run(acme: Org, row: Claimed | None = None, *, attempt: int = 1) -> None:
    """What a shift does with one claimed row, in its org."""
    row = row or claim()
    work = jobs.Work(Claimed(**{**row.__dict__, "attempts": attempt}), lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
    with in_org(acme):
        tasks.take_in(work)
    Due.objects.finish([row])


def kept(acme: Org) -> list[tuple[str, bytes]]:
    with in_org(acme):
        return [(one.reason, bytes(one.body)) for one in Quarantine.objects.order_by("pk")]


def test_a_message_arrives_and_what_it_came_in_goes(acme: Org, arrive: Arrive) -> None:
    arrive(text("M1", "Quero saber o preço"))
    run(acme)
    with in_org(acme):
        message = Message.objects.get()
    assert (message.provider_id, message.text, message.author) == ("M1", "Quero saber o preço", Message.Author.LEAD)
    assert not Received.objects.exists()
    assert not Due.objects.filter(kind="intake").exists()


def test_the_same_message_in_another_delivery_is_stored_once(acme: Org, arrive: Arrive) -> None:
    for _ in range(2):
        arrive(text("M1"))
        run(acme)
    with in_org(acme):
        assert Message.objects.count() == 1
    assert not Received.objects.exists()


def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    acme: Org, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(text("M1"))
    real = intake.handle

    def fail_at_the_end(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise IntegrityError("at the worst moment")

    monkeypatch.setattr(intake, "handle", fail_at_the_end)
    row = claim()
    with pytest.raises(IntegrityError), in_org(acme):
        tasks.take_in(jobs.Work(row, lambda *_: None, lambda *_: None))  # type: ignore[arg-type]
    with in_org(acme):
        assert not Message.objects.exists()
    assert Received.objects.count() == 1
    monkeypatch.undo()
    run(acme, row)
    with in_org(acme):
        assert Message.objects.count() == 1


@pytest.mark.parametrize("name", ["74-unknown-event", "77-malformed-data-type"])
def test_what_nobody_can_read_is_quarantined_in_its_org(acme: Org, globex: Org, arrive: Arrive, name: str) -> None:
    received = arrive(payload(name), request_id="r1")
    run(acme)
    with in_org(acme):
        one = Quarantine.objects.get()
    assert (one.reason, one.number_id, one.context) == (
        Quarantine.Reason.UNREADABLE,
        received.number_id,
        {"request_id": "r1"},
    )
    assert bytes(one.body).decode() == received.body
    assert one.received_at == received.received_at
    assert kept(globex) == []
    assert not Received.objects.exists()


def test_what_fails_every_time_is_quarantined_in_the_end(
    acme: Org, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = arrive(text("M1"))

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(intake, "handle", fail)
    row = claim()
    with pytest.raises(RuntimeError), in_org(acme):
        tasks.take_in(jobs.Work(Claimed(**{**row.__dict__, "attempts": tasks.TRIES}), lambda *_: None, lambda *_: None))  # type: ignore[arg-type]
    assert kept(acme) == []
    run(acme, row, attempt=tasks.TRIES + 1)
    assert kept(acme) == [(Quarantine.Reason.FAILED, received.body.encode())]
    assert not Received.objects.exists()
    assert tasks.POLICY.attempts > tasks.TRIES + 1, "the shift would bury it first"


def test_what_kills_its_worker_every_time_is_quarantined_and_what_happened_to_be_there_is_not(
    acme: Org, arrive: Arrive
) -> None:
    innocent = arrive(text("M1"))
    row = claim()
    lost = {**row.__dict__, "attempts": tasks.LOSSES + 1, "losses": tasks.LOSSES}
    with in_org(acme):
        tasks.take_in(jobs.Work(Claimed(**lost), lambda *_: None, lambda *_: None))  # type: ignore[arg-type]
        assert Message.objects.filter(provider_id="M1").exists()
    Due.objects.finish([row])
    assert not Received.objects.filter(pk=innocent.pk).exists()
    guilty = arrive(text("M2"))
    killed = {**claim().__dict__, "attempts": tasks.LOSSES + 2, "losses": tasks.LOSSES + 1}
    with in_org(acme):
        tasks.take_in(jobs.Work(Claimed(**killed), lambda *_: None, lambda *_: None))  # type: ignore[arg-type]
    assert kept(acme) == [(Quarantine.Reason.FAILED, guilty.body.encode())]
    assert tasks.POLICY.losses > tasks.LOSSES + 1, "the shift would bury it first"


def test_a_number_that_is_gone_leaves_its_bodies_in_quarantine(acme: Org, arrive: Arrive) -> None:
    received = arrive(text("M1"))
    with in_org(acme):
        Number.objects.all().delete()
    run(acme)
    assert kept(acme) == [(Quarantine.Reason.NUMBER_GONE, received.body.encode())]


def test_what_must_be_looked_at_later_stays_and_is_due_then(
    acme: Org, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(text("M1"), request_id="r1")
    until = datetime.now(UTC) + timedelta(seconds=10)

    def park(number: Number, *args: Any, **kwargs: Any) -> None:
        contact = Contact.objects.create()
        raise intake.Parked(until, Conversation.objects.create(contact=contact, number=number, reply_jid="x"))

    monkeypatch.setattr(intake, "handle", park)
    run(acme)
    due = Due.objects.get(kind="intake")
    assert (due.due_at, due.token, due.attempts, due.context) == (until, None, 0, {"request_id": "r1"})
    assert Received.objects.count() == 1
    monkeypatch.undo()
    Due.objects.update(due_at=timezone.now())
    run(acme)
    with in_org(acme):
        assert Message.objects.count() == 1


def test_nothing_of_another_org_is_touched(acme: Org, globex: Org, arrive: Arrive) -> None:
    received = arrive(text("M1"))
    Due.objects.update(org_id=globex.pk)  # a row that lies about its org
    run(globex)
    with in_org(globex):
        assert not Message.objects.exists()
    assert Received.objects.filter(pk=received.pk).exists()


def test_an_embedded_file_reaches_its_message(acme: Org, arrive: Arrive, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    body = payload("04-upsert-image-base64")
    del body["data"]["message"]["base64"]
    name = default_storage.save(f"{tasks.incoming_folder(acme.pk)}/{uuid4()}", ContentFile(b"a picture"))
    arrive(body, files={body["data"]["key"]["id"]: name})
    run(acme)
    with in_org(acme):
        asset = MediaAsset.objects.get()
    assert asset.path == name
    assert default_storage.exists(name)


def test_an_address_in_the_body_is_never_taken_for_a_file_of_ours(acme: Org, arrive: Arrive) -> None:
    body = payload("04-upsert-image-base64")
    body["data"]["message"] |= {"mediaUrl": "incoming/of-another-org", "kept": "2/incoming/x", "base64": None}
    arrive(body)
    run(acme)
    with in_org(acme):
        assert MediaAsset.objects.get().path == ""


def test_old_files_that_no_message_has_are_pruned(acme: Org, in_acme: Org, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    folder = tasks.incoming_folder(acme.pk)
    old, young = (default_storage.save(f"{folder}/{name}", ContentFile(b"x")) for name in ("old", "young"))
    yesterday = (timezone.now() - timedelta(days=1, minutes=1)).timestamp()
    os.utime(default_storage.path(old), (yesterday, yesterday))
    assert tasks.prune_files(acme, timezone.now()) == 1
    assert (default_storage.exists(old), default_storage.exists(young)) == (False, True)


def test_pruning_mends_the_queue(acme: Org, arrive: Arrive) -> None:
    forgotten, young = arrive(text("M1")), arrive(text("M2"))
    Due.objects.all().delete()
    Received.objects.filter(pk=forgotten.pk).update(received_at=timezone.now() - timedelta(minutes=6))
    ingest.put_now(Arrival(10**9, 1, 1, "of nobody", "{}"))
    counts = tasks.prune()
    assert (counts["orphans"], counts["woken"]) == (1, 1)
    assert list(Due.objects.filter(org_id=acme.pk).values_list("ref", flat=True)) == [str(forgotten.pk)]
    assert set(Received.objects.values_list("pk", flat=True)) == {forgotten.pk, young.pk}


def test_news_of_a_message_that_never_came_goes_after_thirty_days(acme: Org, number: ChannelAddress) -> None:
    with in_org(acme):
        old, young = (
            Pending.objects.create(number_id=number.number_id, target_id=target, sort="ack") for target in ("A", "B")
        )
        Pending.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=30, minutes=1))
    assert tasks.prune()["pending"] == 1
    with in_org(acme):
        assert list(Pending.objects.values_list("pk", flat=True)) == [young.pk]


def test_a_worker_knows_the_kind_and_its_pruning_is_scheduled() -> None:
    script = (
        "import django; django.setup(); from sdr.lib import jobs; from orgs.tasks import REPEATS;"
        "print('intake' in jobs.registry.kinds, any(r.func == 'integrations.tasks.prune' for r in REPEATS))"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    answer = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout == "True True\n"
