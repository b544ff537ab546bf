"""Sessions: in the database, and when each was last seen, written every few minutes, not at every request.

The module is SESSION_ENGINE.
"""

from collections.abc import Callable
from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from orgs.audit import client_ip
from orgs.models import Person

SEEN_EVERY = timedelta(minutes=5)
AGENT_CHARS = 200
GONE_FOR = timedelta(days=1)  # an entry of the list is made a moment before its session is
PRUNE_ROWS = 5_000


class SessionStore(DatabaseSessionStore):
    """Django's, and a cookie that cannot be one of its keys is no session: PostgreSQL refuses a NUL with an error."""

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key and len(key) >= 8 and key.isascii() and key.isalnum())


class SessionActivityMiddleware:
    """Keeps `last_seen_at`, address and browser of the session up to date, one conditional UPDATE per request at most.

    Instead of allauth's own, which writes the row in a transaction at every request. allauth makes the row at sign-in.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.session.session_key
        if key and isinstance(request.user, Person):
            note_seen(request, key)
        return self.get_response(request)


def note_seen(request: HttpRequest, key: str) -> None:
    now = timezone.now()
    changes: dict[str, object] = {
        "last_seen_at": now,
        "user_agent": request.headers.get("User-Agent", "").replace("\x00", "")[:AGENT_CHARS],
    }
    if ip := client_ip(request):
        changes["ip"] = ip
    UserSession.objects.filter(session_key=key, last_seen_at__lt=now - SEEN_EVERY).update(**changes)


def prune() -> int:
    """Delete sessions that are over and the list's entries of sessions that are gone, at most PRUNE_ROWS each.

    Out: how many rows.
    """
    now = timezone.now()
    over = Session.objects.filter(expire_date__lt=now).order_by("expire_date").values_list("pk", flat=True)
    count = Session.objects.filter(pk__in=list(over[:PRUNE_ROWS])).delete()[0]
    living = Session.objects.filter(session_key=OuterRef("session_key"))
    gone = UserSession.objects.filter(~Exists(living), last_seen_at__lt=now - GONE_FOR).values_list("pk", flat=True)
    return int(count + UserSession.objects.filter(pk__in=list(gone[:PRUNE_ROWS])).delete()[0])
