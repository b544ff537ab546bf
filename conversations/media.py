"""Files of messages: fetched from the provider, or taken from a person, checked by content and kept in our own storage.

Their place is `<org id>/whatsapp/YYYY-MM-DD/<uuid>.<ending by content>` (PRODUCT 5), so they go when the org goes. The
day (UTC) is the one of storing. A file is never changed; what no message has is an orphan, and `sweep` removes it.
"""

import mimetypes
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import content, intake, sending, transcripts
from conversations.models import MediaAsset, Message
from conversations.ports import MessageKind
from orgs.models import Org, Refused
from sdr.lib.errors import PortError
from sdr.lib.http import Failure, HttpError
from sdr.lib.jobs import Steps

LARGEST_BYTES = 25 * 1024 * 1024
LARGEST_UPLOAD_BYTES = 16 * 1024 * 1024  # WhatsApp's limit for sound and video; pictures and documents share it here
TRIES = 6  # with the pauses of the kind: about a minute
STALE_AFTER = timedelta(minutes=10)  # a file still on its way then may be asked for again
ORPHAN_AFTER = timedelta(days=1)
SWEPT_DAYS = 4  # an orphan is left only by a crash between storing and committing: older folders hold none
FILE_NAME_CHARS = 200

UNSENDABLE = frozenset({"application/x-ole-storage", content.ANYTHING})  # unless the name says what is in them
NAMED_DOCUMENTS = {  # endings that may stand for those, and what they are
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
}
TEXT_DOCUMENTS = {"txt": content.PLAIN_TEXT, "csv": "text/csv", "ics": "text/calendar", "vcf": "text/vcard"}


@dataclass(frozen=True)
class Upload:
    """A person's file that may be sent: checked. `mime` and `kind` by content, `name` without a path."""

    data: bytes
    name: str
    mime: str
    ending: str
    kind: MessageKind

    @property
    def is_voice_note(self) -> bool:
        """Sound from a person is sent as a voice note: that is what a chat plays in place."""
        return self.kind == MessageKind.AUDIO


# --- Files that come --------------------------------------------------------------------------------------------------
def fetch(message_id: int, *, attempt: int) -> Steps[None]:
    """Store the file of a message that waits for it; inside the org, outside any transaction. Safe to repeat.

    `attempt` counts from 1. Raises PortError when the file may come later; after TRIES, or when it cannot come any
    more, the asset says why. A file whose message was deleted for everyone is removed here, too.
    """
    message = Message.objects.select_related("media", "number").filter(pk=message_id).first()
    asset: MediaAsset | None = getattr(message, "media", None)
    if message is None or asset is None:
        return
    if asset.state == MediaAsset.State.REFUSED:
        drop(asset)
        return
    if asset.state != MediaAsset.State.WANTED:
        return
    if asset.size is not None and asset.size > LARGEST_BYTES:
        refuse(asset, "too_large")
        return
    try:
        data = yield from load(message, asset)
    except PortError as error:
        if isinstance(error, HttpError) and error.failure == Failure.TOO_LARGE:
            refuse(asset, "too_large")
            return
        if not error.permanent and attempt < TRIES:
            raise
        settle(asset, MediaAsset.State.FAILED, str(error))
        return
    keep(asset, data)


def died(message_id: int, reason: str) -> None:
    """Fetching a file was given up: it is not to be had, and a person is told. Inside the org; safe to repeat."""
    with transaction.atomic():
        known = Message.objects.filter(pk=message_id).only("conversation_id").first()
        if known is None:
            return
        conversation = intake.locked(known.conversation_id)
        waiting = MediaAsset.objects.filter(message_id=message_id, state=MediaAsset.State.WANTED)
        if waiting.update(state=MediaAsset.State.FAILED, failure=reason[:200]):
            intake.need(conversation, "media_failed")
            transcripts.go_on(Message.objects.get(pk=message_id))


