"""The HTTP door: deadlines, sizes, and no way into private networks, whatever the address says."""

import asyncio
import gzip
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from sdr.lib import http as door
from sdr.lib.errors import PortError, error_for_status, parse_retry_after
from sdr.lib.http import Failure, HttpError, Response, Timeout

Send = Callable[..., Response]


def send_async(method: str, url: str, **options: Any) -> Response:
    return asyncio.run(door.arequest(method, url, **options))


@pytest.fixture(params=[door.request, send_async], ids=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Send:
    """The door and its twin on the event loop: every rule holds for both."""
    chosen: Send = request.param
    return chosen


class Handler(http.server.BaseHTTPRequestHandler):
    """Plays a customer's server; remembers what it was asked."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), body))
        answer = self.server.answers.get(self.path.partition("?")[0])
        if callable(answer):
            answer(self)
            return
        status, headers, content = answer or (200, {}, b"hello")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: dict[str, Any] = {}
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def url(self, path: str = "/") -> str:
        return f"http://{self.server_address[0]!s}:{self.server_port}{path}"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.shutdown()
    running.server_close()


def test_it_brings_back_the_whole_answer(send: Send, server: Server) -> None:
    server.answers["/a"] = (201, {"X-One": "1"}, b'{"a": 1}')
    response = send("post", server.url("/a"), json={"q": "ã"}, params={"p": "1"}, allow_private=True)
    assert (response.status, response.headers["x-one"], response.json()) == (201, "1", {"a": 1})
    method, path, headers, body = server.seen[0]
    assert (method, path, json.loads(body)) == ("POST", "/a?p=1", {"q": "ã"})
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "10.0.0.1", "172.16.0.1",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[fe80::1]", "[fc00::1]", "[fec0::1]", "[ff02::1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::]", "[2001:db8::1]", "[2606:4700::5efe:7f00:1]",
        "[::127.0.0.1]",
    ],
)  # fmt: skip
def test_it_refuses_addresses_that_are_not_public(send: Send, server: Server, host: str) -> None:
    with pytest.raises(HttpError) as caught:
        send("GET", f"http://{host}:{server.server_port}/", timeout=Timeout(1, 1, 2))
    assert caught.value.failure == Failure.REFUSED_ADDRESS
    assert caught.value.permanent
    assert server.seen == []


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_it_lets_public_addresses_pass(address: str) -> None:
    assert door.is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com",
        "http://",
        "http://a:b@example.com/",
        "http://[",
        "http://0177.0.0.1/",
        "http://a b/",
        "",
    ],
)
def test_it_refuses_addresses_that_are_no_web_addresses(send: Send, url: str) -> None:
    with pytest.raises(HttpError) as caught:
        send("GET", url, allow_private=True)
    assert caught.value.failure == Failure.BAD_ADDRESS


@pytest.mark.parametrize("port", [22, 25, 5432, 6379])
def test_it_refuses_ports_of_other_services(send: Send, port: int) -> None:
    with pytest.raises(HttpError, match=f"Port {port} is not allowed"):
        send("GET", f"http://example.com:{port}/")


@pytest.fixture
def two_faced_name(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """`rebind.test` is 127.0.0.9 when first asked and 127.0.0.1 ever after; only 127.0.0.9 counts as public."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in {"rebind.test", b"rebind.test"}:
            asked.append("rebind.test")
            return real("127.0.0.9" if len(asked) == 1 else "127.0.0.1", port, *args, **kwargs)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(door, "is_public", lambda address: str(address) == "127.0.0.9")
    door._client.cache_clear()
    return asked


def test_it_connects_to_the_address_it_checked(send: Send, two_faced_name: list[str]) -> None:
    public = Server("127.0.0.9")
    try:
        response = send("GET", f"http://rebind.test:{public.server_port}/")
        assert response.text == "hello"
        assert public.seen[0][2]["Host"] == f"rebind.test:{public.server_port}"
        assert two_faced_name == ["rebind.test"]
    finally:
        public.shutdown()
        public.server_close()
        door._client.cache_clear()


def test_it_checks_every_redirect(send: Send, server: Server, two_faced_name: list[str]) -> None:
    public = Server("127.0.0.9")
    public.answers["/"] = (302, {"Location": server.url("/inside")}, b"")
    try:
        with pytest.raises(HttpError) as caught:
            send("GET", f"http://rebind.test:{public.server_port}/", follow_redirects=True)
        assert caught.value.failure == Failure.REFUSED_ADDRESS
        assert server.seen == []
    finally:
        public.shutdown()
        public.server_close()
        door._client.cache_clear()


def test_it_follows_only_when_asked_and_not_for_ever(send: Send, server: Server) -> None:
    server.answers["/loop"] = (302, {"Location": "/loop"}, b"")
    assert send("GET", server.url("/loop"), allow_private=True).status == 302
    with pytest.raises(HttpError) as caught:
        send("GET", server.url("/loop"), allow_private=True, follow_redirects=True)
    assert caught.value.failure == Failure.TOO_MANY_REDIRECTS


def test_it_keeps_credentials_from_another_origin(send: Send, server: Server) -> None:
    other = Server()
    server.answers["/go"] = (307, {"Location": other.url("/there")}, b"")
    secret = {"Authorization": "Bearer x", "X-Api-Key": "k", "X-Other": "o"}
    try:
        send("POST", server.url("/go"), headers=secret, content=b"b", allow_private=True, follow_redirects=True)
    finally:
        other.shutdown()
        other.server_close()
    assert server.seen[0][2]["Authorization"] == "Bearer x"
    headers = {name.lower(): value for name, value in other.seen[0][2].items()}
    assert (headers.get("authorization"), headers.get("x-api-key"), headers["x-other"]) == (None, None, "o")
    assert other.seen[0][3] == b"b"


def test_it_stops_reading_what_is_too_large(send: Send, server: Server) -> None:
    sent: list[int] = []

    def flood(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        try:
            for _ in range(2_000):
                handler.wfile.write(b"x" * 65_536)
                sent.append(65_536)
        except OSError:
            return

    server.answers["/"] = flood
    with pytest.raises(HttpError) as caught:
        send("GET", server.url(), allow_private=True, max_bytes=100_000)
    assert caught.value.failure == Failure.TOO_LARGE
    time.sleep(0.1)
    assert sum(sent) < 50_000_000


def test_it_does_not_unpack_a_bomb(send: Send, server: Server) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    server.answers["/"] = (200, {"Content-Encoding": "gzip"}, bomb)
    with pytest.raises(HttpError) as caught:
        send("GET", server.url(), allow_private=True, max_bytes=200_000)
    assert caught.value.failure == Failure.TOO_LARGE
    server.answers["/small"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"packed"))
    assert send("GET", server.url("/small"), allow_private=True).text == "packed"


def test_it_ends_a_trickle_at_the_deadline(send: Send, server: Server) -> None:
    def trickle(handler: Handler) -> None:
        try:
            for _ in range(100):
                handler.wfile.write(b"H")
                time.sleep(0.05)
        except OSError:
            return

    server.answers["/"] = trickle
    started = time.monotonic()
    with pytest.raises(HttpError) as caught:
        send("GET", server.url(), allow_private=True, timeout=Timeout(connect=1, read=1, total=0.4))
    assert caught.value.failure == Failure.TIMEOUT
    assert not caught.value.permanent
    assert time.monotonic() - started < 1.2


def test_it_does_not_wait_for_a_slow_name_server(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    real = socket.getaddrinfo

    def slow(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host in {"slow.test", b"slow.test"}:
            released.wait(1.0)
            raise socket.gaierror
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(HttpError) as caught:
        send("GET", "http://slow.test/", timeout=Timeout(connect=0.2, read=0.2, total=0.3))
    released.set()
    assert caught.value.failure == Failure.TIMEOUT


def test_it_calls_a_closed_port_transient(send: Send) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(HttpError) as caught:
        send("GET", f"http://127.0.0.1:{port}/?token=s3cr3t", allow_private=True)
    assert (caught.value.failure, caught.value.permanent) == (Failure.NETWORK, False)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "permanent", "reconnect"),
    [(400, True, False), (401, True, True), (403, True, True), (404, True, False), (408, False, False),
     (425, False, False), (429, False, False), (500, False, False), (503, False, False)],
)  # fmt: skip
def test_it_says_what_to_do_after_each_status(status: int, permanent: bool, reconnect: bool) -> None:
    error = error_for_status(status, {"retry-after": "7"}, who="vendor")
    assert error is not None
    assert (error.permanent, error.needs_reconnect, error.status) == (permanent, reconnect, status)
    assert error.retry_after == (None if permanent else timedelta(seconds=7))
    assert error_for_status(204, {}, who="vendor") is None


@pytest.mark.parametrize(
    ("value", "wait"),
    [("", None), ("12", 12), (" 0 ", 0), ("Sun, 22 Nov 2026 13:00:30 GMT", 30), ("Sun, 22 Nov 2026 12:00:00 GMT", 0),
     ("soon", None), ("99999999999", 86_400), ("-5", None), ("٣", None)],
)  # fmt: skip
def test_it_reads_retry_after(value: str, wait: int | None) -> None:
    found = parse_retry_after(value, now=datetime(2026, 11, 22, 13, 0, tzinfo=UTC))
    assert found == (None if wait is None else timedelta(seconds=wait))


def test_it_raises_the_port_error_of_an_answer(server: Server) -> None:
    server.answers["/"] = (429, {"Retry-After": "3"}, b"")
    with pytest.raises(PortError) as caught:
        door.request("GET", server.url(), allow_private=True).raise_for_status()
    assert caught.value.retry_after == timedelta(seconds=3)
