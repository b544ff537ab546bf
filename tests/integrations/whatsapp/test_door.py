"""What the door answers and what it keeps, over real sockets (contract evolution.md 3.4, the whole table)."""

import asyncio
import http.client
import json
import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from integrations.models import KEPT_BYTES, Quarantine
from integrations.tasks import FORMER
from integrations.whatsapp import auth, webhook, wire
from integrations.whatsapp.numbers import webhook_path
from integrations.whatsapp.webhook import Accounts, Door
from orgs import ingest
from orgs.context import in_org
from orgs.ingest import Ingest
from orgs.models import ChannelAddress, Due, Org, Received
from tests.integrations.whatsapp.arrivals import (
    INSTANCE,
    PAYLOADS,
    SECRET,
    deliver,
    make_number,
    payload,
    post,
    proof_of,
    raw,
    serve,
    text,
)

CAP = 100_000
KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'qify-sdr ingest' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def port(shared: None) -> Iterator[int]:
    with serve(Door(most_bytes=CAP)) as port:
        yield port


@pytest.fixture
def number(shared: None) -> ChannelAddress:
    return make_number(instance=INSTANCE)


def nothing_kept() -> bool:
    for org in Org.objects.all():
        with in_org(org):
            if Quarantine.objects.exists():
                return False
    return not Received.objects.exists() and not Due.objects.exists()


def quarantined(slug: str = "acme") -> list[Quarantine]:
    with in_org(Org.objects.get(slug=slug)):
        return list(Quarantine.objects.order_by("pk"))


@pytest.mark.parametrize("proof", list(auth.Proof))
def test_an_authentic_message_is_stored_before_it_is_acknowledged(port: int, proof: auth.Proof) -> None:
    address = make_number(proof=proof, instance=INSTANCE)
    assert deliver(port, address, raw(text("M1"))) == 200
    received = Received.objects.get()
    assert (received.org_id, received.address_id, received.number_id) == (address.org_id, address.pk, address.number_id)
    assert received.dedupe_key == "messages.upsert:M1"
    assert Due.objects.get().ref == str(received.pk)
    assert len(received.context["request_id"]) == 32


def test_a_retry_is_acknowledged_and_stored_once(port: int, number: ChannelAddress) -> None:
    body = raw(text("M1"))
    assert [deliver(port, number, body) for _ in range(3)] == [200, 200, 200]
    assert Received.objects.count() == Due.objects.count() == 1


@pytest.mark.parametrize("proof", list(auth.Proof))
@pytest.mark.parametrize("how", ["wrong", "none", "query"])
def test_what_does_not_prove_itself_gets_401_and_leaves_nothing(port: int, proof: auth.Proof, how: str) -> None:
    address = make_number(proof=proof)
    body = raw(text("M1"))
    path = webhook_path(address) + (f"?token={SECRET}&secret={SECRET}" if how == "query" else "")
    headers = proof_of(address, body, secret="another-secret-of-many-characters") if how == "wrong" else {}
    answer = post(port, path, body, headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"]
    assert nothing_kept()


def test_a_body_changed_on_its_way_gets_401(port: int, number: ChannelAddress) -> None:
    headers = proof_of(number, raw(text("M1", "Yes")))
    assert post(port, webhook_path(number), raw(text("M1", "No!")), headers).status == 401
    assert nothing_kept()


def test_after_many_failures_a_network_hears_429_but_an_authentic_sender_never(
    port: int, number: ChannelAddress
) -> None:
    body = raw(text("M1"))
    answers = [post(port, webhook_path(number), body, {auth.SIGNATURE: "0" * 64}) for _ in range(webhook.FAILURES + 3)]
    assert [answer.status for answer in answers] == [401] * webhook.FAILURES + [429] * 3
    assert answers[-1].headers["Retry-After"] == "60"
    assert deliver(port, number, body) == 200
    assert Received.objects.count() == 1


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/whatsapp/" + "x" * 43 + "/",
        "/hooks/whatsapp/",
        "/hooks/whatsapp/short/",
        "/hooks/whatsapp/%00%00/",
        "/hooks/whatsapp/a/b/",
    ],
)
def test_an_address_that_does_not_exist_is_404(port: int, path: str) -> None:
    assert post(port, path, raw(text("M1"))).status == 404
    assert nothing_kept()


