"""The demo as a customer starts it, Debian's Chromium, and visitors whose pages may not misbehave unnoticed."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)

CHECKOUT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 90
STOP_SECONDS = 40
MAIL_SECONDS = 20
PAGE_MS = 15_000
LAPTOP, PHONE, SMALL_PHONE = (1280, 800), (390, 844), (320, 640)
SESSIONS: dict[tuple[str, str], list[Any]] = {}  # (origin, e-mail) → cookies
SEVERE = {"serious", "critical"}
CODE = re.compile(r"^\s*(\d{6})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Demo:
    """A running demo. `url` is its origin, without a slash at the end."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def running_demo(state: Path) -> Iterator[Demo]:
    """`make demo` on a free port with everything it keeps in `state`; stopped as by Ctrl-C."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    }
    environment |= {"ENVIRONMENT": "development", "STATE_DIR": str(state), "PORT": str(port), "WEB_PROCESSES": "1"}
    log = state / "demo.log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sdr.local.supervisor", "demo"],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C" not in log.read_text("utf-8"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the demo did not start:\n{log.read_text('utf-8')}\n{tails(state)}")
            time.sleep(0.1)
        yield Demo(f"http://localhost:{port}", process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)


def tails(state: Path) -> str:
    """The end of each log, for the message of a failure."""
    return "\n".join(
        f"{p.name}: {p.read_text('utf-8', 'replace')[-2000:]}" for p in sorted((state / "logs").glob("*.log"))
    )


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless. Raises RuntimeError, saying how to install it, when it is not there."""
    if not CHROMIUM.exists():
        raise RuntimeError(f"{CHROMIUM} is missing. On Debian: apt-get install chromium (or set CHROMIUM to yours).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """One person at one browser. `objections` collects what no page may do; the fixture asserts there are none."""

    context: BrowserContext
    page: Page
    origin: str
    objections: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.set_default_timeout(PAGE_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.objections.append(f"{page.url}: script error: {error}"))
        page.on("request", self._on_request)
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        # A page that answers 4xx says so in the console, too; `_on_response` decides about those.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.objections.append(f"{self.page.url}: console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:", "about:")):
            self.objections.append(f"{self.page.url}: asks {request.url}")

    def _on_response(self, response: Response) -> None:
        is_page = response.request.resource_type in {"document", "xhr", "fetch"}
        if response.status >= 500 or (response.status >= 400 and not is_page):
            self.objections.append(f"{response.status} at {response.url}")

    # --- Going places ---
    def go(self, path: str) -> Page:
        """Open a path of the product."""
        self.page.goto(urljoin(f"{self.origin}/", path))
        return self.page

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def sign_in(self, email: str, password: str = "") -> None:
        """With the demo's password, unless another is given. Again at another browser: by the session of the first.

        More than a few sign-ins would meet the rate limit. Sessions that have ended since are not used.
        """
        from orgs.demo import DEMO_PASSWORD  # needs the app registry

        kept = SESSIONS.get((self.origin, email))
        if kept and not password:
            self.context.add_cookies(kept)
            self.go("/account/")
            if self.path == "/account/":
                return
        self.go("/accounts/login/")
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", password or DEMO_PASSWORD)
        self.submit("main form:has([name=password])")
        self.page.wait_for_url(lambda url: "/accounts/login" not in url)
        if not password:
            session = [cookie for cookie in self.context.cookies() if "session" in cookie["name"]]
            SESSIONS[self.origin, email] = session

    def submit(self, form: str = "main form") -> None:
        """Press the form's first submit button and wait for the answer."""
        button = self.page.locator(f"{form} button:is([type=submit], :not([type]))").first
        with self.page.expect_response(lambda response: response.request.method == "POST"):
            button.click()
        self.page.wait_for_load_state("load")

    def choose_language(self, language: str) -> None:
        """On the profile page of the signed-in person."""
        self.go("/account/")
        self.page.select_option("main form [name=language]", language)
        self.submit("main form:has([name=language])")
        self.page.wait_for_function(
            "language => document.documentElement.lang.toLowerCase() === language", arg=language
        )

    def links(self) -> set[str]:
        """Paths of our own that the page links to; files and what other visitors would be disturbed by are left out."""
        hrefs = self.page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
        found = {urlsplit(href).path for href in hrefs if href.startswith(f"{self.origin}/")}
        ours = (path for path in found if not path.startswith(("/static/", "/staff/", "/accounts/google/")))
        return {path for path in ours if not path.endswith("/media/")}  # files

    # --- Judging ---
    def assert_accessible(self) -> None:
        """Axe finds nothing serious."""
        found = Axe().run(self.page).response["violations"]
        severe = [describe(violation) for violation in found if violation["impact"] in SEVERE]
        assert severe == [], f"{self.page.url}\n" + "\n".join(severe)

    def assert_fits(self) -> None:
        """Nothing makes the page scroll sideways."""
        width, view = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert width <= view, f"{self.page.url} is {width} px wide in {view}: {self.page.evaluate(TOO_WIDE)}"

    def picture(self, path: Path) -> None:
        """What the window shows now."""
        self.page.screenshot(path=path, animations="disabled", caret="hide")


SETTLED = "() => Promise.allSettled(document.getAnimations().map(animation => animation.finished))"
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter(node => node.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .slice(0, 5).map(node => `${node.tagName}.${node.className}`)"""


def describe(violation: dict[str, Any]) -> str:
    nodes = "\n  ".join(f"{node['html'][:200]} ({node['failureSummary'][:300]})" for node in violation["nodes"][:3])
    return f"{violation['id']} ({violation['impact']}): {violation['help']}\n  {nodes}"


def visitor(browser: Browser, demo: Demo, *, size: tuple[int, int] = LAPTOP, **options: Any) -> Visitor:
    """A browser of its own: nothing is shared with other visitors."""
    width, height = size
    options = {"locale": "pt-BR", "reduced_motion": "reduce", "viewport": {"width": width, "height": height}} | options
    context = browser.new_context(**options)
    page = context.new_page()
    made = Visitor(context, page, demo.url)
    made.watch(page)
    return made


def look(person: Visitor, *, thorough: bool = True) -> None:
    """The page at three widths and before axe, in light and, if `thorough`, in dark."""
    page = person.page
    assert page.locator("h1").count() == 1, f"{page.url} has no single h1"
    assert page.title().strip()
    for scheme, axe_at in (("light", LAPTOP), ("dark", PHONE))[: 2 if thorough else 1]:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate(SETTLED)  # colours fade into each other
        for size in (LAPTOP, PHONE, SMALL_PHONE):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            person.assert_fits()
            if size == axe_at:
                person.assert_accessible()


def letter_to(person: Visitor, email: str, *, containing: str = "") -> str:
    """The text of the newest e-mail to this address in the demo's mail page, read in a window of its own."""
    page = person.context.new_page()
    try:
        deadline = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < deadline:
            page.goto(f"{person.origin}/demo/mail/")
            for href in page.eval_on_selector_all(
                "main a[href^='/demo/mail/']",
                "(links, email) => links.filter(link => link.closest('li').textContent.includes(email))"
                ".map(link => link.href)",
                email,
            ):
                page.goto(href)
                text = page.inner_text("main")
                if containing in text:
                    return text
            time.sleep(0.3)
        raise AssertionError(f"no e-mail to {email} containing {containing!r}")
    finally:
        page.close()


def code_in(letter: str) -> str:
    """The six digits of a sign-in code."""
    found = CODE.search(letter) or re.search(r"\b(\d{6})\b", letter)
    assert found, letter
    return found[1]
