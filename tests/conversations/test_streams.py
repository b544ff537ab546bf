"""Live pages: who may listen, what they hear and how soon, and what they hear when they come back."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import connection
from django.test import Client

from conversations import live
from conversations import streams as module
from conversations.streams import Streams
from orgs import bell
from orgs.context import in_org
from orgs.models import Membership, Org, Person

WITHIN = 20.0  # seconds, on a busy machine
NOTHING = 0.6  # seconds in which what must not come would have come


class Tab:
    """One open page: its request, and the events it hears."""

    def __init__(self, streams: Streams, cookie: str, slug: str, **options: Any) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.events: asyncio.Queue[tuple[str, str, Any]] = asyncio.Queue()
        self.answered = asyncio.Event()
        self.left = asyncio.Event()
        headers = [(b"cookie", cookie.encode()), *options.get("headers", [])]
        scope = {"type": "http", "method": options.get("method", "GET"), "path": f"/live/{slug}/inbox/",
                 "query_string": options.get("query", "").encode(), "headers": headers}  # fmt: skip
        self.task = asyncio.create_task(streams(scope, self.receive, self.send))

    async def receive(self) -> dict[str, str]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        for block in message.get("body", b"").decode().split("\n\n"):
            found = dict(re.findall(r"^(event|data|id): (.*)$", block, re.MULTILINE))
            if "event" in found:
                self.events.put_nowait((found["event"], found.get("id", ""), json.loads(found["data"])))
        self.answered.set()

    async def hear(self) -> tuple[str, str, Any]:
        return await asyncio.wait_for(self.events.get(), WITHIN)

    async def opened(self) -> "Tab":
        """Past the first words of a page that has just been made."""
        assert (await self.hear())[0] == "reload"
        return self


@pytest.fixture
def cookie_of(committed: None) -> Callable[[Person], str]:
    def make(person: Person) -> str:
        client = Client()
        client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        key = client.session.session_key
        UserSession.objects.create(user=person, session_key=key, ip="127.0.0.1", user_agent="", data={})
        return f"{settings.SESSION_COOKIE_NAME}={key}"

    return make


def person(name: str) -> Person:
    return Person.objects.get(email=f"{name}@example.com")


def run(scene: Callable[[Streams], Awaitable[None]]) -> None:
    async def whole() -> None:
        streams = Streams()
        try:
            await scene(streams)
        finally:
            await streams.close()

    asyncio.run(whole())


def change(slug: str, *conversations: int) -> None:
    """As a worker's transaction does, in a thread with a connection of its own."""
    with in_org(Org.objects.get(slug=slug)):
        for pk in conversations:
            live.changed(pk)


async def changed(slug: str, *conversations: int) -> None:
    def work() -> None:
        try:
            change(slug, *conversations)
        finally:
            connection.close()

    await asyncio.to_thread(work)


def test_members_hear_of_their_org_alone(cookie_of: Callable[[Person], str]) -> None:
    vera, carla = cookie_of(person("vera")), cookie_of(person("carla"))

    async def scene(streams: Streams) -> None:
        mine = await Tab(streams, vera, "acme", query="conversation=7").opened()
        other = await Tab(streams, vera, "acme", query="conversation=8").opened()
        theirs = await Tab(streams, carla, "globex", query="conversation=7").opened()
        await changed("acme", 7)
        heard = [await mine.hear(), await mine.hear()]
        assert [(name, data) for name, _, data in heard] == [("conversation", {"conversation": 7}), ("inbox", {})]
        assert (await other.hear())[0] == "inbox"
        await asyncio.sleep(NOTHING)
        assert (theirs.events.empty(), other.events.empty()) == (True, True)
        assert mine.headers[b"content-type"].startswith(b"text/event-stream")
        assert b"no-store" in mine.headers[b"cache-control"]

    run(scene)


def test_only_the_member_who_is_told_hears_so(cookie_of: Callable[[Person], str]) -> None:
    vera, ana = cookie_of(person("vera")), cookie_of(person("ana"))
    told = Membership.objects.get(person=person("vera"))

    async def scene(streams: Streams) -> None:
        mine = await Tab(streams, vera, "acme").opened()
        hers = await Tab(streams, ana, "acme").opened()
        await changed("acme", -told.pk)
        assert (await mine.hear())[0] == "notifications"
        await changed("acme", 7)
        assert [(await tab.hear())[0] for tab in (hers, mine)] == ["inbox", "inbox"]

    run(scene)


