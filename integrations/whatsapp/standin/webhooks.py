"""Webhooks as Evolution delivers them (evolution.md 3.2 to 3.5, evolution-live.md 3, 4): at least once while alive."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import jwt

from integrations.whatsapp.standin.faults import Faults
from integrations.whatsapp.standin.shapes import Json, dumps

JWT_SECONDS = 600
KEPT_DELIVERIES = 50_000
USER_AGENT = "axios/1.12.2"


@dataclass
class RetryPolicy:
    """The `WEBHOOK_…` environment of Evolution, with its defaults. Back-off is multiplied by the stand-in's time scale;
    `request_timeout_seconds` is real."""

    request_timeout_seconds: float = 30.0
    max_attempts: int = 10
    initial_delay_seconds: float = 5.0
    is_exponential: bool = True
    max_delay_seconds: float = 300.0
    jitter_factor: float = 0.2
    non_retryable: tuple[int, ...] = (400, 401, 403, 404, 422)

    def delay(self, attempt: int) -> float:
        """Seconds to wait after that attempt (1, 2, …); jitter comes after the cap and never goes below the base."""
        base = self.initial_delay_seconds
        delay = min(base * 2 ** (attempt - 1), self.max_delay_seconds) if self.is_exponential else base
        jitter = delay * self.jitter_factor * random.uniform(-1, 1)  # noqa: S311
        return max(base, delay + jitter)


@dataclass(frozen=True)
class Attempt:
    """One request: when (epoch seconds), the final status or None, and what went wrong."""

    at: float
    status: int | None
    error: str = ""


@dataclass
class Delivery:
    """One event on its way. `outcome`: pending, delivered, lost (given up, refused), swallowed, crashed, unsent."""

    instance: str
    event: str
    url: str
    body: bytes
    headers: dict[str, str]
    outcome: str = "pending"
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True)
class Hook:
    """Where an instance's events go. `headers` as configured, `jwt_key` included."""

    url: str
    headers: Json
    by_events: bool
    events: tuple[str, ...]
    is_enabled: bool = True

    def wants(self, event: str) -> bool:
        return self.is_enabled and event.upper().replace(".", "_").replace("-", "_") in self.events

    def address(self, event: str) -> str:
        suffix = "/" + event.replace(".", "-").replace("_", "-").lower() if self.by_events else ""
        return self.url + suffix


@dataclass(frozen=True)
class Envelope:
    """What surrounds `data`. `sender` is absent until the account was open once; `apikey` is null unless exposed."""

    instance: str
    sender: str | None
    server_url: str
    apikey: str | None
    time_zone: ZoneInfo

    def body(self, event: str, data: Any, *, destination: str) -> Json:
        now = datetime.now(self.time_zone)  # local time with a false Z
        body: Json = {
            "event": event,
            "instance": self.instance,
            "data": data,
            "destination": destination,
            "date_time": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z",
        }
        if self.sender:
            body["sender"] = self.sender
        return body | {"server_url": self.server_url, "apikey": self.apikey}


class Webhooks:
    """Deliveries of one Evolution process. Everything is in memory: `forget` is what a crash does to it."""

    def __init__(self, *, policy: RetryPolicy, faults: Faults, time_scale: float) -> None:
        self.policy = policy
        self.faults = faults
        self.time_scale = time_scale
        self.log: deque[Delivery] = deque(maxlen=KEPT_DELIVERIES)
        self.pending: set[asyncio.Task[None]] = set()
        self.client = httpx2.AsyncClient(
            follow_redirects=True,
            timeout=None,  # the whole attempt has a deadline
            trust_env=False,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100),
        )

    def emit(
        self, hook: Hook | None, envelope: Envelope, event: str, *, data: Any, about: Iterable[str] = ()
    ) -> asyncio.Task[None] | None:
        """Starts delivering and returns the task, None when nothing is sent. `about` names the event for the faults."""
        if hook is None or not hook.wants(event) or not hook.url.startswith(("http://", "https://")):
            return None
        headers = signed(hook.headers, token_age_seconds=self.faults.token_age_seconds)
        body = dumps(envelope.body(event, data, destination=hook.url))
        delivery = Delivery(envelope.instance, event, hook.address(event), body, headers or {})
        self.log.append(delivery)
        if headers is None:  # signing threw: Evolution never sends
            delivery.outcome = "unsent"
            return None
        about = (envelope.instance, *about)
        if self.faults.swallows(event, *about):
            delivery.outcome = "swallowed"
            return None
        if self.faults.concerns(event) and self.faults.happens("duplicate", self.faults.duplicate_rate, event, *about):
            again = dumps(envelope.body(event, data, destination=hook.url))
            twin = replace(delivery, body=again, attempts=[])
            self.log.append(twin)
            self.start(twin, *about)
        return self.start(delivery, *about)

    def start(self, delivery: Delivery, *about: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self.deliver(delivery, *about))
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)
        return task

    async def deliver(self, delivery: Delivery, *about: str) -> None:
        """All attempts of one delivery: same body, same token, until a 2xx, a final refusal or the last attempt."""
        faults = self.faults
        try:
            wait = faults.delay_seconds
            if faults.disorder_seconds:
                wait += faults.disorder_seconds * faults.roll("disorder", delivery.event, *about)
            if wait:
                await asyncio.sleep(wait)
            for attempt in range(1, (self.policy.max_attempts or 10) + 1):
                if attempt > 1:
                    await asyncio.sleep(self.policy.delay(attempt - 1) * self.time_scale)
                status = await self.attempt(delivery)
                if status is not None and 200 <= status < 300:
                    if faults.happens("repeat", faults.repeat_rate, delivery.event, *about):
                        await self.attempt(delivery)
                    delivery.outcome = "delivered"
                    return
                if status in self.policy.non_retryable:
                    break
            delivery.outcome = "lost"
        except asyncio.CancelledError:
            delivery.outcome = "crashed"
            raise

    async def attempt(self, delivery: Delivery) -> int | None:
        at = time.time()
        try:
            async with asyncio.timeout(self.policy.request_timeout_seconds):
                answer = await self.client.post(delivery.url, content=delivery.body, headers=delivery.headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
            delivery.attempts.append(Attempt(at, None, type(error).__name__))
            return None
        delivery.attempts.append(Attempt(at, answer.status_code))
        return answer.status_code

    async def forget(self) -> None:
        """Everything that was waiting for another try is gone, as after kill -9."""
        tasks = list(self.pending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        await self.forget()
        await self.client.aclose()


def signed(configured: Json, *, token_age_seconds: int = 0) -> dict[str, str] | None:
    """The request's headers: `jwt_key` becomes a bearer token (evolution.md 3.5 b). None when signing is impossible."""
    headers = {
        "Accept": "application/json, text/plain, */*",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "gzip, compress, deflate, br",
    }
    custom = dict(configured)
    has_key = "jwt_key" in custom
    key = custom.pop("jwt_key", None)
    if has_key and (not isinstance(key, str) or not key):
        return None
    if key:
        custom = {name: value for name, value in custom.items() if name.lower() != "authorization"}
        issued = int(time.time()) - token_age_seconds
        claims = {"iat": issued, "exp": issued + JWT_SECONDS, "app": "evolution", "action": "webhook"}
        custom["Authorization"] = "Bearer " + jwt.encode(claims, key, algorithm="HS256")
    replaced = {name.lower() for name in custom}
    return {name: value for name, value in headers.items() if name.lower() not in replaced} | {
        name: str(value) for name, value in custom.items()
    }
