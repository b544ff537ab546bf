"""The demo's phone: what is written there leaves as the lead, and what the company answers is seen there."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from integrations.whatsapp.standin import Options, SendFault, Standin, samples
from tests.integrations.whatsapp.hook import Client, Hook, listening

pytestmark = [pytest.mark.urls("tests.integrations.whatsapp.simulator_urls"), pytest.mark.django_db]
LEAD = "5511999990001"
CHAT = f"/demo/phone/t_1/{LEAD}/"


@pytest.fixture
def evolution(settings: Any) -> Iterator[Standin]:
    with Standin(Options(time_scale=0.001)) as standin:
        settings.IS_DEMO = True
        settings.STANDIN_URL, settings.STANDIN_CONTROL_TOKEN = standin.url, standin.control_token
        yield standin


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as endpoint:
        yield endpoint


@pytest.fixture
def browser(evolution: Standin, hook: Hook) -> Browser:
    Client(evolution).open(hook)
    evolution.lead(LEAD, name="Maria <Souza>")
    return Browser(headers={"accept-language": "en"})


def write(browser: Browser, action: str, **fields: Any) -> Any:
    return browser.post(f"{CHAT}messages/", {"action": action, **fields})


def test_it_is_not_there_outside_the_demo(evolution: Standin, browser: Browser, settings: Any) -> None:
    settings.IS_DEMO = False
    assert browser.get("/demo/phone/").status_code == 404
    assert write(browser, "text", text="Oi").status_code == 404
    assert evolution.whatsapp.messages == []


def test_it_lists_leads_and_makes_another(evolution: Standin, browser: Browser) -> None:
    page = browser.get("/demo/phone/").content.decode()
    assert "Maria &lt;Souza&gt;" in page
    assert CHAT in page
    assert browser.post("/demo/phone/leads/", {"name": "João", "phone": "55 21 98888-0002"}).status_code == 302
    assert evolution.whatsapp.leads["5521988880002"].name == "João"
    assert browser.post("/demo/phone/leads/", {"name": "João", "phone": "abc"}).status_code == 422
    assert len(evolution.whatsapp.leads) == 2


def test_a_text_leaves_as_the_lead_without_scripts(evolution: Standin, browser: Browser, hook: Hook) -> None:
    answer = write(browser, "text", text="Quanto custa?")
    assert (answer.status_code, answer["Location"]) == (302, CHAT)
    assert evolution.settle()
    [data] = hook.events("messages.upsert")
    assert (data["message"]["conversation"], data["key"]["fromMe"]) == ("Quanto custa?", False)
    assert "Quanto custa?" in browser.get(CHAT).content.decode()


def test_lines_become_messages_and_samples_become_files(evolution: Standin, browser: Browser) -> None:
    write(browser, "burst", text="Oi\n\nTudo bem?\r\nQuero saber o preço")
    for action in ("voice", "image", "document", "location"):
        write(browser, action)
    kinds = [(message.kind, message.text) for message in evolution.whatsapp.sent(LEAD)]
    texts = [("text", "Oi"), ("text", "Tudo bem?"), ("text", "Quero saber o preço")]
    assert kinds == [*texts, ("voice", ""), ("image", ""), ("document", ""), ("location", "")]
    page = browser.get(CHAT).content.decode()
    assert "<audio" in page
    assert 'class="bubble__image"' in page


def test_a_file_of_ones_own_is_sent_and_shown(evolution: Standin, browser: Browser) -> None:
    picture = samples.picture(8)
    write(browser, "text", text="Assim", file=SimpleUploadedFile("a.png", picture, "image/png"))
    write(browser, "text", file=SimpleUploadedFile("a.svg", b"<svg onload='x'/>", "image/svg+xml"))
    first, second = evolution.whatsapp.sent(LEAD)
    assert (first.kind, first.text, first.media and first.media.data) == ("image", "Assim", picture)
    shown = browser.get(f"/demo/phone/media/{first.id}/")
    assert (shown["Content-Type"], shown["Content-Disposition"], shown.content) == ("image/png", "inline", picture)
    held = browser.get(f"/demo/phone/media/{second.id}/")
    assert (held["Content-Type"], held["Content-Disposition"]) == ("application/octet-stream", "attachment")
    assert browser.get("/demo/phone/media/none/").status_code == 404


def test_the_companys_own_phone_writes_too(evolution: Standin, browser: Browser, hook: Hook) -> None:
    write(browser, "company", text="Aqui é o Carlos")
    assert evolution.settle()
    [data] = hook.events("messages.upsert")
    assert data["key"]["fromMe"] is True
    assert 'class="bubble__from"' in browser.get(CHAT).content.decode()


def test_a_message_is_changed_and_deleted(evolution: Standin, browser: Browser) -> None:
    [message] = evolution.says("t_1", LEAD, "Oi")
    assert 'value="edit"' in browser.get(f"{CHAT}?edit={message.id}").content.decode()
    browser.post(f"{CHAT}messages/{message.id}/", {"action": "edit", "text": "Olá"})
    assert (message.text, message.is_edited) == ("Olá", True)
    browser.post(f"{CHAT}messages/{message.id}/", {"action": "burn"})
    assert [found.is_deleted for found in evolution.whatsapp.sent(LEAD)] == [False]
    browser.post(f"{CHAT}messages/{message.id}/", {"action": "delete"})
    assert [found.is_deleted for found in evolution.whatsapp.sent(LEAD)] == [True]
    assert "This message was deleted." in browser.get(CHAT).content.decode()


def test_htmx_gets_the_answer_with_a_fresh_composer(browser: Browser) -> None:
    answer = browser.post(f"{CHAT}messages/", {"action": "text", "text": "Oi"}, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert page.lstrip().startswith('<div class="phone__messages" id="phone-messages"')
    assert 'id="phone-composer"' in page
    assert 'hx-swap-oob="true"' in page
    assert ">Oi</textarea>" not in page
    empty = browser.post(f"{CHAT}messages/", {"action": "text", "text": " "}, headers={"HX-Request": "true"})
    assert "Write something first." in empty.content.decode()


def test_polling_is_answered_only_when_something_changed(evolution: Standin, browser: Browser) -> None:
    write(browser, "text", text="Oi")
    assert evolution.settle()
    found = re.search(r"\?seen=([0-9a-f]+)", browser.get(CHAT).content.decode())
    assert found
    poll = {"HX-Request": "true"}
    assert browser.get(CHAT, {"seen": found[1]}, headers=poll).status_code == 204
    Client(evolution)("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Custa R$ 297"})
    answer = browser.get(CHAT, {"seen": found[1]}, headers=poll)
    assert answer.status_code == 200
    assert "Custa R$ 297" in answer.content.decode()
    evolution.whatsapp.show_typing("t_1", LEAD, "composing", seconds=60)
    assert "The company is typing…" in browser.get(CHAT).content.decode()


def test_the_code_is_scanned_from_the_list(evolution: Standin, browser: Browser) -> None:
    evolution.options.time_scale = 1.0
    call = Client(evolution)
    call.create(name="t_2", number="5511977770000")
    call("GET", "/instance/connect/t_2")
    assert "Scan the code" in browser.get("/demo/phone/").content.decode()
    browser.post("/demo/phone/t_2/pairing/")
    assert evolution.instance("t_2").owner_jid == "5511977770000@s.whatsapp.net"


def test_without_the_stand_in_it_says_so(browser: Browser, settings: Any) -> None:
    settings.STANDIN_URL = "http://127.0.0.1:9"
    page = browser.get("/demo/phone/")
    assert page.status_code == 200
    assert "The phone is off" in page.content.decode()
    assert browser.get(CHAT).status_code == 404


def test_what_was_recorded_in_the_page_is_a_voice_note(evolution: Standin, browser: Browser) -> None:
    page = browser.get(CHAT)
    assert "microphone=(self)" in page["Permissions-Policy"]
    assert "<voice-recorder" in page.content.decode()
    write(browser, "text", file=SimpleUploadedFile("voice.webm", b"\x1aE\xdf\xa3sound", "audio/webm"))
    [voice] = evolution.whatsapp.sent(LEAD)
    assert (voice.kind, voice.media and voice.media.mime) == ("voice", "audio/webm")


def test_a_message_is_answered_by_name(evolution: Standin, browser: Browser, hook: Hook) -> None:
    Client(evolution)("POST", "/message/sendText/t_1", {"number": LEAD, "text": "Casa ou <b>empresa</b>?"})
    [asked] = evolution.whatsapp.answers(LEAD)
    form = browser.get(f"{CHAT}?answer={asked.id}").content.decode()
    assert f'name="quoted_id" value="{asked.id}"' in form
    write(browser, "text", text="Casa", quoted_id=asked.id)
    assert evolution.settle()
    [data] = hook.events("messages.upsert")
    assert data["contextInfo"]["stanzaId"] == asked.id
    quoted = re.search(r'bubble__quoted">([^<]*)<', browser.get(CHAT).content.decode())
    assert quoted
    assert quoted[1] == "Casa ou &lt;b&gt;empresa&lt;/b&gt;?"


def test_what_goes_wrong_is_switched_on_and_off(evolution: Standin, browser: Browser) -> None:
    given = {"disorder": "on", "duplicates": "on", "losses": "on", "next_send": "hang_after"}
    assert browser.post(f"{CHAT}mishaps/", given).status_code == 302
    faults = evolution.faults
    assert (faults.disorder_seconds, faults.duplicate_rate, faults.repeat_rate, faults.swallow_rate) == (
        4.0,
        0.5,
        0.5,
        0.3,
    )
    assert faults.next_sends == [SendFault.HANG_AFTER]
    shown = browser.get(CHAT).content.decode()
    assert len(re.findall(r'<input type="checkbox"[^>]* checked', shown)) == 3
    assert '<option value="hang_after" selected>' in shown
    browser.post(f"{CHAT}mishaps/", {})
    assert (faults.disorder_seconds, faults.duplicate_rate, faults.repeat_rate, faults.swallow_rate) == (0, 0, 0, 0)
    assert faults.next_sends == []
    browser.post(f"{CHAT}mishaps/", {"next_send": "explode", "losses": "on"})
    assert (faults.next_sends, faults.swallow_rate) == ([], 0)


def test_the_companys_number_is_cut_off_and_connected_again(evolution: Standin, browser: Browser) -> None:
    browser.post(f"{CHAT}link/", {"action": "drop"})
    assert evolution.instance("t_1").state != "open"
    assert "Connect the company's number again" in browser.get(CHAT).content.decode()
    browser.post(f"{CHAT}link/", {"action": "restore"})
    assert evolution.settle()
    assert evolution.instance("t_1").state == "open"
