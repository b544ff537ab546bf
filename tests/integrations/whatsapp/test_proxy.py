"""The signing proxy over real sockets: what it lets through, what it adds, and what comes back."""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from django.core.exceptions import ImproperlyConfigured

from integrations.whatsapp import proxy
from integrations.whatsapp.auth import Proof, number_secret, verify
from integrations.whatsapp.proxy import Settings, SigningProxy, settings_from_environment

MASTER, FORMER = "m" * 40, "f" * 40
KEY = "number-key-0001"
PATH = f"/hooks/whatsapp/{KEY}/"
BODY = b'{"event":"messages.upsert", "data": {"text": "ol\xc3\xa1 \\u0000"}}  \n'
ROOT = Path(__file__).parents[3]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Installation"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers), body))
        self.server.release.wait(self.server.wait_seconds)
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secret")

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Installation(http.server.ThreadingHTTPServer):
    """Plays our own webhook endpoint."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.wait_seconds = 0.0
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def installation() -> Iterator[Installation]:
    with Installation() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join(5)


def serve(settings: Settings) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(SigningProxy(settings), log_level="critical", access_log=False, lifespan="on")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.fixture
def signing(installation: Installation) -> Iterator[str]:
    yield from serve(Settings(installation.url, (MASTER, FORMER), max_body=4 * 1024 * 1024))


def token(master: str = MASTER, key: str = KEY) -> str:
    return number_secret(master, key, "token")


def post(
    url: str, body: bytes = BODY, *, path: str = PATH, given: str | None = None, more: dict[str, str] | None = None
) -> httpx2.Response:
    headers = {"Content-Type": "application/json", "X-Webhook-Token": token() if given is None else given} | (
        more or {}
    )
    return httpx2.post(url + path, content=body, headers=headers, timeout=20, trust_env=False)


def test_it_signs_the_raw_bytes(signing: str, installation: Installation) -> None:
    assert post(signing).status_code == 200
    [(path, headers, body)] = installation.heard
    assert (path, body) == (PATH, BODY)
    secrets = [number_secret(MASTER, KEY, "signature")]
    assert verify(Proof.HMAC, secrets, headers, body, now=datetime.now(UTC))
    assert not verify(Proof.HMAC, secrets, headers, body + b" ", now=datetime.now(UTC))
    assert not verify(
        Proof.HMAC, [number_secret(MASTER, "another-key", "signature")], headers, body, now=datetime.now(UTC)
    )
    assert {name.lower(): value for name, value in headers.items()}["content-type"] == "application/json"


def test_it_passes_on_no_secret_and_no_stranger_s_header(signing: str, installation: Installation) -> None:
    post(
        signing,
        more={
            "X-Signature": "sha256=forged",
            "Authorization": "Bearer x",
            "Cookie": "a=b",
            "X-Forwarded-For": "1.2.3.4",
        },
    )
    [(_, headers, _)] = installation.heard
    names = {name.lower() for name in headers}
    assert not names & {"x-webhook-token", "authorization", "cookie", "x-forwarded-for"}
    assert headers["X-Signature"] != "sha256=forged"


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 404, 413, 422, 500, 503])
def test_a_status_comes_back_unchanged_and_nothing_else(signing: str, installation: Installation, status: int) -> None:
    installation.status = status
    response = post(signing)
    assert response.status_code == status
    assert response.content == b""
    assert "location" not in response.headers
    assert len(installation.heard) == 1


@pytest.mark.parametrize(
    "given",
    ["", "wrong", token(key="another-key-0002"), number_secret(MASTER, KEY, "signature"), token(master="x" * 40)],
)
def test_it_lets_nobody_in_without_the_number_s_token(signing: str, installation: Installation, given: str) -> None:
    assert post(signing, given=given).status_code == 401
    assert installation.heard == []


def test_a_former_master_secret_opens_but_does_not_sign(signing: str, installation: Installation) -> None:
    assert post(signing, given=token(FORMER)).status_code == 200
    [(_, headers, body)] = installation.heard
    now = datetime.now(UTC)
    assert verify(Proof.HMAC, [number_secret(MASTER, KEY, "signature")], headers, body, now=now)
    assert not verify(Proof.HMAC, [number_secret(FORMER, KEY, "signature")], headers, body, now=now)


@pytest.mark.parametrize(
    "path",
    ["/", "/hooks/whatsapp/short/", PATH.rstrip("/"), f"{PATH}more/", f"{PATH}?token=x", "/hooks/whatsapp/../admin/x/"],
)
def test_it_forwards_nowhere_else(signing: str, installation: Installation, path: str) -> None:
    assert post(signing, path=path).status_code == 404
    assert installation.heard == []


def test_it_takes_only_posts(signing: str, installation: Installation) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        headers = {"X-Webhook-Token": token()}
        assert httpx2.request(method, signing + PATH, headers=headers, timeout=5, trust_env=False).status_code == 404
    assert installation.heard == []


def test_it_says_that_it_lives(signing: str) -> None:
    assert httpx2.get(f"{signing}/health/live", timeout=5, trust_env=False).status_code == 200


def test_a_large_body_goes_through_whole_and_a_huge_one_not(signing: str, installation: Installation) -> None:
    large = os.urandom(3 * 1024 * 1024)
    assert post(signing, large).status_code == 200
    [(_, headers, body)] = installation.heard
    assert body == large
    assert verify(Proof.HMAC, [number_secret(MASTER, KEY, "signature")], headers, body, now=datetime.now(UTC))
    assert post(signing, large * 2).status_code == 413
    assert len(installation.heard) == 1


def test_a_retry_is_signed_afresh(signing: str, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    post(signing)
    later = time.time() + 1000
    monkeypatch.setattr(time, "time", lambda: later)
    post(signing)
    (_, first, _), (_, second, _) = installation.heard
    assert int(second["X-Signature-Timestamp"]) - int(first["X-Signature-Timestamp"]) >= 999
    assert first["X-Signature"] != second["X-Signature"]


def test_an_installation_that_is_down_is_a_502() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url in serve(Settings(f"http://127.0.0.1:{port}", (MASTER,))):
        assert post(url).status_code == 502


def test_an_installation_that_hangs_is_a_504(
    signing: str, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "FORWARD_SECONDS", 0.3)
    installation.wait_seconds = 10
    started = time.monotonic()
    assert post(signing).status_code == 504
    assert time.monotonic() - started < 5


def test_many_at_once_are_all_signed_rightly(signing: str, installation: Installation) -> None:
    barrier = threading.Barrier(12)
    statuses: list[int] = []

    def send(number: int) -> None:
        barrier.wait(10)
        statuses.append(post(signing, BODY + str(number).encode()).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert statuses == [200] * 12
    assert len({body for _, _, body in installation.heard}) == 12
    for _, headers, body in installation.heard:
        assert verify(Proof.HMAC, [number_secret(MASTER, KEY, "signature")], headers, body, now=datetime.now(UTC))


def test_it_runs_by_itself_and_logs_no_key(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "SIGNING_PROXY_TARGET": installation.url, "SIGNING_PROXY_KEYRING": MASTER, "SIGNING_PROXY_PORT": str(port),
        "PATH": os.environ["PATH"],
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "integrations.whatsapp.proxy"],
        cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                assert post(f"http://127.0.0.1:{port}").status_code == 200
                break
            except httpx2.ConnectError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=20)
    assert KEY not in output
    assert MASTER not in output
    assert len(installation.heard) == 1


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("SIGNING_PROXY_TARGET", "", "SIGNING_PROXY_TARGET is not set"),
        ("SIGNING_PROXY_KEYRING", "", "SIGNING_PROXY_KEYRING is not set"),
        ("SIGNING_PROXY_KEYRING", f"{MASTER},", "SIGNING_PROXY_KEYRING: each secret needs 32 characters"),
    ],
)
def test_it_says_what_is_wrong_with_its_settings(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv("SIGNING_PROXY_TARGET", "https://app.example/")
    monkeypatch.setenv("SIGNING_PROXY_KEYRING", f"{MASTER}, {FORMER}")
    assert settings_from_environment() == Settings("https://app.example", [MASTER, FORMER])
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=complaint):
        settings_from_environment()
