"""The front door: on to wherever the person works."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from orgs import staffing
from orgs.models import Org, Person


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """The org one was in last, else the only one, else a choice, else the founding of one; strangers sign in.

    Our support staff, who have no org, go to their pages.
    """
    if not isinstance(request.user, Person):
        return redirect("account_login")
    person = request.user
    orgs = list(Org.objects.of(person))
    if not orgs and staffing.is_support(person):
        return redirect("admin:index")
    if not orgs:
        return redirect("account:new_org")
    last = next((org for org in orgs if org.pk == person.last_org_id), None)
    if last or len(orgs) == 1:
        return redirect("orgs:home", slug=(last or orgs[0]).slug)
    return render(request, "orgs/start/show.html", {"orgs": orgs})
