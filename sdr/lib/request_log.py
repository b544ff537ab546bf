"""One log line per request, and the id that ties together everything a request caused.

Ours and not a library's, because addresses hold secrets here (invitations, expiring links): the line names the route
that matched, never the path or the query.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from sdr.lib import logs
from sdr.lib.metrics import UNMEASURED_PATHS, route_of

HEADER = "X-Request-ID"
ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")

logger: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RequestLogMiddleware:
    """Gives the request its id (`request.request_id`, header X-Request-ID) and logs how it ended; stands outermost.

    An id sent by the client is taken over only where settings.TRUST_REQUEST_ID says that a proxy of ours sets it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        logs.clear()
        request_id = self._id(request)
        request.request_id = request_id  # type: ignore[attr-defined]
        logs.bind(request_id=request_id)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response.headers[HEADER] = request_id
            self._log(request, response.status_code, started)
            return response
        finally:
            logs.clear()

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """By now it is known who asks and in which org: every line from here on says so."""
        logs.bind(**self._who(request))

    def _id(self, request: HttpRequest) -> str:
        if getattr(settings, "TRUST_REQUEST_ID", False):
            given = request.headers.get(HEADER, "")
            if ACCEPTABLE_ID.fullmatch(given):
                return given
        return str(uuid.uuid4())

    def _who(self, request: HttpRequest) -> dict[str, Any]:
        org = getattr(request, "org", None)
        person = getattr(request, "_cached_user", None)  # asking request.user could cost a query
        found = {"org_id": getattr(org, "pk", None), "person_id": getattr(person, "pk", None)}
        return {name: value for name, value in found.items() if value is not None}

    def _log(self, request: HttpRequest, status: int, started: float) -> None:
        unimportant = request.path_info.startswith(UNMEASURED_PATHS)
        log = logger.debug if unimportant else logger.warning if status >= 500 else logger.info
        log(
            "request_finished",
            method=request.method,
            route=route_of(request),
            status=status,
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
            **self._who(request),
        )
