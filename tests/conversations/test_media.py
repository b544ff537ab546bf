"""The file of a message: fetched, told by its content, kept in the org's folder, or refused with a reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from conversations import content, media
from conversations.models import MediaAsset, Message, Number
from conversations.ports import Media, MessageKind, Revoke
from integrations.whatsapp.standin import samples
from orgs.models import Due, Person, Refused
from sdr.lib.errors import PortError
from sdr.lib.http import Failure, HttpError
from tests import fakes
from tests.conversations.conftest import arrive, at_once, incoming, the_conversation

SignIn = Callable[[Person], Client]
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
    at_once(media.fetch(pk, attempt=1))
    asset = the_asset()
    assert (asset.state, asset.mime, asset.size) == (MediaAsset.State.STORED, "image/png", len(PNG))
    assert asset.path.startswith(f"{in_acme.pk}/whatsapp/{timezone.now():%Y-%m-%d}/")
    assert default_storage.open(asset.path).read() == PNG
    at_once(media.fetch(pk, attempt=2))  # once more: nothing is asked, nothing changes
    assert the_asset().path == asset.path


def test_what_the_door_had_cut_out_is_moved_and_nobody_is_asked(
    number: Number, provider: list[bytes | Exception], in_acme: Any
) -> None:
    kept = default_storage.save(f"{in_acme.pk}/incoming/one", ContentFile(PNG))
    at_once(media.fetch(picture(number, kept=kept), attempt=1))
    assert the_asset().path != kept
    assert default_storage.open(the_asset().path).read() == PNG
    assert not default_storage.exists(kept)


def test_a_program_that_claims_to_be_a_picture_is_refused(number: Number, provider: list[bytes | Exception]) -> None:
    provider.append(b"<html><script>alert(1)</script>")
    at_once(media.fetch(picture(number), attempt=1))
    assert (the_asset().state, the_asset().failure, the_asset().path) == ("refused", "not_what_it_claims", "")


def test_what_is_too_large_is_refused_without_fetching_when_its_size_is_told(number: Number) -> None:
    at_once(media.fetch(picture(number, size=media.LARGEST_BYTES + 1), attempt=1))
    assert (the_asset().state, the_asset().failure) == ("refused", "too_large")


def test_what_turns_out_too_large_is_refused(
    number: Number, provider: list[bytes | Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "LARGEST_BYTES", 10)
    provider.append(PNG)
    at_once(media.fetch(picture(number), attempt=1))
    assert (the_asset().state, the_asset().failure, the_asset().size) == ("refused", "too_large", len(PNG))


def test_what_may_come_later_is_tried_again_until_it_is_given_up(
    number: Number, provider: list[bytes | Exception]
) -> None:
    pk = picture(number)
    for attempt in range(1, media.TRIES):
        provider.append(PortError("Busy."))
        with pytest.raises(PortError):
            at_once(media.fetch(pk, attempt=attempt))
        assert the_asset().state == "wanted"
    provider.append(PortError("Busy."))
    at_once(media.fetch(pk, attempt=media.TRIES))
    assert (the_asset().state, the_asset().failure) == ("failed", "Busy.")


def test_what_is_gone_is_given_up_at_once(number: Number, provider: list[bytes | Exception]) -> None:
    provider.append(PortError("Gone.", permanent=True))
    at_once(media.fetch(picture(number), attempt=1))
    assert (the_asset().state, the_asset().failure) == ("failed", "Gone.")


def test_an_answer_beyond_all_bounds_is_too_large(number: Number, provider: list[bytes | Exception]) -> None:
    provider.append(HttpError(Failure.TOO_LARGE, "More than that."))
    at_once(media.fetch(picture(number), attempt=1))
    assert (the_asset().state, the_asset().failure) == ("refused", "too_large")


def test_no_more_than_the_limit_is_read_of_what_the_door_kept(
    number: Number, in_acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "LARGEST_BYTES", 10)
    kept = default_storage.save(f"{in_acme.pk}/incoming/one", ContentFile(PNG * 100))
    at_once(media.fetch(picture(number, kept=kept), attempt=1))
    assert (the_asset().state, the_asset().failure, the_asset().size) == ("refused", "too_large", 11)
    assert (the_asset().path, default_storage.exists(kept)) == ("", False)  # what is refused is not kept


def test_a_picture_tells_its_size(number: Number, provider: list[bytes | Exception]) -> None:
    provider.append(samples.picture(24))
    at_once(media.fetch(picture(number), attempt=1))
    assert (the_asset().width, the_asset().height) == (24, 24)


def test_a_file_deleted_for_everyone_goes(number: Number, provider: list[bytes | Exception]) -> None:
    provider.append(PNG)
    arrive(number, incoming("", pid="P", kind=MessageKind.IMAGE, media=Media(mime="image/png", file_name="a.png")))
    pk = Message.objects.get(author="lead").pk
    at_once(media.fetch(pk, attempt=1))
    path = the_asset().path
    Due.objects.all().delete()
    arrive(number, Revoke(target_id="P"))
    assert Due.objects.filter(kind="media", ref=str(pk)).exists()
    for attempt in (1, 2):
        at_once(media.fetch(pk, attempt=attempt))
        assert not default_storage.exists(path)
        assert (the_asset().state, the_asset().failure, the_asset().path, the_asset().file_name) == (
            "refused", "deleted", "", "",
        )  # fmt: skip


def test_a_failed_file_is_fetched_again_on_demand(
    number: Number, provider: list[bytes | Exception], sign_in: SignIn, beto: Person
) -> None:
    pk = picture(number)
    provider += [PortError("Gone.", permanent=True), PNG]
    at_once(media.fetch(pk, attempt=1))
    Due.objects.all().delete()
    client = sign_in(beto)
    address = f"/o/acme/inbox/{the_conversation().pk}/messages/{pk}/media/retry/"
    assert address in client.get(f"/o/acme/inbox/{the_conversation().pk}/").content.decode()
    assert client.post(address).status_code == 302
    assert (the_asset().state, Due.objects.get(kind="media").ref) == ("wanted", str(pk))
    Due.objects.all().delete()
    assert client.post(address).status_code == 302  # once more: it is asked for already
    assert not Due.objects.filter(kind="media").exists()
    at_once(media.fetch(pk, attempt=1))
    assert the_asset().state == "stored"
    with pytest.raises(Refused):
        media.want_again(Message.objects.get(pk=pk))


@pytest.mark.parametrize(
    ("fields", "may"),
    [
        ({"state": "failed"}, True),
        ({"state": "wanted"}, False),
        ({"state": "wanted", "created_at": timezone.now() - media.STALE_AFTER}, True),
        ({"state": "refused", "failure": "not_what_it_claims"}, True),
        ({"state": "refused", "failure": "too_large"}, False),
        ({"state": "refused", "failure": "view_once"}, False),
        ({"state": "refused", "failure": "deleted"}, False),
        ({"state": "stored"}, False),
    ],
)
def test_only_what_could_still_come_may_be_asked_for(number: Number, fields: dict[str, Any], may: bool) -> None:
    picture(number)
    MediaAsset.objects.update(**fields)
    assert media.may_come(the_asset()) is may


def test_files_that_no_message_has_are_swept_a_day_later(
    number: Number, in_acme: Any, provider: list[bytes | Exception]
) -> None:
    provider.append(PNG)
    at_once(media.fetch(picture(number), attempt=1))
    orphan = media.put(PNG, "png")
    other_org = default_storage.save(orphan.replace(f"{in_acme.pk}/", "999999/", 1), ContentFile(PNG))
    now = timezone.now()
    assert media.sweep(in_acme, now) == 0
    assert media.sweep(in_acme, now + timedelta(days=1, minutes=1)) == 1
    assert [default_storage.exists(path) for path in (orphan, the_asset().path, other_org)] == [False, True, True]


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
        ("application/msword", b"PK\x03\x04...word/document.xml", f"{content.OFFICE}.wordprocessingml.document", True),
    ],
)
def test_content_decides_what_a_file_is(claimed: str, data: bytes, mime: str, may: bool) -> None:
    assert content.sniff(data)[0] == mime
    assert content.keeps_promise(claimed, mime) is may


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"GIF89a\x02\x00\x03\x00", (2, 3)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x11\x08\x01\x00\x02\x00", (512, 256)),
        (b"\xff\xd8\xff\xda\x00\x04", None),
        (b"\xff\xd8\xff" + b"\xff" * 3_000_000, None),
        (b"RIFF....WEBPVP8 " + b"." * 10 + b"\x02\x40\x03\x00", (2, 3)),
        (b"RIFF....WEBPVP8L....\x2f\x01\x80\x00\x00", (2, 3)),
        (b"RIFF....WEBPVP8X" + b"." * 8 + b"\x01\x00\x00\x02\x00\x00", (2, 3)),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 32, None),
        (b"%PDF-1.7", None),
    ],
)
def test_the_size_of_a_picture_is_in_its_header(data: bytes, size: tuple[int, int] | None) -> None:
    assert content.dimensions(data) == size


@pytest.mark.parametrize(
    ("data", "claimed", "mime"),
    [
        (b"\x1aE\xdf\xa3", "audio/webm;codecs=opus", "audio/webm"),
        (b"\x1aE\xdf\xa3", "", "video/webm"),
        (b"\0\0\0\x20ftypiso5", "Audio/mp4", "audio/mp4"),
        (PNG, "audio/ogg", "image/png"),
    ],
)
def test_a_claim_decides_only_whether_a_box_holds_sound_alone(data: bytes, claimed: str, mime: str) -> None:
    assert content.sniff(data, claimed=claimed)[0] == mime
