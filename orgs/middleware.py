"""From the path to the org: membership or 404, then the org's schema, and public again afterwards (DESIGN 2)."""

import re
from collections.abc import Callable

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from orgs.api import error_response
from orgs.context import note_touched, recycle_connection
from orgs.models import Membership, Org, Person
from orgs.slugs import SLUG_PATTERN

ORG_PATH = re.compile(r"^/(?:o|api/v1/orgs|live)/(?P<slug>[^/]+)(?:/|$)")
SLUG = re.compile(SLUG_PATTERN)
API_PATH = "/api/"
OPEN_WHEN_CLOSED = ("orgs:closed", "orgs:restoration", "orgs:leave")  # for members of a suspended or leaving org


class PersonLanguageMiddleware:
    """A signed-in person reads their own language, wherever the browser comes from."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if isinstance(request.user, Person):
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language() or request.user.language
        response = self.get_response(request)
        if isinstance(request.user, Person):
            response.headers["Content-Language"] = request.user.language
        return response


class OrgMiddleware:
    """Sets `request.org` and `request.membership` from the path and enters the schema for views and templates."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match = ORG_PATH.match(request.path_info)
        if match is None:
            return self.get_response(request)
        if not isinstance(request.user, Person):
            return self.sign_in_first(request)
        slug = match["slug"].lower()
        memberships = Membership.objects.select_related("org").filter(org__slug=slug, person=request.user)
        membership = memberships.first() if SLUG.fullmatch(slug) else None  # a NUL must not reach the database
        if membership is None:
            # The same answer for an org that exists and one that does not.
            return self.not_found(request)
        org = membership.org
        request.org = org  # type: ignore[attr-defined]
        request.membership = membership  # type: ignore[attr-defined]
        note_touched(org)
        connection.set_tenant(org)  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
            if hasattr(response, "render") and callable(response.render):
                response = response.render()
            return response
        finally:
            connection.set_schema_to_public()  # type: ignore[attr-defined]
            recycle_connection()

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponseBase | None:
        """What an org's state or policy asks for before any view of it answers."""
        org: Org | None = getattr(request, "org", None)
        if org is None or request.resolver_match is None:
            return None
        name = request.resolver_match.view_name
        if not org.is_open and name not in OPEN_WHEN_CLOSED:
            if request.path_info.startswith(API_PATH):
                return error_response(f"org_{org.status}", _("This organization is closed."), status=403)
            return redirect("orgs:closed", slug=org.slug)
        if org.requires_mfa and name != "orgs:leave" and not has_mfa(request.user):  # type: ignore[arg-type]
            if request.path_info.startswith(API_PATH):
                return error_response("mfa_required", _("This organization requires two-step sign-in."), status=403)
            return render(request, "orgs/org/mfa_required.html", status=403)
        return None

    def sign_in_first(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(API_PATH):
            return error_response("not_authenticated", _("Sign in first."), status=401)
        return redirect(f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}")

    def not_found(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(API_PATH):
            return error_response("not_found", _("There is nothing here, or it is not yours."), status=404)
        return render(request, "404.html", status=404)


def has_mfa(person: Person) -> bool:
    """True when the person's sign-in asks for a second step (or is a passkey)."""
    from allauth.mfa.utils import is_mfa_enabled  # needs the app registry

    return bool(is_mfa_enabled(person))


def entered_org(request: HttpRequest) -> Org:
    """The org of the path. Raises Http404 outside one."""
    org = getattr(request, "org", None)
    if not isinstance(org, Org):
        raise Http404
    return org
