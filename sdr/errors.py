"""The pages for what went wrong: they need no database, no session, no context processor, and never raise."""

import logging
import sys
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)

API_PATH = "/api/"
RETRY_AFTER_SECONDS = 30


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: handler400."""
    return error_page(request, 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: handler403."""
    return error_page(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form without its token: CSRF_FAILURE_VIEW. `reason` is for the log, Django writes it there."""
    return error_page(request, 403, template="403_csrf.html")


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: handler404. The same page for what does not exist and for what is not yours."""
    return error_page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: handler500. 503 with Retry-After (RFC 9110, 10.2.3) when it is the database that does not answer."""
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        response = error_page(request, 503)
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    return error_page(request, 500)


def error_page(request: HttpRequest, status: int, *, template: str = "") -> HttpResponse:
    """The page of a status in the language active now; JSON below /api/; bare text when even the template fails."""
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    if request.path.startswith(API_PATH):
        reason = HTTPStatus(status)  # the API's one shape of errors: orgs.api
        error = {"code": reason.name.lower(), "message": reason.phrase, "fields": {}}
        return JsonResponse({"error": error, "requestId": request_id}, status=status)
    values: dict[str, Any] = {"brand": settings.BRAND, "request": request, "request_id": request_id}
    try:
        html = render_to_string(template or f"{status}.html", values)
    except Exception:  # an error page that fails would hide the error it reports
        logger.exception("The error page could not be rendered.")
        return HttpResponse(f"{status}\n{request_id}\n", status=status, content_type="text/plain; charset=utf-8")
    return HttpResponse(html, status=status)
