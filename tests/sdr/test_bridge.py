"""The bridge over real sockets: uvicorn in a thread, a small WSGI application behind it."""

import asyncio
import http.client
import io
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import pytest
import uvicorn

from sdr.bridge import BUFFER_BYTES, Bridge, Environ

StartResponse = Callable[..., Any]
Serve = Callable[..., AbstractContextManager[int]]
WAIT_SECONDS = 5.0


@contextmanager
def serve(app: Callable[[Environ, StartResponse], Iterable[bytes]], **options: Any) -> Iterator[int]:
    """Serve a WSGI application through the bridge; gives the port."""
    bridge = Bridge(app, **options)
    server = uvicorn.Server(
        uvicorn.Config(bridge, log_level="critical", lifespan="off", proxy_headers=False, timeout_graceful_shutdown=1)
    )
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        asyncio.run(bridge.close())


def ask(port: int, method: str = "GET", path: str = "/", **kwargs: Any) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)) as connection:
        connection.request(method, path, **kwargs)
        response = connection.getresponse()
        return response, response.read()


def echo(environ: Environ, start_response: StartResponse) -> list[bytes]:
    body = environ["wsgi.input"].read()
    shown = {k: v for k, v in environ.items() if isinstance(v, str)}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr((shown, len(body), zlib.crc32(body))).encode()]


def environ_of(body: bytes) -> tuple[dict[str, str], int, int]:
    shown, size, checksum = eval(body)
    return shown, size, checksum


def test_it_passes_a_large_body_whole() -> None:
    body = bytes(range(256)) * 20_000
    with serve(echo) as port:
        response, answer = ask(port, "POST", "/", body=body)
    shown, size, checksum = environ_of(answer)
    assert response.status == 200
    assert (size, checksum) == (len(body), zlib.crc32(body))
    assert shown["CONTENT_LENGTH"] == str(len(body))


def test_it_passes_a_chunked_upload_with_its_length() -> None:
    with serve(echo) as port:
        _, answer = ask(port, "POST", "/", body=iter([b"abc", b"defg"]))
    shown, size, checksum = environ_of(answer)
    assert (size, checksum) == (7, zlib.crc32(b"abcdefg"))
    assert shown["CONTENT_LENGTH"] == "7"
    assert "HTTP_TRANSFER_ENCODING" not in shown


def test_it_keeps_the_bytes_of_path_and_query() -> None:
    with serve(echo) as port:
        shown, _, _ = environ_of(ask(port, "GET", "/ol%C3%A1/%FF%2Fx?q=%20a&q=b")[1])
    assert shown["PATH_INFO"] == "/olá/".encode().decode("latin-1") + "\xff/x"
    assert shown["QUERY_STRING"] == "q=%20a&q=b"


def test_it_joins_headers_sent_twice_and_drops_underscores() -> None:
    request = (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Tag: a\r\nX-Tag: b\r\n"
        b"Cookie: a=1\r\nCookie: b=2\r\nX_Org: forged\r\n\r\n"
    )
    with serve(echo) as port, socket.create_connection(("127.0.0.1", port), WAIT_SECONDS) as connection:
        connection.sendall(request)
        answer = connection.makefile("rb").read().partition(b"\r\n\r\n")[2]
    text = answer.decode()
    assert "'HTTP_X_TAG': 'a,b'" in text
    assert "'HTTP_COOKIE': 'a=1; b=2'" in text
    assert "forged" not in text


def test_it_sends_repeated_response_headers_apart() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "2")])
        return [b"ok"]

    with serve(app) as port:
        response, body = ask(port)
    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert body == b"ok"


def test_it_sends_a_streamed_answer_before_its_end() -> None:
    go_on = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        assert go_on.wait(WAIT_SECONDS)
        yield b"second"

    with serve(app) as port, closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.read(5) == b"first"
        go_on.set()
        assert response.read() == b"second"


def test_it_stops_the_application_when_the_client_leaves() -> None:
    closed = threading.Event()
    thread_names: list[str] = []

    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            thread_names.append(threading.current_thread().name)
            while True:
                time.sleep(0.005)
                yield b"x" * 1000

        def close(self) -> None:
            thread_names.append(threading.current_thread().name)
            closed.set()

    def app(environ: Environ, start_response: StartResponse) -> Endless:
        start_response("200 OK", [])
        return Endless()

    with serve(app) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
        connection.request("GET", "/")
        assert connection.getresponse().read(10) == b"x" * 10
        connection.close()
        assert closed.wait(WAIT_SECONDS)
    assert thread_names[0] == thread_names[1]


def test_it_waits_for_a_slow_reader() -> None:
    chunk, produced = b"y" * 65_536, 0

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        nonlocal produced
        start_response("200 OK", [])
        for _ in range(400):
            produced += 1
            yield chunk

    with serve(app) as port, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        seen = -1
        while seen != produced:  # until it stands still
            seen = produced
            time.sleep(0.3)
        assert 0 < produced < 400
        received = connection.makefile("rb").read()
    assert received.count(b"y") == 400 * len(chunk)
    assert len(chunk) < BUFFER_BYTES


def test_it_answers_head_without_a_body() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        yield b"hello"

    with serve(app) as port:
        response, body = ask(port, "HEAD")
    assert (response.status, response.headers["content-length"], body) == (200, "5", b"")


