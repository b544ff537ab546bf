"""The one HTTP door out (STYLE C2.3): every call has a deadline, a size limit and, for foreign addresses, a guard.

The guard stands where the connection is made: the name is resolved once, every address is checked, and the socket is
opened to a checked address. So a name that changes its answer between check and use (DNS rebinding) gains nothing,
while the Host header, SNI and the certificate stay those of the name. Retrying is the caller's business (PortError).
Environment proxies are ignored. Rule: PRODUCT 8, "SSRF-safe outgoing calls"; OWASP SSRF prevention cheat sheet.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from weakref import WeakKeyDictionary

import httpcore2
import httpx2

from sdr.lib import metrics
from sdr.lib.errors import PortError, error_for_status

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
TOTAL_SECONDS = 30.0
MAX_BYTES = 5 * 1024 * 1024
MAX_REDIRECTS = 5
MAX_CONNECTIONS = 100
KEEPALIVE_SECONDS = 3.0  # Node closes after 5: a send on a connection that is just being closed has no known outcome
USER_AGENT = "QifySDR/1"
WEB_PORTS = frozenset({80, 443})
FIRST_FREE_PORT = 1024
# Ports above 1023 behind which databases, caches and consoles listen, never a customer's webhook.
REFUSED_PORTS = frozenset({1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5984, 6000,
                           6379, 6443, 8500, 9042, 9092, 9200, 9300, 10250, 11211, 15672, 27017})  # fmt: skip
REFUSED_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "100.64.0.0/10",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
    )
)
GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")  # carries an IPv4 address, which decides (RFC 6052)
ISATAP = (0x00005EFE, 0x02005EFE)
HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?")
PRIVATE_HEADERS = ("authorization", "cookie", "proxy-authorization")


class Failure(StrEnum):
    """Why a call brought no answer."""

    BAD_ADDRESS = "bad_address"
    REFUSED_ADDRESS = "refused_address"
    UNKNOWN_HOST = "unknown_host"
    TIMEOUT = "timeout"
    NETWORK = "network"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    TOO_MANY_REDIRECTS = "too_many_redirects"


TRANSIENT = frozenset({Failure.UNKNOWN_HOST, Failure.TIMEOUT, Failure.NETWORK})
UNSENT = frozenset({Failure.BAD_ADDRESS, Failure.REFUSED_ADDRESS, Failure.UNKNOWN_HOST})


class HttpError(PortError):
    """No usable answer. `failure` says why; timeouts, network and name failures are transient, the rest is permanent.

    `unsent`: no connection came about, so nobody can have acted on the request (unless redirects were followed).
    """

    def __init__(self, failure: Failure, message: str, *, unsent: bool = False) -> None:
        super().__init__(message, permanent=failure not in TRANSIENT)
        self.failure = failure
        self.unsent = unsent or failure in UNSENT


@dataclass(frozen=True)
class Timeout:
    """Seconds: to connect, between two reads, and for everything together (redirects and name look-up included)."""

    connect: float = CONNECT_SECONDS
    read: float = READ_SECONDS
    total: float = TOTAL_SECONDS


@dataclass(frozen=True)
class Response:
    """A whole answer: status, headers (case-insensitive), decoded body, final address, seconds it took."""

    status: int
    headers: httpx2.Headers
    content: bytes
    url: str
    seconds: float

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not becomes U+FFFD."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises HttpError when it is not."""
        try:
            return jsonlib.loads(self.content)
        except ValueError:
            raise HttpError(Failure.UNREADABLE, f"{_host(self.url)} did not answer with JSON.") from None

    def raise_for_status(self) -> Response:
        """This response, or PortError for 4xx and 5xx (see `error_for_status`)."""
        error = error_for_status(self.status, self.headers, who=_host(self.url))
        if error is not None:
            raise error
        return self


