"""The one error of everything that talks to the outside, and what to do after it (STYLE C2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.utils import timezone

TRANSIENT_STATUSES = frozenset({408, 425, 429})
RECONNECT_STATUSES = frozenset({401, 403})
SERVER_ERRORS_FROM = 500
FAILURES_FROM = 400
LONGEST_RETRY_AFTER = timedelta(hours=24)


class PortError(Exception):
    """An outside call that failed. The message is ours: never a lead's words, a phone or a secret.

    `permanent`: trying the same again cannot help. `retry_after`: how long the vendor asked us to wait.
    `needs_reconnect`: the credentials are refused; a person must connect again.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_after: timedelta | None = None,
        needs_reconnect: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.needs_reconnect = needs_reconnect
        self.status = status


def error_for_status(status: int, headers: Mapping[str, str], *, who: str) -> PortError | None:
    """What an HTTP answer of `who` means: None below 400.

    408, 425, 429 and 5xx are transient and carry `Retry-After`; other 4xx are permanent; 401 and 403 need a reconnect.
    Sources: RFC 9110 sections 15.5 and 15.6, RFC 6585 section 4, RFC 8470 section 5.2.
    """
    if status < FAILURES_FROM:
        return None
    transient = status in TRANSIENT_STATUSES or status >= SERVER_ERRORS_FROM
    return PortError(
        f"{who} answered {status}.",
        permanent=not transient,
        retry_after=parse_retry_after(headers.get("retry-after", "")) if transient else None,
        needs_reconnect=status in RECONNECT_STATUSES,
        status=status,
    )


def parse_retry_after(value: str, *, now: datetime | None = None) -> timedelta | None:
    """`Retry-After` in seconds or as an HTTP date (RFC 9110, 10.2.3); None if absent or unreadable, at most a day."""
    value = value.strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - (now or timezone.now()), timedelta()), LONGEST_RETRY_AFTER)
