"""Web push over real sockets: encrypted for one browser, signed by us, and forgotten when the browser has gone."""

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.test import Client

from conversations import intake, news, notices
from conversations.models import Conversation, Number
from orgs import notifications, push
from orgs.models import Membership, NotificationDelivery, NotificationSettings, Person, PushSubscription
from sdr.lib import http
from sdr.lib.errors import PortError
from tests.conversations.conftest import arrive, drive, incoming, the_conversation

SECRET = bytes(range(16))
HERE = "/o/acme/notifications/"


class Browser:
    """A browser and its maker's push server in one: it answers with `status`, and reads what comes as RFC 8291 says."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.status = 201
        self.shown: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        browser = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                browser.headers.append(dict(self.headers))
                if browser.status == 201:
                    browser.shown.append(json.loads(browser.opened(body)))
                self.send_response(browser.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def p256dh(self) -> str:
        return push.encoded(push.point(self.key.public_key()))

    def opened(self, body: bytes) -> bytes:
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= size
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
        info = b"WebPush: info\x00" + push.point(self.key.public_key()) + theirs
        secret = HKDF(hashes.SHA256(), 32, SECRET, info).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\x00").derive(secret)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\x00").derive(secret)
        text = AESGCM(key).decrypt(nonce, sealed, None)
        assert text.endswith(b"\x02")
        return text[:-1]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Browser]:
    settings.VAPID_PRIVATE_KEY = push.new_private_key()
    real = http.request
    monkeypatch.setattr(http, "request", lambda *given, **options: real(*given, **options | {"allow_private": True}))
    made = Browser()
    yield made
    made.server.shutdown()
    made.server.server_close()


def switch_on(person: Person, browser: Browser, client: Client, path: str = "/one") -> PushSubscription:
    return PushSubscription.objects.create(
        person=person, digest=path, endpoint=f"{browser.url}{path}", p256dh=browser.p256dh,
        auth=push.encoded(SECRET), session_key=str(client.session.session_key),
    )  # fmt: skip


def ref(person: Person) -> str:
    return f"{Membership.objects.get(person=person).pk}/push"


def run(person: Person) -> None:
    drive(partial(news.send, ref(person)))


def states() -> list[str]:
    return list(NotificationDelivery.objects.filter(channel="push").values_list("state", flat=True))


@pytest.fixture
def lead(number: Number) -> Conversation:
    arrive(number, incoming("quero falar com uma pessoa"))
    return the_conversation()


def hand_off() -> None:
    with transaction.atomic():
        notices.handed_off(intake.locked(the_conversation().pk), "lead_asked")


def test_a_browser_shows_what_happened_without_the_leads_name(
    lead: Conversation, beto: Person, browser: Browser, settings: Any, sign_in: Callable[[Person], Client]
) -> None:
    switch_on(beto, browser, sign_in(beto))
    hand_off()
    run(beto)
    run(beto)
    [shown] = browser.shown
    assert shown["url"].startswith(HERE)
    assert "Vendas" in shown["title"]
    assert "Maria" not in json.dumps(shown, ensure_ascii=False)
    assert states() == ["sent"]
    [headers] = browser.headers
    token, key = headers["Authorization"].removeprefix("vapid t=").split(", k=")
    claims = jwt.decode(token, push.private_key().public_key(), algorithms=["ES256"], audience=browser.url)
    assert (key, headers["Content-Encoding"]) == (push.public_key(), "aes128gcm")
    assert claims["sub"].startswith("mailto:") or claims["sub"].startswith("https:")


@pytest.mark.parametrize("status", [404, 410, 403])
def test_a_browser_that_has_gone_is_forgotten(
    lead: Conversation, beto: Person, browser: Browser, status: int, sign_in: Callable[[Person], Client]
) -> None:
    switch_on(beto, browser, sign_in(beto))
    browser.status = status
    hand_off()
    run(beto)
    assert not PushSubscription.objects.exists()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(
    lead: Conversation, beto: Person, browser: Browser, status: int, sign_in: Callable[[Person], Client]
) -> None:
    switch_on(beto, browser, sign_in(beto))
    browser.status = status
    hand_off()
    with pytest.raises(PortError) as refused:
        run(beto)
    assert not refused.value.permanent
    assert states() == ["waiting"]
    browser.status = 201
    run(beto)
    assert (len(browser.shown), states()) == (1, ["sent"])


def test_many_things_at_once_are_one_push(
    lead: Conversation, beto: Person, browser: Browser, sign_in: Callable[[Person], Client]
) -> None:
    switch_on(beto, browser, sign_in(beto))
    member = Membership.objects.select_related("org", "person").get(person=beto)
    for n in range(5):
        notifications.notify("assigned", f"{lead.pk}/{n}", to=[member], conversation_id=lead.pk)
    run(beto)
    [shown] = browser.shown
    assert (shown["title"].partition(" ")[0], shown["url"]) == ("5", HERE)


def test_who_has_signed_out_is_shown_nothing(
    lead: Conversation, beto: Person, browser: Browser, sign_in: Callable[[Person], Client]
) -> None:
    client = sign_in(beto)
    switch_on(beto, browser, client)
    hand_off()
    client.post("/accounts/logout/")
    assert not Session.objects.filter(session_key=PushSubscription.objects.get().session_key).exists()
    run(beto)
    assert (browser.shown, states(), PushSubscription.objects.count()) == ([], ["dropped"], 0)


def test_who_does_not_want_pushes_or_has_no_browser_gets_none(
    lead: Conversation, beto: Person, ana: Person, browser: Browser, sign_in: Callable[[Person], Client]
) -> None:
    switch_on(beto, browser, sign_in(beto))
    NotificationSettings.objects.create(
        membership=Membership.objects.get(person=beto), channels={"handoff": ["in_app"]}
    )
    hand_off()
    run(beto)
    run(ana)
    assert (browser.shown, states()) == ([], [])


def test_a_browser_is_switched_on_and_off_by_its_person_alone(
    in_acme: Any, beto: Person, davi: Person, browser: Browser, sign_in: Callable[[Person], Client]
) -> None:
    client = sign_in(beto)
    given = {"endpoint": "https://push.example.com/x", "p256dh": browser.p256dh, "auth": push.encoded(SECRET)}
    assert "<push-switch" in client.get(f"{HERE}settings/").content.decode()
    for _ in range(2):
        assert client.post(f"{HERE}browsers/", given).status_code == 204
    row = PushSubscription.objects.get()
    assert (row.person_id, str(row.endpoint)) == (beto.pk, given["endpoint"])
    assert f"browsers/{row.pk}/end/" in client.get(f"{HERE}settings/").content.decode()
    other = sign_in(davi)
    assert other.post(f"{HERE}browsers/{row.pk}/end/").status_code == 404
    assert PushSubscription.objects.exists()
    assert client.post(f"{HERE}browsers/{row.pk}/end/").status_code == 302
    assert not PushSubscription.objects.exists()
    client.post(f"{HERE}browsers/", given)
    other.post(f"{HERE}browsers/", given)  # somebody else signs in there
    assert PushSubscription.objects.get().person_id == davi.pk


@pytest.mark.parametrize(
    "wrong",
    [{"endpoint": "http://push.example.com/x"}, {"endpoint": "https://127.0.0.1/x"}, {"endpoint": "https://10.0.0.1/x"},
     {"endpoint": ""}, {"p256dh": "AAAA"}, {"p256dh": "é"}, {"auth": "AAAA"},
     {"endpoint": "https://a.b/" + "x" * 1000}],
)  # fmt: skip
def test_what_no_browser_says_is_refused(beto: Person, browser: Browser, wrong: dict[str, str]) -> None:
    given = {"endpoint": "https://push.example.com/x", "p256dh": browser.p256dh, "auth": push.encoded(SECRET)} | wrong
    with pytest.raises(ValidationError):
        push.subscribe(beto, **given, session_key="x")
    assert not PushSubscription.objects.exists()


def test_without_a_key_nothing_offers_it(
    in_acme: Any, beto: Person, settings: Any, sign_in: Callable[[Person], Client]
) -> None:
    settings.VAPID_PRIVATE_KEY = ""
    client = sign_in(beto)
    page = client.get(f"{HERE}settings/").content.decode()
    assert "<push-switch" not in page
    assert "handoff-push" not in page
    assert client.post(f"{HERE}browsers/").status_code == 404