def load(message: Message, asset: MediaAsset) -> Steps[bytes]:
    """The bytes, one more than LARGEST_BYTES at most. Raises PortError."""
    if asset.path:
        try:
            with default_storage.open(asset.path) as file:
                return bytes(file.read(LARGEST_BYTES + 1))
        except FileNotFoundError:
            pass  # what the door had put there is gone: the provider may still have it
    data, _mime = yield partial(sending.transport_of(message.number).fetch_media, str(message.provider_id))
    return bytes(data)


def keep(asset: MediaAsset, data: bytes) -> None:
    """Check what it is, and store it for good."""
    mime, ending = content.sniff(data, claimed=asset.claimed_mime)
    if len(data) > LARGEST_BYTES:
        refuse(asset, "too_large", size=len(data))
        return
    if not data or not content.keeps_promise(asset.claimed_mime, mime):
        refuse(asset, "not_what_it_claims", mime=mime, size=len(data))
        return
    path = put(data, ending)
    former = asset.path
    width, height = content.dimensions(data) or (None, None)
    if not settle(asset, MediaAsset.State.STORED, "", path=path, mime=mime, size=len(data), width=width, height=height):
        default_storage.delete(path)  # somebody else was quicker
        return
    if former:
        default_storage.delete(former)


def refuse(asset: MediaAsset, why: str, **fields: object) -> None:
    """It will not be kept; what the door had put aside goes."""
    if settle(asset, MediaAsset.State.REFUSED, why, **fields):
        drop(asset)


def drop(asset: MediaAsset) -> None:
    """Remove the file of a refused asset, then forget its place: in this order, a crash between leaves no orphan."""
    if not asset.path:
        return
    default_storage.delete(asset.path)
    MediaAsset.objects.filter(pk=asset.pk, state=MediaAsset.State.REFUSED, path=asset.path).update(path="")


def settle(asset: MediaAsset, state: MediaAsset.State, failure: str, **fields: object) -> bool:
    """Write how it ended, unless it has ended already. Out: whether this was the end."""
    with transaction.atomic():
        waiting = MediaAsset.objects.filter(pk=asset.pk, state=MediaAsset.State.WANTED)
        if not waiting.update(state=state, failure=failure[:200], **fields):
            return False
        if state == MediaAsset.State.STORED:
            transcripts.want(asset)
        else:
            transcripts.go_on(asset.message)
        return True


def may_come(asset: MediaAsset) -> bool:
    """Whether asking once more could bring the file: it failed, was garbled, or has been on its way for long."""
    match asset.state:
        case MediaAsset.State.FAILED:
            return True
        case MediaAsset.State.REFUSED:
            return asset.failure == "not_what_it_claims"
        case MediaAsset.State.WANTED:
            return timezone.now() >= asset.created_at + STALE_AFTER
        case _:
            return False


@transaction.atomic
def want_again(message: Message) -> None:
    """Ask for a file once more. Raises Refused when it is there, was deleted, or is asked for already."""
    asset = MediaAsset.objects.select_for_update().filter(message=message).first()
    if asset is None or not may_come(asset):
        raise Refused("not_missing", _("There is nothing to fetch for this message now."))
    asset.state, asset.failure, asset.size, asset.created_at = MediaAsset.State.WANTED, "", None, timezone.now()
    asset.save(update_fields=["state", "failure", "size", "created_at"])
    intake.want("media", message.pk)


