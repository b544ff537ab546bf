"""Live pages: one stream of server-sent events per tab, `GET /live/<slug>/inbox/?conversation=<id>` (STYLE E3).

On the event loop, past Django's middleware. A stream says that something is other, by ids; the page then asks Django
for the fragment, where permission and rendering are. Four events: `conversation` (the one the page shows: at once),
`notifications` (this member is told something, or has read it: at once), `inbox` (any conversation of the org: at most
one in 250 ms), `reload` (ask for everything: the place in the order is lost).

Resuming. `orgs.bell` sends notifications with an id, and PostgreSQL hands them to every listener in one order. Each
process keeps the last KEPT of them; a stream that comes back with an id it knows gets what came after, one with an id
it does not know (another process, a deployment, a connection of ours that was lost meanwhile) is told to reload.

Who may listen is looked up at the start and again every RECHECK_EVERY seconds: signed in, a member, the org open. In
between a stream could give away that something happened, never what.
"""

import asyncio
import json
import random
import re
import signal
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.cookies import CookieError, SimpleCookie
from types import FrameType
from typing import Any, TypeVar
from urllib.parse import parse_qs

import psycopg
import structlog
from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections, connections
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from conversations.access import sees_all, theirs
from conversations.models import Conversation
from orgs import bell
from orgs.context import in_org
from orgs.ingest import parameters
from orgs.middleware import SLUG, has_mfa
from orgs.models import Membership, Person

PATH = re.compile(r"/live/(?P<slug>[^/]+)/inbox/")
LIST_EVERY = 0.25  # seconds between two `inbox` events of a stream
HEARTBEAT = 15.0  # seconds of silence after which a comment is sent
RECHECK_EVERY = 15.0  # seconds
RECONNECT_AFTER = 1.0  # seconds
CONNECT_WITHIN = 5.0  # seconds
KEPT = 5_000  # notifications
MOST_OF_PERSON = 12  # streams of one person in a process
MOST = 2_000  # streams of a process
RETRY_MS = (1_000, 4_000)  # after which a browser comes back, at random: not all at once after a deployment
THREADS = 2
DIGITS = re.compile(r"[0-9]{1,18}")
NOTIFICATION_ID = re.compile(r"[0-9a-f]{12}")

