"""Who is given the next lead, and who sees whose: the administrators' page."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from conversations.access import members_who_answer
from conversations.assignment_forms import AssignmentForm, rules_form
from conversations.models import Assignment, Number
from orgs import audit
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Org, Role


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def edit(request: OrgRequest) -> HttpResponse:
    """The rules; with errors they come back with 422. What is saved holds from the next lead on."""
    with transaction.atomic():
        if request.method == "POST":
            Assignment.objects.get_or_create(pk=1)
        kept = Assignment.objects.select_for_update().filter(pk=1).first() or Assignment()
        form = AssignmentForm(
            request.POST or None,
            instance=kept,
            initial={"sdrs_see_only_theirs": request.org.sdrs_see_only_theirs},
        )
        rules = rules_form(
            request.POST or None,
            kept.rules,
            numbers=list(Number.objects.filter(removed_at=None).order_by("name", "pk")),
            members=members_who_answer(),
        )
        if request.method == "POST" and form.is_valid() and rules.is_valid():
            kept.rules = rules.rules
            kept.save(update_fields=["is_on", "silent_minutes", "rules"])
            only_theirs = form.cleaned_data["sdrs_see_only_theirs"]
            Org.objects.filter(pk=request.org.pk).update(sdrs_see_only_theirs=only_theirs)
            audit.record(
                audit.Action.ASSIGNMENT_CHANGED, request=request, org=request.org, target=f"org:{request.org.pk}",
                data={"is_on": kept.is_on, "silent_minutes": kept.silent_minutes, "rules": kept.rules,
                      "sdrs_see_only_theirs": only_theirs},
            )  # fmt: skip
            messages.success(request, _("Your changes are saved."))
            return redirect("assignment:edit", slug=request.org.slug)
    context = {"form": form, "rules": rules}
    return render(
        request, "conversations/assignment/edit.html", context, status=422 if request.method == "POST" else 200
    )
