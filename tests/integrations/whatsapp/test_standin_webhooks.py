"""The stand-in delivers as Evolution does: envelope, proofs, retries, loss, disorder (evolution.md 3)."""

import time
from collections.abc import Iterator

import jwt
import pytest

from integrations.whatsapp.standin import Options, RetryPolicy, Standin
from tests.integrations.whatsapp.hook import Client, Hook, listening, until

LEAD = "5511999990001"
KEY = "a-secret-of-at-least-32-characters"
ENVELOPE = ["event", "instance", "data", "destination", "date_time", "sender", "server_url", "apikey"]


@pytest.fixture
def evolution() -> Iterator[Standin]:
    with Standin(Options(seed=1, time_scale=0.001), policy=RetryPolicy(request_timeout_seconds=1.0)) as standin:
        yield standin


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as endpoint:
        yield endpoint


@pytest.fixture
def call(evolution: Standin) -> Client:
    return Client(evolution)


def say(evolution: Standin, *texts: str) -> None:
    evolution.says("t_1", LEAD, *(texts or ("Oi",)))
    assert evolution.settle()


def outcomes(evolution: Standin, event: str = "messages.upsert") -> list[tuple[str, list[int | None]]]:
    return [(d.outcome, [a.status for a in d.attempts]) for d in evolution.webhooks if d.event == event]