@dataclass(frozen=True)
class _Call:
    method: str
    url: httpx2.URL
    headers: httpx2.Headers
    content: bytes | None
    timeout: Timeout
    max_bytes: int
    allow_private: bool
    follow_redirects: bool
    hops: int = 0


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Any = None,
    data: Mapping[str, str] | None = None,
    content: bytes | None = None,
    timeout: Timeout = Timeout(),
    max_bytes: int = MAX_BYTES,
    allow_private: bool = False,
    follow_redirects: bool = False,
    dep: str = "",
    op: str = "",
) -> Response:
    """Send one request and return the whole answer, whatever its status.

    At most one of `json`, `data` (form) and `content`. `max_bytes` limits the body, raw and decompressed.
    `allow_private` is for addresses that the operator of this installation set (vendors' base URLs, stand-ins);
    addresses given by customers go without it. Redirects are checked hop by hop; credentials do not cross to another
    origin. `dep` and `op` name the dependency in the metrics. Raises HttpError.
    """
    call = _prepare(
        method,
        url,
        headers=headers,
        params=params,
        json=json,
        data=data,
        content=content,
        timeout=timeout,
        max_bytes=max_bytes,
        allow_private=allow_private,
        follow_redirects=follow_redirects,
    )
    with metrics.dependency(dep, op) as outcome:
        token = _deadline.set(time.monotonic() + timeout.total)
        try:
            response = _follow(call)
        finally:
            _deadline.reset(token)
        outcome.status(response.status)
        return response


async def arequest(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Any = None,
    data: Mapping[str, str] | None = None,
    content: bytes | None = None,
    timeout: Timeout = Timeout(),  # noqa: ASYNC109 (both twins take the same arguments)
    max_bytes: int = MAX_BYTES,
    allow_private: bool = False,
    follow_redirects: bool = False,
    dep: str = "",
    op: str = "",
) -> Response:
    """The same as `request`, on the running event loop."""
    call = _prepare(
        method,
        url,
        headers=headers,
        params=params,
        json=json,
        data=data,
        content=content,
        timeout=timeout,
        max_bytes=max_bytes,
        allow_private=allow_private,
        follow_redirects=follow_redirects,
    )
    with metrics.dependency(dep, op) as outcome:
        try:
            async with asyncio.timeout(timeout.total):
                response = await _afollow(call)
        except TimeoutError:
            raise _too_slow(call) from None
        outcome.status(response.status)
        return response


def check_url(url: str, *, allow_private: bool = False) -> httpx2.URL:
    """The parsed address if it may be called at all: http(s), no credentials, a permitted port, no refused literal.

    Forms use it to answer beside the field; the address behind a name is checked when the connection is made.
    Raises HttpError.
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError, TypeError):
        raise HttpError(Failure.BAD_ADDRESS, "The address cannot be read.") from None
    if parsed.scheme not in {"http", "https"} or not (
        HOST.fullmatch(parsed.raw_host.decode("ascii", "replace")) or _literal(parsed.host)
    ):
        raise HttpError(Failure.BAD_ADDRESS, "The address must start with http:// or https://.")
    if parsed.userinfo:
        raise HttpError(Failure.BAD_ADDRESS, "The address must not contain a user name or password.")
    if allow_private:
        return parsed
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if port not in WEB_PORTS and (port < FIRST_FREE_PORT or port in REFUSED_PORTS):
        raise HttpError(Failure.REFUSED_ADDRESS, f"Port {port} is not allowed.")
    literal = _literal(parsed.host)
    if literal is not None and not is_public(literal):
        raise HttpError(Failure.REFUSED_ADDRESS, "The address is not on the public internet.")
    return parsed


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether `address` is unicast on the public internet, also looking at an IPv4 address inside an IPv6 one.

    Refused: private, loopback, link-local (cloud metadata), CGNAT, multicast, reserved, benchmarking, documentation,
    6to4, Teredo, site-local, ISATAP. Source: IANA special-purpose address registries (RFC 6890).
    """
    if any(address.version == network.version and address in network for network in REFUSED_NETWORKS):
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if (int(address) >> 32) & 0xFFFFFFFF in ISATAP:
        return False
    return address in GLOBAL_UNICAST and address.is_global


def _prepare(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None,
    params: Mapping[str, str] | None,
    json: Any,
    data: Mapping[str, str] | None,
    content: bytes | None,
    timeout: Timeout,
    max_bytes: int,
    allow_private: bool,
    follow_redirects: bool,
) -> _Call:
    if sum(part is not None for part in (json, data, content)) > 1:
        raise TypeError("Give only one of json, data and content.")
    parsed = check_url(url, allow_private=allow_private)
    if params:
        parsed = parsed.copy_merge_params(dict(params))
    sent = httpx2.Headers({"user-agent": USER_AGENT, "accept": "*/*", "accept-encoding": "gzip"})
    if json is not None:
        content = jsonlib.dumps(json, separators=(",", ":"), ensure_ascii=False).encode()
        sent["content-type"] = "application/json"
    elif data is not None:
        content = str(httpx2.QueryParams(dict(data))).encode()
        sent["content-type"] = "application/x-www-form-urlencoded"
    sent.update(dict(headers or {}))
    return _Call(method.upper(), parsed, sent, content, timeout, max_bytes, allow_private, follow_redirects)


