"""The phones behind the stand-in: what a lead does becomes the events of the contract, and ticks come back."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from integrations.whatsapp.standin import Addressing, Options, Standin
from tests.integrations.whatsapp.hook import Client, Hook, listening, until

LEAD = "5511999990001"
JID = f"{LEAD}@s.whatsapp.net"
OWN = "5511988880000@s.whatsapp.net"


@pytest.fixture
def evolution() -> Iterator[Standin]:
    with Standin(Options(time_scale=0.001)) as standin:
        yield standin


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as endpoint:
        yield endpoint


@pytest.fixture
def call(evolution: Standin) -> Client:
    return Client(evolution)


@pytest.fixture
def upsert(evolution: Standin, call: Client, hook: Hook) -> Any:
    """What one action of the lead brings as `data` of messages.upsert."""
    call.open(hook)
    evolution.lead(LEAD, name="Maria Souza")

    def act(action: str, **fields: Any) -> Any:
        hook.heard.clear()
        evolution.act("t_1", LEAD, action, **fields)
        assert evolution.settle()
        [data] = hook.events("messages.upsert")
        return data

    return act


def test_a_text_looks_like_the_recorded_one(upsert: Any) -> None:
    data = upsert("text", text="Oi", at=1_760_968_800)
    assert data["message"].pop("messageContextInfo")["deviceListMetadataVersion"] == 2
    assert len(data["key"]["id"]) == 32
    assert data == {
        "key": {"remoteJid": JID, "fromMe": False, "id": data["key"]["id"], "participant": "", "addressingMode": "pn"},
        "pushName": "Maria Souza",
        "status": "DELIVERY_ACK",
        "message": {"conversation": "Oi"},
        "messageType": "conversation",
        "messageTimestamp": 1_760_968_800,
        "instanceId": data["instanceId"],
        "source": "android",
    }


@pytest.mark.parametrize(
    ("action", "node"),
    [
        ("voice", "audioMessage"),
        ("image", "imageMessage"),
        ("document", "documentMessage"),
        ("location", "locationMessage"),
    ],
)
def test_other_kinds_have_their_node(upsert: Any, action: str, node: str) -> None:
    data = upsert(action, text="Aqui")
    assert data["messageType"] == node
    assert next(iter(data["message"])) == node
    if action in {"image", "document"}:
        assert data["message"][node]["caption"] == "Aqui"
        assert data["message"][node]["fileLength"]["high"] == 0


def test_an_ad_and_a_quote_come_in_the_context(evolution: Standin, call: Client, upsert: Any) -> None:
    ad = upsert("text", text="Vi o anúncio", ad={"title": "Plano Pro", "source_id": "77"})
    assert ad["contextInfo"]["externalAdReply"]["sourceId"] == "77"
    _, sent = call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Temos o Pro"})
    quoting = upsert("text", text="Esse", quoted_id=sent["key"]["id"])
    assert quoting["contextInfo"] == {
        "stanzaId": sent["key"]["id"],
        "participant": OWN,
        "quotedMessage": {"conversation": "Temos o Pro"},
    }


def test_a_lid_comes_with_or_without_its_phone(evolution: Standin, upsert: Any) -> None:
    lead = evolution.lead(LEAD, addressing=Addressing.LID)
    key = upsert("text", text="Oi")["key"]
    assert (key["remoteJid"], key["remoteJidAlt"], key["addressingMode"]) == (lead.lid_jid, JID, "lid")
    own = upsert("company", text="Assumo")["key"]
    assert (own["remoteJid"], own["remoteJidAlt"], own["fromMe"]) == (lead.lid_jid, OWN, True)
    evolution.lead(LEAD, addressing=Addressing.LID_ONLY)
    assert "remoteJidAlt" not in upsert("text", text="Oi")["key"]


@pytest.mark.parametrize(("via", "prefix", "source"), [("phone", "A", "android"), ("web", "3EB0", "web")])
def test_the_company_writes_from_its_own_devices(upsert: Any, via: str, prefix: str, source: str) -> None:
    data = upsert("company", text="Vou assumir", via=via)
    assert (data["key"]["fromMe"], data["pushName"], data["status"]) == (True, "Loja Exemplo", "SERVER_ACK")
    assert data["key"]["id"].startswith(prefix)
    assert data["source"] == source


def test_edits_deletes_and_reactions_name_their_message(evolution: Standin, hook: Hook, upsert: Any) -> None:
    first = upsert("text", text="Oi")["key"]["id"]
    reaction = upsert("reaction", id=first, text="👍")
    assert reaction["message"]["reactionMessage"]["key"]["id"] == first
    assert reaction["key"]["id"] != first
    evolution.act("t_1", LEAD, "edit", id=first, text="Olá")
    evolution.act("t_1", LEAD, "delete", id=first)
    assert evolution.settle()
    edit, revoke = hook.events("messages.edited")
    assert edit["key"] == {"remoteJid": OWN, "fromMe": True, "id": first}
    assert (edit["type"], edit["editedMessage"], type(edit["timestampMs"])) == (
        "MESSAGE_EDIT",
        {"conversation": "Olá"},
        str,
    )
    assert revoke == {"key": {"remoteJid": OWN, "fromMe": True, "id": first}, "type": "REVOKE"}
    [deleted] = hook.events("messages.delete")
    assert (deleted["id"], deleted["fromMe"], deleted["remoteJid"]) == (first, False, JID)
    [message] = evolution.whatsapp.sent(LEAD)
    assert (message.text, message.is_edited, message.is_deleted) == ("Olá", True, True)


def test_typing_is_told_only_for_those_we_wrote_to(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    evolution.act("t_1", LEAD, "typing")
    assert evolution.settle()
    assert hook.events("presence.update") == []
    call("POST", "/chat/sendPresence/t_1", {"number": LEAD, "presence": "composing", "delay": 10})
    evolution.act("t_1", LEAD, "typing")
    assert evolution.settle()
    assert hook.events("presence.update") == [{"id": JID, "presences": {JID: {"lastKnownPresence": "composing"}}}]


def test_ticks_follow_a_send_and_a_rejection_comes_late(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    evolution.lead(LEAD, addressing=Addressing.LID)
    _, sent = call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Oi"})
    until(lambda: len(hook.events("messages.update")) == 2)
    updates = hook.events("messages.update")
    assert {update["status"] for update in updates} == {"DELIVERY_ACK", "READ"}
    assert {update["keyId"] for update in updates} == {sent["key"]["id"]}
    assert {update["remoteJid"] for update in updates} == {evolution.lead(LEAD).lid_jid}
    [echo] = hook.events("send.message")
    assert echo == sent
    assert hook.events("messages.upsert") == []
    found = call("POST", "/chat/findStatusMessage/t_1", {"where": {"id": sent["key"]["id"]}})[1]
    assert [row["status"] for row in found] == ["DELIVERY_ACK", "READ"]
    evolution.faults.reject_rate = 1.0
    call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Oi de novo"})
    until(lambda: [u for u in hook.events("messages.update") if u["status"] == "ERROR"])


def test_the_business_channel_has_its_own_shape(evolution: Standin, call: Client, hook: Hook) -> None:
    call.create(hook, integration="WHATSAPP-BUSINESS", number="109876")
    evolution.act("t_1", LEAD, "image", text="Foto")
    assert evolution.settle()
    [data] = hook.events("messages.upsert")
    assert set(data["key"]) == {"id", "remoteJid", "fromMe"}
    assert data["key"]["id"].startswith("wamid.")
    assert "status" not in data
    assert set(data["message"]) == {"imageMessage", "base64"}
    assert data["message"]["imageMessage"]["mime_type"] == "image/png"
    call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Oi"})
    until(lambda: len(hook.events("messages.update")) == 2)
    assert {(u["status"], u["fromMe"], u["participant"]) for u in hook.events("messages.update")} == {
        ("DELIVERED", False, JID),
        ("READ", False, JID),
    }


def test_base64_counts_from_the_next_connection_on(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    call("POST", "/webhook/set/t_1", {"webhook": {"enabled": True, "url": hook.url, "events": [], "base64": True}})
    evolution.act("t_1", LEAD, "image")
    assert evolution.settle()
    call("POST", "/instance/restart/t_1")
    until(lambda: evolution.instance("t_1").state == "open")
    evolution.act("t_1", LEAD, "image")
    assert evolution.settle()
    assert ["base64" in data["message"] for data in hook.events("messages.upsert")] == [False, True]


def test_a_short_drop_says_connecting_and_brings_the_backlog(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    evolution.drop("t_1")
    evolution.act("t_1", LEAD, text="atrasada", at=1_760_968_800)
    evolution.restore("t_1")
    until(lambda: hook.events("messages.upsert"))
    assert evolution.settle()
    states = [update["state"] for update in hook.events("connection.update")]
    assert sorted(states) == ["connecting", "connecting", "open"]
    [data] = hook.events("messages.upsert")
    assert data["messageTimestamp"] == 1_760_968_800


def test_a_logout_tells_three_events(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    evolution.log_out("t_1")
    assert evolution.settle()
    [status] = hook.events("status.instance")
    assert (status["status"], status["disconnectionReasonCode"]) == ("closed", 401)
    assert json.loads(status["disconnectionObject"])["error"]["data"]["attrs"] == {"code": "401"}
    assert hook.events("connection.update") == [{"instance": "t_1", "state": "close", "statusReason": 401}]
    assert hook.events("logout.instance") == [None]


def test_codes_rotate_until_the_limit(call: Client, hook: Hook) -> None:
    with Standin(Options(time_scale=0.001, qr_limit=3)) as evolution:
        Client(evolution).create(hook, qrcode=True)
        until(lambda: [data for data in hook.events("connection.update") if data["state"] == "refused"])
        assert evolution.settle()
        codes = [data for data in hook.events("qrcode.updated") if "qrcode" in data]
        assert len({data["qrcode"]["code"] for data in codes}) == 3
        limit = {"message": "QR code limit reached, please login again", "statusCode": 500}
        assert [data for data in hook.events("qrcode.updated") if "qrcode" not in data] == [limit]
        assert evolution.instance("t_1").state == "close"


def test_its_state_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "standin.json"
    with Standin(Options(time_scale=0.001, state_file=file)) as evolution:
        Client(evolution).open()
        evolution.act("t_1", LEAD, "image", text="Foto")
        assert evolution.settle()
    with Standin(Options(time_scale=0.001, state_file=file)) as evolution:
        until(lambda: evolution.instance("t_1").state == "open")
        [message] = evolution.whatsapp.sent(LEAD)
        assert message.media
        assert message.media.data.startswith(b"\x89PNG")
        assert Client(evolution)("POST", "/chat/findMessages/t_1", {})[1]["messages"]["total"] == 1


def test_it_runs_alone_and_keeps_its_state_when_stopped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "integrations.whatsapp.standin",
        "--port",
        str(port),
        "--state",
        str(tmp_path / "s"),
    ]
    keys = {"EVOLUTION_API_KEY": "k" * 32, "STANDIN_CONTROL_TOKEN": "t" * 32}
    refused = subprocess.run(command, env={**os.environ, **keys, "ENVIRONMENT": "production"}, check=False, timeout=30)
    assert refused.returncode == 1
    process = subprocess.Popen(command, env={**os.environ, **keys, "ENVIRONMENT": "development"})
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/"), seconds=20)
        body = {"instanceName": "t_1", "integration": "EVOLUTION"}
        created = httpx2.post(f"http://127.0.0.1:{port}/instance/create", json=body, headers={"apikey": "k" * 32})
        assert created.status_code == 201
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert "t_1" in json.loads((tmp_path / "s").read_text("utf-8"))["instances"]


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=1).status_code == 200
    except httpx2.HTTPError:
        return False


def test_the_control_api_does_what_the_phones_do(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)

    def control(method: str, path: str, body: Any = None, *, token: str = evolution.control_token) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.request(method, f"{evolution.url}/_control/{path}", json=body, headers=headers, timeout=5)

    assert control("GET", "state", token=evolution.api_key).status_code == 401
    assert control("POST", "leads", {"phone": LEAD, "name": "Maria", "addressing": "lid"}).json()["name"] == "Maria"
    assert control("POST", "faults", {"hang_rate": 0.5}).json()["hang_rate"] == 0.5
    assert control("POST", "faults", {"hang_rte": 0.5}).status_code == 400
    assert control("POST", "faults", {"hang_rate": 0.0}).json()["hang_rate"] == 0.0
    sent = control("POST", f"instances/t_1/chats/{LEAD}", {"burst": ["Oi", "Tudo bem?"]}).json()
    assert [message["text"] for message in sent] == ["Oi", "Tudo bem?"]
    [picture] = control("POST", f"instances/t_1/chats/{LEAD}", {"action": "image"}).json()
    assert control("GET", f"media/{picture['id']}").content.startswith(b"\x89PNG")
    assert control("POST", f"instances/t_1/chats/{LEAD}", {"action": "dance"}).status_code == 400
    assert control("GET", "instances/nobody/chats/1").status_code == 404
    chat = control("GET", f"instances/t_1/chats/{LEAD}").json()
    assert [message["kind"] for message in chat["messages"]] == ["text", "text", "image"]
    assert (
        control("POST", "instances/t_1/events", {"event": "messages.reaction.v9", "data": {"foo": 1}}).status_code
        == 200
    )
    assert evolution.settle()
    assert len(hook.events("messages.upsert")) == 3
    assert control("POST", "crash", {}).status_code == 202
