"""Where one lands: the org's home, or the way to one."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@login_required
def start(request: HttpRequest) -> HttpResponse:
    return redirect("/accounts/email/")


@require_role(Role.VIEWER)
def home(request: OrgRequest) -> HttpResponse:
    return render(request, "orgs/org/home.html")
