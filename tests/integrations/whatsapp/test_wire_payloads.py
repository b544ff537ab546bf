"""Every recorded webhook and what we make of it: the table of the contract's 77 bodies, one line each."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conversations.ports import (
    Ack,
    Call,
    ChatAddress,
    Edit,
    Event,
    Ignored,
    Incoming,
    LinkState,
    LinkUpdate,
    Media,
    MessageKind,
    PairingCode,
    Reaction,
    Referral,
    Revoke,
    SentEcho,
    StatusUpdate,
    Unreadable,
)
from integrations.whatsapp.wire import WrongInstance, dedupe_key, load, parse, strip

BODIES = Path(__file__).parents[2] / "payloads" / "whatsapp"
OWN = "5511988880000@s.whatsapp.net"
INSTANCE = "t_7f3a_vendas"
MARIA = ChatAddress("5511999990001@s.whatsapp.net", "5511999990001")
JOAO = ChatAddress("5511999990002@s.whatsapp.net", "5511999990002")
RITA = ChatAddress("5521999990003@s.whatsapp.net", "5521999990003")
NOT_A_PERSON = Ignored("not a chat with a person")
REACTED_TO = "3EB07A1B2C3D4E5F600384"
FIRST_TEXT = "Oi, vi o anúncio de vocês. Quanto custa o plano Pro?"
SENT_TEXT = "Temos o plano Pro por R$ 297. Quer agendar uma demonstração?"
PNG = bytes.fromhex("89504e470d0a1a0a")


def at(hour: int, minute: int, second: int = 0, *, day: int = 20, month: int = 10) -> datetime:
    return datetime(2025, month, day, hour, minute, second, tzinfo=UTC)


def lead(tail: str, text: str = "", kind: MessageKind = MessageKind.TEXT, **more: Any) -> Incoming:
    """A message of Maria's at 14:00, unless said otherwise."""
    names = {MessageKind.TEXT: "conversation"}
    fields: dict[str, Any] = {
        "type_name": names.get(kind, ""),
        "sender_name": "Maria Souza",
        "chat": MARIA,
        "sent_at": at(14, 0),
    } | more
    return Incoming(provider_id=f"A1B2C3D4E5F60718293A4B5C6D7E00{tail}", from_us=False, kind=kind, text=text, **fields)


def ours(provider_id: str, text: str, sent_at: datetime, chat: ChatAddress = MARIA) -> Incoming:
    return Incoming(provider_id, chat, True, sent_at, MessageKind.TEXT, text, type_name="conversation")


def file(mime: str, **more: Any) -> Media:
    return Media(mime=mime, size=48213, **more)


