"""The bridge from the event loop to Django's WSGI application: one request, one thread, one hop there and one back.

A general ASGI-to-WSGI adapter hops between threads for every piece of a body and measured 2.5 times the CPU
(HOTPATH 2). Here the body is read first, spooled to disk when large; then one of a few threads runs the application and
hands its answer back in pieces, waiting when the client reads slowly.

Threads have an affinity for orgs: a database connection belongs to a thread, and grows by half a megabyte for every
org's schema it touches (BOOT 2). A request goes to the thread that its org hashes to when that one is free, else to
another free one, else it waits in line.
"""

import asyncio
import ipaddress
import logging
import queue
import re
import sys
import tempfile
import threading
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import IO, Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
Environ = dict[str, Any]
WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[bytes, bytes]]

SPOOL_BYTES = 1024 * 1024  # a larger body goes to a temporary file
BUFFER_BYTES = 256 * 1024  # how far an answer may run ahead of its reader
FILE_BLOCK_BYTES = 64 * 1024
BODY_SECONDS = 120.0  # how long a client may take to send its body
DRAIN_SECONDS = 3.0  # how long a refused body is still read, so that the client sees the refusal
RETRY_AFTER_SECONDS = 2
PATIENCE_SECONDS = 0.25  # waiting longer than this is worse than a schema more in a connection
FORWARDED = frozenset({"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded"})
ORG_PATH = re.compile(r"^/(?:o|api/v1/orgs)/([^/]+)")

logger = logging.getLogger("sdr.bridge")


class Bridge:
    """An ASGI application that serves `http` scopes with a WSGI application on a few threads.

    `threads`: how many requests run at once. `waiting`: how many more may wait for a thread; beyond it the answer is
    503 with Retry-After. `max_body_bytes`: a longer body is answered 413. `trusted_proxies`: how many reverse proxies
    stand before us; with 0 the X-Forwarded headers are dropped, as anybody can send them. `on_thread_exit` runs in each
    thread when it ends (to close its database connections).

    Must be used from one event loop.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        threads: int = 8,
        waiting: int = 64,
        max_body_bytes: int = 25_000_000,
        trusted_proxies: int = 0,
        on_thread_exit: Callable[[], object] = lambda: None,
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._trusted_proxies = trusted_proxies
        self._on_thread_exit = on_thread_exit
        self._line = _Line(threads, waiting)
        self._threads: list[threading.Thread] = []
        self._jobs: list[queue.SimpleQueue[_Exchange | None]] = [queue.SimpleQueue() for _ in range(threads)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises AnswerCut when the application fails after its answer has begun."""
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as body:
            refusal = await self._read_body(scope, receive, body)
            if refusal:
                await _refuse(send, receive, *refusal)
                return
            environ = _environ(scope, body, trusted_proxies=self._trusted_proxies)
            thread = await self._line.enter(_org_slug(environ["PATH_INFO"]))
            if thread is None:
                await _refuse(send, receive, 503, "Too many requests are waiting. Please try again in a moment.")
                return
            self._start_threads()
            exchange = _Exchange(self._app, environ, free=lambda: self._line.leave(thread))
            self._jobs[thread].put(exchange)
            await exchange.relay(send, receive)

    async def close(self, seconds: float = 20.0) -> None:
        """Wait up to `seconds` for running requests, then end the threads. For the lifespan's shutdown."""
        end = time.monotonic() + seconds
        for jobs in self._jobs:
            jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0.1, end - time.monotonic()))

    async def _read_body(
        self, scope: Scope, receive: Receive, body: "tempfile.SpooledTemporaryFile[bytes]"
    ) -> tuple[int, str] | None:
        too_large = (413, f"The request is larger than {self._max_body_bytes:,} bytes.")
        if _content_length(scope) > self._max_body_bytes:
            return too_large
        try:
            async with asyncio.timeout(BODY_SECONDS):
                size = 0
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return (400, "The request ended early.")
                    size += len(message.get("body", b""))
                    if size > self._max_body_bytes:
                        return too_large
                    body.write(message.get("body", b""))
                    if not message.get("more_body", False):
                        return None
        except TimeoutError:
            return (408, "The request took too long to arrive.")

    def _start_threads(self) -> None:
        if self._threads:
            return
        for number, jobs in enumerate(self._jobs):
            thread = threading.Thread(target=self._work, args=[jobs], name=f"web-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self, jobs: "queue.SimpleQueue[_Exchange | None]") -> None:
        while (exchange := jobs.get()) is not None:
            exchange.run()
            del exchange  # an idle thread keeps no request alive
        self._on_thread_exit()


class _Line:
    """Which thread serves which request; lives on the event loop, so it needs no lock."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._free = [True] * threads
        self._waiting: deque[tuple[int, float, asyncio.Future[int]]] = deque()
        self._longest = waiting

    async def enter(self, org_slug: str) -> int | None:
        """The number of the thread now taken for a request of this org; None when too many wait."""
        home = zlib.crc32(org_slug.encode()) % len(self._free)
        for step in range(len(self._free)):
            thread = (home + step) % len(self._free)
            if self._free[thread]:
                self._free[thread] = False
                return thread
        if len(self._waiting) >= self._longest:
            return None
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        place = (home, time.monotonic(), turn)
        self._waiting.append(place)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(turn.result())  # the turn came in the same moment: pass it on
            else:
                with suppress(ValueError):
                    self._waiting.remove(place)
            raise

    def leave(self, thread: int) -> None:
        """The thread is done: give it to the next in line, if possible one whose home it is."""
        while self._waiting and self._waiting[0][2].done():  # cancelled a moment ago
            self._waiting.popleft()
        if not self._waiting:
            self._free[thread] = True
            return
        place = self._waiting[0]
        if time.monotonic() - place[1] < PATIENCE_SECONDS:
            at_home = (other for other in self._waiting if other[0] == thread and not other[2].done())
            place = next(at_home, place)
        self._waiting.remove(place)
        place[2].set_result(thread)


class _ClientGone(Exception):
    """Raised inside the application's iteration when nobody reads the answer any more."""


class AnswerCut(Exception):
    """The application failed after its answer had begun; the server must cut the connection."""


class _Exchange:
    """One run of the WSGI application: `run` in a thread, `relay` on the event loop, a bounded buffer between."""

    def __init__(self, app: WSGIApplication, environ: Environ, *, free: Callable[[], None]) -> None:
        self._app = app
        self._environ = environ
        self._free = free
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._condition = threading.Condition()
        self._status = 0
        self._headers: Headers = []
        self._promised: int | None = None
        self._written = 0
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._ended = False
        self._gone = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """In the thread: run the application to its end, and always close its answer."""
        answer: Iterable[bytes] = ()
        try:
            answer = self._app(self._environ, self._start_response)
            for chunk in answer:
                self._write(chunk)
                if self._environ["REQUEST_METHOD"] == "HEAD":
                    break
            self._end()
        except _ClientGone:
            self._end()
        except BaseException as error:
            logger.exception("the application failed")
            self._end(error)
        finally:
            self._close(answer)
            with suppress(RuntimeError):  # the loop may be gone when we are stopped the hard way
                self._loop.call_soon_threadsafe(self._free)

    def _close(self, answer: Iterable[bytes]) -> None:
        close = getattr(answer, "close", None)
        if close is None:
            return
        try:
            close()
        except Exception:
            logger.exception("closing the answer failed")

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if self._status and exc_info is None:
            raise AssertionError("start_response was called twice")
        if self._written:
            raise exc_info[1].with_traceback(exc_info[2])
        self._headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._promised = next((int(value) for name, value in self._headers if name == b"content-length"), None)
        self._status = int(status[:3])
        return self._write

    def _write(self, chunk: bytes) -> None:
        if not self._status:
            raise AssertionError("the application answered without start_response")
        if not chunk:
            return
        with self._condition:
            while self._buffered >= BUFFER_BYTES and not self._gone:
                self._condition.wait()
            if self._gone:
                raise _ClientGone
            self._chunks.append(chunk)
            self._buffered += len(chunk)
            self._written += len(chunk)
        if self._promised is None or self._written < self._promised:  # else the end follows at once: one hop for both
            self._wake()

    def _end(self, error: BaseException | None = None) -> None:
        with self._condition:
            self._ended = True
            self._error = error
        self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._changed.set)

    async def relay(self, send: Send, receive: Receive) -> None:
        """On the event loop: send what the thread produces until it ends or the client leaves."""
        started = False
        watcher: asyncio.Task[None] | None = None
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                with self._condition:
                    chunks, ended, error = self._chunks, self._ended, self._error
                    self._chunks, self._buffered = [], 0
                    self._condition.notify()
                if error and not started:
                    await _refuse(send, receive, 500, "Something went wrong on our side.")
                    return
                if not started:
                    await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
                    started = True
                if chunks and (error or not ended):
                    await send({"type": "http.response.body", "body": b"".join(chunks), "more_body": True})
                if error:
                    raise AnswerCut from None  # the only way left to say that the answer is not whole
                if ended:
                    await send({"type": "http.response.body", "body": b"".join(chunks), "more_body": False})
                    return
                watcher = watcher or asyncio.create_task(self._watch(receive))
        finally:
            if watcher:
                watcher.cancel()
            self._abandon()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._abandon()

    def _abandon(self) -> None:
        with self._condition:
            self._gone = True
            self._condition.notify()