def test_the_envelope_has_its_fields_in_order_and_a_false_z(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    say(evolution)
    body = next(heard.body for heard in hook.heard if heard.body["event"] == "messages.upsert")
    assert list(body) == ENVELOPE
    assert (body["instance"], body["destination"], body["sender"], body["apikey"]) == (
        "t_1",
        hook.url,
        "5511988880000@s.whatsapp.net",
        None,
    )
    sao_paulo_is_behind = time.mktime(time.gmtime()) - time.mktime(
        time.strptime(body["date_time"][:19], "%Y-%m-%dT%H:%M:%S")
    )
    assert 3 * 3600 - 60 < sao_paulo_is_behind < 3 * 3600 + 60


def test_the_sender_is_absent_until_the_account_was_open(evolution: Standin, call: Client, hook: Hook) -> None:
    call.create(hook, qrcode=True)
    until(lambda: hook.events("qrcode.updated"))
    assert [list(heard.body) for heard in hook.heard if "sender" in heard.body] == []
    [connecting] = hook.events("connection.update")[:1]
    assert connecting == {"instance": "t_1", "state": "connecting", "statusReason": 200}


def test_the_headers_are_those_of_axios_and_ours(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open()
    webhook = {"enabled": True, "url": hook.url, "events": [], "headers": {"X-Webhook-Token": "s", "jwt_key": KEY}}
    call("POST", "/webhook/set/t_1", {"webhook": webhook})
    say(evolution)
    headers = hook.heard[0].headers
    assert headers["X-Webhook-Token"] == "s"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("axios/")
    assert headers["Accept"] == "application/json, text/plain, */*"
    assert "jwt_key" not in {name.lower() for name in headers}
    claims = jwt.decode(headers["Authorization"].removeprefix("Bearer "), KEY, algorithms=["HS256"])
    assert claims == {"iat": claims["iat"], "exp": claims["iat"] + 600, "app": "evolution", "action": "webhook"}


def test_an_empty_jwt_key_means_that_nothing_is_sent(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    webhook = {"enabled": True, "url": hook.url, "events": [], "headers": {"jwt_key": ""}}
    call("POST", "/webhook/set/t_1", {"webhook": webhook})
    say(evolution)
    assert hook.heard == []
    assert outcomes(evolution) == [("unsent", [])]


def test_a_retry_is_byte_for_byte_the_first_try(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    webhook = {"enabled": True, "url": hook.url, "events": ["MESSAGES_UPSERT"], "headers": {"jwt_key": KEY}}
    call("POST", "/webhook/set/t_1", {"webhook": webhook})
    hook.answers = [500, 429]
    say(evolution)
    assert outcomes(evolution) == [("delivered", [500, 429, 200])]
    assert len({heard.raw for heard in hook.heard}) == 1
    assert len({heard.headers["Authorization"] for heard in hook.heard}) == 1


def test_it_gives_up_after_ten_tries(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    call("POST", "/webhook/set/t_1", {"webhook": {"enabled": True, "url": hook.url, "events": ["MESSAGES_UPSERT"]}})
    hook.answers = [500] * 20
    say(evolution)
    assert outcomes(evolution) == [("lost", [500] * 10)]


def test_the_waits_double_up_to_the_cap_and_never_shrink_below_the_base() -> None:
    waits = [RetryPolicy(jitter_factor=0).delay(attempt) for attempt in range(1, 10)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    shaken = [RetryPolicy().delay(attempt) for attempt in (1, 7) for _ in range(200)]
    assert 5 <= min(shaken[:200]) <= max(shaken[:200]) <= 6
    assert 240 <= min(shaken[200:]) < 300 < max(shaken[200:]) <= 360


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_these_answers_lose_the_event_at_once(evolution: Standin, call: Client, hook: Hook, status: int) -> None:
    call.open(hook)
    call("POST", "/webhook/set/t_1", {"webhook": {"enabled": True, "url": hook.url, "events": ["MESSAGES_UPSERT"]}})
    hook.answers = [status]
    say(evolution)
    assert outcomes(evolution) == [("lost", [status])]


@pytest.mark.parametrize(
    ("status", "method", "has_body"), [(302, "GET", False), (301, "GET", False), (307, "POST", True)]
)
def test_a_redirect_is_followed_as_axios_does(
    evolution: Standin, call: Client, hook: Hook, status: int, *, method: str, has_body: bool
) -> None:
    call.open(hook)
    webhook = {"enabled": True, "url": hook.url, "events": ["MESSAGES_UPSERT"], "headers": {"jwt_key": KEY}}
    call("POST", "/webhook/set/t_1", {"webhook": webhook})
    hook.answers = [(status, "/elsewhere/")]
    say(evolution)
    first, second = hook.heard
    assert (second.method, second.path, bool(second.raw)) == (method, "/elsewhere/", has_body)
    assert second.headers["Authorization"] == first.headers["Authorization"]
    assert outcomes(evolution) == [("delivered", [200])]


def test_a_slow_answer_is_a_timeout_and_a_duplicate(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    call("POST", "/webhook/set/t_1", {"webhook": {"enabled": True, "url": hook.url, "events": ["MESSAGES_UPSERT"]}})
    evolution.evolution.policy.request_timeout_seconds = 0.1
    hook.wait_seconds = 0.3
    evolution.says("t_1", LEAD, "Oi")
    until(lambda: len(hook.heard) >= 2)
    hook.wait_seconds = 0
    assert evolution.settle()
    assert outcomes(evolution)[0][1][0] is None
    assert len({heard.raw for heard in hook.heard}) == 1


def test_by_events_lengthens_the_path_and_not_the_destination(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open()
    webhook = {"enabled": True, "url": hook.url, "events": ["MESSAGES_UPSERT"], "byEvents": True}
    call("POST", "/webhook/set/t_1", {"webhook": webhook})
    say(evolution)
    [heard] = hook.heard
    assert heard.path == "/hooks/whatsapp/k//messages-upsert"
    assert heard.body["destination"] == hook.url


def test_a_crash_forgets_what_was_waiting_for_another_try(call: Client, hook: Hook) -> None:
    with Standin(
        Options(time_scale=0.001), policy=RetryPolicy(initial_delay_seconds=1e6, max_delay_seconds=1e6)
    ) as evolution:
        call = Client(evolution)
        call.open(hook)
        call("POST", "/webhook/set/t_1", {"webhook": {"enabled": True, "url": hook.url, "events": ["MESSAGES_UPSERT"]}})
        hook.answers = [503]
        evolution.says("t_1", LEAD, "perdida")
        until(lambda: hook.heard)
        until(lambda: outcomes(evolution) == [("pending", [503])])
        evolution.crash()
        evolution.says("t_1", LEAD, "depois")
        assert evolution.settle()
        assert outcomes(evolution) == [("crashed", [503]), ("delivered", [200])]
        found = call("POST", "/chat/findMessages/t_1", {})[1]["messages"]["records"]
        assert [record["message"]["conversation"] for record in found] == ["depois", "perdida"]


def test_while_it_is_down_leads_messages_wait_at_whatsapp(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    evolution.evolution.is_down = True
    assert call.evolution.evolution.is_down
    evolution.says("t_1", LEAD, "um", "dois")
    assert evolution.settle()
    assert hook.heard == []
    evolution.crash()
    assert evolution.settle()
    texts = sorted(data["message"]["conversation"] for data in hook.events("messages.upsert"))
    assert texts == ["dois", "um"]


def test_a_swallowed_event_is_only_in_the_table(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    evolution.faults.swallow_next, evolution.faults.swallow_events = 1, ("messages.upsert",)
    say(evolution, "some", "fica")
    assert [data["message"]["conversation"] for data in hook.events("messages.upsert")] == ["fica"]
    assert call("POST", "/chat/findMessages/t_1", {})[1]["messages"]["total"] == 2


def test_duplicates_come_in_both_kinds(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    call("POST", "/webhook/set/t_1", {"webhook": {"enabled": True, "url": hook.url, "events": ["MESSAGES_UPSERT"]}})
    evolution.faults.duplicate_rate = 1.0
    say(evolution)
    first, second = (heard.body for heard in hook.heard)
    assert first["data"] == second["data"]
    hook.heard.clear()
    evolution.faults.duplicate_rate, evolution.faults.repeat_rate = 0.0, 1.0
    say(evolution)
    assert len(hook.heard) == 2
    assert hook.heard[0].raw == hook.heard[1].raw


def test_events_arrive_in_any_order_when_told_so(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    evolution.faults.disorder_seconds = 0.2
    say(evolution, *"abcdefgh")
    texts = [data["message"]["conversation"] for data in hook.events("messages.upsert")]
    assert sorted(texts) == list("abcdefgh")
    assert texts != list("abcdefgh")


def test_an_edit_holds_up_what_follows_until_it_is_taken(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    [message] = evolution.says("t_1", LEAD, "Oi")
    assert evolution.settle()
    hook.heard.clear()
    hook.answers = [503, 503]
    evolution.act("t_1", LEAD, "edit", id=message.id, text="Olá")
    evolution.says("t_1", LEAD, "Tudo bem?")
    assert evolution.settle()
    events = [
        heard.body["event"] for heard in hook.heard if heard.body["event"] in {"messages.edited", "messages.upsert"}
    ]
    assert events == ["messages.edited"] * 3 + ["messages.upsert"]


def test_a_name_is_free_only_when_the_last_webhook_is_through(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    hook.wait_seconds = 0.3
    assert call("DELETE", "/instance/delete/t_1")[0] == 200
    again = {"instanceName": "t_1", "integration": "EVOLUTION"}
    assert call("POST", "/instance/create", again)[0] == 403
    until(lambda: "t_1" not in evolution.evolution.instances)
    assert hook.events("remove.instance") == [None]
    assert call("POST", "/instance/create", again)[0] == 201


def test_a_nul_drops_the_message_before_any_webhook(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    say(evolution, "a\x00b", "c")
    assert [data["message"]["conversation"] for data in hook.events("messages.upsert")] == ["c"]


def test_a_lone_surrogate_travels_as_an_escape(evolution: Standin, call: Client, hook: Hook) -> None:
    call.open(hook)
    say(evolution, "a\ud83d")
    assert rb"a\ud83d" in next(heard.raw for heard in hook.heard if heard.body["event"] == "messages.upsert")
