"""Pictures and documents of the lead's newest messages, for a brain that can look at them (PRODUCT 2)."""

import re

from django.core.files.storage import default_storage

from conversations.models import MediaAsset, Message
from conversations.ports import Attachment, Context

SEEN = re.compile(r"image/(?:png|jpeg|webp|heic|heif)|application/pdf")
LARGEST_BYTES = 8 * 1024 * 1024
AT_MOST = 4


def of(context: Context) -> tuple[Attachment, ...]:
    """Files of what the lead has sent since anybody of ours last spoke, oldest first; at most AT_MOST, the newest.

    Inside the org, outside any transaction. What is not there (yet), too large, or of another kind is left out.
    """
    newest: list[int] = []
    for line in reversed(context.lines):
        if line.author != Message.Author.LEAD:
            break
        newest.append(line.id)
    assets = MediaAsset.objects.filter(
        message_id__in=newest, state=MediaAsset.State.STORED, size__lte=LARGEST_BYTES, message__deleted_at=None
    ).order_by("-message__seq")
    found: list[Attachment] = []
    for asset in assets:
        if not SEEN.fullmatch(asset.mime) or len(found) == AT_MOST:
            continue
        try:
            with default_storage.open(asset.path) as file:
                content = bytes(file.read(LARGEST_BYTES + 1))
        except FileNotFoundError:
            continue
        if len(content) <= LARGEST_BYTES:
            found.append(Attachment(asset.message_id, asset.mime, content, asset.file_name))
    return tuple(reversed(found))
