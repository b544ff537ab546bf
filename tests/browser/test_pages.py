"""Every page somebody can reach: three languages, light and dark, laptop to small phone, accessible, without errors."""

from collections.abc import Callable

import pytest

from orgs.demo import AURORA, DEMO_EMAIL, HELENA
from tests.browser.harness import Visitor, look

LANGUAGES = ("pt-br", "en", "es")
ENTRANCES = ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/demo/mail/", "/nothing-here/")
OWNERS_PAGES = {
    f"/o/{AURORA.slug}/",
    f"/o/{AURORA.slug}/numbers/",
    f"/o/{AURORA.slug}/numbers/new/",
    f"/o/{AURORA.slug}/people/",
    f"/o/{AURORA.slug}/leave/",
    f"/o/{AURORA.slug}/settings/",
    "/account/",
    "/accounts/2fa/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/sessions/",
    "/orgs/new/",
}
NOT_WALKED = (
    "/demo/mail/",
    "/accounts/logout/",
    "/accounts/reauthenticate/",
)  # the letters are the mail page's own test


def walk(person: Visitor, start: str, *, thorough: bool) -> list[str]:
    """Every page reachable by links from `start`, each looked at once; of pages about rows one for each kind."""
    waiting, seen, kinds = [start], [], set()
    while waiting:
        path = waiting.pop(0)
        kind = "/".join("*" if part.isdigit() else part for part in path.split("/"))
        if kind in kinds or path.startswith(NOT_WALKED):
            continue
        kinds.add(kind)
        person.go(path)
        seen.append(person.path)
        look(person, thorough=thorough)
        waiting += sorted(person.links())
    return seen


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_owners_pages_are_sound(visitor: Callable[..., Visitor], language: str) -> None:
    owner = visitor()
    owner.sign_in(DEMO_EMAIL)
    owner.choose_language(language)
    assert set(walk(owner, "/", thorough=language == "pt-br")) >= OWNERS_PAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_viewers_pages_are_sound(visitor: Callable[..., Visitor], language: str) -> None:
    viewer = visitor()
    viewer.sign_in(HELENA.email)
    viewer.choose_language(language)
    seen = set(walk(viewer, "/", thorough=language == "pt-br"))
    assert seen >= {f"/o/{AURORA.slug}/", f"/o/{AURORA.slug}/people/", "/account/"}
    assert not [path for path in seen if path.startswith(f"/o/{AURORA.slug}/settings/")]


@pytest.mark.parametrize("language", ["pt-BR", "en", "es"])
def test_the_pages_before_signing_in_are_sound(visitor: Callable[..., Visitor], language: str) -> None:
    guest = visitor(locale=language)
    for path in ENTRANCES:
        guest.go(path)
        assert guest.page.locator("html").get_attribute("lang", timeout=1000).lower() == language.lower()  # type: ignore[union-attr]
        look(guest)


def test_a_form_says_beside_the_field_what_is_wrong_and_keeps_what_was_typed(visitor: Callable[..., Visitor]) -> None:
    guest = visitor()
    guest.go("/accounts/login/")
    guest.page.fill("[name=login]", "marina(at)aurora")
    guest.page.fill("[name=password]", "whatever-it-is")
    guest.submit("main form:has([name=password])")
    field = guest.page.locator("[name=login]")
    assert field.input_value() == "marina(at)aurora"
    assert field.get_attribute("aria-invalid") == "true"
    described = (field.get_attribute("aria-describedby") or "").split()
    assert any(guest.page.locator(f"#{name}").inner_text().strip() for name in described)
    look(guest)


def test_a_wrong_password_keeps_the_address(visitor: Callable[..., Visitor]) -> None:
    guest = visitor()
    guest.go("/accounts/login/")
    guest.page.fill("[name=login]", DEMO_EMAIL)
    guest.page.fill("[name=password]", "not-the-password")
    guest.submit("main form:has([name=password])")
    assert guest.page.locator("[name=login]").input_value() == DEMO_EMAIL
    assert guest.page.locator("main [role=alert]").first.inner_text().strip()
    assert guest.path == "/accounts/login/"


@pytest.mark.parametrize("path", ["/", "/account/", f"/o/{AURORA.slug}/people/", f"/o/{AURORA.slug}/settings/"])
def test_a_page_survives_being_reloaded_and_left(visitor: Callable[..., Visitor], path: str) -> None:
    owner = visitor()
    owner.sign_in(DEMO_EMAIL)
    owner.go(path)
    heading = owner.page.locator("h1").inner_text()
    owner.page.reload()
    assert owner.page.locator("h1").inner_text() == heading
    owner.go("/accounts/2fa/")
    owner.page.go_back()
    owner.page.reload()
    assert owner.page.locator("h1").inner_text() == heading
