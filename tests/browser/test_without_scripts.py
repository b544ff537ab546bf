"""With JavaScript switched off everything can be read, and the main forms work."""

import secrets
from collections.abc import Callable

from playwright.sync_api import expect

from orgs.demo import AURORA, DEMO_EMAIL
from tests.browser.harness import Visitor


def test_pages_and_forms_work_without_scripts(visitor: Callable[..., Visitor]) -> None:
    owner = visitor(java_script_enabled=False, locale="en")
    owner.sign_in(DEMO_EMAIL)
    for path in (
        "/",
        f"/o/{AURORA.slug}/",
        f"/o/{AURORA.slug}/people/",
        f"/o/{AURORA.slug}/settings/",
        "/account/",
        "/accounts/2fa/",
    ):
        owner.go(path)
        expect(owner.page.locator("h1")).to_have_count(1)
        expect(owner.page.locator("main")).to_be_visible()

    # Invite, see it listed, take it back.
    guest = f"guest-{secrets.token_hex(4)}@example.com"
    owner.go(f"/o/{AURORA.slug}/people/")
    form = owner.page.locator("main form:has([name=email])")
    form.locator("[name=email]").fill("not an address")
    form.locator("[type=submit]").click()
    expect(owner.page.locator("[name=email]")).to_have_value("not an address")
    expect(owner.page.locator("[name=email]")).to_have_attribute("aria-invalid", "true")
    form.locator("[name=email]").fill(guest)
    form.locator("[type=submit]").click()
    row = owner.page.locator("tr", has_text=guest)
    expect(row).to_have_count(1)
    row.locator("a[href*='/revocation/']").click()
    owner.page.locator("main form [type=submit]").click()
    expect(owner.page.locator("tr", has_text=guest)).to_have_count(0)

    # The account menu opens and signs out.
    owner.page.locator("summary:has(.avatar)").click()
    owner.page.locator("form[action*='logout'] [type=submit]").click()
    owner.go(f"/o/{AURORA.slug}/")
    assert owner.path == "/accounts/login/"
