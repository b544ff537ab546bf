"""The client of Evolution: what each answer means, above all whether a message went out."""

import http.server
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conversations.ports import LinkState, Uncertain
from integrations.whatsapp import client as module
from integrations.whatsapp.client import (
    NO_JSON,
    Evolution,
    EvolutionError,
    NotOnWhatsApp,
    Outcome,
    Webhook,
    messages_of,
    outcome_of,
)
from sdr.lib.errors import PortError
from sdr.lib.http import HttpError, Timeout

SENT = {
    "key": {"remoteJid": "5511999990001@s.whatsapp.net", "fromMe": True, "id": "3EB0AA"},
    "messageTimestamp": 1760968810,
}
WEBHOOK = Webhook("https://app.example/hooks/whatsapp/key/", {"X-Webhook-Token": "t" * 40})


def error(status: int, message: Any) -> dict[str, Any]:
    return {"status": status, "error": "…", "response": {"message": message}}


CLOSED_WITHIN = error(500, "Cannot read properties of undefined (reading 'onWhatsApp')")
NOBODY = error(400, [{"jid": "5511999990001@s.whatsapp.net", "exists": False, "number": "5511999990001"}])
OUTCOMES: list[tuple[int, Any, Outcome]] = [
    (201, SENT, Outcome.SENT),
    (200, SENT, Outcome.SENT),
    (201, {"message": "(#131030) not allowed", "type": "OAuthException", "code": 131030}, Outcome.REFUSED),
    (200, {"error": True, "message": "[object Object]"}, Outcome.REFUSED),
    (201, {"key": {"id": ""}}, Outcome.REFUSED),
    (201, {"key": {"id": 7}}, Outcome.REFUSED),
    (201, {"key": None}, Outcome.REFUSED),
    (201, NO_JSON, Outcome.UNCERTAIN),
    (201, [], Outcome.UNCERTAIN),
    (204, None, Outcome.UNCERTAIN),
    (400, NOBODY, Outcome.REFUSED),
    (400, error(400, [['instance requires property "text"']]), Outcome.REFUSED),
    (400, error(400, ["Text is required"]), Outcome.REFUSED),
    (400, error(400, ["Owned media must be a url or base64"]), Outcome.REFUSED),
    (400, error(400, ["Method not available on WhatsApp Business API"]), Outcome.REFUSED),
    (401, error(401, "Unauthorized"), Outcome.MISCONFIGURED),
    (403, error(403, ["…"]), Outcome.MISCONFIGURED),
    (404, error(404, ['The "x" instance does not exist']), Outcome.MISCONFIGURED),
    (500, error(500, "Connection Closed"), Outcome.NOT_YET),
    (500, CLOSED_WITHIN, Outcome.NOT_YET),
    (500, error(500, "Timed Out"), Outcome.NOT_YET),
    (400, error(400, ["Error: Connection Closed"]), Outcome.NOT_YET),
    (429, NO_JSON, Outcome.NOT_YET),
    (413, NO_JSON, Outcome.REFUSED),
    (400, error(400, ["PrismaClientKnownRequestError: …"]), Outcome.UNCERTAIN),
    (400, error(400, ["TypeError: Cannot read properties of undefined (reading 'message')"]), Outcome.UNCERTAIN),
    (400, {}, Outcome.UNCERTAIN),
    (400, error(400, []), Outcome.UNCERTAIN),
    (400, error(400, ["Text is required by the table"]), Outcome.UNCERTAIN),
    (500, error(500, ["Error: could not save"]), Outcome.UNCERTAIN),
    (500, NO_JSON, Outcome.UNCERTAIN),
    (502, NO_JSON, Outcome.UNCERTAIN),
    (503, NO_JSON, Outcome.UNCERTAIN),
    (504, NO_JSON, Outcome.UNCERTAIN),
    (301, NO_JSON, Outcome.UNCERTAIN),
    (408, NO_JSON, Outcome.UNCERTAIN),
]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Scripted"

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append((self.command, self.path, dict(self.headers), json.loads(body) if body else None))
        status, content = self.server.answers.pop(0)
        if callable(content):
            content(self)
            return
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in self.server.extra_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Scripted(http.server.ThreadingHTTPServer):
    """Gives the answers it was told, in order, and remembers the questions."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.extra_headers: dict[str, str] = {}
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def will(self, status: int, content: Any) -> None:
        self.answers.append((status, content))


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join(5)


@pytest.fixture
def evolution(server: Scripted) -> Evolution:
    return Evolution(server.url, "the-key")


def send(evolution: Evolution) -> Any:
    return evolution.send_text("t_1", jid="5511999990001@s.whatsapp.net", text="Olá")


@pytest.mark.parametrize(("status", "body", "outcome"), OUTCOMES)
def test_an_answer_to_a_send_means(status: int, body: Any, outcome: Outcome) -> None:
    assert outcome_of(status, body) is outcome


@pytest.mark.parametrize(("status", "body", "outcome"), [row for row in OUTCOMES if row[0] not in {204}])
def test_a_send_ends_as_its_answer_says(
    server: Scripted, evolution: Evolution, status: int, body: Any, outcome: Outcome
) -> None:
    server.will(status, b"<html>" if body is NO_JSON else body)
    if outcome is Outcome.SENT:
        assert send(evolution).provider_id == "3EB0AA"
        return
    with pytest.raises((PortError, Uncertain)) as found:
        send(evolution)
    failure = found.value
    if outcome is Outcome.UNCERTAIN:
        assert isinstance(failure, Uncertain)
        return
    assert isinstance(failure, EvolutionError)
    assert failure.permanent is (outcome is not Outcome.NOT_YET)
    assert failure.needs_reconnect is (outcome is Outcome.MISCONFIGURED)
    assert "5511" not in str(failure)


def test_a_number_without_whatsapp_has_its_own_error(server: Scripted, evolution: Evolution) -> None:
    server.will(400, NOBODY)
    with pytest.raises(NotOnWhatsApp):
        send(evolution)


def test_a_send_asks_for_what_the_contract_wants(server: Scripted, evolution: Evolution) -> None:
    server.will(201, SENT)
    sent = evolution.send_text("t 1/x", jid="210000000000001@lid", text="Olá 😀", quoted_id="ABC")
    [(method, path, headers, body)] = server.asked
    assert (method, path) == ("POST", "/message/sendText/t%201%2Fx")
    assert headers["apikey"] == "the-key"
    assert body == {
        "number": "210000000000001@lid",
        "text": "Olá 😀",
        "linkPreview": False,
        "quoted": {"key": {"id": "ABC"}},
    }
    assert sent.chat_jid == "5511999990001@s.whatsapp.net"
    assert sent.sent_at is not None
    assert sent.sent_at.isoformat() == "2025-10-20T14:00:10+00:00"


def test_a_hanging_server_leaves_it_uncertain(
    server: Scripted, evolution: Evolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND", Timeout(connect=0.2, read=0.2, total=0.3))
    server.will(201, lambda handler: server.release.wait(5))
    with pytest.raises(Uncertain, match="timeout"):
        send(evolution)


def reset(handler: Handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def cut(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{")
    handler.wfile.flush()
    handler.close_connection = True


@pytest.mark.parametrize("ending", [reset, cut])
def test_a_lost_connection_leaves_it_uncertain(
    server: Scripted, evolution: Evolution, ending: Callable[[Handler], None]
) -> None:
    server.will(201, ending)
    with pytest.raises(Uncertain, match="network"):
        send(evolution)
    assert len(server.asked) == 1, "a send must never be repeated"


def test_a_server_that_is_down_was_not_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(HttpError) as found:
        send(Evolution(f"http://127.0.0.1:{port}", "k"))
    assert found.value.unsent
    assert not found.value.permanent


def test_an_unknown_host_was_not_asked() -> None:
    with pytest.raises(HttpError) as found:
        send(Evolution("http://no-such-host.invalid", "k"))
    assert found.value.unsent


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Unauthorized", ["Unauthorized"]),
        (["a", "b"], ["a", "b"]),
        ([["nested"]], ["nested"]),
        ([{"exists": False}], []),
        (None, []),
        (7, []),
    ],
)
def test_it_finds_the_words_in_every_shape_of_error(message: Any, words: list[str]) -> None:
    assert messages_of(error(400, message)) == words
    assert messages_of({"status": 400, "message": message}) == words


@pytest.mark.parametrize("body", [None, [], "text", NO_JSON, {}, {"response": None}, {"response": []}])
def test_an_error_without_words_is_no_crash(body: Any) -> None:
    assert messages_of(body) == []


@pytest.mark.parametrize("call", [lambda e: e.connect("t_1"), lambda e: e.restart("t_1")])
def test_a_friendly_status_with_an_error_inside_is_a_failure(
    server: Scripted, evolution: Evolution, call: Callable[[Evolution], Any]
) -> None:
    server.will(200, {"error": True, "message": "[object Object]"})
    with pytest.raises(EvolutionError, match="operation failed"):
        call(evolution)


@pytest.mark.parametrize(
    ("status", "permanent", "reconnect"),
    [
        (400, True, False),
        (401, True, True),
        (403, True, True),
        (408, False, False),
        (429, False, False),
        (500, False, False),
    ],
)
def test_other_calls_fail_by_the_status(
    server: Scripted, evolution: Evolution, status: int, permanent: bool, reconnect: bool
) -> None:
    server.extra_headers = {"Retry-After": "7"}
    server.will(status, error(status, "5511999990001 said secret words"))
    with pytest.raises(EvolutionError) as found:
        evolution.find_chats("t_1", take=1)
    assert (found.value.permanent, found.value.needs_reconnect, found.value.status) == (permanent, reconnect, status)
    assert (found.value.retry_after is None) is permanent
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, {"instance": {"instanceName": "x", "state": "open"}}, LinkState.OPEN),
        (200, {"instance": {"instanceName": "x", "state": "connecting"}}, LinkState.CONNECTING),
        (200, {"instance": {"instanceName": "x", "state": "close"}}, LinkState.CLOSED),
        (200, {"instance": {"instanceName": "x"}}, LinkState.CONNECTING),
        (404, error(404, ['The "x" instance does not exist']), LinkState.REMOVED),
    ],
)
def test_it_reads_the_state(server: Scripted, evolution: Evolution, status: int, body: Any, state: LinkState) -> None:
    server.will(status, body)
    assert evolution.state("x") is state


@pytest.mark.parametrize("body", [b"<html>", b"", [], {"messages": {}}, {"messages": {"records": None}}])
def test_an_unreadable_list_is_a_failure_and_not_an_empty_list(
    server: Scripted, evolution: Evolution, body: Any
) -> None:
    server.will(200, body)
    with pytest.raises(EvolutionError, match="unreadable answer"):
        evolution.find_messages("t_1", jid="x@lid")


def test_an_instance_whose_creation_timed_out_is_adopted(
    server: Scripted, evolution: Evolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CREATE", Timeout(connect=0.2, read=0.2, total=0.3))
    server.will(201, lambda handler: server.release.wait(5))
    server.will(200, [{"name": "t_1", "connectionStatus": "connecting", "token": "ours"}])
    pairing = evolution.create("t_1", token="ours", webhook=WEBHOOK)
    assert (pairing.qr_png, pairing.is_open) == ("", False)


def test_a_stranger_s_instance_is_not_adopted(
    server: Scripted, evolution: Evolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CREATE", Timeout(connect=0.2, read=0.2, total=0.3))
    server.will(201, lambda handler: server.release.wait(5))
    server.will(200, [{"name": "t_1", "connectionStatus": "open", "token": "theirs"}])
    with pytest.raises(HttpError):
        evolution.create("t_1", token="ours", webhook=WEBHOOK)


@pytest.mark.parametrize(
    ("text", "accepted"), [("2.3.6", True), ("2.3.5", True), ("2.3.4", False), ("1.8.2", False), (None, False)]
)
def test_it_works_with_new_enough_servers_only(
    server: Scripted, evolution: Evolution, text: str | None, accepted: bool
) -> None:
    server.will(200, {"status": 200, "version": text})
    if accepted:
        assert ".".join(map(str, evolution.version())) == text
        return
    with pytest.raises(EvolutionError, match="version not supported"):
        evolution.version()


def test_no_error_and_no_name_shows_the_key(server: Scripted, evolution: Evolution) -> None:
    server.will(401, error(401, "Unauthorized"))
    with pytest.raises(EvolutionError) as found:
        evolution.find_webhook("t_1")
    assert "the-key" not in str(found.value) + repr(found.value) + repr(evolution)
