"""Damaged bodies: reading always ends in an event or in Unreadable, and words are not lost to noise beside them."""

import copy
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.ports import Edit, Ignored, Incoming, SentEcho, Unreadable
from integrations.whatsapp.wire import dedupe_key, load, parse, strip

from .test_wire_payloads import BODIES, OWN, TABLE, read

Path = tuple[str | int, ...]
NAMES = sorted(path.stem for path in BODIES.glob("*.json"))
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    2**70,
    "",
    "\x00",
    "\ud83d",
    "0",
    "x" * 300,
    [],
    {},
    [None],
    {"low": 1},
    {"0": 255},
)
WITH_WORDS = [
    name for name, events in TABLE.items() if any(isinstance(e, (Incoming, SentEcho, Edit)) and e.text for e in events)
]
CHAT_FIELDS = {"key", "event", "instance", "sender", "type"}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
relaxed = settings(
    max_examples=int(os.environ.get("MUTATIONS", "400")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every node but the root."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for name, inner in children:
        yield (*path, name)
        yield from places(inner, (*path, name))


def changed(body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    body = copy.deepcopy(body)
    inner: Any = body
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return body


def without(body: dict[str, Any], path: Path) -> dict[str, Any]:
    body = copy.deepcopy(body)
    inner: Any = body
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return body


def survive(body: dict[str, Any]) -> None:
    """All doors of the module, for a raw body and for a decoded one."""
    raw = json.dumps(body).encode()
    assert 0 < len(dedupe_key(raw)) <= 200
    for given_body in (raw, body):
        with suppress(Unreadable):
            assert parse(given_body, own_jid=OWN)
    try:
        stripped = strip(load(raw))
    except Unreadable:
        return
    json.dumps(stripped.body).encode()
    assert "\\u0000" not in json.dumps(stripped.body)


BODY: dict[str, dict[str, Any]] = {name: json.loads((BODIES / f"{name}.json").read_bytes()) for name in NAMES}


def shortened(name: str) -> dict[str, Any]:
    """Without the long noise that is the same in many bodies, so that each place is hit often."""
    body = copy.deepcopy(BODY[name])
    data = body.get("data")
    if isinstance(data, dict) and isinstance(data.get("message"), dict):
        data["message"].pop("messageContextInfo", None)
    return body


@pytest.mark.parametrize("name", NAMES)
def test_no_change_of_one_place_raises_anything_but_unreadable(name: str) -> None:
    body = shortened(name)
    if name.startswith("40"):
        body["data"]["message"]["conversation"] = "short"
    for path in places(body):
        survive(without(body, path))
        for value in ODD:
            survive(changed(body, path, value))


@given(data=st.data())
@relaxed
def test_no_random_change_raises_anything_but_unreadable(data: st.DataObject) -> None:
    body = shortened(data.draw(st.sampled_from([name for name in NAMES if not name.startswith("40")])))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(places(body), key=repr)))
        body = changed(body, path, data.draw(json_values))
    survive(body)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@relaxed
def test_no_bytes_raise_anything_but_unreadable(raw: bytes) -> None:
    assert dedupe_key(raw)
    with suppress(Unreadable):
        assert parse(raw)


def words(body: dict[str, Any]) -> list[str]:
    return [event.text for event in read(body) if isinstance(event, (Incoming, SentEcho, Edit))]


def carries_words(path: Path, body: dict[str, Any]) -> bool:
    """Whether a place is, holds or decides the words: the message's content, its key, or the envelope."""
    if path == ("data",) or (path[0] == "data" and len(path) > 1 and path[1] in {"message", "editedMessage"}):
        return True
    return bool(CHAT_FIELDS & set(map(str, path))) or (isinstance(body["data"], list) and len(path) == 2)


@pytest.mark.parametrize("name", WITH_WORDS)
def test_words_survive_whatever_happens_beside_them(name: str) -> None:
    body = BODY[name]
    wanted = words(body)
    assert wanted
    harmless = [path for path in places(shortened(name)) if not carries_words(path, body)]
    harmless = [path for path in harmless if not isinstance(body["data"], list) or path[0] != "data"]
    assert harmless
    for path in harmless:
        assert words(without(body, path)) == wanted, path
        for value in ODD:
            assert words(changed(body, path, value)) == wanted, (path, value)


@pytest.mark.parametrize("name", [name for name in WITH_WORDS if isinstance(BODY[name]["data"], dict)])
def test_words_survive_strange_content_beside_them(name: str) -> None:
    body = BODY[name]
    place = "editedMessage" if "editedMessage" in body["data"] else "message"
    for value in ODD:
        for stranger in ("futureMessage", "messageContextInfo", "base64", "mediaUrl", "ephemeralMessage"):
            content = {stranger: value} | body["data"][place]
            assert words(changed(body, ("data", place), content)) == words(body), (stranger, value)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[]", b'"text"', b"{", b"\xff\xfe", b"NaN", b'{"a":Infinity}', b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":' + b"9" * 5000 + b"}", b'{"event":"messages.upsert"}',
        b'{"event":"messages.upsert","data":[[[[]]]]}', b'{"event":"messages.upsert","data":[]}',
        b'{"event":7,"data":{}}',
    ],
)  # fmt: skip
def test_hopeless_bodies_are_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(raw)
    assert dedupe_key(raw)


def test_an_infinite_number_does_not_reach_the_database() -> None:
    assert load(b'{"a": 1e999, "b": [-1e999]}') == {"a": None, "b": [None]}


def test_a_message_without_a_clear_direction_is_not_guessed() -> None:
    body = copy.deepcopy(BODY["01-upsert-text"])
    del body["data"]["key"]["fromMe"]
    with pytest.raises(Unreadable, match=r"key\.fromMe"):
        read(body)


def test_a_reason_never_quotes_the_lead() -> None:
    body = copy.deepcopy(BODY["01-upsert-text"])
    body["data"]["key"] = {"id": {"secret": "words"}, "remoteJid": "5511999990001@s.whatsapp.net", "fromMe": False}
    with pytest.raises(Unreadable) as found:
        read(body)
    assert "words" not in str(found.value)
    assert "5511" not in str(found.value)


def test_a_group_inside_a_list_is_left_out() -> None:
    body = copy.deepcopy(BODY["71-messages-set-history"])
    body["data"][0]["key"]["remoteJid"] = "120363000000000001@g.us"
    stripped = strip(body)
    assert [item["key"]["id"][-2:] for item in stripped.body["data"]] == ["48"]
    assert len(read(body)) == 1
    body["data"][1]["key"]["remoteJid"] = "1@newsletter"
    assert strip(body).ignored == Ignored("nothing but groups")