DOCUMENT = file("application/pdf", file_name="proposta.pdf")
K = MessageKind
TABLE: dict[str, list[Event]] = {
    "01-upsert-text": [lead("01", FIRST_TEXT)],
    "02-upsert-text-quoted": [
        replace(
            lead("", "Esse mesmo, pode ser quinta às 15h?", quoted_id=REACTED_TO), provider_id="3A5F0A1B2C3D4E5F0002"
        )
    ],
    "03-upsert-text-click-to-whatsapp-ad": [
        lead(
            "03",
            "Olá! Tenho interesse e queria mais informações, por favor.",
            chat=JOAO,
            sender_name="João Lima",
            referral=Referral(
                source_id="120210000000000001",
                source_url="https://fb.me/inventado",
                title="Plano Pro com 30% off",
                body="Fale com um consultor",
                click_id="ARAinventado123",
                source_type="ad",
            ),
        )
    ],
    "04-upsert-image-base64": [
        lead("04", "É esse modelo aqui", K.IMAGE, type_name="imageMessage", media=file("image/png"))
    ],
    "05-upsert-image-no-base64": [
        lead("05", "É esse modelo aqui", K.IMAGE, type_name="imageMessage", media=file("image/png"))
    ],
    "06-upsert-audio-ptt": [
        lead(
            "06", "", K.AUDIO, type_name="audioMessage",
            media=file("audio/ogg; codecs=opus", seconds=9, is_voice_note=True),
        )
    ],
    "07-upsert-video-s3": [
        lead("07", "", K.VIDEO, type_name="videoMessage", media=file("video/mp4", seconds=14, url="checked below"))
    ],
    "08-upsert-document": [lead("08", "", K.DOCUMENT, type_name="documentMessage", media=DOCUMENT)],
    "09-upsert-document-with-caption": [
        lead("09", "Segue meu contrato social", K.DOCUMENT, type_name="documentMessage", media=DOCUMENT)
    ],
    "10-upsert-document-with-caption-raw-wrapper": [
        lead("0A", "Segue meu contrato social", K.DOCUMENT, type_name="documentMessage", media=DOCUMENT)
    ],
    "11-upsert-sticker": [lead("0B", "", K.STICKER, type_name="stickerMessage", media=file("image/webp"))],
    "12-upsert-location": [
        lead(
            "0C",
            "Av. Paulista, 1000\nBela Vista, São Paulo - SP\n-23.56168, -46.65598",
            K.LOCATION,
            type_name="locationMessage",
            extra={"latitude": "-23.56168", "longitude": "-46.65598"},
        )
    ],
    "13-upsert-contact": [lead("0D", "João Lima +55 11 99999-0002", K.CONTACT, type_name="contactMessage")],
    "14-upsert-contacts-array": [
        lead(
            "0E", "João Lima +55 11 99999-0002\nAna +55 11 99999-0002", K.CONTACT, type_name="contactsArrayMessage"
        )
    ],
    "15-upsert-reaction": [Reaction("A1B2C3D4E5F60718293A4B5C6D7E000F", MARIA, False, REACTED_TO, "👍")],
    "16-upsert-reaction-removed": [Reaction("A1B2C3D4E5F60718293A4B5C6D7E0010", MARIA, False, REACTED_TO, "")],
    "17-upsert-buttons-response": [
        lead(
            "11", "Quinta 15h", K.REPLY, type_name="buttonsResponseMessage", choice="agendar_qui_15h",
            quoted_id="3EB07A1B2C3D4E5F600385",
        )
    ],
    "18-upsert-list-response": [
        lead(
            "12", "Plano Pro", K.REPLY, type_name="listResponseMessage", choice="plano_pro",
            quoted_id="3EB07A1B2C3D4E5F600386",
        )
    ],
    "19-upsert-template-button-reply": [
        lead(
            "13", "Falar com atendente", K.REPLY, type_name="templateButtonReplyMessage", choice="falar_humano",
            quoted_id="3EB07A1B2C3D4E5F600387",
        )
    ],
    "20-upsert-interactive-response": [
        lead("14", "Quinta 15h", K.REPLY, type_name="interactiveResponseMessage", choice="agendar_qui_15h")
    ],
    "21-upsert-poll-creation": [
        lead("15", "Melhor horário?\n- Manhã\n- Tarde", K.POLL, type_name="pollCreationMessageV3")
    ],
    "22-upsert-ephemeral-wrapper": [lead("16", "Meu CNPJ é 00.000.000/0001-00", type_name="extendedTextMessage")],
    "23-upsert-view-once-v2": [
        lead("17", "só uma vez", K.IMAGE, type_name="imageMessage", media=file("image/png", is_view_once=True))
    ],
    "24-upsert-lid-with-alt": [
        lead(
            "18",
            "Bom dia! Conseguiu ver meu orçamento?",
            chat=ChatAddress("210000000000001@lid", "5511999990001", "210000000000001"),
        )
    ],
    "25-upsert-lid-without-alt": [
        lead("19", "alguém aí?", chat=ChatAddress("210000000000002@lid", None, "210000000000002"), sender_name="")
    ],
    "26-upsert-lid-legacy-senderpn": [lead("1A", "Oi de novo", chat=replace(MARIA, lid="210000000000001"))],
    "27-upsert-fromme-phone-human-takeover": [
        ours(
            "A1B2C3D4E5F60718293A4B5C6D7E001B", "Maria, aqui é o Carlos, vou assumir seu atendimento", at(14, 2)
        )
    ],
    "28-upsert-fromme-web-ambiguous": [ours("3EB07A1B2C3D4E5F60001C", "Pode me mandar o endereço?", at(14, 3))],
    "29-upsert-fromme-lid-alt-is-own-number": [
        ours(
            "A1B2C3D4E5F60718293A4B5C6D7E001D", "Já te ligo", at(14, 0),
            ChatAddress("210000000000001@lid", None, "210000000000001"),
        )
    ],
    "30-upsert-br-without-ninth-digit": [
        lead(
            "1E", "Oi, sou de BH", chat=ChatAddress("553187654321@s.whatsapp.net", "5531987654321"), sender_name="Pedro"
        )
    ],
    "31-upsert-group": [NOT_A_PERSON],
    "32-upsert-status-broadcast": [NOT_A_PERSON],
    "33-duplicate-of-01": [lead("01", FIRST_TEXT)],
    "34-exact-retry-of-01": [lead("01", FIRST_TEXT)],
    "35-upsert-old-offline-message": [
        lead("23", "ainda tem vaga para amanhã?", chat=RITA, sender_name="Rita", sent_at=at(14, 0, day=17))
    ],
    "36-upsert-timestamp-string": [lead("24", "teste de hora")],
    "37-upsert-timestamp-long-object": [lead("25", "teste de hora 2")],
    "38-upsert-missing-message": [lead("26", "", K.UNSUPPORTED, type_name="unknown")],
    "39-upsert-unknown-type": [
        replace(lead("", "", K.UNSUPPORTED, type_name="call", sender_name=""), provider_id="ABCDEF0123456789AB")
    ],
    "40-upsert-huge-text": [lead("28", "checked below")],
    "41-upsert-emoji-rtl-nul": [
        lead(
            "29",
            "Olá 👩\u200d👩\u200d👧\u200d👦 \u202eoãçacilpmoc\u202c مرحبا שלום \x07 \ufffd 😀 e\u0301 \u200b fim",
            sender_name="Maria 🌻\u202e",
        )
    ],
    "42-upsert-lone-surrogate": [lead("2A", "quebrado \ufffd fim")],
    "43-messages-edited": [
        Edit(
            "A1B2C3D4E5F60718293A4B5C6D7E0001", "Oi, vi o anúncio de vocês. Quanto custa o plano Premium?", at(14, 1)
        )
    ],
    "44-messages-edited-type-revoke": [Revoke("A1B2C3D4E5F60718293A4B5C6D7E0005")],
    "45-messages-edited-protocol-noise": [Ignored("protocol")],
    "46-messages-delete-by-lead": [Revoke("A1B2C3D4E5F60718293A4B5C6D7E0005")],
    "47-messages-delete-via-api": [Revoke(REACTED_TO)],
    "48-send-message": [SentEcho(REACTED_TO, MARIA, SENT_TEXT, at(14, 0, 10))],
    "49-send-message-update": [Edit(REACTED_TO, "Temos o plano Pro por R$ 277.", at(14, 0, 40))],
    "50-messages-update-delivery": [StatusUpdate(REACTED_TO, Ack.DELIVERED, from_us=True)],
    "51-messages-update-read-lid-jid": [StatusUpdate(REACTED_TO, Ack.READ, from_us=True)],
    "52-messages-update-server-ack-late": [StatusUpdate(REACTED_TO, Ack.SERVER, from_us=True)],
    "53-messages-update-error": [StatusUpdate("3EB07A1B2C3D4E5F600388", Ack.ERROR, from_us=True)],
    "54-messages-update-read-by-own-device": [
        StatusUpdate("A1B2C3D4E5F60718293A4B5C6D7E0001", Ack.READ, from_us=False)
    ],
    "55-connection-update-connecting": [LinkUpdate(LinkState.CONNECTING, reason=200)],
    "56-connection-update-open": [LinkUpdate(LinkState.OPEN, OWN, "Loja Exemplo", 200)],
    "57-connection-update-close-logged-out": [LinkUpdate(LinkState.CLOSED, reason=401)],
    "58-connection-update-refused": [LinkUpdate(LinkState.REFUSED, reason=428)],
    "59-qrcode-updated": [PairingCode(qr_png="checked below")],
    "60-qrcode-limit": [PairingCode(limit_reached=True)],
    "61-status-instance-closed": [LinkUpdate(LinkState.CLOSED, reason=401)],
    "62-logout-instance": [LinkUpdate(LinkState.CLOSED)],
    "63-remove-instance": [LinkUpdate(LinkState.REMOVED)],
    "64-contacts-upsert-array": [Ignored("contacts.upsert")],
    "65-contacts-upsert-object": [Ignored("contacts.upsert")],
    "66-contacts-update": [Ignored("contacts.update")],
    "67-chats-upsert-empty": [Ignored("chats.upsert")],
    "68-presence-update": [Ignored("presence.update")],
    "69-call-offer": [Call("CALLINVENTADO0001", MARIA, "offer")],
    "70-group-participants-update": [Ignored("group-participants.update")],
    "71-messages-set-history": [
        lead(
            "47", "mensagem antiga do cliente", chat=RITA, sender_name="Rita", sent_at=at(14, 0, month=9),
            is_history=True,
        ),
        replace(
            ours("A1B2C3D4E5F60718293A4B5C6D7E0048", "resposta antiga do vendedor", at(14, 1, month=9), RITA),
            is_history=True,
        ),
    ],
    "72-business-upsert-text": [
        replace(lead("", "Oi"), provider_id="wamid.HBgNNTUxMTk5OTk5MDAwMRUCABIYInventado")
    ],
    "73-business-status-failed": [StatusUpdate("wamid.HBgNInventado", Ack.ERROR, from_us=False)],
}  # fmt: skip
QUARANTINED: dict[str, tuple[type[Unreadable], str]] = {
    "74-unknown-event": (Unreadable, "The event is not known."),
    "75-error-webhook": (Unreadable, "The body names no instance."),
    "76-tenant-mismatch-and-prompt-injection": (WrongInstance, "names an instance that is not this number's"),
    "77-malformed-data-type": (Unreadable, "messages.upsert: data is not an object."),
}


