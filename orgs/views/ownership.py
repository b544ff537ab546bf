"""Handing an org over to another member."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role
from orgs.org_forms import HeirForm


@require_role(Role.OWNER)
@require_http_methods(["GET", "POST"])
def edit(request: OrgRequest) -> HttpResponse:
    """Choose the new owner; the one who hands over becomes an administrator."""
    form = HeirForm(request.POST or None, by=request.membership)
    if request.method == "POST" and form.is_valid():
        heir = form.cleaned_data["member"]
        try:
            request.org.transfer_ownership(heir, by=request.membership, request=request)
        except Refused as refused:
            form.add_error("member", str(refused))
        else:
            done = _("%(name)s owns the organization now, and you are an administrator.")
            messages.success(request, done % {"name": heir.person})
            return redirect("orgs:people", slug=request.org.slug)
    context = {"form": form, "has_others": request.org.memberships.exclude(pk=request.membership.pk).exists()}
    return render(request, "orgs/settings/ownership.html", context, status=422 if form.errors else 200)
