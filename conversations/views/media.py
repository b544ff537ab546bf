"""The file of a message: served to members of its org, in ranges so that one can seek in it; and asked for again."""

import re
from collections.abc import Iterator
from hashlib import sha256
from http import HTTPStatus
from typing import IO

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from conversations import content, media, transcripts
from conversations.access import get_conversation, get_message
from conversations.models import MediaAsset
from conversations.views import conversation as thread
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role

BLOCK_BYTES = 64 * 1024
ONE_RANGE = re.compile(r"bytes=(?:(?P<first>[0-9]{1,15})-(?P<last>[0-9]{0,15})|-(?P<suffix>[0-9]{1,15}))", re.ASCII)
# Should a browser ever take content for a page, it is one that may do nothing. PDF viewers start in it nevertheless.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; sandbox"


@require_role(Role.VIEWER)
@require_safe
def show(request: OrgRequest, pk: int, message: int) -> HttpResponseBase:
    """The stored file, whole or one range of it (RFC 9110, 13 and 14).

    Browsers may keep it but must ask each time whether they may still show it: 304 is the usual answer.
    """
    owner = get_message(get_conversation(request, pk), message)
    asset: MediaAsset | None = getattr(owner, "media", None)
    if asset is None or asset.state != MediaAsset.State.STORED or asset.size is None:
        raise Http404
    etag = f'"{sha256(asset.path.encode()).hexdigest()[:32]}"'  # a path's content never changes
    response = get_conditional_response(request, etag=etag) or body_of(request, asset, etag)
    is_shown = content.is_shown(asset.mime)
    response.headers["ETag"] = etag
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = POLICY
    if response.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        response.headers["Content-Type"] = asset.mime if is_shown else content.ANYTHING
        response.headers["Content-Disposition"] = str(
            content_disposition_header(not is_shown, media.download_name(owner, asset))
        )
    return response


def body_of(request: OrgRequest, asset: MediaAsset, etag: str) -> HttpResponseBase:
    """200, 206 or 416. Raises Http404 when the file is not in the storage any more."""
    try:
        file = default_storage.open(asset.path)
    except FileNotFoundError:
        raise Http404 from None
    size = file.size
    try:
        wanted = span(request.headers.get("Range", ""), size) if may_range(request, etag) else None
    except Unsatisfiable:
        file.close()
        return HttpResponse(
            status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers={"Content-Range": f"bytes */{size}"}
        )
    if request.method == "HEAD":
        file.close()
        return HttpResponse(headers={"Content-Length": str(size)})
    start, length = wanted or (0, size)
    response = StreamingHttpResponse(Blocks(file, start, length))
    response.headers["Content-Length"] = str(length)
    if wanted:
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response.headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    return response


def may_range(request: OrgRequest, etag: str) -> bool:
    """Whether the Range header counts: only for GET, and only for the very content that If-Range names."""
    return request.method == "GET" and request.headers.get("If-Range", etag) == etag


class Unsatisfiable(Exception):
    """The range begins where the content has ended."""


def span(header: str, size: int) -> tuple[int, int] | None:
    """Start and length of the one range asked for. Raises Unsatisfiable.

    None for what is no single valid range of bytes: it is ignored, as RFC 9110 14.2 allows; the answer is the whole.
    """
    match = ONE_RANGE.fullmatch(header.strip())
    if match is None:
        return None
    if match["suffix"] is not None:
        length = min(int(match["suffix"]), size)
        if not length:
            raise Unsatisfiable
        return size - length, length
    first = int(match["first"])
    if match["last"] and int(match["last"]) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    last = min(int(match["last"]), size - 1) if match["last"] else size - 1
    return first, last - first + 1


class Blocks:
    """A part of a file in pieces, so that it is never in memory as a whole. Closing it closes the file."""

    def __init__(self, file: IO[bytes], start: int, length: int) -> None:
        self._file = file
        self._left = length
        file.seek(start)

    def __iter__(self) -> Iterator[bytes]:
        while self._left > 0 and (block := self._file.read(min(BLOCK_BYTES, self._left))):
            self._left -= len(block)
            yield block

    def close(self) -> None:
        self._file.close()


@require_role(Role.SDR)
@require_POST
def retry(request: OrgRequest, pk: int, message: int) -> HttpResponseBase:
    """Ask once more for a file that did not come."""
    try:
        media.want_again(get_message(get_conversation(request, pk), message))
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    return thread.answer(request, pk)


@require_role(Role.SDR)
@require_POST
def hear(request: OrgRequest, pk: int, message: int) -> HttpResponseBase:
    """Ask once more for the words of a voice note."""
    try:
        transcripts.want_again(get_message(get_conversation(request, pk), message))
    except Refused as refused:
        return thread.refuse(request, pk, str(refused))
    return thread.answer(request, pk)