def test_without_its_slash_an_address_is_404_and_never_a_redirect(port: int, number: ChannelAddress) -> None:
    body = raw(text("M1"))
    answer = post(port, webhook_path(number).rstrip("/"), body, proof_of(number, body))
    assert (answer.status, answer.headers.get("Location")) == (404, None)
    assert nothing_kept()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods_are_405_whether_or_not_the_address_exists(
    port: int, number: ChannelAddress, method: str
) -> None:
    for path in (webhook_path(number), "/hooks/whatsapp/" + "x" * 43 + "/"):
        answer = post(port, path, b"", method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'"text"', b"\xff\xfe", b"\x00", b'{"a":' * 5000, b'{"event":1e999}x'], ids=range(8)
)
def test_authentic_rubbish_is_acknowledged_and_quarantined(port: int, number: ChannelAddress, body: bytes) -> None:
    assert deliver(port, number, body) == 200
    (kept,) = quarantined()
    assert (kept.reason, bytes(kept.body), kept.number_id) == (Quarantine.Reason.UNREADABLE, body, number.number_id)
    assert quarantined("globex") == []
    assert not Received.objects.exists()


@pytest.mark.parametrize("proof", list(auth.Proof))
def test_an_authentic_body_that_is_too_large_leaves_its_beginning(port: int, proof: auth.Proof, caplog: Any) -> None:
    address = make_number(proof=proof)
    body = raw(text("M1", "x" * (CAP * 3)))
    with caplog.at_level(logging.ERROR):
        assert deliver(port, address, body) == 200
    (kept,) = quarantined()
    assert (kept.reason, kept.size, bytes(kept.body)) == (Quarantine.Reason.TOO_LARGE, len(body), body[:KEPT_BYTES])
    assert not kept.is_whole
    assert not kept.can_replay
    assert kept.headers["content-length"] == str(len(body))
    assert not {"x-signature", "x-webhook-token", "authorization"} & set(kept.headers)
    assert "webhook_quarantined" in caplog.text
    assert not Received.objects.exists()


def test_a_large_body_that_is_not_authentic_leaves_nothing(port: int, number: ChannelAddress) -> None:
    body = raw(text("M1", "x" * (CAP * 3)))
    assert post(port, webhook_path(number), body, proof_of(number, body[:-1])).status == 401
    assert nothing_kept()


def test_another_instances_body_is_quarantined_without_its_key(port: int, number: ChannelAddress) -> None:
    body = text("M1", instance="t_other") | {"apikey": "instance-token"}
    assert deliver(port, number, raw(body)) == 200
    (kept,) = quarantined()
    assert kept.reason == Quarantine.Reason.WRONG_INSTANCE
    assert b"instance-token" not in bytes(kept.body)
    assert json.loads(bytes(kept.body))["data"]["key"]["id"] == "M1"
    assert not Received.objects.exists()


def test_another_instances_id_is_the_wrong_instance_too(port: int, number: ChannelAddress) -> None:
    ChannelAddress.objects.filter(pk=number.pk).update(instance_id="11111111-aaaa")
    body = text("M1")
    body["data"]["instanceId"] = "22222222-bbbb"
    assert deliver(port, number, raw(body)) == 200
    assert [kept.reason for kept in quarantined()] == [Quarantine.Reason.WRONG_INSTANCE]


def test_a_former_name_counts_for_as_long_as_its_retries_come(port: int, number: ChannelAddress) -> None:
    now = datetime.now(UTC)
    number.former_instances = [
        {"name": "t_former", "id": "", "until": (now + timedelta(minutes=45)).isoformat()},
        {"name": "t_ancient", "id": "", "until": (now - timedelta(seconds=1)).isoformat()},
    ]
    number.save()
    assert deliver(port, number, raw(text("M1", instance="t_former"))) == 200
    assert deliver(port, number, raw(text("M2", instance="t_ancient"))) == 200
    assert Received.objects.get().dedupe_key == "messages.upsert:M1"
    assert [kept.reason for kept in quarantined()] == [Quarantine.Reason.WRONG_INSTANCE]


def test_two_secrets_are_live_while_one_is_changed(port: int, number: ChannelAddress) -> None:
    number.secret, number.former_secret = "the-new-secret-0123456789", SECRET
    number.former_secret_until = datetime.now(UTC) + timedelta(hours=1)
    number.save()
    for place, secret in enumerate((SECRET, "the-new-secret-0123456789")):
        body = raw(text(f"M{place}"))
        assert post(port, webhook_path(number), body, proof_of(number, body, secret=secret)).status == 200
    assert Received.objects.count() == 2


def test_a_secret_changed_a_moment_ago_is_known_before_anybody_hears_401(port: int, number: ChannelAddress) -> None:
    assert deliver(port, number, raw(text("M1"))) == 200  # now the old secret is remembered
    number.secret = "the-new-secret-0123456789"
    number.save()
    assert deliver(port, number, raw(text("M2"))) == 200
    body = raw(text("M3"))
    assert post(port, webhook_path(number), body, proof_of(number, body, secret=SECRET)).status == 401
    assert Received.objects.count() == 2


