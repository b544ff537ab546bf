"""A second number in the demo: added, scanned by the demo's phone, written to, and answered."""

import re
from collections.abc import Callable

from orgs.demo import AURORA, DEMO_EMAIL
from tests.browser.harness import Visitor

SECONDS_MS = 1000


def test_a_number_is_added_scanned_and_answers(visitor: Callable[..., Visitor]) -> None:
    owner = visitor()
    owner.sign_in(DEMO_EMAIL)
    owner.choose_language("en")
    page = owner.go(f"/o/{AURORA.slug}/numbers/new/")
    page.fill("[name=name]", "Support")
    page.fill("[name=phone]", "55 19 3255-0199")
    page.check("[name=mode][value=all]")
    owner.submit("main form:has([name=name])")
    page.wait_for_selector(".scan .qr", timeout=20 * SECONDS_MS)
    assert re.fullmatch(r"[A-Z0-9]{4}-[A-Z0-9]{4}", page.inner_text(".scan__code"))
    page.wait_for_function("() => / \\d+ s\\./.test(document.querySelector('code-countdown').innerText)")
    phone = visitor()
    phone.go("/demo/phone/")
    with phone.page.expect_navigation():
        phone.page.locator("form[action*=pairing] button").first.click()
    page.wait_for_selector("#number-live .badge--positive", timeout=20 * SECONDS_MS)  # without a reload
    page.wait_for_selector("#number-live >> text=Verified", timeout=20 * SECONDS_MS)
    assert page.locator(".scan").count() == 0
    phone.go("/demo/phone/")
    phone.page.locator("a.phone__chat[href*='/t_']").first.click()
    phone.page.fill("#phone-text", "Oi, vocês instalam em Valinhos?")
    phone.page.locator("#phone-composer button[value=text]").click()
    phone.page.wait_for_selector("text=assistente virtual", timeout=20 * SECONDS_MS)