def _follow(call: _Call) -> Response:
    started = time.monotonic()
    while True:
        response, location = _send(call, started)
        if not call.follow_redirects or location is None:
            return response
        call = _next_hop(call, response.status, location)


async def _afollow(call: _Call) -> Response:
    started = time.monotonic()
    while True:
        response, location = await _asend(call, started)
        if not call.follow_redirects or location is None:
            return response
        call = _next_hop(call, response.status, location)


def _send(call: _Call, started: float) -> tuple[Response, str | None]:
    try:
        with _client(call.allow_private).stream(
            call.method, call.url, headers=call.headers, content=call.content, timeout=_timeouts(call)
        ) as answer:
            body = bytearray()
            for chunk in answer.iter_raw(65_536):
                _append(body, chunk, call)
    except httpx2.HTTPError as error:
        raise _failure(error, call) from None
    return _finish(call, answer, body, started)


async def _asend(call: _Call, started: float) -> tuple[Response, str | None]:
    try:
        async with _async_client(call.allow_private).stream(
            call.method, call.url, headers=call.headers, content=call.content, timeout=_timeouts(call)
        ) as answer:
            body = bytearray()
            async for chunk in answer.aiter_raw(65_536):
                _append(body, chunk, call)
    except httpx2.HTTPError as error:
        raise _failure(error, call) from None
    return _finish(call, answer, body, started)


def _append(body: bytearray, chunk: bytes, call: _Call) -> None:
    body += chunk
    if len(body) > call.max_bytes:
        raise _too_large(call)


def _finish(call: _Call, answer: httpx2.Response, body: bytearray, started: float) -> tuple[Response, str | None]:
    content = _decode(bytes(body), answer.headers.get("content-encoding", ""), call)
    location = answer.headers.get("location") if answer.status_code in {301, 302, 303, 307, 308} else None
    return (
        Response(answer.status_code, answer.headers, content, str(call.url), time.monotonic() - started),
        location,
    )


def _decode(body: bytes, encoding: str, call: _Call) -> bytes:
    encoding = encoding.strip().lower()
    if not body or encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise HttpError(Failure.UNREADABLE, f"{call.url.host} answered in an encoding we did not ask for.")
    # Not the client's own decoder: a few kilobytes may unpack to gigabytes in one step.
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        content = decoder.decompress(body, call.max_bytes + 1)
    except zlib.error:
        raise HttpError(Failure.UNREADABLE, f"{call.url.host} answered with damaged compression.") from None
    if len(content) > call.max_bytes:
        raise _too_large(call)
    return content


def _next_hop(call: _Call, status: int, location: str) -> _Call:
    if call.hops >= MAX_REDIRECTS:
        raise HttpError(Failure.TOO_MANY_REDIRECTS, f"{call.url.host} redirected more than {MAX_REDIRECTS} times.")
    try:
        target = call.url.join(location)
    except (httpx2.InvalidURL, ValueError):
        raise HttpError(Failure.BAD_ADDRESS, f"{call.url.host} redirected to an unreadable address.") from None
    target = check_url(str(target), allow_private=call.allow_private)
    if call.url.scheme == "https" and target.scheme == "http":
        raise HttpError(Failure.REFUSED_ADDRESS, f"{call.url.host} redirected from https to http.")
    headers = httpx2.Headers(call.headers)
    if (target.scheme, target.host, target.port) != (call.url.scheme, call.url.host, call.url.port):
        for name in [name for name in headers if name in PRIVATE_HEADERS or "key" in name or "token" in name]:
            del headers[name]
    method, content = call.method, call.content
    if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
        method, content = "GET", None
        headers.pop("content-type", None)
    return _Call(
        method, target, headers, content, call.timeout, call.max_bytes, call.allow_private, True, call.hops + 1
    )


def _timeouts(call: _Call) -> httpx2.Timeout:
    wait = call.timeout
    return httpx2.Timeout(connect=wait.connect, read=wait.read, write=wait.read, pool=wait.connect)


