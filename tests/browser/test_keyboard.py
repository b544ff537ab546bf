"""From sign-up to leaving, with the keyboard alone, by two people at two browsers."""

import re
import secrets
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.harness import Visitor, code_in, letter_to

MOST_TABS = 60


class Keys:
    """A visitor without a mouse."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page = visitor.page

    def tab_to(self, selector: str) -> None:
        """Tab until the focus is on an element that matches; it must show that it has the focus."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                assert self.page.evaluate(FOCUS_IS_SEEN), f"no focus ring on {selector}"
                return
        raise AssertionError(f"the keyboard does not reach {selector} on {self.page.url}")

    def type(self, selector: str, text: str) -> None:
        self.tab_to(selector)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def enter(self) -> None:
        """Press Enter where the focus is, and wait for what comes."""
        with self.page.expect_event("load"):
            self.page.keyboard.press("Enter")

    def submit(self) -> None:
        """Enter in a field of a form, as people do."""
        self.enter()


FOCUS_IS_SEEN = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
}"""


def test_two_people_go_all_the_way_by_keyboard(visitor: Callable[..., Visitor]) -> None:
    mark = secrets.token_hex(4)
    boss, guest = f"boss-{mark}@example.com", f"guest-{mark}@example.com"
    password = "a-horse-in-the-rain"

    # The first one signs up, proves the address and founds an org.
    one = visitor(locale="en")
    keys = Keys(one)
    one.go("/accounts/signup/")
    keys.type("[name=name]", "Bianca Boss")
    keys.type("[name=email]", boss)
    keys.type("[name=password1]", password)
    keys.submit()
    keys.type("[name=code]", code_in(letter_to(one, boss)))
    keys.submit()
    one.page.wait_for_url("**/orgs/new/")
    keys.type("[name=name]", f"Keyboard {mark}")
    keys.submit()
    home = f"/o/keyboard-{mark}/"
    one.page.wait_for_url(f"**{home}")

    # She invites somebody.
    one.go(f"{home}people/")
    keys.type("[name=email]", guest)
    with one.page.expect_response(lambda response: response.request.method == "POST"):
        one.page.keyboard.press("Enter")
    expect(one.page.locator("#invitations")).to_contain_text(guest)

    # The other one reads the e-mail at another browser and joins.
    two = visitor(locale="en")
    keys_two = Keys(two)
    link = re.search(r"/invitations/[\w-]+/", letter_to(two, guest))
    assert link
    two.go(link[0])
    expect(two.page.locator("h1")).to_contain_text(f"Keyboard {mark}")
    keys_two.type("[name=name]", "Gil Guest")
    keys_two.type("[name=password1]", password)
    keys_two.submit()
    two.page.wait_for_url(f"**{home}")

    # The first one makes the other an administrator.
    one.go(f"{home}people/")
    row = one.page.locator("tr", has_text=guest)
    href = row.locator("a[href*='/role/']").get_attribute("href")
    keys.tab_to(f"a[href='{href}']")
    keys.enter()
    keys.tab_to("main [name=role]:is(select, :checked, :focus)")
    is_select = one.page.evaluate("document.activeElement.tagName") == "SELECT"
    if is_select:
        one.page.keyboard.press("Home")
        labels = one.page.eval_on_selector_all("main [name=role] option", "options => options.map(o => o.value)")
        for _ in range(labels.index("admin")):
            one.page.keyboard.press("ArrowDown")
    else:
        values = one.page.eval_on_selector_all("main [name=role]", "radios => radios.map(radio => radio.value)")
        for _ in range(len(values)):
            if one.page.evaluate("document.activeElement.value") == "admin":
                break
            one.page.keyboard.press("ArrowDown")
    keys.tab_to("main form button[type=submit]")
    keys.enter()
    one.page.wait_for_url(f"**{home}people/")
    two.go(f"{home}settings/")
    assert two.path == f"{home}settings/"
    expect(two.page.locator("main [name=slug]")).to_be_visible()

    # The other one leaves, and is out.
    two.go(f"{home}leave/")
    keys_two.tab_to("main form button[type=submit]")
    keys_two.enter()
    assert two.go(home).locator("h1").count() == 1
    assert two.path == home
    expect(two.page.locator("main")).not_to_contain_text(f"Keyboard {mark}")
    one.go(f"{home}people/")
    expect(one.page.locator("main table").first).not_to_contain_text(guest)


def test_the_skip_link_is_first_and_leads_to_the_content(visitor: Callable[..., Visitor]) -> None:
    guest = visitor()
    guest.go("/accounts/login/")
    guest.page.keyboard.press("Tab")
    assert guest.page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    guest.page.keyboard.press("Enter")
    assert guest.page.evaluate("document.activeElement.id") == "main"
