"""A message's file over HTTP: to members of its org alone, by our own type, whole or one range, kept but asked for."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.test import Client

from conversations.models import MediaAsset, Message, Number
from conversations.ports import Media, MessageKind
from conversations.views import media as serving
from orgs.models import Person
from tests.conversations.conftest import arrive, incoming, the_conversation

SignIn = Callable[[Person], Client]
DATA = bytes(range(256)) * 1000  # 256,000 bytes: more than one block


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.fixture
def viewer(number: Number, sign_in: SignIn, vera: Person) -> Client:
    return sign_in(vera)


def stored(number: Number, *, data: bytes = DATA, mime: str = "audio/ogg", name: str = "", **fields: Any) -> str:
    """The address of a stored file of a lead's message."""
    arrive(number, incoming("", kind=MessageKind.AUDIO, media=Media(mime=mime, file_name=name)))
    message = Message.objects.latest("pk")
    path = default_storage.save("1/whatsapp/2026-03-01/x.ogg", ContentFile(data))
    given = {"state": "stored", "path": path, "mime": mime, "size": len(data)} | fields
    MediaAsset.objects.filter(message=message).update(**given)
    return f"/o/acme/inbox/{the_conversation().pk}/messages/{message.pk}/media/"


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_a_member_gets_the_whole_file_in_pieces(number: Number, viewer: Client) -> None:
    answer: Any = viewer.get(stored(number))
    assert answer.streaming
    pieces = list(answer.streaming_content)
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) == serving.BLOCK_BYTES
    told = {name: answer.headers[name] for name in ("Content-Type", "Content-Length", "Accept-Ranges", "Cache-Control")}
    assert told == {
        "Content-Type": "audio/ogg", "Content-Length": "256000", "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }  # fmt: skip
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Content-Security-Policy"].endswith("; sandbox")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "expected"),
    [
        ("bytes=0-1", 206, "bytes 0-1/256000", DATA[:2]),  # how Safari looks whether it may seek
        ("bytes=0-", 206, "bytes 0-255999/256000", DATA),
        ("bytes=70000-200000", 206, "bytes 70000-200000/256000", DATA[70000:200001]),
        ("bytes=255999-999999", 206, "bytes 255999-255999/256000", DATA[-1:]),
        ("bytes=-5", 206, "bytes 255995-255999/256000", DATA[-5:]),
        ("bytes=-999999", 206, "bytes 0-255999/256000", DATA),
        ("bytes=256000-", 416, "bytes */256000", b""),
        ("bytes=-0", 416, "bytes */256000", b""),
        ("bytes=5-2", 200, None, DATA),
        ("bytes=0-1,5-6", 200, None, DATA),
        ("bytes=-", 200, None, DATA),
        ("bytes=٠-١", 200, None, DATA),
        ("lines=0-1", 200, None, DATA),
    ],
)
def test_one_range_is_answered(
    number: Number, viewer: Client, asked: str, status: int, content_range: str | None, expected: bytes
) -> None:
    answer = viewer.get(stored(number), headers={"Range": asked})
    assert (answer.status_code, answer.headers.get("Content-Range")) == (status, content_range)
    assert body(answer) == expected
    if status != 416:
        assert answer.headers["Content-Length"] == str(len(expected))


def test_a_range_of_another_content_is_the_whole(number: Number, viewer: Client) -> None:
    address = stored(number)
    etag = viewer.get(address).headers["ETag"]
    same = viewer.get(address, headers={"Range": "bytes=0-1", "If-Range": etag})
    other = viewer.get(address, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)
    assert body(other) == DATA


def test_what_the_browser_has_is_not_sent_again_but_asked_for(
    number: Number, viewer: Client, sign_in: SignIn, carla: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = stored(number)
    etag = viewer.get(address).headers["ETag"]
    monkeypatch.setattr(serving, "default_storage", None)  # 304 touches no file
    kept = viewer.get(address, headers={"If-None-Match": etag, "Range": "bytes=0-1"})
    assert (kept.status_code, kept.content, kept.headers["ETag"]) == (304, b"", etag)
    assert sign_in(carla).get(address, headers={"If-None-Match": etag}).status_code == 404


def test_head_tells_the_size_and_sends_nothing(number: Number, viewer: Client) -> None:
    answer = viewer.head(stored(number), headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, "256000", b"")


@pytest.mark.parametrize(
    ("mime", "name", "content_type", "disposition"),
    [
        ("image/png", "foto.png", "image/png", 'inline; filename="foto.png"'),
        ("video/mp4", "", "video/mp4", 'inline; filename="audio-{pk}.ogg"'),
        ("application/pdf", "proposta comercial.pdf", "application/pdf", 'inline; filename="proposta comercial.pdf"'),
        ("text/plain", "nota.html", "application/octet-stream", 'attachment; filename="nota.html"'),
        ("image/svg+xml", "x.svg", "application/octet-stream", 'attachment; filename="x.svg"'),
        ("application/octet-stream", "", "application/octet-stream", 'attachment; filename="audio-{pk}.ogg"'),
        ("application/zip", "../../etc/passwd", "application/octet-stream", 'attachment; filename="passwd"'),
        ("application/zip", 'a"\r\nSet-Cookie: b=c.zip', "application/octet-stream",
         'attachment; filename="aSet-Cookie b=c.zip"'),
        ("application/zip", "fdp\u202eexe.pdf", "application/octet-stream", 'attachment; filename="fdpexe.pdf"'),
        ("application/zip", "orçamento.zip", "application/octet-stream",
         "attachment; filename*=utf-8''or%C3%A7amento.zip"),
    ],
)  # fmt: skip
def test_only_what_runs_nothing_is_shown_in_place(
    number: Number, viewer: Client, mime: str, name: str, content_type: str, disposition: str
) -> None:
    answer = viewer.get(stored(number, mime=mime, file_name=name))
    pk = Message.objects.latest("pk").pk
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Content-Disposition"] == disposition.format(pk=pk)
    assert answer.headers["Content-Security-Policy"].endswith("; sandbox")


@pytest.mark.parametrize("fields", [{"state": "wanted"}, {"state": "refused"}, {"state": "failed"}, {"path": "1/gone"}])
def test_what_is_not_there_is_not_found(number: Number, viewer: Client, fields: dict[str, Any]) -> None:
    assert viewer.get(stored(number, **fields)).status_code == 404


def test_another_orgs_member_gets_nothing(number: Number, sign_in: SignIn, carla: Person) -> None:
    address = stored(number)
    assert sign_in(carla).get(address).status_code == 404
    assert sign_in(carla).get(address.replace("acme", "globex")).status_code == 404
    anonymous = Client().get(address)
    assert (anonymous.status_code, "/accounts/login/" in anonymous.headers["Location"]) == (302, True)


def test_the_file_is_closed_when_the_browser_leaves_early(
    number: Number, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = File(BytesIO(DATA), name="x")
    address = stored(number)
    monkeypatch.setattr(type(default_storage._wrapped), "open", lambda self, path, mode="rb": opened)  # type: ignore[attr-defined]
    answer: Any = viewer.get(address)
    next(iter(answer.streaming_content))
    answer.close()
    assert opened.closed