# --- Files that go ----------------------------------------------------------------------------------------------------
def accept(data: bytes, *, name: str, claimed: str = "") -> Upload:
    """A person's file, if WhatsApp takes its like. In: the whole content, the name and type their browser gave.

    Raises Refused in words: empty, too large, or of a kind we do not pass on (programs, pages, unknown formats).
    """
    if not data:
        raise Refused("empty_file", _("This file is empty."))
    if len(data) > LARGEST_UPLOAD_BYTES:
        raise Refused("file_too_large", too_large_words())
    name = safe_name(name)
    mime, ending = content.sniff(data, claimed=claimed)
    named = name.rpartition(".")[2].lower()
    if mime == "application/x-ole-storage" and named in NAMED_DOCUMENTS:
        mime, ending = NAMED_DOCUMENTS[named], named
    elif mime == content.ANYTHING and named in TEXT_DOCUMENTS and content.is_text(data):
        mime, ending = TEXT_DOCUMENTS[named], named
    if mime in UNSENDABLE:
        raise Refused(
            "file_kind",
            _("This kind of file cannot be sent. Choose a picture, sound, a video, a PDF or an office document."),
        )
    if not content.keeps_promise(mimetypes.guess_type(name)[0] or "", mime):
        raise Refused("file_differs", _("The name of this file says something else than what is in it."))
    if not name.lower().endswith(f".{ending}") and mimetypes.guess_type(name)[0] != mime:
        name = f"{name.rpartition('.')[0] or name or 'file'}.{ending}"
    return Upload(data, name[-FILE_NAME_CHARS:], mime, ending, kind_of(mime))


def too_large_words() -> str:
    return str(_("The file is too large: %(limit)s is the limit.") % {"limit": filesizeformat(LARGEST_UPLOAD_BYTES)})


def kind_of(mime: str) -> MessageKind:
    """How WhatsApp shows it. A GIF goes as a document, or it would arrive as a picture that stands still."""
    group = mime.partition("/")[0]
    if mime == "image/gif" or group not in {"image", "audio", "video"}:
        return MessageKind.DOCUMENT
    return MessageKind(group)


def put(data: bytes, ending: str) -> str:
    """Store content in the org's folder of today (UTC). Out: its path."""
    wanted = f"{folder(intake.org_id())}/{timezone.now():%Y-%m-%d}/{uuid4()}.{ending}"
    return str(default_storage.save(wanted, ContentFile(data)))


def take_back(path: str) -> None:
    """Remove a file that no message has come to name, as the transaction failed or found its message there already."""
    if not MediaAsset.objects.filter(path=path).exists():
        default_storage.delete(path)


def attach(message: Message, upload: Upload, path: str) -> MediaAsset:
    """The stored file of a message of ours."""
    width, height = content.dimensions(upload.data) or (None, None)
    return MediaAsset.objects.create(
        message=message, state=MediaAsset.State.STORED, path=path, claimed_mime=upload.mime, mime=upload.mime,
        file_name=upload.name, size=len(upload.data), is_voice_note=upload.is_voice_note, width=width, height=height,
    )  # fmt: skip


def shown_name(name: str) -> str:
    """A file's name as it may be shown: the last part of a path, without what does not print or turns text around."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(one for one in last if one.isprintable()).strip()[-FILE_NAME_CHARS:]


def safe_name(name: str) -> str:
    """A name to save a file under on any system."""
    return re.sub(r'[<>:"|?*]', "", shown_name(name)).strip(" .")


def download_name(message: Message, asset: MediaAsset) -> str:
    """What the file is called when a browser saves it."""
    return safe_name(asset.file_name) or f"{message.kind}-{message.pk}.{asset.path.rpartition('.')[2]}"


# --- Orphans ----------------------------------------------------------------------------------------------------------
def folder(org_id: int) -> str:
    return f"{org_id}/whatsapp"


def sweep(org: Org, now: datetime) -> int:
    """Inside the org: remove stored files that no message has. Out: how many. Files of today are left alone."""
    days = [(now - timedelta(days=back)).date() for back in range(1, SWEPT_DAYS + 1)]
    return sum(sweep_day(org, day, before=now - ORPHAN_AFTER) for day in days)


def sweep_day(org: Org, day: date, *, before: datetime) -> int:
    place = f"{folder(org.pk)}/{day:%Y-%m-%d}"
    try:
        _folders, found = default_storage.listdir(place)
    except FileNotFoundError:
        return 0
    paths = {f"{place}/{name}" for name in found}
    orphans = paths - set(MediaAsset.objects.filter(path__startswith=f"{place}/").values_list("path", flat=True))
    gone = [path for path in orphans if default_storage.get_modified_time(path) < before]
    for path in gone:
        default_storage.delete(path)
    return len(gone)
