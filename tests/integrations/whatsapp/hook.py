"""A webhook endpoint over a real socket that answers as told, and a plain client: what stands around the stand-in."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

from integrations.whatsapp.standin import Standin


@dataclass
class Heard:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    at: float

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Hook:
    """`answers` are used up first to last: a status, or (status, Location); then 200. `events` may be asked by name."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[int | tuple[int, str]] = field(default_factory=list)
    wait_seconds: float = 0.0

    def events(self, name: str) -> list[Any]:
        return [heard.body["data"] for heard in list(self.heard) if heard.raw and heard.body["event"] == name]


@contextmanager
def listening() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hook.heard.append(Heard(self.command, self.path, dict(self.headers.items()), raw, time.monotonic()))
            answer = hook.answers.pop(0) if hook.answers else 200
            time.sleep(hook.wait_seconds)
            status, location = answer if isinstance(answer, tuple) else (answer, "")
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.url = f"http://127.0.0.1:{server.server_port}/hooks/whatsapp/k/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield hook
    server.shutdown()
    server.server_close()


@dataclass
class Client:
    """Calls Evolution as anybody would: method, path, JSON; answers with status and JSON."""

    evolution: Standin
    key: str | None = None

    def __call__(self, method: str, path: str, body: Any = None, *, timeout: float = 10.0) -> tuple[int, Any]:
        headers = {"apikey": self.evolution.api_key if self.key is None else self.key}
        answer = httpx2.request(method, self.evolution.url + path, json=body, headers=headers, timeout=timeout)
        return answer.status_code, answer.json()

    def create(self, hook: Hook | None = None, name: str = "t_1", **fields: Any) -> Any:
        """An instance with all events going to the hook; Baileys and not connected unless told otherwise."""
        webhook = {"webhook": {"url": hook.url, "events": []}} if hook else {}
        body = {
            "instanceName": name,
            "integration": "WHATSAPP-BAILEYS",
            "token": f"token-of-{name}",
            **webhook,
            **fields,
        }
        status, answer = self("POST", "/instance/create", body)
        assert status == 201, answer
        return answer

    def open(
        self, hook: Hook | None = None, name: str = "t_1", *, number: str = "5511988880000", **fields: Any
    ) -> None:
        """An instance whose code was scanned, open and quiet; what the hook heard so far is forgotten."""
        self.create(hook, name, qrcode=True, **fields)
        self.evolution.pair(name, number, profile_name="Loja Exemplo")
        until(lambda: self.evolution.instance(name).state == "open")
        assert self.evolution.settle()
        if hook:
            hook.heard.clear()


def until(condition: Any, *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)