@pytest.mark.parametrize("chunked", [False, True])
def test_it_refuses_a_body_that_is_too_large(chunked: bool) -> None:
    calls: list[str] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        calls.append(environ["PATH_INFO"])
        return echo(environ, start_response)

    body: Any = iter([b"z" * 600_000] * 5) if chunked else b"z" * 3_000_000
    with serve(app, max_body_bytes=1_000_000) as port:
        response, answer = ask(port, "POST", "/", body=body)
        assert (response.status, answer) == (413, b"The request is larger than 1,000,000 bytes.\n")
        assert calls == []
        assert ask(port, "POST", "/fits", body=b"z" * 1_000_000)[0].status == 200
    assert calls == ["/fits"]


def test_it_answers_500_without_a_word_of_the_error() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        raise ValueError("secret detail")

    with serve(app) as port:
        for _ in range(10):  # a failure gives its thread back
            response, body = ask(port)
            assert response.status == 500
            assert b"secret" not in body


def test_it_cuts_an_answer_whose_application_fails_in_the_middle() -> None:
    fail = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"half"
        assert fail.wait(WAIT_SECONDS)
        raise ValueError

    with serve(app) as port, closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.read(4) == b"half"
        fail.set()
        with pytest.raises(http.client.IncompleteRead):
            response.read()


def test_it_serves_a_file_in_large_blocks() -> None:
    sizes: list[int] = []

    class File(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](File(b"f" * 200_000), 4096)  # type: ignore[no-any-return]

    with serve(app) as port:
        assert ask(port)[1] == b"f" * 200_000
    assert set(sizes) == {65_536}


def test_it_answers_a_hundred_requests_at_once() -> None:
    with serve(echo, waiting=100) as port, ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda n: ask(port, "POST", f"/{n}", body=b"n" * n)[1], range(100)))
    assert [environ_of(answer)[1] for answer in answers] == list(range(100))
    assert [environ_of(answer)[0]["PATH_INFO"] for answer in answers] == [f"/{n}" for n in range(100)]


def thread_of(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [])
    return [threading.current_thread().name.encode()]


def test_it_sends_an_org_to_its_own_thread() -> None:
    slugs = [f"org-{n}" for n in range(40)]
    with serve(thread_of) as port:
        first = {slug: ask(port, "GET", f"/o/{slug}/people/")[1] for slug in slugs}
        again = {slug: ask(port, "GET", f"/api/v1/orgs/{slug}/people/")[1] for slug in reversed(slugs)}
    assert first == again
    assert len(set(first.values())) == 8


def test_it_spills_over_to_a_free_thread_when_the_own_one_is_busy() -> None:
    busy, release = threading.Event(), threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"].endswith("slow/"):
            busy.set()
            assert release.wait(WAIT_SECONDS)
        return thread_of(environ, start_response)

    with serve(app) as port, ThreadPoolExecutor(1) as pool:
        home = ask(port, "GET", "/o/acme/")[1]
        slow = pool.submit(ask, port, "GET", "/o/acme/slow/")
        assert busy.wait(WAIT_SECONDS)
        spilled = ask(port, "GET", "/o/acme/")[1]
        release.set()
        assert slow.result()[1] == home
        assert ask(port, "GET", "/o/acme/")[1] == home
    assert spilled != home


def test_it_answers_503_when_too_many_wait() -> None:
    busy, release = threading.Semaphore(0), threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        busy.release()
        assert release.wait(WAIT_SECONDS)
        return thread_of(environ, start_response)

    with serve(app, threads=2, waiting=0) as port, ThreadPoolExecutor(2) as pool:
        running = [pool.submit(ask, port) for _ in range(2)]
        assert all(busy.acquire(timeout=WAIT_SECONDS) for _ in running)
        response, _ = ask(port)
        release.set()
        assert (response.status, response.headers["retry-after"]) == (503, "2")
        assert [done.result()[0].status for done in running] == [200, 200]
        assert ask(port)[0].status == 200


FORGED = {"X-Forwarded-For": "9.9.9.9, 203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}


def test_it_believes_no_forwarded_header_without_a_proxy() -> None:
    with serve(echo) as port:
        shown, _, _ = environ_of(ask(port, headers=FORGED)[1])
    assert shown["REMOTE_ADDR"] == "127.0.0.1"
    assert shown["wsgi.url_scheme"] == "http"
    assert not [name for name in shown if "FORWARDED" in name]


@pytest.mark.parametrize(("proxies", "address"), [(1, "203.0.113.7"), (2, "9.9.9.9"), (3, "127.0.0.1")])
def test_it_counts_proxies_from_the_right(proxies: int, address: str) -> None:
    with serve(echo, trusted_proxies=proxies) as port:
        shown, _, _ = environ_of(ask(port, headers=FORGED)[1])
    assert shown["REMOTE_ADDR"] == address
    assert shown["wsgi.url_scheme"] == "https"


def test_it_keeps_the_peer_when_the_forwarded_address_is_none() -> None:
    with serve(echo, trusted_proxies=1) as port:
        shown, _, _ = environ_of(ask(port, headers={"X-Forwarded-For": "<script>"})[1])
    assert shown["REMOTE_ADDR"] == "127.0.0.1"