def _failure(error: httpx2.HTTPError, call: _Call) -> HttpError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _RefusedError):
            return HttpError(cause.failure, cause.message)
        cause = cause.__cause__ or cause.__context__
    unsent = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout))
    if isinstance(error, httpx2.TimeoutException):
        return _too_slow(call, unsent=unsent)
    return HttpError(Failure.NETWORK, f"No connection to {call.url.host} ({type(error).__name__}).", unsent=unsent)


def _too_slow(call: _Call, *, unsent: bool = False) -> HttpError:
    return HttpError(Failure.TIMEOUT, f"{call.url.host} did not answer in time.", unsent=unsent)


def _too_large(call: _Call) -> HttpError:
    return HttpError(Failure.TOO_LARGE, f"{call.url.host} answered with more than {call.max_bytes} bytes.")


def _host(url: str) -> str:
    return httpx2.URL(url).host


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


# --- Connections: name look-up, guard, deadline --------------------------------------------------------------------

_deadline: ContextVar[float] = ContextVar("http_deadline")


class _RefusedError(httpcore2.ConnectError):
    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure
        self.message = message


def _left(timeout: float | None) -> float | None:
    deadline = _deadline.get(None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("deadline")
    return left if timeout is None else min(timeout, left)


def _checked(host: str, found: Iterable[str], guarded: bool) -> list[str]:
    addresses = list(dict.fromkeys(found))
    if guarded and not all(is_public(ip_address(address)) for address in addresses):
        raise _RefusedError(Failure.REFUSED_ADDRESS, f"{host} is not on the public internet.")
    return addresses


def _lookup(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise _RefusedError(Failure.UNKNOWN_HOST, f"{host} is not known in the DNS.") from None
    return [str(entry[4][0]) for entry in found]


def _resolve(host: str, port: int, timeout: float | None) -> list[str]:
    """Addresses of `host`; getaddrinfo itself knows no deadline, so it runs beside us."""
    literal = _literal(host)
    if literal is not None:
        return [str(literal)]
    result: list[list[str] | Exception] = []

    def run() -> None:
        try:
            result.append(_lookup(host, port))
        except Exception as error:  # handed over to the caller's thread
            result.append(error)

    thread = threading.Thread(target=run, daemon=True, name="http-resolver")
    thread.start()
    thread.join(timeout)
    if not result:
        raise httpcore2.ConnectTimeout("name look-up")
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


class _Stream(httpcore2.NetworkStream):
    """A socket whose every wait also ends at the call's deadline."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, guarded: bool) -> None:
        self._guarded = guarded
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        addresses = _checked(host, _resolve(host, port, _left(timeout)), self._guarded)
        for address in addresses[:-1]:
            try:
                return _Stream(self._inner.connect_tcp(address, port, _left(timeout), local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return _Stream(self._inner.connect_tcp(addresses[-1], port, _left(timeout), local_address, socket_options))


class _AsyncBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, guarded: bool) -> None:
        self._guarded = guarded
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore2's signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        literal = _literal(host)
        if literal is not None:
            found = [str(literal)]
        else:
            found = await asyncio.get_running_loop().run_in_executor(None, _lookup, host, port)
        addresses = _checked(host, found, self._guarded)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


class _Transport(httpx2.HTTPTransport):
    """httpx2's transport over our own back end: it takes no back end as an argument."""

    def __init__(self, guarded: bool) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_tls(),
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=_Backend(guarded),
        )


class _AsyncTransport(httpx2.AsyncHTTPTransport):
    def __init__(self, guarded: bool) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=_AsyncBackend(guarded),
        )


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


@cache
def _client(allow_private: bool) -> httpx2.Client:
    return httpx2.Client(transport=_Transport(not allow_private), trust_env=False, follow_redirects=False)


_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, httpx2.AsyncClient]] = WeakKeyDictionary()


def _async_client(allow_private: bool) -> httpx2.AsyncClient:
    clients = _async_clients.setdefault(asyncio.get_running_loop(), {})
    if allow_private not in clients:
        clients[allow_private] = httpx2.AsyncClient(
            transport=_AsyncTransport(not allow_private), trust_env=False, follow_redirects=False
        )
    return clients[allow_private]


# A forked worker must not write on its parent's sockets.
os.register_at_fork(after_in_child=_client.cache_clear)
