"""A person's file: checked by content, stored before anything else, sent by the same claim as words, once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from conversations import intake, media, replies, sending
from conversations.models import MediaAsset, Message, Number
from conversations.ports import MessageKind, Uncertain
from integrations.whatsapp.standin import samples
from orgs.models import Org, Person, Refused
from sdr.lib.errors import PortError
from tests import fakes
from tests.conversations.conftest import JID, arrive, drive, incoming, send, the_conversation

SignIn = Callable[[Person], Client]
PNG = samples.picture(16)
OGG = samples.voice_note(1)
PDF = samples.document("Proposta")


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


@pytest.fixture
def in_english(beto: Person) -> Person:
    beto.language = "en"
    beto.save(update_fields=["language"])
    return beto


def stored_files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def address(end: str = "replies/") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def attach(client: Client, data: bytes, *, name: str, mime: str = "", text: str = "", **options: Any) -> Any:
    file = SimpleUploadedFile(name, data, content_type=mime or "application/octet-stream")
    return client.post(address(), {"text": text, "file": file, "key": options.pop("key", "")}, **options)


def ours() -> list[tuple[str, str, str]]:
    """(kind, state, text) of our messages."""
    return list(Message.objects.exclude(author="lead").order_by("seq").values_list("kind", "state", "text"))


def test_a_picture_is_stored_first_and_sent_with_its_caption(
    number: Number, sign_in: SignIn, beto: Person, in_acme: Org, storage: Path
) -> None:
    arrive(number, incoming())
    answer = attach(sign_in(beto), PNG, name="C:\\fotos\\telhado.png", mime="image/png", text=" Veja ")
    assert (answer.status_code, answer.headers["Location"]) == (302, address(""))
    assert ours() == [("image", "queued", "Veja")]
    asset = MediaAsset.objects.get()
    assert (asset.state, asset.mime, asset.file_name, asset.width, asset.height) == (
        "stored", "image/png", "telhado.png", 16, 16,
    )  # fmt: skip
    assert asset.path.startswith(f"{in_acme.pk}/whatsapp/{timezone.now():%Y-%m-%d}/")
    assert stored_files(storage) == [asset.path]
    send(the_conversation())
    assert fakes.phone.files == [(PNG, {"mime": "image/png", "file_name": "telhado.png", "voice": False})]
    assert fakes.phone.sent == [(JID, "Veja")]
    assert ours() == [("image", "sent", "Veja")]
    html = sign_in(beto).get(address("")).content.decode()
    assert f'src="{address(f"messages/{asset.message_id}/media/")}" width="16" height="16" loading="lazy"' in html


@pytest.mark.parametrize(
    ("data", "name", "mime", "kind", "voice"),
    [
        (PDF, "proposta.pdf", "application/pdf", "document", False),
        (OGG, "nota.ogg", "audio/ogg", "audio", True),
        (b"\x1aE\xdf\xa3voice", "voice.webm", "audio/webm", "audio", True),
        (b"a;b\n1;2\n", "tabela.csv", "text/csv", "document", False),
        (b"GIF89a\x02\x00\x02\x00", "dança.gif", "image/gif", "document", False),
    ],
)
def test_each_kind_goes_its_own_way(
    number: Number, sign_in: SignIn, beto: Person, data: bytes, name: str, mime: str, kind: str, voice: bool
) -> None:
    arrive(number, incoming())
    assert attach(sign_in(beto), data, name=name, mime=mime).status_code == 302
    assert ours() == [(kind, "queued", "")]
    send(the_conversation())
    assert fakes.phone.files == [(data, {"mime": mime, "file_name": name, "voice": voice})]


def test_what_cannot_stand_under_the_file_follows_it(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    client, long = sign_in(beto), "x" * (replies.CAPTION_CHARS + 1)
    attach(client, OGG, name="nota.ogg", mime="audio/ogg", text="ouça")
    attach(client, PNG, name="foto.png", mime="image/png", text=long)
    assert ours() == [
        ("audio", "queued", ""), ("text", "queued", "ouça"), ("image", "queued", ""), ("text", "queued", long),
    ]  # fmt: skip
    send(the_conversation())
    assert [text for _, text in fakes.phone.sent] == ["", "ouça", "", long]


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "foto.png", "This file is empty."),
        (b"MZ\x90\0", "programa.exe", "This kind of file cannot be sent."),
        (b"<html><script>alert(1)</script>", "pagina.html", "This kind of file cannot be sent."),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "desenho.svg", "This kind of file cannot be sent."),
        (b"\0\1\2", "nota.txt", "This kind of file cannot be sent."),
        (PDF, "foto.png", "The name of this file says something else"),
        (PNG + b"\0" * media.LARGEST_UPLOAD_BYTES, "grande.png", "The file is too large: 16.0\xa0MB is the limit."),
    ],
)
def test_a_file_we_do_not_pass_on_comes_back_in_words(
    number: Number, sign_in: SignIn, in_english: Person, storage: Path, data: bytes, name: str, words: str
) -> None:
    arrive(number, incoming())
    for headers in ({}, {"HX-Request": "true"}):
        answer = attach(sign_in(in_english), data, name=name, text="Veja isto", headers=headers)
        html = answer.content.decode()
        assert (answer.status_code, words in html, ">Veja isto</textarea>" in html.replace("\n", "")) == (
            422,
            True,
            True,
        )
        assert 'id="id_file_error"' in html
        assert "Then choose the file again." in html
    assert (ours(), the_conversation().owner, stored_files(storage)) == ([], "ai", [])


def test_a_good_file_with_wrong_words_must_be_chosen_again(
    number: Number, sign_in: SignIn, in_english: Person, storage: Path
) -> None:
    arrive(number, incoming())
    answer = attach(sign_in(in_english), PNG, name="foto.png", text="x" * 4097)
    html = answer.content.decode()
    assert (answer.status_code, 'id="id_text_error"' in html, "Then choose the file again." in html) == (
        422,
        True,
        True,
    )
    assert (ours(), stored_files(storage)) == ([], [])


def test_the_same_file_twice_is_stored_and_sent_once(
    number: Number, sign_in: SignIn, beto: Person, storage: Path
) -> None:
    arrive(number, incoming())
    client, key = sign_in(beto), str(uuid4())
    for _ in range(2):
        assert attach(client, PNG, name="foto.png", key=key).status_code == 302
    assert ours() == [("image", "queued", "")]
    assert stored_files(storage) == [MediaAsset.objects.get().path]


def test_the_file_goes_when_the_transaction_fails(
    number: Number, beto: Person, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(number, incoming())
    upload = media.accept(PNG, name="foto.png")

    def fail(*args: object, **options: object) -> None:
        assert len(stored_files(storage)) == 1  # it was there before the row
        raise DatabaseError

    monkeypatch.setattr(intake, "want", fail)
    with pytest.raises(DatabaseError):
        replies.reply(the_conversation(), beto, upload=upload)
    assert (ours(), stored_files(storage), the_conversation().owner) == ([], [], "ai")


def test_a_file_whose_fate_is_unknown_is_never_simply_repeated(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, upload=media.accept(PNG, name="foto.png"))
    replies.reply(the_conversation(), beto, upload=media.accept(OGG, name="nota.ogg"))
    fakes.phone.script.append(Uncertain("no answer"))
    send(the_conversation())
    assert [(kind, state) for kind, state, _ in ours()] == [("image", "unknown"), ("audio", "queued")]
    assert fakes.phone.sent == []
    doubtful = Message.objects.get(kind="image")
    fakes.phone.accept(JID, "", MessageKind.AUDIO)  # from the company's phone: another kind, so not this one
    drive(lambda hands: sending.reconcile(doubtful.pk, hands))
    doubtful.refresh_from_db()
    assert doubtful.state == "unknown"
    assert sending.verdict_after(doubtful) == sending.FILE_VERDICT_AFTER > sending.VERDICT_AFTER
    fakes.phone.accept(JID, "", MessageKind.IMAGE)
    drive(lambda hands: sending.reconcile(doubtful.pk, hands))
    doubtful.refresh_from_db()
    assert (doubtful.state, doubtful.provider_id) == ("sent", "OUT2")


def test_a_file_that_surely_did_not_go_is_tried_again_whole(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, upload=media.accept(PDF, name="p.pdf"), text="Proposta")
    fakes.phone.script.append(PortError("Busy."))
    send(the_conversation())
    assert ours() == [("document", "queued", "Proposta")]
    Message.objects.update(not_before=None)
    send(the_conversation())
    assert [data for data, _ in fakes.phone.files] == [PDF]
    assert ours() == [("document", "sent", "Proposta")]


def test_a_file_that_is_gone_fails_in_words(number: Number, sign_in: SignIn, in_english: Person) -> None:
    arrive(number, incoming())
    message = replies.reply(the_conversation(), in_english, upload=media.accept(PDF, name="p.pdf"))
    default_storage.delete(message.media.path)
    send(the_conversation())
    assert ours() == [("document", "failed", "")]
    assert "Its file is not there any more." in sign_in(in_english).get(address("")).content.decode()


def test_without_words_and_without_a_file_nothing_is_sent() -> None:
    with pytest.raises(Refused):
        media.accept(b"", name="x.png")


def test_viewers_send_no_files(number: Number, sign_in: SignIn, vera: Person, storage: Path) -> None:
    arrive(number, incoming())
    assert attach(sign_in(vera), PNG, name="foto.png").status_code == 403
    assert (ours(), stored_files(storage)) == ([], [])
