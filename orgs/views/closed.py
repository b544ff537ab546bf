"""Why an org is closed: what its members see while it is suspended or about to be deleted."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@require_role(Role.VIEWER)
@require_GET
def show(request: OrgRequest) -> HttpResponse:
    """The reason and the ways out: restoring (owners), leaving, other orgs. An open org leads home."""
    if request.org.is_open:
        return redirect("orgs:home", slug=request.org.slug)
    return render(request, "orgs/org/closed.html", {"is_owner": request.membership.may(Role.OWNER)})
