"""The end of an org: asked for, taken back within the grace."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role
from orgs.models.org import DELETION_GRACE
from orgs.org_forms import DeletionForm


@require_role(Role.OWNER)
@require_http_methods(["GET", "POST"])
def create(request: OrgRequest) -> HttpResponse:
    """Ask for the address once more, then close the org and start its grace."""
    form = DeletionForm(request.POST or None, org=request.org)
    if request.method == "POST" and form.is_valid():
        try:
            request.org.request_deletion(by=request.membership, request=request)
        except Refused as refused:
            form.add_error("slug", str(refused))
        else:
            return redirect("orgs:closed", slug=request.org.slug)
    return render(
        request,
        "orgs/deletion/create.html",
        {"form": form, "days": DELETION_GRACE.days},
        status=422 if form.errors else 200,
    )


@require_role(Role.OWNER)
@require_POST
def end(request: OrgRequest) -> HttpResponse:
    """Take the deletion back."""
    try:
        request.org.cancel_deletion(by=request.membership, request=request)
    except Refused as refused:
        messages.error(request, str(refused))
        return redirect("orgs:closed", slug=request.org.slug)
    messages.success(request, _("%(org)s is open again.") % {"org": request.org})
    return redirect("orgs:home", slug=request.org.slug)
