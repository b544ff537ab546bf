"""The router on the event loop: what it answers itself, and what goes to Django's threads."""

import asyncio
import json
from typing import Any

import pytest
from django.test import Client

from sdr import asgi


def ask(path: str, method: str = "GET") -> list[dict[str, Any]]:
    """What the application sends for one request, within a second."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        async with asyncio.timeout(1):
            await asgi.application({"type": "http", "path": path, "method": method, "headers": []}, receive, send)

    asyncio.run(run())
    return sent


@pytest.fixture
def all_threads_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the database stands still and every thread waits for it."""

    async def never(*args: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asgi, "bridge", never)


@pytest.mark.parametrize("path", ["/health/live", "/health/live/"])
def test_it_is_alive_while_all_threads_are_busy(all_threads_busy: None, path: str) -> None:
    start, body = ask(path)
    assert start["status"] == 200
    assert json.loads(body["body"]) == Client().get(path).json()
    assert ask(path, "HEAD")[1]["body"] == b""


@pytest.mark.parametrize(("path", "method"), [("/health/lively", "GET"), ("/health/live", "POST"), ("/", "GET")])
def test_all_else_waits_for_a_thread(all_threads_busy: None, path: str, method: str) -> None:
    with pytest.raises(TimeoutError):
        ask(path, method)
