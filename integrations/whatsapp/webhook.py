"""The door for WhatsApp webhooks: `POST /hooks/whatsapp/<key>/` (contract evolution.md 3.4, DESIGN 1 and 2, HOTPATH 1).

It runs on the event loop, past Django's middleware: `Door` reads the body and finds the account, a DRF view without any
I/O judges it, and the answer leaves after the commit. An authentic sender hears 200 or 503 and nothing else, because
Evolution gives an event up after a 4xx and follows redirects without the body. Of those who are not authentic nothing
is kept but what the log line says.
"""

import asyncio
import hashlib
import ipaddress
import json
import random
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import close_old_connections, connections
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.request import Request
from rest_framework.views import APIView

from conversations.ports import Unreadable
from integrations.models import KEPT_BYTES, Quarantine
from integrations.tasks import FILES, FORMER, incoming_folder
from integrations.whatsapp import auth, wire
from integrations.whatsapp.auth import Proof, Verification
from orgs.context import in_org
from orgs.ingest import Arrival, Ingest, Unavailable, Unstorable
from orgs.models import ChannelAddress, Org
from sdr.bridge import Receive, Scope, Send, client_address
from sdr.lib import metrics

PATH = re.compile(r"/hooks/whatsapp/([A-Za-z0-9_-]{16,64})/")
CACHED_FOR = 5.0  # seconds: how long a revoked address may still be accepted
CACHED_MOST = 10_000  # addresses, known and unknown
LOOKUP_WITHIN = 0.8  # seconds
ANSWER_WITHIN = 1.7  # seconds from the last byte to the answer, when nothing but the database is waited for
BODY_WITHIN = 60.0  # seconds
INLINE_BYTES = 256 * 1024  # larger bodies are read by a thread, a few at a time
FAILURES = 20  # failed proofs of one network in a window, in this process; then 429
WINDOW = 60.0  # seconds
NETWORKS_MOST = 10_000
RETRY_SECONDS = 2
THREADS = 4
IPV6_NETWORK_BITS = 64
PROOFS = frozenset({auth.SIGNATURE.lower(), auth.TOKEN.lower(), "authorization", "cookie", "apikey"})

ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
NO_FIELDS = QueryDict()

T = TypeVar("T")
logger: structlog.stdlib.BoundLogger = structlog.get_logger("sdr.door")