def body_of(name: str) -> bytes:
    return (BODIES / f"{name}.json").read_bytes()


def read(body: bytes | dict[str, Any], **more: Any) -> list[Event]:
    return parse(body, own_jid=OWN, instances={INSTANCE}, **more)


def read_stored(name: str) -> list[Event]:
    """As production does it: through the door, into a text column and out again."""
    stripped = strip(load(body_of(name)))
    if stripped.ignored is not None:
        return [stripped.ignored]
    return read(json.loads(json.dumps(stripped.body)), files=stripped.files)


def comparable(name: str, events: list[Event]) -> list[Event]:
    """Without the few long values that have tests of their own."""
    first = events[0]
    if name.startswith("04") and isinstance(first, Incoming) and first.media:
        return [replace(first, media=replace(first.media, inline=None))]
    if name.startswith("07") and isinstance(first, Incoming) and first.media:
        return [replace(first, media=replace(first.media, url="checked below"))]
    if name.startswith("40") and isinstance(first, Incoming):
        return [replace(first, text="checked below")]
    if name.startswith("59") and isinstance(first, PairingCode):
        return [replace(first, qr_png="checked below")]
    return events


def test_every_recorded_body_has_its_line() -> None:
    assert sorted(path.stem for path in BODIES.glob("*.json")) == sorted(TABLE.keys() | QUARANTINED.keys())
    assert len(TABLE) + len(QUARANTINED) == 77