T = TypeVar("T")
logger: structlog.stdlib.BoundLogger = structlog.get_logger("sdr.streams")


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens to what."""

    org_id: int
    person_id: int
    membership_id: int
    session_key: str


@dataclass(eq=False, slots=True)
class Stream:
    """One tab. What it is to be told is kept as flags and an id, so a slow reader costs no memory."""

    listener: Listener
    conversation: int | None
    wakened: asyncio.Event = field(default_factory=asyncio.Event)
    last: str = ""
    is_list_new: bool = False
    is_told: bool = False
    is_conversation_new: bool = False
    must_reload: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, notification: str, rows: Collection[int | None]) -> None:
        """Something of its org is other: conversations by id, members who are told something by minus theirs."""
        self.last = notification
        self.is_told = self.is_told or -self.listener.membership_id in rows
        self.is_list_new = self.is_list_new or any(row is None or row > 0 for row in rows)
        self.is_conversation_new = self.is_conversation_new or self.conversation in rows
        if self.is_told or self.is_list_new or self.is_conversation_new:
            self.wakened.set()

    def reload(self) -> None:
        self.must_reload = True
        self.wakened.set()

    def end(self) -> None:
        self.over.set()
        self.wakened.set()


class Streams:
    """The ASGI application of `/live/`. All of it belongs to one event loop, but for what `_in_thread` runs."""

    def __init__(self) -> None:
        self._streams: dict[int, set[Stream]] = {}  # by org
        self._count = 0
        self._kept: deque[tuple[str, dict[int, set[int | None]]]] = deque()
        self._places: OrderedDict[str, int] = OrderedDict()  # notification → its number
        self._number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="streams")
        self._listening = asyncio.Event()
        self._is_closed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request: the stream, or 401, 403, 404, 405, 429, 503 without a body."""
        found = PATH.fullmatch(scope["path"])
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] != "GET":
            return await _refuse(send, 405)
        if found is None:
            return await _refuse(send, 404)
        if headers.get(b"sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return await _refuse(send, 403)
        if self._is_closed or self._count >= MOST:
            return await _refuse(send, 503)
        self._count += 1  # before the first wait: a crowd that comes at once is counted, too
        try:
            answer = await self._in_thread(partial(identify, headers.get(b"cookie", ""), found["slug"]))
            if isinstance(answer, int):
                return await _refuse(send, answer)
            open_already = sum(s.listener.person_id == answer.person_id for s in self._streams.get(answer.org_id, ()))
            if open_already >= MOST_OF_PERSON:
                return await _refuse(send, 429)
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            shown = query.get("conversation", [""])[0]
            watched = int(shown) if DIGITS.fullmatch(shown) else None
            if watched is not None and not await self._in_thread(partial(may_watch, answer, watched)):
                return await _refuse(send, 404)
            stream = Stream(answer, watched)
            await self._run(stream, headers.get(b"last-event-id") or query.get("after", [""])[0], receive, send)
        finally:
            self._count -= 1

    async def _run(self, stream: Stream, after: str, receive: Any, send: Any) -> None:
        self._start()
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await self._listening.wait()  # from here on nothing is missed
        except TimeoutError:
            return await _refuse(send, 503)
        self._streams.setdefault(stream.listener.org_id, set()).add(stream)
        self._catch_up(stream, after)
        watcher = asyncio.create_task(_watch(receive, stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await _write(send, f"retry: {random.randint(*RETRY_MS)}\n: hello\n\n")  # noqa: S311  # no secret
            await self._tell(stream, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            pass  # the reader is gone
        finally:
            watcher.cancel()
            left = self._streams[stream.listener.org_id]
            left.discard(stream)
            if not left:
                del self._streams[stream.listener.org_id]

    def _catch_up(self, stream: Stream, after: str) -> None:
        """Tell what came after the notification the page saw last.

        A page without one has just been made, before we listened for it: it asks again, and hears 204 for nothing new.
        """
        place = self._places.get(after) if NOTIFICATION_ID.fullmatch(after) else None
        if place is None:
            stream.reload()
            return
        first = self._number - len(self._kept)
        for notification, rows in list(self._kept)[place - first + 1 :]:
            if mine := rows.get(stream.listener.org_id):
                stream.hear(notification, mine)

    async def _tell(self, stream: Stream, send: Any) -> None:
        listed = 0.0
        while not stream.over.is_set():
            pause = HEARTBEAT
            if stream.is_list_new:
                pause = max(0.0, listed + LIST_EVERY - time.monotonic())
            if not (stream.must_reload or stream.is_conversation_new or stream.is_told) and pause > 0:
                stream.wakened.clear()
                try:
                    async with asyncio.timeout(pause):
                        await stream.wakened.wait()
                except TimeoutError:
                    if not stream.is_list_new:
                        await _write(send, ": still here\n\n")
                if stream.over.is_set():
                    return
            now = time.monotonic()
            if stream.must_reload:
                stream.must_reload = stream.is_list_new = stream.is_conversation_new = stream.is_told = False
                listed = now
                await _event(send, "reload", stream, None)
                continue
            if stream.is_told:
                stream.is_told = False
                await _event(send, "notifications", stream, None)
            if stream.is_conversation_new:
                stream.is_conversation_new = False
                await _event(send, "conversation", stream, stream.conversation)
            if stream.is_list_new and now >= listed + LIST_EVERY:
                stream.is_list_new = False
                listed = now
                await _event(send, "inbox", stream, None)

    # --- News from the database ---
    def _start(self) -> None:
        if self._tasks:
            return
        _on_stop_signal(self._end_all)
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._recheck())]

    async def _listen(self) -> None:
        """Hear notifications for ever. A lost connection loses news: everybody reloads once it is back."""
        while True:
            with suppress(psycopg.Error, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_WITHIN):
                    database = await psycopg.AsyncConnection.connect(**parameters(), autocommit=True)
                    await database.execute(f"LISTEN {bell.NEWS}")
                try:
                    self._forget()
                    self._listening.set()
                    async for notification in database.notifies():
                        self._hear(notification.payload)
                finally:
                    with suppress(Exception):
                        await database.close()
            logger.warning("streams_lost_the_bell")
            await asyncio.sleep(RECONNECT_AFTER)

    def _forget(self) -> None:
        self._kept.clear()
        self._places.clear()
        for stream in self._all():
            stream.reload()

    def _hear(self, payload: str) -> None:
        notification, *told = payload.split()
        by_org: dict[int, set[int | None]] = {}
        for one in told:
            org_id, _, ref = one.partition(":")
            by_org.setdefault(int(org_id), set()).add(int(ref))
        self._kept.append((notification, by_org))
        self._places[notification] = self._number
        self._number += 1
        if len(self._kept) > KEPT:
            self._kept.popleft()
            self._places.popitem(last=False)
        for org, rows in by_org.items():
            for stream in self._streams.get(org, ()):
                stream.hear(notification, rows)

    # --- Who may still listen ---
    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_EVERY)
            streams = self._all()
            try:
                allowed = await self._in_thread(partial(still_allowed, {stream.listener for stream in streams}))
            except Exception:
                logger.exception("streams_not_rechecked")  # the database is away: their pages get nothing either
                continue
            for stream in streams:
                if stream.listener not in allowed:
                    stream.end()

    def _all(self) -> list[Stream]:
        return [stream for streams in self._streams.values() for stream in streams]

    def _end_all(self) -> None:
        self._is_closed = True
        for stream in self._all():
            stream.end()

    async def close(self) -> None:
        """End everything. For the lifespan's shutdown."""
        self._end_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(THREADS):
            self._threads.submit(connections.close_all)
        await asyncio.to_thread(self._threads.shutdown)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        def call() -> T:
            close_old_connections()
            return function()

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


# --- In a thread ------------------------------------------------------------------------------------------------------
def identify(cookies: str, slug: str) -> Listener | int:
    """Who asks, or the status that refuses them: as OrgMiddleware judges (404 for an org that is not theirs)."""
    jar: SimpleCookie = SimpleCookie()
    with suppress(CookieError):
        jar.load(cookies)
    key = jar[settings.SESSION_COOKIE_NAME].value if settings.SESSION_COOKIE_NAME in jar else ""
    request = HttpRequest()
    request.session = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(key or None)
    person = get_user(request)
    if not isinstance(person, Person):
        return 401
    slug = slug.lower()
    memberships = Membership.objects.select_related("org").filter(org__slug=slug, person=person)
    membership = memberships.first() if SLUG.fullmatch(slug) else None
    if membership is None:
        return 404
    if not membership.org.is_open or (membership.org.requires_mfa and not has_mfa(person)):
        return 403
    return Listener(membership.org_id, person.pk, membership.pk, str(request.session.session_key))


def may_watch(listener: Listener, conversation_id: int) -> bool:
    """Whether who sees only their own leads may see this one; for others there is no difference."""
    member = Membership.objects.select_related("org").filter(pk=listener.membership_id).first()
    if member is None or sees_all(member):
        return member is not None
    with in_org(member.org):
        return Conversation.objects.filter(theirs(member), pk=conversation_id).exists()


def still_allowed(listeners: set[Listener]) -> set[Listener]:
    """Those whose session and membership are still there, of an active person in an open org. Two queries."""
    if not listeners:
        return set()
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    keys = {one.session_key for one in listeners}
    sessions = store.get_model_class().objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    known = set(sessions.values_list("session_key", flat=True))
    found = Membership.objects.filter(pk__in={one.membership_id for one in listeners}, person__is_active=True)
    members = {one.pk: one for one in found.select_related("org")}
    return {
        one
        for one in listeners
        if one.session_key in known and one.membership_id in members and members[one.membership_id].org.is_open
    }


# --- On the wire ------------------------------------------------------------------------------------------------------
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, private"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


async def _event(send: Any, name: str, stream: Stream, conversation: int | None) -> None:
    place = f"id: {stream.last}\n" if stream.last else ""
    data = json.dumps({"conversation": conversation} if conversation else {})
    await _write(send, f"{place}event: {name}\ndata: {data}\n\n")


async def _write(send: Any, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _watch(receive: Any, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


async def _refuse(send: Any, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store, private")]
    if status in {429, 503}:
        headers.append((b"retry-after", b"10"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _on_stop_signal(end: Callable[[], None]) -> None:
    """End the streams as soon as the server is told to stop: it waits for open answers before it says so to us."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        former = signal.getsignal(number)

        def stop(received: int, frame: FrameType | None, former: Any = former) -> None:
            loop.call_soon_threadsafe(end)
            if callable(former):
                former(received, frame)

        if callable(former):
            with suppress(ValueError):  # not in the main thread, as in tests
                signal.signal(number, stop)


streams = Streams()