def test_what_came_with_a_former_secret_says_so(port: int, number: ChannelAddress) -> None:
    number.secret, number.former_secret = "the-new-secret-0123456789", SECRET
    number.save()
    for place, secret in enumerate((SECRET, "the-new-secret-0123456789")):
        body = raw(text(f"M{place}"))
        assert post(port, webhook_path(number), body, proof_of(number, body, secret=secret)).status == 200
    marks = [received.context.get(FORMER) for received in Received.objects.order_by("pk")]
    assert marks == [True, None]


def test_an_instance_renamed_a_moment_ago_loses_no_event(port: int, number: ChannelAddress) -> None:
    assert deliver(port, number, raw(text("M1"))) == 200  # now the old name is remembered
    number.instance = "t_fresh"
    number.save()
    assert deliver(port, number, raw(text("M2", instance="t_fresh"))) == 200
    assert Received.objects.count() == 2
    assert quarantined() == []
    assert deliver(port, number, raw(text("M3", instance="t_strange"))) == 200
    assert [kept.reason for kept in quarantined()] == [Quarantine.Reason.WRONG_INSTANCE]


def test_a_removed_address_is_gone_within_seconds(
    port: int, number: ChannelAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "CACHED_FOR", 0.05)
    assert deliver(port, number, raw(text("M1"))) == 200
    number_path, headers = webhook_path(number), proof_of(number, raw(text("M2")))
    number.delete()
    time.sleep(0.1)
    assert post(port, number_path, raw(text("M2")), headers).status == 404
    assert Received.objects.count() == 1


def test_secrets_noise_and_groups_are_stripped_before_anything_is_stored(port: int, number: ChannelAddress) -> None:
    body = text("M1") | {"apikey": "instance-token"}
    body["data"]["message"]["messageContextInfo"] = {"messageSecret": "key-material"}
    group = payload("31-upsert-group") | {"instance": INSTANCE}
    presence = payload("68-presence-update") | {"instance": INSTANCE}
    assert [deliver(port, number, raw(each)) for each in (body, group, presence)] == [200, 200, 200]
    received = Received.objects.get()
    assert "instance-token" not in received.body
    assert "key-material" not in received.body
    assert json.loads(received.body)["data"]["message"] == {"conversation": "Oi"}