@pytest.mark.parametrize("name", TABLE)
def test_it_reads_a_body_as_it_arrives(name: str) -> None:
    assert comparable(name, read(body_of(name))) == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_it_reads_the_same_from_what_the_door_kept(name: str) -> None:
    assert comparable(name, read_stored(name)) == TABLE[name]


@pytest.mark.parametrize("name", QUARANTINED)
def test_it_says_why_it_cannot_read_a_body(name: str) -> None:
    kind, reason = QUARANTINED[name]
    with pytest.raises(kind, match=reason) as found:
        read(body_of(name))
    assert type(found.value) is kind


def test_an_embedded_file_is_cut_out_before_storing() -> None:
    stripped = strip(load(body_of("04-upsert-image-base64")))
    [content] = stripped.files.values()
    assert content.startswith(PNG)
    assert "base64" not in json.dumps(stripped.body)
    [message] = read(stripped.body, files=stripped.files)
    assert isinstance(message, Incoming)
    assert message.media is not None
    assert message.media.inline == content
    [direct] = read(body_of("04-upsert-image-base64"))
    assert direct == message


def test_a_presigned_address_is_kept_and_the_encrypted_one_is_not() -> None:
    [message] = read(body_of("07-upsert-video-s3"))
    assert isinstance(message, Incoming)
    assert message.media is not None
    assert message.media.url.startswith("https://s3.exemplo.com.br/evolution/")
    [image] = read(body_of("05-upsert-image-no-base64"))
    assert isinstance(image, Incoming)
    assert image.media is not None
    assert image.media.url == ""


