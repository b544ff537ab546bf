"""The stand-in answers as Evolution does: statuses, envelopes, oddities (contracts evolution.md, evolution-live.md)."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from integrations.whatsapp.standin import Addressing, Faults, Options, SendFault, Standin
from integrations.whatsapp.standin.phones import create_jid
from tests.integrations.whatsapp.hook import Client, Hook, listening, until

LEAD = "5511999990001"
JID = f"{LEAD}@s.whatsapp.net"


@pytest.fixture
def evolution() -> Iterator[Standin]:
    with Standin(Options(seed=1, time_scale=0.001)) as standin:
        yield standin


@pytest.fixture
def call(evolution: Standin) -> Client:
    return Client(evolution)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as endpoint:
        yield endpoint


def wrong(status: int, error: str, message: Any) -> tuple[int, Any]:
    return status, {"status": status, "error": error, "response": {"message": message}}


def test_it_says_its_version_to_anybody(evolution: Standin) -> None:
    assert Client(evolution, key="")("GET", "/")[1]["version"] == "2.3.6"


def test_it_checks_the_instance_and_the_name_before_the_key(evolution: Standin, call: Client) -> None:
    call.create()
    stranger = Client(evolution, key="wrong")
    assert stranger("POST", "/message/sendText/nobody", {}) == wrong(
        404, "Not Found", ['The "nobody" instance does not exist']
    )
    taken = {"instanceName": "t_1", "integration": "EVOLUTION"}
    assert stranger("POST", "/instance/create", taken) == wrong(
        403, "Forbidden", ['This name "t_1" is already in use.']
    )
    assert stranger("POST", "/message/sendText/t_1", {}) == wrong(401, "Unauthorized", "Unauthorized")
    assert stranger("POST", "/instance/create", {"instanceName": "t_2"}) == wrong(401, "Unauthorized", "Unauthorized")
    assert call("POST", "/foo") == wrong(404, "Not Found", ["Cannot POST /foo"])
    assert list(evolution.evolution.instances) == ["t_1"]


def test_an_instance_token_opens_its_instance_but_a_query_leads_elsewhere(evolution: Standin, call: Client) -> None:
    call.create(name="t_1")
    call.create(name="t_2", integration="EVOLUTION")
    own = Client(evolution, key="token-of-t_1")
    assert own("GET", "/instance/connectionState/t_1") == (200, {"instance": {"instanceName": "t_1", "state": "close"}})
    assert own("GET", "/instance/connectionState/t_2")[0] == 401
    assert own("GET", "/instance/connectionState/t_1?instanceName=t_2")[1]["instance"]["state"] == "open"
    assert [row["name"] for row in own("GET", "/instance/fetchInstances")[1]] == ["t_1"]


def test_create_insists_on_events_and_forgets_a_failed_instance(evolution: Standin, call: Client, hook: Hook) -> None:
    body = {"instanceName": "t_1", "integration": "WHATSAPP-BAILEYS", "webhook": {"url": hook.url}}
    expected = wrong(400, "Bad Request", ["Cannot read properties of undefined (reading 'length')"])
    assert call("POST", "/instance/create", body) == expected
    assert call("POST", "/instance/create", {**body, "integration": "SMS"})[1]["response"]["message"] == [
        "Invalid integration"
    ]
    assert evolution.evolution.instances == {}
    answer = call.create(hook, number="5511988880000", qrcode=True)
    assert answer["hash"] == "token-of-t_1"
    assert answer["instance"]["status"] == "connecting"
    assert answer["webhook"]["webhookUrl"] == hook.url
    assert answer["qrcode"]["count"] == 1
    assert len(answer["qrcode"]["pairingCode"]) == 8
    assert base64.b64decode(answer["qrcode"]["base64"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_webhook_set_wants_its_wrapper_and_events_and_keeps_headers_left_out(call: Client) -> None:
    call.create()
    flat = {"enabled": True, "url": "https://example.com/", "events": []}
    assert call("POST", "/webhook/set/t_1", flat)[0] == 400
    assert call("POST", "/webhook/set/t_1", {"webhook": {"enabled": True, "url": "x"}})[0] == 500
    assert call("POST", "/webhook/set/t_1", {"webhook": {**flat, "events": ["NOPE"]}})[0] == 400
    assert call("GET", "/webhook/find/t_1") == (200, None)
    assert call("POST", "/webhook/set/t_1", {"webhook": {**flat, "headers": {"jwt_key": "k" * 32}}})[0] == 201
    status, row = call("POST", "/webhook/set/t_1", {"webhook": {**flat, "url": "not-a-url"}})
    assert (status, row["url"], row["headers"], len(row["events"])) == (201, "not-a-url", {"jwt_key": "k" * 32}, 31)
    assert call("GET", "/webhook/find/t_1") == (200, row)


def test_settings_take_all_six_or_nothing(call: Client) -> None:
    call.create()
    assert call("POST", "/settings/set/t_1", {"groupsIgnore": True})[0] == 400
    six = dict.fromkeys(
        ("rejectCall", "groupsIgnore", "alwaysOnline", "readMessages", "readStatus", "syncFullHistory"), True
    )
    assert call("POST", "/settings/set/t_1", six)[0] == 201
    assert call("GET", "/settings/find/t_1")[1]["groupsIgnore"] is True


def test_restart_and_logout_of_a_closed_instance_fail_each_in_its_way(call: Client) -> None:
    call.create()
    assert call("POST", "/instance/restart/t_1") == (200, {"error": True, "message": "[object Object]"})
    assert call("DELETE", "/instance/logout/t_1") == wrong(400, "Bad Request", ['The "t_1" instance is not connected'])


def test_sending_tells_before_and_after_a_connection_apart(evolution: Standin, call: Client) -> None:
    text = {"number": LEAD, "text": "Oi"}
    call.create(qrcode=False)
    never = "Cannot read properties of undefined (reading 'onWhatsApp')"
    assert call("POST", "/message/sendText/t_1", text) == wrong(500, "Internal Server Error", never)
    call.open(name="t_2")
    evolution.drop("t_2")
    assert call("POST", "/message/sendText/t_2", text) == wrong(500, "Internal Server Error", "Connection Closed")
    evolution.restore("t_2")
    until(lambda: evolution.instance("t_2").state == "open")
    assert call("POST", "/message/sendText/t_2", text)[0] == 201
    evolution.drop("t_2")
    assert call("POST", "/message/sendText/t_2", text) == wrong(400, "Bad Request", ["Error: Connection Closed"])
    assert [message.text for message in evolution.whatsapp.answers(LEAD)] == ["Oi"]


def test_send_text_answers_with_the_message_that_the_phone_has(evolution: Standin, call: Client) -> None:
    call.open()
    status, answer = call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Olá!", "linkPreview": False})
    [received] = evolution.whatsapp.answers(LEAD)
    assert status == 201
    assert answer["key"] == {"remoteJid": JID, "fromMe": True, "id": received.id}
    assert received.id.startswith("3EB0")
    assert (answer["pushName"], answer["status"], answer["source"]) == ("Você", "PENDING", "web")
    assert (answer["message"], answer["messageType"]) == ({"conversation": "Olá!"}, "conversation")


def test_send_text_refuses_what_evolution_refuses(evolution: Standin, call: Client) -> None:
    call.open()
    evolution.whatsapp.absent.add(LEAD)
    first = call("POST", "/message/sendText/t_1", {"number": LEAD, "textMessage": {"text": "v1"}})
    assert first == wrong(400, "Bad Request", [['instance requires property "text"']])
    assert call("POST", "/message/sendText/t_1", {"number": "5511999990002", "text": " "}) == wrong(
        400, "Bad Request", ["Text is required"]
    )
    unknown = [{"jid": JID, "exists": False, "number": LEAD}]
    assert call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Oi"}) == wrong(400, "Bad Request", unknown)
    assert evolution.whatsapp.messages == []


@pytest.mark.parametrize(
    ("number", "jid"),
    [
        ("5531987654321", "553187654321@s.whatsapp.net"),
        ("5511987654321", "5511987654321@s.whatsapp.net"),
        ("5531965432109", "5531965432109@s.whatsapp.net"),
        ("+55 (31) 98765-4321", "553187654321@s.whatsapp.net"),
        ("5215512345678", "525512345678@s.whatsapp.net"),
        ("210000000000001@lid", "210000000000001@lid"),
        ("5511999990001:12@s.whatsapp.net", "5511999990001@s.whatsapp.net"),
        ("120363000000000001", "120363000000000001@g.us"),
    ],
)
def test_a_number_becomes_the_jid_that_create_jid_makes(number: str, jid: str) -> None:
    assert create_jid(number) == jid


def test_a_phone_known_with_the_ninth_digit_is_found_without_it(evolution: Standin, call: Client) -> None:
    call.open()
    evolution.lead("553187654321", name="Bia")
    _, answer = call("POST", "/message/sendText/t_1", {"number": "5531987654321", "text": "Oi"})
    assert answer["key"]["remoteJid"] == "553187654321@s.whatsapp.net"
    assert [message.text for message in evolution.whatsapp.answers("553187654321")] == ["Oi"]


def test_a_lid_is_taken_as_it_is_even_when_nobody_has_it(evolution: Standin, call: Client) -> None:
    call.open()
    lead = evolution.lead(LEAD, addressing=Addressing.LID_ONLY)
    assert (
        call("POST", "/message/sendText/t_1", {"number": lead.lid_jid, "text": "Oi"})[1]["key"]["remoteJid"]
        == lead.lid_jid
    )
    assert call("POST", "/message/sendText/t_1", {"number": "299999999999999@lid", "text": "Oi"})[0] == 201
    assert [message.phone for message in evolution.whatsapp.messages] == [LEAD]


def test_media_needs_a_public_url_or_base64_and_a_name(evolution: Standin, call: Client) -> None:
    call.open()
    body = {"number": LEAD, "mediatype": "document", "media": base64.b64encode(b"%PDF-1.4").decode()}
    owned = wrong(400, "Bad Request", ["Owned media must be a url or base64"])
    assert call("POST", "/message/sendMedia/t_1", {**body, "media": "http://minio:9000/x.pdf"}) == owned
    assert call("POST", "/message/sendMedia/t_1", {**body, "media": "data:;base64,AAAA"}) == owned
    assert call("POST", "/message/sendMedia/t_1", body)[0] == 400
    status, answer = call("POST", "/message/sendMedia/t_1", {**body, "fileName": "a.pdf", "caption": "Aqui"})
    assert (status, answer["message"]["documentMessage"]["caption"]) == (201, "Aqui")
    [received] = evolution.whatsapp.answers(LEAD)
    assert received.media
    assert (received.media.data, received.media.mime) == (b"%PDF-1.4", "application/pdf")
    assert call("POST", "/message/sendWhatsAppAudio/t_1", {"number": LEAD, "audio": body["media"]})[0] == 201
    assert evolution.whatsapp.answers(LEAD)[1].kind == "voice"


def test_whatsapp_numbers_answers_in_another_order_and_fails_flat(evolution: Standin, call: Client) -> None:
    call.create()
    assert call("POST", "/chat/whatsappNumbers/t_1", {"numbers": [LEAD]}) == (400, {})
    call.create(name="t_2", integration="EVOLUTION")
    flat = {"status": 400, "error": "Bad Request", "message": ["Method not available on Evolution Channel"]}
    assert call("POST", "/chat/whatsappNumbers/t_2", {"numbers": [LEAD]}) == (400, flat)
    call.open(name="t_3")
    evolution.whatsapp.absent.add("5511999990002")
    _, found = call("POST", "/chat/whatsappNumbers/t_3", {"numbers": [LEAD, "5511999990002"]})
    assert [(row["number"], row["exists"]) for row in found] == [("5511999990002", False), (LEAD, True)]


def test_presence_shows_typing_and_hides_why_it_failed(call: Client) -> None:
    with Standin(Options(time_scale=1.0, auto_pair_seconds=0, read_seconds=None)) as evolution:
        evolution.options.time_scale = 0.001
        call = Client(evolution)
        call.open()
        evolution.options.time_scale = 1.0
        body = {"number": LEAD, "presence": "composing", "delay": 30}
        assert call("POST", "/chat/sendPresence/t_1", body) == (201, {"presence": "composing"})
        evolution.lead(LEAD)
        evolution.whatsapp.show_typing("t_1", LEAD, "composing", seconds=60)
        assert evolution.whatsapp.is_typing("t_1", LEAD) == "composing"
        evolution.whatsapp.absent.add(LEAD)
        assert call("POST", "/chat/sendPresence/t_1", body) == wrong(400, "Bad Request", ["[object Object]"])


def test_find_messages_filters_as_little_as_evolution_does(evolution: Standin, call: Client) -> None:
    call.open()
    evolution.act("t_1", LEAD, text="antes", at=1_760_968_800)
    evolution.act("t_1", LEAD, text="depois", at=1_760_969_000)
    assert evolution.settle()
    call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "resposta"})

    def texts(where: dict[str, Any], **page: int) -> list[str]:
        _, found = call("POST", "/chat/findMessages/t_1", {"where": where, **page})
        return [record["message"]["conversation"] for record in found["messages"]["records"]]

    assert texts({}) == ["resposta", "depois", "antes"]
    assert texts({"key": {"remoteJid": JID, "fromMe": True}}) == ["resposta"]
    assert texts({"key": {"fromMe": False}}) == ["resposta", "depois", "antes"]
    assert texts({"messageTimestamp": {"gte": "2030-01-01T00:00:00.000Z"}}) == ["resposta", "depois", "antes"]
    window = {"gte": "2025-10-20T14:00:00.000Z", "lte": "2025-10-20T14:01:00.000Z"}
    assert texts({"messageTimestamp": window}) == ["antes"]
    assert texts({}, offset=2, page=2) == ["antes"]


def test_without_message_saving_there_is_nothing_to_find(call: Client) -> None:
    with Standin(Options(time_scale=0.001, saves_messages=False)) as evolution:
        call = Client(evolution)
        call.open()
        evolution.says("t_1", LEAD, "Oi")
        assert evolution.settle()
        assert call("POST", "/chat/findMessages/t_1", {})[1]["messages"]["total"] == 0


def test_media_is_fetched_by_id_until_it_expires(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    evolution.act("t_1", LEAD, "voice", seconds=2)
    assert evolution.settle()
    [data] = hook.events("messages.upsert")
    assert data["message"]["audioMessage"]["ptt"] is True
    assert "base64" not in data["message"]
    body = {"message": {"key": {"id": data["key"]["id"]}}, "convertToMp4": False}
    status, answer = call("POST", "/chat/getBase64FromMediaMessage/t_1", body)
    assert (status, answer["mimetype"], answer["buffer"]) == (201, "audio/ogg; codecs=opus", None)
    assert base64.b64decode(answer["base64"])[:4] == b"OggS"
    missing = call("POST", "/chat/getBase64FromMediaMessage/t_1", {"message": {"key": {"id": "NOPE"}}})
    assert missing == wrong(400, "Bad Request", ["Message not found"])
    evolution.faults.media_expired = True
    assert call("POST", "/chat/getBase64FromMediaMessage/t_1", body)[0] == 400


def test_reading_is_ignored_for_a_lid(evolution: Standin, call: Client) -> None:
    call.open()
    [message] = evolution.says("t_1", LEAD, "Oi")
    key = {"remoteJid": "210000000000001@lid", "fromMe": False, "id": message.id}
    expected = (201, {"message": "Read messages", "read": "success"})
    assert call("POST", "/chat/markMessageAsRead/t_1", {"readMessages": [key]}) == expected
    assert message.tick != "READ"
    assert call("POST", "/chat/markMessageAsRead/t_1", {"readMessages": [{**key, "remoteJid": JID}]}) == expected
    assert str(message.tick) == "READ"


def test_the_evolution_channel_records_a_send_and_delivers_nothing(evolution: Standin, call: Client) -> None:
    call.create(integration="EVOLUTION")
    status, answer = call("POST", "/message/sendText/t_1", {"number": "+55 (11) 98888-7777", "text": ""})
    assert (status, answer["key"]["remoteJid"], answer["source"]) == (201, "+55 (11) 98888-7777", "unknown")
    assert "status" not in answer
    assert evolution.whatsapp.messages == []


def test_the_business_channel_answers_201_with_metas_error(evolution: Standin, call: Client) -> None:
    call.create(integration="WHATSAPP-BUSINESS", number="109876")
    evolution.faults.next_sends = [SendFault.META_ERROR]
    status, answer = call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Oi"})
    assert (status, "key" in answer, answer["code"]) == (201, False, 131056)
    _, answer = call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Oi"})
    assert answer["key"]["id"].startswith("wamid.")
    assert [message.text for message in evolution.whatsapp.answers(LEAD)] == ["Oi"]


@pytest.mark.parametrize(
    ("fault", "status", "arrives"),
    [
        (SendFault.CONNECTION_CLOSED, 500, False),
        (SendFault.ERROR_AFTER, 400, True),
        (SendFault.HANG_BEFORE, None, False),
        (SendFault.HANG_AFTER, None, True),
        (SendFault.REJECTED, 201, False),
    ],
)
def test_a_fault_decides_apart_what_we_hear_and_what_the_lead_has(
    evolution: Standin, call: Client, *, fault: SendFault, status: int | None, arrives: bool
) -> None:
    call.open()
    evolution.faults.next_sends = [fault]
    try:
        heard, _ = call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Oi"}, timeout=0.4)
    except httpx2.TimeoutException:
        heard = None
    assert heard == status
    assert [message.text for message in evolution.whatsapp.answers(LEAD)] == (["Oi"] if arrives else [])


def test_the_same_seed_fails_the_same_sends() -> None:
    def run(seed: int, order: int) -> set[str]:
        faults = Faults(seed=seed, fail_rate=0.2)
        texts = [str(number) for number in range(200)][::order]
        return {text for text in texts if faults.for_send("t_1", JID, text) != SendFault.NONE}

    assert run(1, 1) == run(1, -1)
    assert run(1, 1) != run(2, 1)
    assert 20 <= len(run(1, 1)) <= 60


def test_our_own_message_is_edited_and_deleted(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    _, sent = call("POST", "/message/sendText/t_1", {"number": LEAD, "text": "R$ 297"})
    status, answer = call("POST", "/chat/updateMessage/t_1", {"number": LEAD, "key": sent["key"], "text": "R$ 277"})
    assert (status, answer["message"]["protocolMessage"]["type"]) == (200, "MESSAGE_EDIT")
    assert call("DELETE", "/chat/deleteMessageForEveryone/t_1", sent["key"])[0] == 201
    assert evolution.settle()
    [edited], [deleted] = hook.events("send.message.update"), hook.events("messages.delete")
    assert (edited["type"], type(edited["timestampMs"])) == (14, int)
    assert (deleted["key"], deleted["status"]) == (sent["key"], "DELETED")
    assert deleted["id"] != sent["key"]["id"]
    [received] = evolution.whatsapp.answers(LEAD)
    assert (received.text, received.is_edited, received.is_deleted) == ("R$ 277", True, True)