def test_an_embedded_file_goes_to_the_file_store(
    port: int, number: ChannelAddress, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    body = payload("04-upsert-image-base64") | {"instance": INSTANCE}
    encoded = body["data"]["message"]["base64"]
    assert deliver(port, number, raw(body)) == 200
    received = Received.objects.get()
    assert encoded not in received.body
    (name,) = received.context["files"].values()
    assert name.startswith(f"{number.org_id}/incoming/")
    with default_storage.open(name) as file:
        assert file.read()


def test_what_the_database_refuses_is_quarantined(committed: None, port: int, number: ChannelAddress) -> None:
    connection.cursor().execute("ALTER TABLE orgs_received ADD CONSTRAINT picky CHECK (body NOT LIKE '%%forbidden%%')")
    assert deliver(port, number, raw(text("M1", "forbidden"))) == 200
    assert deliver(port, number, raw(text("M2", "fine"))) == 200
    assert [kept.reason for kept in quarantined()] == [Quarantine.Reason.UNSTORABLE]
    assert Received.objects.get().dedupe_key == "messages.upsert:M2"


@pytest.mark.parametrize("state", ["away", "locked"])
def test_a_database_that_does_not_answer_is_503_in_less_than_two_seconds(
    port: int, number: ChannelAddress, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    assert deliver(port, number, raw(text("M0"))) == 200
    real = ingest.parameters()
    import psycopg

    with psycopg.connect(**real) as blocking:
        if state == "locked":
            blocking.execute("LOCK TABLE orgs_received IN ACCESS EXCLUSIVE MODE")
        else:
            monkeypatch.setattr(ingest, "parameters", lambda: {**real, "host": "127.0.0.1", "port": "9"})
            blocking.execute(KILL)
        started = time.monotonic()
        body = raw(text("M1"))
        answer = post(port, webhook_path(number), body, proof_of(number, body))
        took = time.monotonic() - started
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert took < 2
    monkeypatch.setattr(ingest, "parameters", lambda: real)
    assert deliver(port, number, body) == 200
    assert sorted(Received.objects.values_list("dedupe_key", flat=True)) == ["messages.upsert:M0", "messages.upsert:M1"]


def test_a_look_up_that_hangs_is_503_in_time_and_never_404(port: int, number: ChannelAddress) -> None:
    import psycopg

    with psycopg.connect(**ingest.parameters()) as blocking:
        blocking.execute("LOCK TABLE orgs_channeladdress IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        assert deliver(port, number, raw(text("M1"))) == 503
        assert time.monotonic() - started < 2
    assert deliver(port, number, raw(text("M1"))) == 200


def test_a_full_queue_is_503(shared: None) -> None:
    number = make_number()
    with serve(Door(ingest=Ingest(longest_queue=0))) as port:
        assert deliver(port, number, raw(text("M1"))) == 503
    assert nothing_kept()


def test_a_quarantine_that_cannot_be_written_is_503(port: int, number: ChannelAddress) -> None:
    with in_org(number.org):
        connection.cursor().execute("ALTER TABLE integrations_quarantine RENAME TO elsewhere")
    assert deliver(port, number, b"rubbish") == 503
    with in_org(number.org):
        connection.cursor().execute("ALTER TABLE elsewhere RENAME TO integrations_quarantine")
    assert deliver(port, number, b"rubbish") == 200


def test_a_sender_who_stops_in_the_middle_leaves_nothing(port: int, number: ChannelAddress) -> None:
    body = raw(text("M1"))
    with socket.create_connection(("127.0.0.1", port)) as half:
        head = f"POST {webhook_path(number)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        half.sendall(head.encode() + body[:50])
    assert deliver(port, number, raw(text("M2"))) == 200
    assert Received.objects.get().dedupe_key == "messages.upsert:M2"


def test_a_body_in_pieces_is_verified_whole(port: int, number: ChannelAddress) -> None:
    body = raw(text("M1", "á" * 5000))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    pieces = (body[start : start + 700] for start in range(0, len(body), 700))
    connection.request("POST", webhook_path(number), pieces, proof_of(number, body), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert json.loads(Received.objects.get().body)["data"]["message"]["conversation"] == "á" * 5000


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem[:2])
def test_every_recorded_body_is_acknowledged(path: Any, door_without_sockets: Any) -> None:
    """All 77, without sockets: 200 and either stored, quarantined for its instance, or ignored."""
    status, kept = door_without_sockets(path.read_bytes())
    assert status == 200
    assert kept in {"stored", "ignored", "quarantined"}
    assert kept == "quarantined" or not path.name.startswith("76")


@pytest.fixture
def door_without_sockets() -> Any:
    account = webhook.Account(1, 2, 3, auth.Proof.HMAC, (SECRET,), ((INSTANCE, ""),))

    def judge(body: bytes) -> tuple[int, str]:
        headers = auth.sign(SECRET, body, now=datetime.now(UTC))
        verification = auth.Verification(auth.Proof.HMAC, (SECRET,), headers, now=datetime.now(UTC))
        verification.update(body)
        door = Door()
        caller = webhook.Caller("127.0.0.1", {}, "r")
        verdict = asyncio.run(door._judge(caller, body, account, verification))
        kept = "stored" if verdict.arrival else "quarantined" if verdict.refusal else "ignored"
        return verdict.status_code, kept

    return judge


def test_unknown_addresses_are_remembered_in_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "CACHED_MOST", 10)
    asked: list[str] = []
    monkeypatch.setattr(webhook, "load_account", asked.append)

    async def run() -> None:
        async def in_thread(function: Any) -> Any:
            return function()

        accounts = Accounts(in_thread)
        for number in range(50):
            for _ in range(3):
                assert await accounts.get(f"key-{number}") is None
        assert len(accounts._known) == 10

    asyncio.run(run())
    assert len(asked) == 50


def test_a_bug_of_ours_loses_no_authentic_body(
    port: int, number: ChannelAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(wire, "strip", fail)
    body = raw(text("M1"))
    assert deliver(port, number, body) == 200
    assert [(kept.reason, bytes(kept.body)) for kept in quarantined()] == [(Quarantine.Reason.UNREADABLE, body)]


def test_one_look_up_serves_all_who_ask_and_a_newer_one_those_who_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(webhook, "load_account", asked.append)

    async def run() -> None:
        async def in_thread(function: Any) -> Any:
            await asyncio.sleep(0.01)
            return function()

        accounts = Accounts(in_thread)
        await asyncio.gather(*(accounts.get("key") for _ in range(20)))
        assert len(asked) == 1
        first = asyncio.ensure_future(accounts.get("other"))
        await asyncio.sleep(0)
        # Asks in the same turn of the loop in which the first look-up ends, before it has been put away.
        _, task = accounts._asking["other"]
        while not task.done():  # noqa: ASYNC110  # to stop at exactly that turn of the loop
            await asyncio.sleep(0)
        late = accounts.get("other", newer_than=time.monotonic())
        await asyncio.wait_for(asyncio.gather(first, late), 5)
        assert len(asked) == 3

    asyncio.run(run())


def test_the_web_server_sends_webhooks_past_django(committed_module: None) -> None:
    from sdr import asgi

    assert asgi._route("/hooks/whatsapp/key/") is asgi.whatsapp
    assert asgi._route("/hooks/other/") is asgi.bridge
