"""What people feel of the inbox, in Chromium: paints and presses with a slowed CPU, and how soon a message is seen.

Run by `python -m tests.bench.ui vitals arrivals`. Entries come from the browser itself: `largest-contentful-paint`, and
`event` with its interaction (Event Timing), as Core Web Vitals define LCP and INP.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.bench.harness import percentile
from tests.browser.harness import CHROMIUM, CHROMIUM_ARGUMENTS, LAPTOP

SLOWED = 4  # times
LOADS = 5
SETTLED_MS = 1_500  # after loading, on a slowed CPU
MESSAGES = 400
A_SECOND = 20
SEEN_WITHIN = 30.0  # seconds
OPEN = 2  # conversations that somebody looks at; of the others there are as many
WATCH_VITALS = """
window.vitals = {lcp: 0, presses: {}}
new PerformanceObserver(list => { for (const entry of list.getEntries()) vitals.lcp = entry.startTime })
  .observe({type: "largest-contentful-paint", buffered: true})
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    if (!entry.interactionId) continue
    const known = vitals.presses[entry.interactionId]
    const on = entry.target?.id || entry.target?.className || ""
    if (known && known.ms >= entry.duration) continue
    vitals.presses[entry.interactionId] = {ms: entry.duration, name: `${entry.name} on ${on}`}
  }
}).observe({type: "event", durationThreshold: 16, buffered: true})
"""
WATCH_MESSAGES = """
window.seen = {}
const note = () => {
  for (const bubble of document.querySelectorAll("[id^=message-].bubble")) {
    seen[bubble.id] ??= performance.timeOrigin + performance.now()
  }
}
new MutationObserver(() => requestAnimationFrame(note)).observe(document, {childList: true, subtree: true})
"""


@dataclass
class Vitals:
    """LCP by page in ms, one per load; the slowest press of each load, with the name of its event."""

    paints: dict[str, list[float]] = field(default_factory=dict)
    presses: list[tuple[float, str]] = field(default_factory=list)
    count: int = 0

    def lines(self) -> Iterator[str]:
        yield f"| in Chromium, CPU slowed {SLOWED}× | median | worst of {LOADS} loads |\n|---|---|---|"
        for name, values in self.paints.items():
            yield f"| LCP: {name} | {percentile(values, 0.5):.0f} ms | {max(values):.0f} ms |"
        slowest = max(self.presses, default=(0.0, "none took 16 ms"))
        middle = percentile([ms for ms, _ in self.presses] or [0.0], 0.5)
        yield f"| INP over {self.count} presses | {middle:.0f} ms | {slowest[0]:.0f} ms ({slowest[1]}) |"


def vitals(port: int, slug: str, cookie: str, thread: str) -> Vitals:
    """Load list and thread with nothing cached, and use the thread's page as people do."""
    found = Vitals()
    pages = {"list": "", "thread": f"{thread}/"}
    with chromium() as browser:
        for _ in range(LOADS):
            for name, path in pages.items():
                with visitor(browser, port, cookie) as context:
                    page = slowed(context)
                    page.goto(f"http://127.0.0.1:{port}/o/{slug}/inbox/{path}", wait_until="load")
                    page.wait_for_timeout(SETTLED_MS)
                    found.paints.setdefault(name, []).append(float(page.evaluate("vitals.lcp")))
                    if name == "thread":
                        use(page)
                        presses = page.evaluate("Object.values(vitals.presses)")
                        found.count += len(presses)
                        found.presses += [max((one["ms"], one["name"]) for one in presses)] if presses else []
    return found


def use(page: Page) -> None:
    """Type, go to the next conversation, open panel, palette and search: each a press that must be answered at once."""
    page.locator("#reply-form textarea").click()
    page.keyboard.type("Bom dia! Como posso ajudar?", delay=60)
    page.keyboard.press("Escape")
    for key in ("Alt+j", "Alt+j", "Alt+k", "Alt+o", "Alt+o", "Alt+p", "Alt+l"):
        page.keyboard.press(key)
        page.wait_for_timeout(SETTLED_MS // 2)
    page.locator(".desk__list a[href*='/inbox/']").nth(8).click()
    page.wait_for_timeout(SETTLED_MS)
    page.keyboard.press("Control+k")
    page.keyboard.type("mar", delay=120)
    page.wait_for_timeout(SETTLED_MS)
    page.keyboard.press("Escape")
    page.locator("input[type=search][name=q]").first.click()
    page.keyboard.type("prazo", delay=120)
    page.wait_for_timeout(SETTLED_MS * 2)


def arrivals(port: int, slug: str, cookies: list[str], arrive: Callable[[int, int], int], threads: list[int]) -> str:
    """Messages come in at A_SECOND; two browsers look at a conversation each. Out: a row on how soon each was seen.

    In: `arrive(place, number)` stores a message of the lead at that place of `threads` and gives its id.
    """
    sent: dict[str, float] = {}
    mine: dict[int, list[str]] = {place: [] for place in range(OPEN)}

    def deliver() -> None:
        started = time.time()
        for number in range(MESSAGES):
            place = number % len(threads)
            at = datetime.now(UTC).timestamp()
            name = f"message-{arrive(place, number)}"
            sent[name] = at
            if place in mine:
                mine[place].append(name)
            time.sleep(max(0.0, started + (number + 1) / A_SECOND - time.time()))

    with chromium() as browser, visitor(browser, port, cookies[0]) as one, visitor(browser, port, cookies[1]) as other:
        pages = []
        for place, context in enumerate((one, other)):
            page = context.new_page()
            page.add_init_script(WATCH_MESSAGES)
            page.goto(f"http://127.0.0.1:{port}/o/{slug}/inbox/{threads[place]}/", wait_until="load")
            page.wait_for_timeout(SETTLED_MS)
            pages.append(page)
        worker = threading.Thread(target=deliver)
        worker.start()
        worker.join()
        deadline = time.monotonic() + SEEN_WITHIN
        while time.monotonic() < deadline:
            seen = [page.evaluate("seen") for page in pages]
            if all(name in seen[place] for place, names in mine.items() for name in names):
                break
            pages[0].wait_for_timeout(200)
    took = [
        seen[place][name] / 1000 - sent[name] for place, names in mine.items() for name in names if name in seen[place]
    ]
    missed = sum(len(names) for names in mine.values()) - len(took)
    figures = " / ".join(f"{1000 * value:.0f}" for value in (percentile(took, 0.5), percentile(took, 0.95), max(took)))
    return f"| {MESSAGES} at {A_SECOND} a second, {len(took)} of them in two open threads | {figures} | {missed} |"


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visitor(browser: Browser, port: int, cookie: str) -> Iterator[BrowserContext]:
    """Somebody signed in, with nothing cached."""
    name, _, value = cookie.partition("=")
    context = browser.new_context(viewport={"width": LAPTOP[0], "height": LAPTOP[1]})
    context.add_cookies([{"name": name, "value": value, "url": f"http://127.0.0.1:{port}/"}])
    yield context
    context.close()


def slowed(context: BrowserContext) -> Page:
    """A page on a CPU that is SLOWED times slower, which notes its own vitals."""
    page = context.new_page()
    page.add_init_script(WATCH_VITALS)
    told: Any = context.new_cdp_session(page)
    told.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    return page