async def _refuse(send: Send, receive: Receive, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    if status in {400, 408, 413}:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if status == 413:
        # Closing on unread bytes resets the connection, and many clients then never see the answer.
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                    pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0


def _org_slug(path: str) -> str:
    found = ORG_PATH.match(path)
    return found[1] if found else ""


def _environ(scope: Scope, body: IO[bytes], *, trusted_proxies: int) -> Environ:
    """The WSGI environment (PEP 3333) of an ASGI scope whose whole body is in the file `body`."""
    size = body.tell()
    body.seek(0)
    client = scope.get("client") or ("", 0)
    server = scope.get("server") or ("localhost", 80)
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": unquote_to_bytes(raw_path.partition(b"?")[0]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "CONTENT_LENGTH": str(size) if size else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _file_wrapper,
    }
    headers = _joined(scope["headers"])
    if trusted_proxies:
        environ["REMOTE_ADDR"] = client_address(headers.get("x-forwarded-for", ""), trusted_proxies) or client[0]
        proto = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
        if proto in {"http", "https"}:
            environ["wsgi.url_scheme"] = proto
    for name, value in headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = value
        elif name not in {"content-length", "transfer-encoding"} and (trusted_proxies or name not in FORWARDED):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if "_" in name:  # would pass for its twin with a dash
            continue
        glue = "; " if name == "cookie" else ","
        headers[name] = f"{headers[name]}{glue}{value}" if name in headers else value
    return headers


def client_address(forwarded_for: str, trusted_proxies: int) -> str | None:
    """The address that the outermost of our proxies saw: each of them appended the one it was called from."""
    entries = [entry.strip() for entry in forwarded_for.split(",")]
    if len(entries) < trusted_proxies:
        return None
    try:
        return str(ipaddress.ip_address(entries[-trusted_proxies]))
    except ValueError:
        return None


def _file_wrapper(file: IO[bytes], _block_size: int = 0) -> FileWrapper:
    return FileWrapper(file, FILE_BLOCK_BYTES)