def test_strangers_and_other_pages_are_refused(cookie_of: Callable[[Person], str]) -> None:
    vera, carla = cookie_of(person("vera")), cookie_of(person("carla"))
    cross = [(b"sec-fetch-site", b"cross-site")]

    async def scene(streams: Streams) -> None:
        asked = [
            (Tab(streams, "", "acme"), 401),
            (Tab(streams, f"{settings.SESSION_COOKIE_NAME}=\x00'; DROP", "acme"), 401),
            (Tab(streams, carla, "acme"), 404),
            (Tab(streams, carla, "no-such-org"), 404),
            (Tab(streams, vera, "acme", method="POST"), 405),
            (Tab(streams, vera, "acme", headers=cross), 403),
        ]
        for tab, status in asked:
            await asyncio.wait_for(tab.task, WITHIN)
            assert (tab.status, tab.events.empty()) == (status, True)

    run(scene)


def test_who_comes_back_hears_what_came_meanwhile(cookie_of: Callable[[Person], str]) -> None:
    vera = cookie_of(person("vera"))

    async def scene(streams: Streams) -> None:
        tab = await Tab(streams, vera, "acme").opened()
        await changed("acme", 1)
        _, last, _ = await tab.hear()
        tab.left.set()
        await asyncio.wait_for(tab.task, WITHIN)
        witness = await Tab(streams, vera, "acme").opened()
        nothing = Tab(streams, vera, "acme", headers=[(b"last-event-id", last.encode())])
        await asyncio.wait_for(nothing.answered.wait(), WITHIN)
        await asyncio.sleep(NOTHING)
        assert nothing.events.empty()
        await changed("acme", 9)
        assert (await witness.hear())[0] == "inbox"
        back = Tab(streams, vera, "acme", query=f"conversation=9&after={last}")
        assert [(await back.hear())[0] for _ in range(2)] == ["conversation", "inbox"]
        unknown = Tab(streams, vera, "acme", headers=[(b"last-event-id", b"0123456789ab")])
        assert (await unknown.hear())[0] == "reload"

    run(scene)


def test_a_crowd_of_changes_is_a_few_words(cookie_of: Callable[[Person], str]) -> None:
    vera = cookie_of(person("vera"))

    async def scene(streams: Streams) -> None:
        tab = await Tab(streams, vera, "acme").opened()
        loop = asyncio.get_running_loop()
        started = loop.time()
        for pk in range(1, 31):
            streams._hear(f"{pk:012x} {await org_id('acme')}:{pk}")
            await asyncio.sleep(0.01)
        heard = [await tab.hear()]
        while heard[-1][1] != f"{30:012x}":
            heard.append(await tab.hear())
        took = loop.time() - started
        assert {name for name, _, _ in heard} == {"inbox"}
        assert len(heard) <= took / module.LIST_EVERY + 1

    run(scene)


async def org_id(slug: str) -> int:
    def look() -> int:
        try:
            return int(Org.objects.get(slug=slug).pk)
        finally:
            connection.close()

    return await asyncio.to_thread(look)


def test_who_is_removed_or_signs_out_hears_no_more(
    cookie_of: Callable[[Person], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECHECK_EVERY", 0.2)
    vera, beto, ana = (cookie_of(person(name)) for name in ("vera", "beto", "ana"))

    def leave() -> None:
        try:
            Membership.objects.filter(person=person("vera"), org__slug="acme").delete()
            UserSession.objects.get(user=person("beto")).end()
        finally:
            connection.close()

    async def scene(streams: Streams) -> None:
        removed = await Tab(streams, vera, "acme").opened()
        gone = await Tab(streams, beto, "acme").opened()
        staying = await Tab(streams, ana, "acme").opened()
        await asyncio.to_thread(leave)
        await asyncio.wait_for(asyncio.gather(removed.task, gone.task), WITHIN)
        assert not staying.task.done()

    run(scene)


def test_a_person_has_so_many_streams_and_no_more(
    cookie_of: Callable[[Person], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OF_PERSON", 2)
    vera, beto = cookie_of(person("vera")), cookie_of(person("beto"))

    async def scene(streams: Streams) -> None:
        first = await Tab(streams, vera, "acme").opened()
        await Tab(streams, vera, "acme").opened()
        third = Tab(streams, vera, "acme")
        await asyncio.wait_for(third.task, WITHIN)
        assert (third.status, third.headers[b"retry-after"]) == (429, b"10")
        await Tab(streams, beto, "acme").opened()
        first.left.set()
        await asyncio.wait_for(first.task, WITHIN)
        await Tab(streams, vera, "acme").opened()

    run(scene)


def test_streams_end_when_the_server_stops(cookie_of: Callable[[Person], str]) -> None:
    vera = cookie_of(person("vera"))

    async def scene(streams: Streams) -> None:
        tab = await Tab(streams, vera, "acme").opened()
        streams._end_all()
        await asyncio.wait_for(tab.task, WITHIN)
        late = Tab(streams, vera, "acme")
        await asyncio.wait_for(late.task, WITHIN)
        assert late.status == 503

    run(scene)


def test_a_full_notification_fits() -> None:
    rows = [(10**8, 10**13 + place) for place in range(bell.NEWS_AT_ONCE)]
    assert len(bell.notification(rows)) < 8000