@dataclass(frozen=True, slots=True)
class Account:
    """What the door must know of a number's address. `instances`: (name, id) that bodies may name; none: any."""

    address_id: int
    org_id: int
    number_id: int
    proof: Proof
    secrets: tuple[str, ...] = field(repr=False)
    instances: tuple[tuple[str, str], ...] = ()

    def is_instance(self, body: Mapping[str, Any]) -> bool:
        """Whether the body names an instance this number has, or had within 45 minutes (contract 3.4)."""
        if not self.instances:
            return True
        data = body.get("data")
        told = data.get("instanceId") if isinstance(data, dict) else None
        return any(
            body.get("instance") == name and (not told or not known or told == known) for name, known in self.instances
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """An authentic body that goes into quarantine: 200 all the same."""

    reason: Quarantine.Reason
    detail: str
    body: bytes


class WhatsAppWebhook(APIView):
    """Judges one webhook whose body and account are there already; touches no database, disk or network.

    Out: a Verdict with what is still to be done before it may be sent.
    """

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["post"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Nothing of DRF's: who asks is proved by the body's signature, and failures are limited by the door."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Without parsers and negotiators: the body is read as it came, and answers have none."""
        return Request(request)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: the door writes its own."""
        return {}

    def post(self, request: Request, account: Account, verification: Verification) -> HttpResponse:
        raw = request._request.body
        if not verification.is_authentic():
            return Verdict(401)
        try:
            body = wire.load(raw)
            stripped = wire.strip(body, is_loaded=True)
            if not account.is_instance(body):
                detail = "The body names an instance that is not this number's."
                return Verdict(
                    200, refusal=Refusal(Quarantine.Reason.WRONG_INSTANCE, detail, compact(stripped.body).encode())
                )
        except Unreadable as unreadable:
            return Verdict(200, refusal=Refusal(Quarantine.Reason.UNREADABLE, str(unreadable), raw))
        except Exception:  # a bug of ours: the sender would try ten times and then give the event up
            logger.exception("webhook_not_read", request_id=request._request.request_id)  # type: ignore[attr-defined]
            return Verdict(200, refusal=Refusal(Quarantine.Reason.UNREADABLE, "Reading it failed.", raw))
        if stripped.ignored:
            return Verdict(200)
        arrival = Arrival(
            org_id=account.org_id,
            address_id=account.address_id,
            number_id=account.number_id,
            dedupe_key=wire.dedupe_key(body),
            body=compact(stripped.body),
            context={
                "request_id": request._request.request_id,  # type: ignore[attr-defined]
                **({FORMER: True} if verification.used_former else {}),
            },
        )
        return Verdict(200, arrival=arrival, files=stripped.files)


class Posted(HttpRequest):
    """A request that has come as a whole; without what forms and cookies need, which costs as much as the signature."""

    def __init__(self, body: bytes, caller: "Caller") -> None:
        self.GET = self.POST = NO_FIELDS
        self.COOKIES, self.FILES = {}, MultiValueDict()
        self.META = {"REMOTE_ADDR": caller.ip, "CONTENT_TYPE": caller.headers.get("content-type", "")}
        self.path = self.path_info = ""
        self.method, self.resolver_match = "POST", None
        self.content_type = self.content_params = None
        self._body = body
        self.request_id = caller.request_id


class Verdict(HttpResponse):
    """An answer that may leave once its arrival is committed, or its refusal kept."""

    def __init__(
        self,
        status: int,
        *,
        arrival: Arrival | None = None,
        files: Mapping[str, bytes] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        super().__init__(status=status)
        self.arrival = arrival
        self.files = files or {}
        self.refusal = refusal

    @property
    def is_of_other_instance(self) -> bool:
        return self.refusal is not None and self.refusal.reason is Quarantine.Reason.WRONG_INSTANCE


view: Any = WhatsAppWebhook.as_view()


class Door:
    """The ASGI application below /hooks/whatsapp/. One per process; `close()` when the server stops."""

    def __init__(
        self, *, ingest: Ingest | None = None, most_bytes: int | None = None, trusted_proxies: int | None = None
    ) -> None:
        self.ingest = ingest or Ingest()
        self.accounts = Accounts(self._in_thread)
        self._most_bytes = settings.MAX_BODY_BYTES if most_bytes is None else most_bytes
        self._trusted_proxies = settings.TRUSTED_PROXIES if trusted_proxies is None else trusted_proxies
        self._failures = Failures()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="door")
        self._large = asyncio.Semaphore(2)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        caller = Caller.of(scope, trusted_proxies=self._trusted_proxies)
        found = PATH.fullmatch(scope["path"])
        if found is None:
            status, outcome = 404, "unknown"
        elif scope["method"] != "POST":
            status, outcome = 405, "unknown"
        else:
            try:
                status, outcome = await self._receive(found[1], caller, receive)
            except _SenderGone:
                return
            except Unavailable as error:
                logger.warning(
                    "webhook_not_stored", reason=str(error) or type(error).__name__, request_id=caller.request_id
                )
                status, outcome = 503, "unavailable"
            except Exception:
                logger.exception("webhook_failed", request_id=caller.request_id)
                status, outcome = 503, "failed"
        if status == 200:
            metrics.observe("sdr_ingestion_seconds", time.perf_counter() - started)
        metrics.incr("webhook_requests", outcome=outcome)
        await _answer(send, status)

    async def close(self) -> None:
        """Store what waits, close the connections. For the lifespan's shutdown."""
        await self.ingest.close()
        for _ in range(THREADS):
            self._threads.submit(connections.close_all)
        await asyncio.to_thread(self._threads.shutdown)

    async def _receive(self, key: str, caller: "Caller", receive: Receive) -> tuple[int, str]:
        asked = time.monotonic()
        account = await self.accounts.get(key)
        waited = time.monotonic() - asked
        if account is None:
            received = await _read(receive, keep=0)
            _log_refused("webhook_for_nobody", caller, received)
            return 404, "unknown"
        verification = Verification(
            account.proof, account.secrets, caller.headers, now=datetime.now(UTC), is_lower=True
        )
        received = await _read(receive, keep=self._most_bytes, verification=verification)
        if received.is_whole:
            verdict = await self._judge(caller, received.body, account, verification)
        else:
            verdict = self._judge_oversized(caller, received, verification)
        if verdict.status_code == 401 or verdict.is_of_other_instance:
            # Perhaps the secret or the instance was changed a moment ago, and the event would be lost (contract 3.4).
            fresh = await self.accounts.get(key, newer_than=asked)
            if fresh is None:
                return 404, "unknown"
            if fresh == account and verdict.is_of_other_instance:
                return await self._keep(verdict, account, caller, received, within=ANSWER_WITHIN - waited)
            if fresh.secrets == account.secrets and fresh.proof == account.proof and verdict.status_code == 401:
                return self._refuse(caller, received)
            if not received.is_whole:
                raise Unavailable("the secret has just changed")
            verification = Verification(
                fresh.proof, fresh.secrets, caller.headers, now=datetime.now(UTC), is_lower=True
            )
            verification.update(received.body)
            account = fresh
            verdict = await self._judge(caller, received.body, account, verification)
            if verdict.status_code == 401:
                return self._refuse(caller, received)
        return await self._keep(verdict, account, caller, received, within=ANSWER_WITHIN - waited)

    async def _judge(self, caller: "Caller", body: bytes, account: Account, verification: Verification) -> Verdict:
        request = Posted(body, caller)
        if len(body) <= INLINE_BYTES:
            verdict: Verdict = view(request, account=account, verification=verification)
            return verdict
        async with self._large:
            return await self._in_thread(lambda: view(request, account=account, verification=verification))

    def _judge_oversized(self, caller: "Caller", received: "_Received", verification: Verification) -> Verdict:
        if not verification.is_authentic():
            return Verdict(401)
        detail = f"The body has {received.size:,} bytes; {self._most_bytes:,} are taken in."
        return Verdict(200, refusal=Refusal(Quarantine.Reason.TOO_LARGE, detail, received.body[:KEPT_BYTES]))

    def _refuse(self, caller: "Caller", received: "_Received") -> tuple[int, str]:
        metrics.incr("webhook_signature_failures")
        _log_refused("webhook_not_authentic", caller, received)
        return (429, "limited") if self._failures.is_over(caller.network) else (401, "refused")

    async def _keep(
        self, verdict: Verdict, account: Account, caller: "Caller", received: "_Received", *, within: float
    ) -> tuple[int, str]:
        """Everything that must be durable before the answer. Raises Unavailable, and what the database raises."""
        refusal, within = verdict.refusal, max(0.2, within)
        if verdict.arrival is not None:
            refusal = await self._store(verdict.arrival, verdict.files, within=within)
            if refusal is None:
                return 200, "stored"
        if refusal is None:
            return 200, "ignored"
        await self._quarantine(account, refusal, caller, size=received.size, within=within)
        return 200, "quarantined"

    async def _store(self, arrival: Arrival, files: Mapping[str, bytes], *, within: float) -> Refusal | None:
        """Commit the arrival, its files first. Out: what must be kept elsewhere, as the database refuses it."""
        if files:
            arrival = await self._in_thread(partial(keep_files, arrival, files))
        try:
            await self.ingest.put(arrival, within=within)
        except Unstorable as error:
            return Refusal(Quarantine.Reason.UNSTORABLE, str(error), arrival.body.encode("utf-8", "replace"))
        return None

    async def _quarantine(
        self, account: Account, refusal: Refusal, caller: "Caller", *, size: int, within: float
    ) -> None:
        logger.error(
            "webhook_quarantined", reason=refusal.reason.value, org_id=account.org_id, number_id=account.number_id,
            size=size, request_id=caller.request_id,
        )  # fmt: skip
        metrics.incr("webhook_quarantined", reason=refusal.reason.value)
        await self._in_time(partial(quarantine, account, refusal, caller, size=size), within=within)

    async def _in_time(self, function: Callable[[], T], *, within: float) -> T:
        try:
            return await asyncio.wait_for(self._in_thread(function), within)
        except TimeoutError:
            raise Unavailable("the database did not answer in time") from None

    async def _in_thread(self, function: Callable[[], T]) -> T:
        def call() -> T:
            close_old_connections()
            return function()

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


class Accounts:
    """Addresses by the key in the URL, remembered for five seconds, also those that do not exist.

    One look-up per key runs at a time; whoever asks for something newer than what that one may see, asks again.
    """

    def __init__(self, in_thread: "Callable[[Callable[[], Account | None]], Any]") -> None:
        self._in_thread = in_thread
        self._known: OrderedDict[str, tuple[float, Account | None]] = OrderedDict()
        self._asking: dict[str, tuple[float, asyncio.Task[Account | None]]] = {}

    async def get(self, key: str, *, newer_than: float | None = None) -> Account | None:
        """The account, None for an unknown key. Raises Unavailable when it cannot be found out in time.

        `newer_than`: by `time.monotonic()`; what is remembered from before does not count.
        """
        oldest = time.monotonic() - CACHED_FOR if newer_than is None else newer_than
        known = self._known.get(key)
        if known is not None and known[0] >= oldest:
            return known[1]
        try:
            async with asyncio.timeout(LOOKUP_WITHIN):
                while True:
                    since, task = self._asking.get(key) or self._ask(key)
                    if task.done():  # in this very moment, and not yet put away: awaiting it would not even pause
                        since, task = self._ask(key)
                    account = await asyncio.shield(task)
                    if since >= oldest:
                        return account
        except Exception as error:
            raise Unavailable(f"the address could not be looked up: {type(error).__name__}") from None

    def _ask(self, key: str) -> "tuple[float, asyncio.Task[Account | None]]":
        asking = (time.monotonic(), asyncio.ensure_future(self._in_thread(lambda: load_account(key))))
        self._asking[key] = asking
        asking[1].add_done_callback(lambda task: self._remember(key, asking[0], task))
        return asking

    def _remember(self, key: str, since: float, task: "asyncio.Task[Account | None]") -> None:
        if self._asking.get(key, (0.0, None))[1] is task:
            del self._asking[key]
        if task.cancelled() or task.exception() is not None:
            return
        self._known[key] = (since, task.result())
        self._known.move_to_end(key)
        while len(self._known) > CACHED_MOST:
            self._known.popitem(last=False)


class Failures:
    """How often a network has failed to prove itself, in this process and this minute. Authentic senders never ask."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def is_over(self, network: str) -> bool:
        """Count one more failure; True when it is one too many."""
        now = time.monotonic()
        since, count = self._counts.get(network, (now, 0))
        if now - since > WINDOW:
            since, count = now, 0
        self._counts[network] = (since, count + 1)
        if len(self._counts) > NETWORKS_MOST:
            self._counts.popitem(last=False)
        return count >= FAILURES


@dataclass(frozen=True, slots=True)
class Caller:
    """Who posts: `network` is the address, of IPv6 its /64; header names in lower case."""

    ip: str
    headers: dict[str, str] = field(repr=False)
    request_id: str

    @classmethod
    def of(cls, scope: Scope, *, trusted_proxies: int) -> "Caller":
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        ip = (scope.get("client") or ("", 0))[0]
        if trusted_proxies:
            ip = client_address(headers.get("x-forwarded-for", ""), trusted_proxies) or ip
        return cls(ip, headers, f"{random.getrandbits(128):032x}")  # a name, not a secret

    @property
    def network(self) -> str:
        try:
            address = ipaddress.ip_address(self.ip)
        except ValueError:
            return "unknown"
        if isinstance(address, ipaddress.IPv6Address) and not address.ipv4_mapped:
            return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
        return self.ip


class _SenderGone(Exception):
    """Nobody is there to be answered."""


@dataclass(frozen=True, slots=True)
class _Received:
    """A body: its first bytes, how long it was, the SHA-256 of all of it where it was not kept whole."""

    body: bytes = field(repr=False)
    size: int
    digest: str = ""

    @property
    def is_whole(self) -> bool:
        return len(self.body) == self.size


async def _read(receive: Receive, *, keep: int, verification: Verification | None = None) -> _Received:
    """Read the body to its end; of one longer than `keep` bytes only the beginning is kept, but all of it is verified.

    Raises _SenderGone; Unavailable for a sender that takes too long.
    """
    chunks: list[bytes] = []
    size = 0
    hasher: Any = None
    try:
        async with asyncio.timeout(BODY_WITHIN):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _SenderGone
                chunk = message.get("body", b"")
                size += len(chunk)
                if verification is not None:
                    verification.update(chunk)
                if hasher is None:
                    chunks.append(chunk)
                else:
                    hasher.update(chunk)
                if hasher is None and size > keep:
                    so_far = b"".join(chunks)
                    hasher = hashlib.sha256(so_far)
                    chunks = [so_far[: min(keep, KEPT_BYTES)]]
                if not message.get("more_body", False):
                    return _Received(b"".join(chunks), size, hasher.hexdigest() if hasher else "")
    except TimeoutError:
        raise Unavailable("the body took too long to arrive") from None


def load_account(key: str) -> Account | None:
    """The address with this key, as the door needs it; None when there is none."""
    address = ChannelAddress.objects.filter(key=key).first()
    if address is None:
        return None
    now = datetime.now(UTC)
    secrets = [address.secret]
    if address.former_secret and (address.former_secret_until is None or address.former_secret_until > now):
        secrets.append(address.former_secret)
    instances = [(address.instance, address.instance_id)] if address.instance else []
    if instances:
        live = (former for former in address.former_instances if datetime.fromisoformat(former["until"]) > now)
        instances.extend((former["name"], former.get("id", "")) for former in live)
    return Account(address.pk, address.org_id, address.number_id, Proof(address.auth), tuple(secrets), tuple(instances))


def keep_files(arrival: Arrival, files: Mapping[str, bytes]) -> Arrival:
    """Put embedded files into the default storage; the arrival then names them for its intake."""
    folder = incoming_folder(arrival.org_id)
    names = {
        message_id: default_storage.save(f"{folder}/{uuid4()}", ContentFile(content))
        for message_id, content in files.items()
    }
    return Arrival(
        org_id=arrival.org_id, address_id=arrival.address_id, number_id=arrival.number_id,
        dedupe_key=arrival.dedupe_key, body=arrival.body, context={**arrival.context, FILES: names},
    )  # fmt: skip


def quarantine(account: Account, refusal: Refusal, caller: Caller, *, size: int) -> None:
    """Keep a refused body in its org. Headers are kept of what was too large; never those that prove who sends."""
    is_cut = refusal.reason is Quarantine.Reason.TOO_LARGE
    headers = {name: value for name, value in caller.headers.items() if name not in PROOFS} if is_cut else {}
    with in_org(Org.objects.get(pk=account.org_id)):
        Quarantine.objects.keep(
            account.number_id,
            refusal.body,
            reason=refusal.reason,
            detail=refusal.detail,
            size=size if is_cut else None,
            headers=headers,
            context={"request_id": caller.request_id},
        )


def compact(body: Mapping[str, Any]) -> str:
    return ENCODER.encode(body)


def _log_refused(event: str, caller: Caller, received: _Received) -> None:
    """All that is kept of somebody who is not authentic: address, size and hash."""
    digest = received.digest or hashlib.sha256(received.body).hexdigest()
    logger.warning(event, ip=caller.ip, size=received.size, digest=digest[:16], request_id=caller.request_id)


HEADERS = {
    200: [(b"content-length", b"0")],
    401: [(b"content-length", b"0"), (b"www-authenticate", b"Signature")],
    404: [(b"content-length", b"0")],
    405: [(b"content-length", b"0"), (b"allow", b"POST")],
    429: [(b"content-length", b"0"), (b"retry-after", str(int(WINDOW)).encode())],
    503: [(b"content-length", b"0"), (b"retry-after", str(RETRY_SECONDS).encode())],
}


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": HEADERS[status]})
    await send({"type": "http.response.body", "body": b""})


door = Door()
