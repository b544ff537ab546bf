"""One demo and one Chromium for all browser tests; each visitor is a browser of its own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from sdr.local.embedded import Cluster
from tests.browser import harness
from tests.browser.harness import Demo, Visitor


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    state = Path(tempfile.mkdtemp(prefix="sdr-browser-", dir="/tmp"))
    try:
        with harness.running_demo(state) as demo:
            yield demo
    finally:
        Cluster(state).remove()
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with harness.running_chromium() as browser:
        yield browser


@pytest.fixture
def visitor(demo: Demo, chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors; afterwards none of their pages may have logged an error, broken the CSP or left our origin."""
    made: list[Visitor] = []

    def make(**options: object) -> Visitor:
        made.append(harness.visitor(chromium, demo, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    objections = [objection for one in made for objection in one.objections]
    for one in made:
        one.context.close()
    assert objections == []
