"""The file of a message: fetched, told by its content, kept in the org's folder, or refused with a reason."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from conversations import content, media
from conversations.models import MediaAsset, Message, Number
from conversations.ports import Media, MessageKind
from orgs.models import Due
from sdr.lib.errors import PortError
from tests import fakes
from tests.conversations.conftest import arrive, incoming

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
OGG = b"OggS" + b"\0" * 32


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> list[bytes | Exception]:
    """What the provider answers, one after another."""
    answers: list[bytes | Exception] = []

    def fetch_media(self: object, provider_id: str) -> tuple[bytes, str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer, "application/whatever"

    monkeypatch.setattr(fakes.FakeTransport, "fetch_media", fetch_media)
    return answers


def picture(number: Number, *, mime: str = "image/png", kept: str = "", size: int | None = None) -> int:
    """A lead's picture; its message's id."""
    arrive(number, incoming("", kind=MessageKind.IMAGE, media=Media(mime=mime, kept=kept, size=size)))
    return int(Message.objects.get(author="lead").pk)


def the_asset() -> MediaAsset:
    return MediaAsset.objects.get()


def test_it_is_wanted_with_its_message_and_stored_under_the_org(
    number: Number, provider: list[bytes | Exception], in_acme: Any
) -> None:
    pk = picture(number)
    assert Due.objects.filter(kind="media", ref=str(pk)).exists()
    provider.append(PNG)
    media.fetch(pk, attempt=1)
    asset = the_asset()
    assert (asset.state, asset.mime, asset.size) == (MediaAsset.State.STORED, "image/png", len(PNG))
    assert asset.path.startswith(f"{in_acme.pk}/whatsapp/{timezone.now():%Y-%m-%d}/")
    assert default_storage.open(asset.path).read() == PNG
    media.fetch(pk, attempt=2)  # once more: nothing is asked, nothing changes
    assert the_asset().path == asset.path


def test_what_the_door_had_cut_out_is_moved_and_nobody_is_asked(
    number: Number, provider: list[bytes | Exception], in_acme: Any
) -> None:
    kept = default_storage.save(f"{in_acme.pk}/incoming/one", ContentFile(PNG))
    media.fetch(picture(number, kept=kept), attempt=1)
    assert the_asset().path != kept
    assert default_storage.open(the_asset().path).read() == PNG
    assert not default_storage.exists(kept)


def test_a_program_that_claims_to_be_a_picture_is_refused(number: Number, provider: list[bytes | Exception]) -> None:
    provider.append(b"<html><script>alert(1)</script>")
    media.fetch(picture(number), attempt=1)
    assert (the_asset().state, the_asset().failure, the_asset().path) == ("refused", "not_what_it_claims", "")


def test_what_is_too_large_is_refused_without_fetching_when_its_size_is_told(number: Number) -> None:
    media.fetch(picture(number, size=media.LARGEST_BYTES + 1), attempt=1)
    assert (the_asset().state, the_asset().failure) == ("refused", "too_large")


def test_what_turns_out_too_large_is_refused(
    number: Number, provider: list[bytes | Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "LARGEST_BYTES", 10)
    provider.append(PNG)
    media.fetch(picture(number), attempt=1)
    assert (the_asset().state, the_asset().failure, the_asset().size) == ("refused", "too_large", len(PNG))


def test_what_may_come_later_is_tried_again_until_it_is_given_up(
    number: Number, provider: list[bytes | Exception]
) -> None:
    pk = picture(number)
    for attempt in range(1, media.TRIES):
        provider.append(PortError("Busy."))
        with pytest.raises(PortError):
            media.fetch(pk, attempt=attempt)
        assert the_asset().state == "wanted"
    provider.append(PortError("Busy."))
    media.fetch(pk, attempt=media.TRIES)
    assert (the_asset().state, the_asset().failure) == ("failed", "Busy.")


def test_what_is_gone_is_given_up_at_once(number: Number, provider: list[bytes | Exception]) -> None:
    provider.append(PortError("Gone.", permanent=True))
    media.fetch(picture(number), attempt=1)
    assert (the_asset().state, the_asset().failure) == ("failed", "Gone.")


@pytest.mark.parametrize(
    ("claimed", "data", "mime", "may"),
    [
        ("image/jpeg", PNG, "image/png", True),
        ("image/png", b"%PDF-1.7", "application/pdf", False),
        ("audio/ogg; codecs=opus", OGG, "audio/ogg", True),
        ("audio/mp4", b"\0\0\0\x20ftypisom", "video/mp4", True),
        ("image/png", b"\0\0\0\x20ftypisom", "video/mp4", False),
        ("video/mp4", b"MZ\x90", "application/octet-stream", False),
        ("application/pdf", b"%PDF-1.7", "application/pdf", True),
        ("text/plain", b"hello", "application/octet-stream", True),
        ("", b"hello", "application/octet-stream", True),
    ],
)
def test_content_decides_what_a_file_is(claimed: str, data: bytes, mime: str, may: bool) -> None:
    assert content.sniff(data)[0] == mime
    assert content.keeps_promise(claimed, mime) is may
