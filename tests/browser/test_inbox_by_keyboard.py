"""A whole shift in the inbox without a mouse: find, read, take over, answer, walk on, close; and the palette."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from orgs.demo import DEMO_EMAIL
from tests.browser.desk import INBOX, bubble, open_conversation
from tests.browser.harness import Visitor
from tests.browser.phones import ANSWER_MS, new_lead


def test_a_shift_by_keyboard(visitor: Callable[..., Visitor]) -> None:
    owner = visitor()
    owner.sign_in(DEMO_EMAIL)
    owner.choose_language("en")
    first, second = new_lead(visitor()), new_lead(visitor())
    for lead in (first, second):
        lead.write("Oi, queria um orçamento")
        lead.expect_answers(1)
    page = owner.go(f"{INBOX}?show=all")
    keys = page.keyboard

    # Find by name, from anywhere.
    keys.press("/")
    assert page.evaluate("document.activeElement.type === 'search' || document.activeElement.name === 'q'")
    keys.type(first.name)
    keys.press("Enter")
    expect(page.locator(".inbox__row")).to_have_count(1, timeout=ANSWER_MS)
    page.evaluate("document.activeElement.blur()")
    keys.press("Alt+j")
    expect(page.locator("#conversation-title")).to_contain_text(first.name)

    # Take over, answer, close: the lead reads it.
    keys.press("Alt+t")
    expect(page.locator("#give-back")).to_be_visible(timeout=ANSWER_MS)
    keys.press("Alt+l")
    assert page.evaluate("document.activeElement.name === 'text'")
    keys.type("Escrevo sem mouse")
    keys.press("Shift+Enter")
    keys.type("em duas linhas")
    keys.press("Enter")
    first.expect_text("em duas linhas")
    expect(bubble(page, "Escrevo sem mouse")).to_be_visible(timeout=ANSWER_MS)
    page.evaluate("document.activeElement.blur()")
    keys.press("Alt+e")
    expect(page.locator("#reopen")).to_be_visible(timeout=ANSWER_MS)

    # The palette finds the other lead.
    keys.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    keys.type(second.name)
    expect(page.locator("#palette-list [role=option]", has_text=second.name).first).to_be_visible(timeout=ANSWER_MS)
    keys.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()

    # The sheet of keys opens and closes.
    page.evaluate("document.activeElement.blur()")
    keys.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert page.locator("#keys dt").count() >= 8
    keys.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()

    # The lead's panel hides, stays hidden over a reload, and comes back.
    open_conversation(owner, second)
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(page.locator("#desk-panel")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    keys.press("Alt+o")
    expect(page.locator("#desk-panel")).to_be_hidden()
    page.reload()
    expect(page.locator("#desk-panel")).to_be_hidden()
    keys.press("Alt+o")
    expect(page.locator("#desk-panel")).to_be_visible()
    assert re.search(r"/inbox/\d+/", page.url)
