"""Founding an org, or joining one that waits for me."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from orgs.forms import FoundingForm
from orgs.http import PersonRequest
from orgs.models import Invitation
from orgs.signup import SlugTaken, found_org, likely_zone


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def create(request: PersonRequest) -> HttpResponse:
    """Offers the invitations to my confirmed address, and the form. With errors it comes back as typed, with 422."""
    person = request.user
    if request.method != "POST":
        zone = likely_zone(request.headers.get("Accept-Language", ""))
        return show(request, FoundingForm(initial={"language": person.language, "time_zone": zone}))
    form = FoundingForm(request.POST)
    if not form.is_valid():
        return show(request, form, status=422)
    given = form.cleaned_data
    try:
        org = found_org(
            person,
            given["name"],
            slug=given["slug"],
            language=given["language"],
            time_zone=given["time_zone"],
            request=request,
        )
    except SlugTaken:
        form.refuse_slug()
        return show(request, form, status=422)
    messages.success(request, _("%(org)s is ready.") % {"org": org.name})
    return redirect("orgs:home", slug=org.slug)


def show(request: PersonRequest, form: FoundingForm, *, status: int = 200) -> HttpResponse:
    invitations = list(Invitation.objects.waiting_for(request.user))
    has_org = request.user.memberships.exists()
    context = {"form": form, "invitations": invitations, "has_org": has_org}
    return render(request, "orgs/founding/create.html", context, status=status)