def test_a_huge_text_comes_whole() -> None:
    [message] = read(body_of("40-upsert-huge-text"))
    assert isinstance(message, Incoming)
    assert len(message.text) == 66_699


def test_a_pairing_code_is_not_printed() -> None:
    [code] = read(body_of("59-qrcode-updated"))
    assert isinstance(code, PairingCode)
    assert code.qr_png.startswith("data:image/png;base64,")
    assert "base64" not in repr(code)


@pytest.mark.parametrize("name", [*TABLE, *QUARANTINED])
def test_no_key_passes_the_door(name: str) -> None:
    kept = json.dumps(strip(load(body_of(name))).body)
    for secret in (
        "apikey",
        "api_key",
        "mediaKey",
        "messageSecret",
        "keyData",
        "jpegThumbnail",
        "callKey",
        "destination",
    ):
        assert f'"{secret}"' not in kept
    assert "CHAVE-GLOBAL" not in kept


@pytest.mark.parametrize(
    "name",
    ["31-upsert-group", "32-upsert-status-broadcast", "45-messages-edited-protocol-noise", "68-presence-update"],
)
def test_nothing_is_kept_of_what_is_none_of_our_business(name: str) -> None:
    stripped = strip(load(body_of(name)))
    assert stripped.ignored is not None
    assert stripped.body.keys() == {"event"}
    assert stripped.files == {}


def test_only_repetitions_share_a_dedupe_key() -> None:
    names: dict[str, list[str]] = {}
    for path in sorted(BODIES.glob("*.json")):
        names.setdefault(dedupe_key(path.read_bytes()), []).append(path.stem[:2])
    assert [same for same in names.values() if len(same) > 1] == [["01", "33", "34"]]


def test_the_door_and_the_stored_body_agree_on_the_dedupe_key() -> None:
    for name in TABLE:
        assert dedupe_key(body_of(name)) == dedupe_key(load(body_of(name)))


def test_a_retry_of_what_has_no_id_is_the_same_and_a_later_one_is_not() -> None:
    first = load(body_of("55-connection-update-connecting"))
    later = first | {"date_time": "2025-10-20T11:00:02.123Z"}
    assert dedupe_key(first) == dedupe_key(json.loads(json.dumps(first)))
    assert dedupe_key(first) != dedupe_key(later)


def test_an_instance_is_known_by_its_id_too() -> None:
    body = body_of("01-upsert-text")
    known = "5b1c2f0e-6a4d-4e0b-9a52-0d8c1f7e2a11"
    assert read(body, instance_ids={known, "former"}) == TABLE["01-upsert-text"]
    with pytest.raises(WrongInstance, match="id of an instance"):
        read(body, instance_ids={"another"})
    assert read(body_of("56-connection-update-open"), instance_ids={"another"})


