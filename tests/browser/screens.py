"""Takes the pictures of docs/screens: `make screens`. The demo is started anew for it, so they tell its story."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.browser.desk import INBOX, open_conversation
from tests.browser.harness import (
    CHECKOUT,
    LAPTOP,
    PHONE,
    SMALL_PHONE,
    Demo,
    Visitor,
    running_chromium,
    running_demo,
    visitor,
)
from tests.browser.phones import Phone, new_lead

FOLDER = CHECKOUT / "docs" / "screens"
MOST_BYTES = 250_000
WIDE = (1440, 900)
SETTLE_MS = 1500
LEAD_NAME = "Camila Duarte"
TALK = (
    "Oi, vi o anúncio de vocês",
    "É para a minha padaria, a conta vem uns 2.300 por mês",
    "Todo ano sobe, já tive que cortar o salgado da vitrine",
    "Qual a garantia?",
)
LONG_WORDS = "Preciso de um orçamento para Pindamonhangaba-Guaratinguetá: " + "muitoslonge" * 9
LONG_NAME = "Maria Aparecida do Nascimento Figueiredo de Albuquerque e Vasconcelos-Schwarzenberger"


@dataclass(frozen=True)
class Screen:
    """One picture: its file name, what to open, at which size, in which light, and what to do before the shutter."""

    name: str
    path: str
    email: str = ""
    size: tuple[int, int] = LAPTOP
    scheme: str = "light"
    act: Callable[[Visitor], None] | None = None


def show_errors(guest: Visitor) -> None:
    guest.page.fill("[name=name]", LONG_NAME)
    guest.page.fill("[name=email]", "maria(at)aurora")
    guest.page.fill("[name=password1]", "123")
    guest.submit("main form:has([name=password1])")


def rename(person: Visitor) -> None:
    """Give the signed-in person a very long name and look at the people again."""
    back = person.path
    person.go("/account/")
    person.page.fill("main form [name=name]", LONG_NAME)
    person.submit("main form:has([name=language])")
    person.go(back)


def open_menu(person: Visitor) -> None:
    person.page.locator("summary:has(.avatar)").click()


def open_lead(person: Visitor, name: str = LEAD_NAME) -> None:
    page = open_conversation(person, Phone(person.page, name, ""))
    page.wait_for_timeout(SETTLE_MS)


def open_panel(person: Visitor) -> None:
    open_lead(person)
    person.page.click("#panel-toggle")


def open_note(person: Visitor) -> None:
    open_lead(person)
    person.page.click("#write-note")


def open_trace(person: Visitor) -> None:
    open_lead(person)
    person.page.locator("a.bubble__trace").last.click()
    person.page.wait_for_url("**/turns/**")


def open_long(person: Visitor) -> None:
    open_lead(person, LONG_NAME[:60])


def open_keys(person: Visitor) -> None:
    person.page.keyboard.press("?")


def tell(browser: Browser, demo: Demo) -> None:
    """Two leads write: one tells of the bakery and is answered, the other has long words."""
    with_phones = visitor(browser, demo)
    camila = new_lead(with_phones, LEAD_NAME)
    for count, text in enumerate(TALK, 1):
        camila.write(text)
        camila.expect_answers(count)
    long = new_lead(with_phones, LONG_NAME[:60])
    long.write(LONG_WORDS)
    long.press("voice")
    long.expect_answers(1)
    with_phones.context.close()


def screens() -> list[Screen]:
    """In the order of a first visit; the ones that change something come last."""
    from orgs.demo import AURORA, DEMO_EMAIL, DUARTE, HELENA

    home = f"/o/{AURORA.slug}/"
    return [
        Screen("sign-in", "/accounts/login/"),
        Screen("sign-in-phone-dark", "/accounts/login/", size=PHONE, scheme="dark"),
        Screen("sign-up-errors", "/accounts/signup/", act=show_errors),
        Screen("home-laptop", home, DEMO_EMAIL),
        Screen("home-dark", home, DEMO_EMAIL, scheme="dark"),
        Screen("home-phone", home, DEMO_EMAIL, PHONE),
        Screen("inbox-laptop", INBOX, DEMO_EMAIL, WIDE, act=open_lead),
        Screen("inbox-dark", INBOX, DEMO_EMAIL, WIDE, "dark", act=open_lead),
        Screen("inbox-list-phone", INBOX, DEMO_EMAIL, PHONE),
        Screen("inbox-thread-phone-dark", INBOX, DEMO_EMAIL, PHONE, "dark", act=open_lead),
        Screen("inbox-panel-phone", INBOX, DEMO_EMAIL, PHONE, act=open_panel),
        Screen("inbox-note", INBOX, DEMO_EMAIL, act=open_note),
        Screen("inbox-long-small-phone", INBOX, DEMO_EMAIL, SMALL_PHONE, act=open_long),
        Screen("inbox-nothing-found", f"{INBOX}?show=all&q=ninguém", DEMO_EMAIL),
        Screen("inbox-empty", f"/o/{DUARTE.slug}/inbox/", DEMO_EMAIL),
        Screen("inbox-error-phone", f"{INBOX}999999/", DEMO_EMAIL, PHONE, "dark"),
        Screen("inbox-keys", INBOX, DEMO_EMAIL, act=open_keys),
        Screen("trace", INBOX, DEMO_EMAIL, act=open_trace),
        Screen("agent", f"{home}agent/", DEMO_EMAIL),
        Screen("agent-phone-dark", f"{home}agent/", DEMO_EMAIL, PHONE, "dark"),
        Screen("people", f"{home}people/", DEMO_EMAIL),
        Screen("people-phone-dark", f"{home}people/", DEMO_EMAIL, PHONE, "dark"),
        Screen("people-empty", f"/o/{DUARTE.slug}/people/", DEMO_EMAIL),
        Screen("settings", f"{home}settings/", DEMO_EMAIL),
        Screen("security-menu", "/accounts/2fa/", DEMO_EMAIL, act=open_menu),
        Screen("mail", "/demo/mail/", DEMO_EMAIL),
        Screen("not-found-phone", "/o/nowhere/", HELENA.email, PHONE),
        Screen("long-name-small-phone", f"{home}people/", HELENA.email, SMALL_PHONE, act=rename),
    ]


def take(browser: Browser, demo: Demo, folder: Path) -> Iterator[Path]:
    """Take every picture, one browser per person, size and light. Out: the files, as they are written."""
    tell(browser, demo)
    signed_in: dict[str, Any] = {}  # one sign-in each: more would meet the rate limit
    for screen in screens():
        # Without the policy: Playwright hides the caret with a style of its own.
        kept = {"storage_state": signed_in.get(screen.email), "bypass_csp": True}
        person = visitor(browser, demo, size=screen.size, color_scheme=screen.scheme, **kept)
        if screen.email and screen.email not in signed_in:
            person.sign_in(screen.email)
            signed_in[screen.email] = person.context.storage_state()
        person.go(screen.path)
        if screen.act:
            screen.act(person)
        path = folder / f"{screen.name}.png"
        person.picture(path)
        person.context.close()
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise RuntimeError(f"{path.name} has {size:,} bytes, more than {MOST_BYTES:,}: make it smaller.")
        yield path


@contextmanager
def fresh_demo() -> Iterator[Demo]:
    from sdr.local.embedded import Cluster

    with tempfile.TemporaryDirectory(prefix="sdr-screens-", dir="/tmp") as state:
        try:
            with running_demo(Path(state)) as demo:
                yield demo
        finally:
            Cluster(Path(state)).remove()


def main() -> None:
    os.environ.setdefault("ENVIRONMENT", "test")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with fresh_demo() as demo, running_chromium() as browser:
        for path in take(browser, demo, FOLDER):
            print(path.relative_to(CHECKOUT))


if __name__ == "__main__":
    main()
