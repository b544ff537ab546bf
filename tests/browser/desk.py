"""The inbox as its people use it."""

import re

from playwright.sync_api import Locator, Page, expect

from orgs.demo import AURORA
from tests.browser.harness import Visitor
from tests.browser.phones import ANSWER_MS, Phone

INBOX = f"/o/{AURORA.slug}/inbox/"


def open_conversation(person: Visitor, phone: Phone) -> Page:
    """Find the lead by name in the inbox, and open the conversation: as soon as it is there."""
    page = person.go(f"{INBOX}?show=all&q={phone.name}")
    row = page.locator(".inbox__row", has_text=phone.name).first
    expect(row).to_be_visible(timeout=ANSWER_MS)  # the list is live
    row.click()
    expect(page.locator("#conversation-title")).to_contain_text(phone.name)
    page.wait_for_url(re.compile(r"/inbox/\d+/"))
    return page


def bubble(page: Page, text: str) -> Locator:
    """The newest message in the open thread that contains the text."""
    return page.locator("#desk-thread .bubble", has_text=text).last


def answer(page: Page, text: str) -> None:
    """Write as the person, and send."""
    page.fill("#composer #id_text", text)
    page.locator("#composer").get_by_role("button", name=re.compile("^(Send|Enviar)$")).first.click()
    expect(bubble(page, text)).to_be_visible(timeout=ANSWER_MS)


def choose_mode(person: Visitor, mode: str) -> None:
    """What the AI may do on the demo's number: off, drafts, new or all."""
    page = person.go(f"/o/{AURORA.slug}/numbers/")
    page.locator("main a", has_text="Vendas").first.click()
    page.wait_for_url(re.compile(r"/numbers/\d+/"))
    page.check(f"[name=mode][value={mode}]")
    person.submit("main form:has([name=mode])")
