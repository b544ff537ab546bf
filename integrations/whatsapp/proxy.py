"""The signing proxy: stands beside Evolution, which cannot sign its webhooks, and signs them (contract 3.5 c).

Evolution posts to it, with the number's token in `X-Webhook-Token`; it forwards the raw bytes to the same path of our
installation with `X-Signature` and `X-Signature-Timestamp`, signed afresh for each attempt, and hands our status code
back unchanged, so that Evolution's retries work as if there were no proxy. It keeps nothing, follows no redirect and
logs no path, for a path holds a key. `python -m integrations.whatsapp.proxy`; docs/signing-proxy.md.
"""

import asyncio
import hashlib
import hmac
import logging
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any

import httpx2
import uvicorn
from django.core.exceptions import ImproperlyConfigured

from integrations.whatsapp.auth import PREFIX, SIGNATURE, TIMESTAMP, TOKEN, number_secret
from sdr.env import envint, envsecret, envstr

PATH = re.compile(r"/hooks/whatsapp/([A-Za-z0-9_-]{8,128})/")
HEALTH = "/health/live"
CHUNK = 64 * 1024
MEMORY_BYTES = 1024 * 1024  # of a body; the rest waits on disk until it is signed
MAX_BODY_BYTES = 150 * 1024 * 1024  # Evolution's own limit is 136 MB
FORWARD_SECONDS = 25.0  # below Evolution's 30: it then hears our 504 instead of waiting
CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0  # between two pieces of a body
MAX_REQUESTS = 200  # at once; more are answered 503, which Evolution repeats
STOP_SECONDS = 30
MIN_MASTER_CHARS = 32

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
log = logging.getLogger("signing_proxy")


@dataclass(frozen=True)
class Settings:
    """`target`: our installation's base URL. `keyring`: master secrets, the first signs, tokens of any are accepted."""

    target: str
    keyring: Sequence[str]
    max_body: int = MAX_BODY_BYTES


def settings_from_environment() -> Settings:
    """From SIGNING_PROXY_TARGET and SIGNING_PROXY_KEYRING. Raises ImproperlyConfigured saying what to set."""
    target = envstr("SIGNING_PROXY_TARGET", hint="Set it to the address of the installation, https://…").rstrip("/")
    keyring = [secret.strip() for secret in envsecret("SIGNING_PROXY_KEYRING").split(",")]
    if any(len(secret) < MIN_MASTER_CHARS for secret in keyring):
        raise ImproperlyConfigured(f"SIGNING_PROXY_KEYRING: each secret needs {MIN_MASTER_CHARS} characters or more.")
    return Settings(target, keyring)


class SigningProxy:
    """An ASGI application. In: settings; the HTTP client is opened and closed with the server's lifespan."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: httpx2.AsyncClient | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            status = await self._status(scope, receive)
        except TimeoutError:
            status = HTTPStatus.REQUEST_TIMEOUT
        except _GoneError:
            return
        await _answer(send, status)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        async with httpx2.AsyncClient(
            timeout=httpx2.Timeout(FORWARD_SECONDS, connect=CONNECT_SECONDS), follow_redirects=False, trust_env=False
        ) as self._client:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _status(self, scope: Scope, receive: Receive) -> int:
        path, method = str(scope["path"]), scope["method"]
        if path == HEALTH and method in {"GET", "HEAD"}:
            return HTTPStatus.OK
        known = PATH.fullmatch(path)
        if known is None or method != "POST" or scope.get("query_string"):
            return HTTPStatus.NOT_FOUND
        headers = {name.lower(): value for name, value in scope["headers"]}
        if not self._has_token(known[1], headers.get(TOKEN.lower().encode(), b"")):
            return HTTPStatus.UNAUTHORIZED
        return await self._forward(path, known[1], headers, receive)

    def _has_token(self, key: str, token: bytes) -> bool:
        wanted = [number_secret(master, key, "token").encode() for master in self._settings.keyring]
        return any([hmac.compare_digest(token, one) for one in wanted])  # noqa: C419  # compares with all, always

    async def _forward(self, path: str, key: str, headers: dict[bytes, bytes], receive: Receive) -> int:
        with tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES) as body:
            timestamp = str(int(time.time()))
            secret = number_secret(self._settings.keyring[0], key, "signature")
            mac = hmac.new(secret.encode(), f"{timestamp}.".encode(), hashlib.sha256)
            size = 0
            async for chunk in _chunks(receive):
                size += len(chunk)
                if size > self._settings.max_body:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                mac.update(chunk)
                body.write(chunk)
            body.seek(0)
            sent = {
                "content-type": headers.get(b"content-type", b"application/json").decode("latin-1"),
                "content-length": str(size),
                SIGNATURE: f"{PREFIX}{mac.hexdigest()}",
                TIMESTAMP: timestamp,
            }
            return await self._post(f"{self._settings.target}{path}", sent, body)

    async def _post(self, url: str, headers: dict[str, str], body: IO[bytes]) -> int:
        if self._client is None:
            raise RuntimeError("The server sent no lifespan events.")
        try:
            async with asyncio.timeout(FORWARD_SECONDS):
                async with self._client.stream("POST", url, headers=headers, content=_pieces(body)) as answer:
                    return answer.status_code
        except (httpx2.TimeoutException, TimeoutError):
            log.warning("The installation did not answer in time.")
            return HTTPStatus.GATEWAY_TIMEOUT
        except httpx2.HTTPError as error:
            log.warning("The installation cannot be reached (%s).", type(error).__name__)
            return HTTPStatus.BAD_GATEWAY


class _GoneError(Exception):
    """The sender left before its body was whole."""


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await asyncio.wait_for(receive(), READ_SECONDS)
        if message["type"] == "http.disconnect":
            raise _GoneError
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def _pieces(body: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := body.read(CHUNK):
        yield piece


async def _answer(send: Send, status: int) -> None:
    """An empty answer, without a Location: Evolution would follow it and lose the event."""
    await send({"type": "http.response.start", "status": int(status), "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve until stopped: SIGNING_PROXY_HOST (default 127.0.0.1) and SIGNING_PROXY_PORT (default 8090)."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it would log each URL, and ours hold keys
    uvicorn.run(
        SigningProxy(settings_from_environment()),
        host=envstr("SIGNING_PROXY_HOST", "127.0.0.1"),
        port=envint("SIGNING_PROXY_PORT", 8090, minimum=1, maximum=65535),
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_REQUESTS,
        timeout_graceful_shutdown=STOP_SECONDS,
        lifespan="on",
    )


if __name__ == "__main__":
    main()
