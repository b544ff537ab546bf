"""Fetching the file of a message: from the provider, or from where the door had put it, into our own storage.

Its place is `<org id>/whatsapp/YYYY-MM-DD/<uuid>.<ending by content>` (PRODUCT 5), so it goes when the org goes.
"""

from datetime import UTC
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from conversations import content, intake, sending
from conversations.models import MediaAsset, Message
from sdr.lib.errors import PortError

LARGEST_BYTES = 25 * 1024 * 1024
TRIES = 6  # with the pauses of the kind: about a minute


def fetch(message_id: int, *, attempt: int) -> None:
    """Store the file of a message that waits for it; inside the org, outside any transaction. Safe to repeat.

    `attempt` counts from 1. Raises PortError when the file may come later; after TRIES, or when it cannot come any
    more, the asset says why.
    """
    message = Message.objects.select_related("media", "number").filter(pk=message_id).first()
    asset: MediaAsset | None = getattr(message, "media", None)
    if message is None or asset is None or asset.state != MediaAsset.State.WANTED:
        return
    if asset.size is not None and asset.size > LARGEST_BYTES:
        settle(asset, MediaAsset.State.REFUSED, "too_large")
        return
    try:
        data = load(message, asset)
    except PortError as error:
        if not error.permanent and attempt < TRIES:
            raise
        settle(asset, MediaAsset.State.FAILED, str(error))
        return
    keep(message, asset, data)


def load(message: Message, asset: MediaAsset) -> bytes:
    """The bytes. Raises PortError."""
    if asset.path:
        try:
            with default_storage.open(asset.path) as file:
                return bytes(file.read())
        except FileNotFoundError:
            pass  # what the door had put there is gone: the provider may still have it
    data, _ = sending.transport_of(message.number).fetch_media(str(message.provider_id))
    return data


def keep(message: Message, asset: MediaAsset, data: bytes) -> None:
    """Check what it is, and store it for good."""
    mime, ending = content.sniff(data)
    if len(data) > LARGEST_BYTES:
        settle(asset, MediaAsset.State.REFUSED, "too_large", size=len(data))
        return
    if not data or not content.keeps_promise(asset.claimed_mime, mime):
        settle(asset, MediaAsset.State.REFUSED, "not_what_it_claims", mime=mime, size=len(data))
        return
    day = (message.sent_at or message.created_at).astimezone(UTC)
    wanted = f"{intake.org_id()}/whatsapp/{day:%Y-%m-%d}/{uuid4()}.{ending}"
    path = default_storage.save(wanted, ContentFile(data))
    former = asset.path
    if not settle(asset, MediaAsset.State.STORED, "", path=path, mime=mime, size=len(data)):
        default_storage.delete(path)  # somebody else was quicker
        return
    if former:
        default_storage.delete(former)


def settle(asset: MediaAsset, state: MediaAsset.State, failure: str, **fields: object) -> bool:
    """Write how it ended, unless it has ended already. Out: whether this was the end."""
    with transaction.atomic():
        waiting = MediaAsset.objects.filter(pk=asset.pk, state=MediaAsset.State.WANTED)
        return bool(waiting.update(state=state, failure=failure[:200], **fields))
