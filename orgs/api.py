"""REST API v1 about oneself and one's orgs: read only, with the session of the browser.

Errors have one shape everywhere below /api/: {"error": {"code": …, "message": …, "fields": {name: [message]}}}.
"""

from typing import Any, cast

from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from orgs.http import OrgRequest
from orgs.models import Membership, Org, Person

SIGN_IN_SCHEME = "Session"  # what a 401 names in WWW-Authenticate (RFC 9110, 11.6.1): a browser's session, no header


class Me(APIView):
    """Who is signed in, and where."""

    def get(self, request: Request) -> Response:
        person = person_of(request)
        memberships = (
            Membership.objects.filter(person=person).select_related("org").order_by("org__name_folded", "org_id")
        )
        return Response({**person_json(person), "memberships": [membership_json(row) for row in memberships]})


class Orgs(APIView):
    """The orgs the person is a member of, by name."""

    def get(self, request: Request) -> Response:
        memberships = Membership.objects.filter(person=person_of(request)).select_related("org")
        rows = memberships.order_by("org__name_folded", "org_id")
        return Response({"orgs": [{**org_json(row.org), "role": row.role} for row in rows]})


class OrgDetail(APIView):
    """One org; 404 for whoever is no member (the middleware sees to that)."""

    def get(self, request: Request, slug: str) -> Response:
        entered = org_request(request)
        return Response({**org_json(entered.org), "role": entered.membership.role})


class People(APIView):
    """The members of an org, longest first."""

    def get(self, request: Request, slug: str) -> Response:
        members = org_request(request).org.memberships.select_related("person").order_by("pk")
        return Response({"people": [member_json(member) for member in members]})


def person_of(request: Request) -> Person:
    """Who asks: IsAuthenticated has seen to it that it is somebody."""
    return cast(Person, request.user)


def org_request(request: Request) -> OrgRequest:
    """The request as OrgMiddleware made it. Raises Http404 outside an org."""
    entered: Any = request._request
    if getattr(entered, "membership", None) is None:
        raise Http404
    return entered  # type: ignore[no-any-return]


def person_json(person: Person) -> dict[str, Any]:
    return {"id": person.pk, "name": person.name, "email": person.email, "language": person.language}


def membership_json(membership: Membership) -> dict[str, Any]:
    return {
        "org": {"slug": membership.org.slug, "name": membership.org.name},
        "role": membership.role,
        "joinedAt": membership.created_at,
    }


def member_json(membership: Membership) -> dict[str, Any]:
    person = membership.person
    return {
        "id": person.pk,
        "name": person.name,
        "email": person.email,
        "role": membership.role,
        "joinedAt": membership.created_at,
    }


def org_json(org: Org) -> dict[str, Any]:
    return {
        "slug": org.slug,
        "name": org.name,
        "status": org.status,
        "language": org.language,
        "timeZone": org.time_zone,
        "requiresMfa": org.requires_mfa,
        "createdAt": org.created_at,
    }


def error_body(code: str, message: str, *, fields: dict[str, list[str]] | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "fields": fields or {}}}


def error_response(code: str, message: str, *, status: int) -> JsonResponse:
    """An error in the API's shape, for where DRF has no say: middlewares and error pages."""
    response = JsonResponse(error_body(code, message), status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = SIGN_IN_SCHEME
    return response


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: its errors in our shape. Retry-After and Allow stay; None for what is no API error."""
    response = exception_handler(error, context)
    if response is None:
        return None
    fields: dict[str, list[str]] = {}
    if isinstance(error, exceptions.ValidationError) and isinstance(error.detail, dict):
        fields = {str(name): [str(item) for item in as_list(items)] for name, items in error.detail.items()}
    code, message = code_and_message(error)
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        response.status_code = status.HTTP_401_UNAUTHORIZED
        response.headers["WWW-Authenticate"] = SIGN_IN_SCHEME
    response.data = error_body(code, message, fields=fields)
    return response


def code_and_message(error: Exception) -> tuple[str, str]:
    """DRF's code of the error, and a sentence in the person's language."""
    if isinstance(error, exceptions.ValidationError):
        return "invalid", _("Please check what you entered.")
    if isinstance(error, exceptions.APIException):
        return error.default_code, str(error.detail)
    if isinstance(error, Http404):
        return "not_found", _("There is nothing here, or it is not yours.")
    return "permission_denied", _("You may not do this.")


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
