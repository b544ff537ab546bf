"""One's own profile, and the way out."""

from allauth.account.decorators import reauthentication_required
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from orgs import audit, departure
from orgs.forms import ProfileForm
from orgs.http import PersonRequest
from orgs.models import Person, Refused


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def edit(request: PersonRequest) -> HttpResponse:
    """Name and language; the language holds from the next page on. With errors the form comes back with 422."""
    person = Person.objects.get(pk=request.user.pk)  # its own copy: what was typed must not reach the page's header
    if request.method != "POST":
        return show(request, ProfileForm(instance=person))
    form = ProfileForm(request.POST, instance=person)
    if not form.is_valid():
        return show(request, form, status=422)
    if form.changed_data:
        person.save(update_fields=form.changed_data)
        audit.record(
            audit.Action.PERSON_CHANGED,
            request=request,
            target=f"person:{person.pk}",
            data={"fields": form.changed_data},
        )
    with translation.override(person.language):
        messages.success(request, _("Your profile is saved."))
    response = redirect("account:profile")
    response.set_cookie(  # the pages after signing out speak it too
        settings.LANGUAGE_COOKIE_NAME,
        person.language,
        max_age=settings.SESSION_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )
    return response


def show(request: PersonRequest, form: ProfileForm, *, status: int = 200) -> HttpResponse:
    unconfirmed = EmailAddress.objects.filter(user=request.user, verified=False).first()
    return render(request, "orgs/profile/edit.html", {"form": form, "unconfirmed": unconfirmed}, status=status)


@login_required
@never_cache
@reauthentication_required  # type: ignore[untyped-decorator]
@require_http_methods(["GET", "POST"])
def deletion(request: PersonRequest) -> HttpResponse:
    """Ask, then delete the account. Refused with 409 for the only owner of an org."""
    if request.method != "POST":
        return show_deletion(request)
    language = request.user.language
    try:
        departure.delete_account(request.user, request=request)
    except Refused as refused:
        return show_deletion(request, refusal=str(refused), status=409)
    logout(request)
    with translation.override(language):
        messages.success(request, _("Your account is deleted."))
    return redirect("account_login")


def show_deletion(request: PersonRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    context = {"orphaned": departure.orphaned_orgs(request.user), "refusal": refusal}
    return render(request, "orgs/profile/deletion.html", context, status=status)
