"""The composer in a browser: notes that call somebody, texts at hand, quotes, drafts, voice, and no lost keystroke."""

import base64
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from orgs.demo import AURORA, DEMO_EMAIL, JULIA
from tests.browser.desk import INBOX, bubble, open_conversation
from tests.browser.harness import SMALL_PHONE, Visitor
from tests.browser.phones import ANSWER_MS, Phone, new_lead

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGNgGAWjYBSMAggAAAQQAAFVN1rQAAAAAElFTkSuQmCC"
)
REFUSED = (
    "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError')) }"
)
VISITS = re.compile(r"Oi \S+, posso visitar a \{\{company\}\} amanhã\?")


def text_of(page: Page, field: str = "#id_text") -> str:
    return page.input_value(field)


@pytest.fixture
def marina(visitor: Callable[..., Visitor]) -> Visitor:
    person = visitor()
    person.sign_in(DEMO_EMAIL)
    return person


@pytest.fixture
def lead(visitor: Callable[..., Visitor]) -> Phone:
    phone = new_lead(visitor())
    phone.write("Oi, vocês instalam em casa?")
    phone.expect_answers(1)
    return phone


def test_by_keyboard_alone(marina: Visitor, lead: Phone) -> None:
    """A note with a mention, a quote, a text at hand with a gap, and the answer."""
    page = marina.go(f"/o/{AURORA.slug}/canned-replies/new/")
    if page.locator("text=/visita").count() == 0:
        page.fill("[name=shortcut]", "visita")
        page.fill("[name=text]", "Oi {{first_name}}, posso visitar a {{company}} amanhã?")
        marina.submit("main form:has([name=shortcut])")
    page = open_conversation(marina, lead)
    page.keyboard.press("Alt+p")
    page.keyboard.type("Ligar hoje @jul")
    expect(page.locator("#note_text-choices [role=option]")).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.type("por favor")
    assert text_of(page, "#note_text") == f"Ligar hoje @{JULIA.name} por favor"
    page.keyboard.press("Enter")
    expect(page.locator(".private")).to_contain_text(f"@{JULIA.name} por favor")
    expect(page.locator("#note_text")).to_be_focused()
    assert text_of(page, "#note_text") == ""

    page.keyboard.press("Alt+l")
    page.keyboard.press("Alt+a")
    expect(page.locator("answer-strip")).to_contain_text("instalam em casa")
    page.keyboard.type("/vis")
    expect(page.locator("#id_text-choices [role=option]")).to_have_count(1)
    page.keyboard.press("Tab")
    assert VISITS.fullmatch(text_of(page))
    expect(page.locator("unfilled-mark")).to_contain_text("{{company}}")
    page.keyboard.press("Enter")
    expect(page.locator("#id_text_error")).to_contain_text("{{company}}")
    expect(page.locator("#id_text")).to_be_focused()
    page.locator("#id_text").evaluate("t => t.setSelectionRange(t.value.indexOf('{{'), t.value.indexOf('}}') + 2)")
    page.keyboard.type("Padaria Sol")
    expect(page.locator("unfilled-mark")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(bubble(page, "Padaria Sol").locator(".bubble__origin")).to_contain_text("instalam em casa")
    lead.expect_text("Padaria Sol")
    bubble(page, "Padaria Sol").locator(".bubble__origin").click()
    expect(page.locator(".bubble.is-lit")).to_contain_text("instalam em casa")


def test_no_keystroke_is_lost(marina: Visitor, lead: Phone) -> None:
    """Over a reload, another conversation, a lost network, an expired session, and while an answer is on its way."""
    page = open_conversation(marina, lead)
    address = page.url
    page.locator("#id_text").press_sequentially("Meia resposta")
    page.click("#write-note")
    page.locator("#note_text").press_sequentially("Meia nota")
    page.reload()
    expect(page.locator("#id_text")).to_have_value("Meia resposta")
    expect(page.locator("#note_text")).to_have_value("Meia nota")
    page.goto(f"{marina.origin}{INBOX}")
    page.goto(address)
    expect(page.locator("#id_text")).to_have_value("Meia resposta")

    marina.context.clear_cookies()  # signed out, or the session has ended
    page.locator("#id_text").press_sequentially(" e mais")
    marina.sign_in(DEMO_EMAIL)
    page.goto(address)
    expect(page.locator("#id_text")).to_have_value("Meia resposta e mais")

    page.route("**/replies/", lambda route: route.abort())
    page.locator("#id_text").press("Enter")
    expect(page.locator("#flashes-urgent")).not_to_be_empty()
    expect(page.locator("#id_text")).to_have_value("Meia resposta e mais")
    page.unroute("**/replies/")
    marina.objections.clear()  # htmx tells of what was cut off
    page.reload()

    held: list[Route] = []
    page.route("**/replies/", lambda route: held.append(route))  # noqa: PLW0108  # Playwright looks into it
    page.locator("#id_text").press("Enter")
    page.locator("#id_text").press_sequentially(" Já pensei")
    expect(page.locator("#id_text")).to_have_value("Meia resposta e mais Já pensei")
    held[0].continue_()
    expect(bubble(page, "Meia resposta e mais")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#id_text")).to_have_value(" Já pensei")
    assert page.locator("#desk-thread .bubble", has_text="Meia resposta").count() == 1
    page.reload()
    expect(page.locator("#id_text")).to_have_value(" Já pensei")
    expect(page.locator("#note_text")).to_have_value("Meia nota")


def test_who_writes_is_seen_and_a_second_sender_is_asked(
    marina: Visitor, lead: Phone, visitor: Callable[..., Visitor]
) -> None:
    julia = visitor()
    julia.sign_in(JULIA.email)
    hers, his = open_conversation(marina, lead), open_conversation(julia, lead)
    hers.locator("#id_text").press_sequentially("Estou escr")
    expect(his.locator("typing-others")).to_be_visible(timeout=ANSWER_MS)
    his.locator("#id_text").fill("Eu também")
    his.locator("#id_text").press("Enter")
    expect(his.locator("#reply-sure")).to_be_visible(timeout=ANSWER_MS)
    expect(his.locator("#id_text")).to_have_value("Eu também")
    his.click("#reply-sure")
    lead.expect_text("Eu também")
    expect(bubble(hers, "Eu também")).to_be_visible(timeout=ANSWER_MS)
    expect(hers.locator("#id_text")).to_have_value("Estou escr")
    hers.locator("#id_text").fill("")
    expect(his.locator("typing-others")).to_have_count(0, timeout=ANSWER_MS)


def test_a_draft_never_takes_the_place_of_typed_words(marina: Visitor, lead: Phone) -> None:
    page = open_conversation(marina, lead)
    page.click("#take-over")
    lead.write("E quanto tempo demora?")
    expect(bubble(page, "quanto tempo")).to_be_visible(timeout=ANSWER_MS)
    page.locator("#id_text").fill("Meu começo")
    page.click("#reply-suggest")
    expect(page.locator("#composer-suggestion")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("#id_text")).to_have_value("Meu começo")
    if page.locator("[data-act=replace]").is_visible():
        draft = page.locator("[data-draft]").inner_text()
        page.click("[data-act=replace]")
        expect(page.locator("#id_text")).to_have_value(draft)
        page.click("[data-act=undo]")
        expect(page.locator("#id_text")).to_have_value("Meu começo")


def test_a_picture_is_seen_before_it_is_sent_and_stays_when_refused(marina: Visitor, lead: Phone) -> None:
    page = open_conversation(marina, lead)
    page.set_input_files("#id_file", {"name": "telhado.png", "mimeType": "image/png", "buffer": PNG})
    expect(page.locator("[data-picture]")).to_be_visible()
    page.locator("#id_text").fill("Veja {{company}}")
    page.locator("#id_text").press("Enter")
    expect(page.locator("#id_text_error")).to_be_visible()
    expect(page.locator("file-choice [data-name]")).to_have_text("telhado.png")


def test_it_fits_a_small_phone(lead: Phone, visitor: Callable[..., Visitor]) -> None:
    person = visitor(size=SMALL_PHONE)
    person.sign_in(DEMO_EMAIL)
    page = open_conversation(person, lead)
    page.click("#write-note")
    expect(page.locator("#note_text")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("#write-reply")
    page.locator("#id_text").fill("/")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_microphone_that_is_refused_is_told(lead: Phone, marina: Visitor) -> None:
    page = open_conversation(marina, lead)
    page.evaluate(REFUSED)
    page.locator("#composer-reply [data-start]").click()
    expect(page.locator("#composer-reply [data-denied]")).to_be_visible()
    assert text_of(page) == ""
