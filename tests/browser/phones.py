"""The demo's phone in a window of its own: whoever holds it is a lead."""

import re
import secrets
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

from tests.browser.harness import Visitor

ANSWER_MS = 60_000  # the demo's AI answers in seconds; a machine under load in more


@dataclass
class Phone:
    """A lead's chat with the demo's company. `name` is unique, so that the inbox can be searched for it."""

    page: Page
    name: str
    number: str

    def write(self, text: str) -> None:
        """Send a message, and see it on the phone."""
        self.page.fill("#phone-text", text)
        self.page.keyboard.press("Enter")
        expect(self.own.filter(has_text=text).last).to_be_visible()

    def press(self, action: str, text: str = "") -> None:
        """One of the buttons below "Send something else": burst, voice, image, document, location, company."""
        if text:
            self.page.fill("#phone-text", text)
        self.page.locator(".phone__more").evaluate("details => { details.open = true }")
        with self.page.expect_response(lambda response: response.request.method == "POST"):
            self.page.click(f".phone__more button[value={action}]")

    def cut_off(self) -> None:
        """The company's number loses its connection."""
        self._link("drop")

    def connect_again(self) -> None:
        self._link("restore")

    def refuse_the_next(self, fault: str) -> None:
        """What happens to the company's next message: a choice of the page's form, e.g. "rejected"."""
        self._open_mishaps()
        self.page.select_option("[name=next_send]", fault)
        with self.page.expect_navigation():
            self.page.click("form[action$='/mishaps/'] button")

    def _link(self, action: str) -> None:
        self._open_mishaps()
        with self.page.expect_navigation():
            self.page.click(f"form[action$='/link/'] button[value={action}]")

    def _open_mishaps(self) -> None:
        self.page.reload()
        self.page.locator(".phone__mishaps").evaluate("details => { details.open = true }")

    @property
    def own(self) -> Locator:
        """What the lead wrote."""
        return self.page.locator(".bubble--own")

    @property
    def received(self) -> Locator:
        """What the company wrote."""
        return self.page.locator(".bubble:not(.bubble--own)")

    def expect_answers(self, count: int) -> None:
        """At least so many messages of the company have come."""
        expect(self.received.nth(count - 1)).to_be_visible(timeout=ANSWER_MS)

    def expect_text(self, text: str) -> None:
        """The company has written this."""
        expect(self.received.filter(has_text=text).first).to_be_visible(timeout=ANSWER_MS)

    def texts(self) -> list[str]:
        """What the company wrote, in order."""
        return [text.strip() for text in self.received.locator(".bubble__text").all_inner_texts()]


def new_lead(visitor: Visitor, name: str = "") -> Phone:
    """A lead who has never written, in a page of the visitor's browser."""
    name = name or f"Lead {secrets.token_hex(4)}"
    number = f"55199{secrets.randbelow(10**8):08d}"
    page = visitor.context.new_page()
    visitor.watch(page)
    page.goto(f"{visitor.origin}/demo/phone/")
    page.fill("[name=name]", name)
    page.fill("[name=phone]", number)
    page.click("form[action$='/leads/'] [type=submit]")
    page.locator("a.phone__chat", has_text=name).first.click()
    page.wait_for_url(re.compile(rf"/{number}/$"))
    return Phone(page, name, number)
