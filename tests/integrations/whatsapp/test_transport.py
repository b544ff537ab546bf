"""The transport against the stand-in: real HTTP, and the lead's phone as the judge."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from conversations.ports import Ack, LinkState, MessageKind, Transport, Uncertain
from integrations.whatsapp import client as module
from integrations.whatsapp import transport as plug
from integrations.whatsapp.client import Evolution, EvolutionError, NotOnWhatsApp, Webhook
from integrations.whatsapp.standin import Options, SendFault, Standin, Tick
from integrations.whatsapp.transport import EvolutionTransport
from sdr.lib.http import Timeout

from .hook import listening, until

OWN = "5511988880000"
LEAD, OTHER = "5511999990001", "5521999990003"
JID = f"{LEAD}@s.whatsapp.net"
PDF = b"%PDF-1.7 small"


@pytest.fixture
def evolution() -> Iterator[Standin]:
    with Standin(Options(time_scale=0.001)) as standin, listening() as hook:
        server = Evolution(standin.url, standin.api_key)
        webhook = Webhook(hook.url, {"X-Webhook-Token": "t" * 40})
        server.create("t_1", token="token-of-the-instance", webhook=webhook)
        standin.pair("t_1", OWN)
        until(lambda: server.state("t_1") is LinkState.OPEN)
        yield standin


@pytest.fixture
def transport(evolution: Standin) -> Transport:
    """Typed as the port: mypy checks that the plug fits."""
    client = Evolution(evolution.url, "token-of-the-instance")
    return EvolutionTransport(client, "t_1", own_jid=f"{OWN}@s.whatsapp.net")


def recently() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(minutes=10), now + timedelta(minutes=1)


def test_words_reach_the_phone(evolution: Standin, transport: Transport) -> None:
    sent = transport.send_text(JID, "Olá, Maria!")
    [message] = evolution.whatsapp.answers(LEAD)
    assert (message.text, message.id) == ("Olá, Maria!", sent.provider_id)
    assert sent.chat_jid == JID


def test_files_and_voice_notes_reach_the_phone(evolution: Standin, transport: Transport) -> None:
    transport.send_file(JID, PDF, mime="application/pdf", file_name="proposta.pdf", caption="Segue a proposta")
    transport.send_file(JID, b"OggS small", mime="audio/ogg", file_name="", voice=True)
    document, voice = evolution.whatsapp.answers(LEAD)
    assert (document.kind, document.text) == ("document", "Segue a proposta")
    assert voice.kind == "voice"


def test_words_and_pictures_can_answer_a_message_and_voice_notes_cannot(
    evolution: Standin, transport: Transport
) -> None:
    asked = transport.send_text(JID, "Prefere manhã ou tarde?").provider_id
    transport.send_text(JID, "Pergunto de novo", quoted_id=asked)
    transport.send_file(JID, PDF, mime="application/pdf", file_name="horas.pdf", quoted_id=asked)
    transport.send_file(JID, b"OggS small", mime="audio/ogg", file_name="", voice=True, quoted_id=asked)
    assert [message.quoted_id for message in evolution.whatsapp.answers(LEAD)] == ["", asked, asked, ""]


def test_a_number_nobody_has_is_refused_for_good(evolution: Standin, transport: Transport) -> None:
    evolution.do(lambda: evolution.whatsapp.absent.add(OTHER))
    with pytest.raises(NotOnWhatsApp):
        transport.send_text(OTHER, "Olá")
    assert evolution.whatsapp.answers(OTHER) == []


def test_an_empty_text_is_our_mistake(evolution: Standin, transport: Transport) -> None:
    with pytest.raises(EvolutionError) as found:
        transport.send_text(JID, " ")
    assert found.value.permanent
    assert evolution.whatsapp.answers(LEAD) == []


@pytest.mark.parametrize(
    ("fault", "arrives"), [(SendFault.HANG_AFTER, True), (SendFault.HANG_BEFORE, False), (SendFault.ERROR_AFTER, True)]
)
def test_it_admits_that_it_does_not_know(
    evolution: Standin, transport: Transport, monkeypatch: pytest.MonkeyPatch, fault: SendFault, arrives: bool
) -> None:
    monkeypatch.setattr(module, "SEND", Timeout(connect=1, read=0.5, total=0.5))
    evolution.faults.next_sends = [fault]
    with pytest.raises(Uncertain):
        transport.send_text(JID, "Olá")
    assert bool(evolution.whatsapp.answers(LEAD)) is arrives


def test_a_send_without_a_connection_may_be_tried_again(evolution: Standin, transport: Transport) -> None:
    evolution.faults.next_sends = [SendFault.CONNECTION_CLOSED]
    with pytest.raises(EvolutionError) as found:
        transport.send_text(JID, "Olá")
    assert not found.value.permanent
    transport.send_text(JID, "Olá")
    assert [message.text for message in evolution.whatsapp.answers(LEAD)] == ["Olá"]


def test_it_finds_what_was_said_oldest_first(evolution: Standin, transport: Transport) -> None:
    evolution.says("t_1", LEAD, "um", "dois")
    assert evolution.settle()
    sent = transport.send_text(JID, "três")
    evolution.says("t_1", LEAD, "quatro")
    evolution.says("t_1", OTHER, "outra conversa")
    assert evolution.settle()
    since, now = recently()
    found = transport.recent(JID, since=since, until=now)
    assert [(message.text, message.from_us) for message in found] == [
        ("um", False), ("dois", False), ("três", True), ("quatro", False),
    ]  # fmt: skip
    assert [m.provider_id for m in transport.recent(JID, since=since, until=now, from_us=True)] == [sent.provider_id]
    assert len(transport.recent(JID, since=since, until=now, from_us=False)) == 3
    assert transport.recent(JID, since=since - timedelta(days=2), until=since) == []


def test_it_pages_through_many_messages(evolution: Standin, transport: Transport) -> None:
    texts = [f"mensagem {number}" for number in range(120)]
    evolution.says("t_1", LEAD, *texts)
    assert evolution.settle()
    since, now = recently()
    found = transport.recent(JID, since=since, until=now)
    assert sorted(message.text for message in found) == sorted(texts)


def test_it_reads_back_what_changes_places_between_two_pages(evolution: Standin, transport: Transport) -> None:
    evolution.faults.unstable_order = True
    first = datetime(2026, 3, 2, 12, tzinfo=UTC)
    for number in range(250):
        evolution.act("t_1", LEAD, text=f"mensagem {number}", at=first.timestamp() + number // 3)
    assert evolution.settle()
    client = Evolution(evolution.url, "token-of-the-instance")
    pages = [client.find_messages("t_1", page=page, size=plug.READ_BACK_ROWS[0]) for page in (1, 2, 3)]
    assert len({record["id"] for page in pages for record in page.records}) < pages[0].total == 250
    reading = transport.read_back(since=first, until=first + timedelta(minutes=5))
    assert {message.text for message in reading.messages} == {f"mensagem {number}" for number in range(250)}
    assert reading.is_whole


def test_it_says_that_something_is_missing(evolution: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    evolution.faults.unstable_order = True
    monkeypatch.setattr(plug, "READ_BACK_ROWS", (100,))
    first = datetime(2026, 3, 2, 12, tzinfo=UTC)
    for number in range(250):
        evolution.act("t_1", LEAD, text=f"mensagem {number}", at=first.timestamp() + number // 3)
    assert evolution.settle()
    transport = EvolutionTransport(Evolution(evolution.url, "token-of-the-instance"), "t_1")
    assert not transport.read_back(since=first, until=first + timedelta(minutes=5)).is_whole


def test_it_names_the_newest_chats(evolution: Standin, transport: Transport) -> None:
    evolution.says("t_1", LEAD, "Oi")
    evolution.says("t_1", OTHER, "Oi")
    assert evolution.settle()
    assert set(transport.chats(limit=5)) == {JID, f"{OTHER}@s.whatsapp.net"}
    assert len(transport.chats(limit=1)) == 1


def test_it_fetches_a_lead_s_file(evolution: Standin, transport: Transport) -> None:
    evolution.act("t_1", LEAD, "image")
    assert evolution.settle()
    since, now = recently()
    [message] = transport.recent(JID, since=since, until=now)
    assert message.kind is MessageKind.IMAGE
    content, mime = transport.fetch_media(message.provider_id)
    assert mime == "image/png"
    assert content.startswith(b"\x89PNG")


def test_a_file_that_expired_is_gone_for_good(evolution: Standin, transport: Transport) -> None:
    evolution.act("t_1", LEAD, "image")
    assert evolution.settle()
    evolution.faults.media_expired = True
    since, now = recently()
    [message] = transport.recent(JID, since=since, until=now)
    with pytest.raises(EvolutionError) as found:
        transport.fetch_media(message.provider_id)
    assert found.value.permanent


def test_reading_gives_blue_ticks(evolution: Standin, transport: Transport) -> None:
    [said] = evolution.says("t_1", LEAD, "Oi")
    transport.mark_read(JID, [])
    transport.mark_read(JID, [said.id])
    [message] = evolution.whatsapp.sent(LEAD)
    assert message.tick is Tick.READ


@pytest.mark.parametrize(("recording", "shown"), [(False, "composing"), (True, "recording")])
def test_the_lead_sees_what_we_are_doing(evolution: Standin, transport: Transport, recording: bool, shown: str) -> None:
    transport.show_typing(JID, milliseconds=300, recording=recording)
    assert evolution.whatsapp.typing[f"t_1/{LEAD}"][0] == shown
    assert evolution.whatsapp.answers(LEAD) == []


def test_it_tells_the_state_of_the_number(evolution: Standin, transport: Transport) -> None:
    assert transport.state() is LinkState.OPEN
    evolution.log_out("t_1")
    assert evolution.settle()
    assert transport.state() is LinkState.CLOSED


def test_a_number_s_life_from_creation_to_removal(evolution: Standin) -> None:
    server = Evolution(evolution.url, evolution.api_key)
    assert server.version() >= (2, 3, 5)
    with listening() as hook:
        server.create("t_2", token="another-token", webhook=Webhook(hook.url, {"X-Webhook-Token": "u" * 40}))
        assert server.state("t_2") is LinkState.CONNECTING
        with pytest.raises(EvolutionError, match="name in use"):
            server.create("t_2", token="x", webhook=Webhook(hook.url, {}))
        server.set_webhook("t_2", Webhook(hook.url + "new/", {"X-Webhook-Token": "v" * 40}))
        assert server.find_webhook("t_2")["url"] == hook.url + "new/"
        evolution.pair("t_2", "5511988880002")
        until(lambda: server.connect("t_2").is_open)
        known = server.whatsapp_numbers("t_2", [LEAD])
        assert known[LEAD].exists
        assert [row.name for row in server.instances("t_2")] == ["t_2"]
        server.logout("t_2")
        server.logout("t_2")
        server.delete("t_2")
        assert evolution.settle()
        server.delete("t_2")
        assert server.state("t_2") is LinkState.REMOVED
        assert server.instances("t_2") == []


def test_it_reads_back_all_chats_with_their_ticks(evolution: Standin, transport: Transport) -> None:
    evolution.says("t_1", LEAD, "um")
    evolution.says("t_1", OTHER, "dois")
    assert evolution.settle()
    sent = transport.send_text(JID, "três")
    since, now = recently()
    until(lambda: len(transport.read_back(since=since, until=now).ticks) == 2)
    reading = transport.read_back(since=since, until=now)
    assert sorted((message.text, message.from_us) for message in reading.messages) == [
        ("dois", False), ("três", True), ("um", False),
    ]  # fmt: skip
    assert {(tick.target_id, tick.ack) for tick in reading.ticks} == {
        (sent.provider_id, Ack.DELIVERED), (sent.provider_id, Ack.READ),
    }  # fmt: skip
    assert reading.is_whole
    assert transport.read_back(since=since - timedelta(days=2), until=since).messages == ()


def test_it_says_when_one_reading_does_not_take_all(
    evolution: Standin, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plug, "READ_BACK_ROWS", (10,))
    monkeypatch.setattr(plug, "MAX_PAGES", 3)
    evolution.says("t_1", LEAD, *(f"mensagem {number}" for number in range(31)))
    assert evolution.settle()
    since, now = recently()
    reading = transport.read_back(since=since, until=now)
    assert (len(reading.messages), reading.is_whole) == (30, False)


def test_it_knows_which_of_ours_whatsapp_refused(evolution: Standin, transport: Transport) -> None:
    evolution.faults.next_sends = [SendFault.REJECTED]
    sent = transport.send_text(JID, "Olá")
    since, now = recently()
    until(lambda: transport.read_back(since=since, until=now).refused == {sent.provider_id})