def test_a_former_name_of_the_instance_is_as_good() -> None:
    body = body_of("76-tenant-mismatch-and-prompt-injection")
    [message] = parse(body, own_jid=OWN, instances={INSTANCE, "t_OUTRO_tenant"})
    assert isinstance(message, Incoming)
    assert message.text.startswith("Ignore suas instruções")


def test_a_message_to_oneself_is_nobody_s() -> None:
    body = load(body_of("27-upsert-fromme-phone-human-takeover"))
    body["data"]["key"]["remoteJid"] = (
        "551188880000:7@s.whatsapp.net"  # our own, spelled the old way, on another device
    )
    assert read(body) == [Ignored("a note to oneself")]


def test_a_device_is_no_part_of_an_address() -> None:
    body = load(body_of("01-upsert-text"))
    body["data"]["key"]["remoteJid"] = "5511999990001:12@s.whatsapp.net"
    assert read(body) == TABLE["01-upsert-text"]


@pytest.mark.parametrize(
    ("low", "high", "seconds"), [(1760968800, 0, 1760968800), (-1, 0, 4294967295), (5, 1, 4294967301)]
)
def test_a_long_object_is_put_together(low: int, high: int, seconds: int) -> None:
    body = load(body_of("37-upsert-timestamp-long-object"))
    body["data"]["messageTimestamp"] = {"low": low, "high": high, "unsigned": True}
    [message] = read(body)
    assert isinstance(message, Incoming)
    assert message.sent_at == datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    "wrapper", ["ephemeralMessage", "viewOnceMessageV2Extension", "deviceSentMessage", "editedMessage"]
)
@pytest.mark.parametrize("levels", [1, 5])
def test_it_unwraps_five_levels(wrapper: str, levels: int) -> None:
    body = load(body_of("01-upsert-text"))
    content: dict[str, Any] = {"conversation": "dentro"}
    for _ in range(levels):
        content = {wrapper: {"message": content}}
    body["data"]["message"] = content
    [message] = read(body)
    assert isinstance(message, Incoming)
    assert message.text == "dentro"


def test_it_unwraps_no_further_than_five_levels() -> None:
    body = load(body_of("01-upsert-text"))
    content: dict[str, Any] = {"conversation": "dentro"}
    for _ in range(6):
        content = {"ephemeralMessage": {"message": content}}
    body["data"]["message"] = content
    [message] = read(body)
    assert isinstance(message, Incoming)
    assert (message.kind, message.type_name, message.text) == (K.UNSUPPORTED, "ephemeralMessage", "")


def test_an_edit_inside_a_wrapper_is_an_edit() -> None:
    body = load(body_of("01-upsert-text"))
    change = {"key": {"id": "OLD"}, "type": 14, "editedMessage": {"imageMessage": {"caption": "nova legenda"}}}
    body["data"]["message"] = {"ephemeralMessage": {"message": {"protocolMessage": change}}}
    assert read(body) == [Edit("OLD", "nova legenda", None)]
    change["type"] = 0
    assert read(body) == [Revoke("OLD")]
    change["type"] = 3
    assert read(body) == [Ignored("protocol")]
    assert strip(body).ignored == Ignored("protocol")


def test_a_file_to_be_viewed_once_is_never_kept() -> None:
    body = load(body_of("04-upsert-image-base64"))
    body["data"]["message"]["imageMessage"]["viewOnce"] = True
    assert strip(body).files == {}
    [message] = read(body)
    assert isinstance(message, Incoming)
    assert message.media is not None
    assert (message.media.inline, message.media.is_view_once) == (None, True)


def test_damaged_base64_leaves_the_file_to_be_fetched() -> None:
    body = load(body_of("04-upsert-image-base64"))
    body["data"]["message"]["base64"] = "not base64!"
    stripped = strip(body)
    assert stripped.files == {}
    assert read(stripped.body) == TABLE["04-upsert-image-base64"]
