"""The support staff's site at /staff/. It holds our own classes only: what libraries register elsewhere, often with
keys and tokens in plain sight, has no address here.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.reauthentication import suspend_request
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from orgs import staffing
from orgs.admin import ADMINS
from orgs.middleware import has_mfa
from orgs.models import Person


class StaffSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold ships no types
    """Django's admin behind our sign-in page, a second step, and a staff role; strangers find nothing (404)."""

    site_title = "Support"
    site_header = "Support"
    index_title = "Support"

    def has_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, Person) and staffing.is_support(request.user)

    def admin_view(
        self, view: Callable[..., HttpResponseBase], cacheable: bool = False
    ) -> Callable[..., HttpResponseBase]:
        guarded = super().admin_view(view, cacheable)

        @wraps(view)
        def proved(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if (first := ask_for_proof(request)) is not None:
                return first
            response: HttpResponseBase = guarded(request, *args, **kwargs)
            response._csp_replace = settings.STAFF_CSP  # type: ignore[attr-defined]  # read by django-csp
            return response

        return proved

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one sign-in page."""
        return sign_in(reverse("admin:index"))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("account_logout")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("account_change_password")

    def password_change_done(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("account_change_password")


def ask_for_proof(request: HttpRequest) -> HttpResponse | None:
    """Where to go first, or None. Raises Http404 for whoever is not on the staff, whatever they ask for."""
    if not isinstance(request.user, Person):
        return sign_in(request.get_full_path())
    if not staffing.is_support(request.user):
        raise Http404
    if not has_mfa(request.user):
        messages.warning(request, _("The staff pages need two-step sign-in. Please set it up first."))
        return redirect("mfa_index")
    lasts = staffing.SECOND_STEP_LASTS
    if request.method not in {"GET", "HEAD"}:
        lasts = staffing.SECOND_STEP_LASTS_FOR_CHANGES
    if not staffing.proved_second_step(request, lasts):
        return suspend_request(request, prove_again_url(request.user))  # type: ignore[no-any-return]
    return None


def sign_in(path: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'next': path})}")


def prove_again_url(person: Person) -> str:
    """The page that asks for a code, or for the passkey of those who have only that."""
    if Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).exists():
        return reverse("mfa_reauthenticate")
    return reverse("mfa_reauthenticate_webauthn")


site = StaffSite(name="admin")
for model, model_admin in ADMINS.items():
    site.register(model, model_admin)
