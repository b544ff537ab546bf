"""An org's settings: name, address, language, time zone; and what only owners decide."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from orgs.access import require_role
from orgs.audit import Action, record
from orgs.http import OrgRequest
from orgs.middleware import has_mfa
from orgs.models import Org, Refused, Role
from orgs.models.people import lock_members
from orgs.org_forms import MfaPolicyForm, OrgForm, SharingForm


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def edit(request: OrgRequest) -> HttpResponse:
    """The details. A new address redirects to itself; the old one is 404 from then on."""
    org = Org.objects.get(pk=request.org.pk)  # the form writes into it; request.org stays what the page shows
    form = OrgForm(request.POST or None, instance=org)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                lock_role(request, Role.ADMIN)
                save_changes(request, org, form.changed_data)
        except IntegrityError:
            form.add_taken()
        else:
            messages.success(request, _("Your changes are saved."))
            return redirect("orgs:settings", slug=org.slug)
    return show(request, form)


@require_role(Role.OWNER)
@require_POST
def security(request: OrgRequest) -> HttpResponse:
    """Whether everybody must use two-step sign-in; only an owner who uses it may demand it of others."""
    org = Org.objects.get(pk=request.org.pk)
    form = MfaPolicyForm(request.POST, instance=org)
    if form.is_valid():
        if org.requires_mfa and not has_mfa(request.user):
            messages.error(request, _("Turn on two-step sign-in for yourself first."))
        else:
            with transaction.atomic():
                lock_role(request, Role.OWNER)
                save_changes(request, org, form.changed_data)
            messages.success(request, _("Your changes are saved."))
    return redirect("orgs:settings", slug=request.org.slug)


@require_role(Role.ADMIN)
@require_POST
def sharing(request: OrgRequest) -> HttpResponse:
    """Whether events that leave for other systems carry what was said."""
    org = Org.objects.get(pk=request.org.pk)
    form = SharingForm(request.POST, instance=org)
    if form.is_valid():
        with transaction.atomic():
            lock_role(request, Role.ADMIN)
            save_changes(request, org, form.changed_data)
        messages.success(request, _("Your changes are saved."))
    return redirect("orgs:settings", slug=request.org.slug)


def lock_role(request: OrgRequest, role: Role) -> None:
    """Lock the org and read one's role anew: it may have been taken away since the request began.

    Only inside a transaction. Raises PermissionDenied when the role is too small by now, Http404 for a former member.
    """
    try:
        [membership] = lock_members(request.org.pk, request.membership)
    except Refused as refused:
        raise Http404 from refused
    if not membership.may(role):
        raise PermissionDenied


def save_changes(request: OrgRequest, org: Org, fields: list[str]) -> None:
    """Write the changed fields and the audit entry; without a change that one says that somebody confirmed them."""
    org.save(update_fields=fields)
    changes = {field: getattr(org, field) for field in fields}
    record(Action.ORG_CHANGED, request=request, org=org, target=f"org:{org.pk}", data=changes)


def show(request: OrgRequest, form: OrgForm) -> HttpResponse:
    context = {
        "form": form,
        "sharing_form": SharingForm(instance=request.org),
        "policy_form": MfaPolicyForm(instance=request.org),
        "has_mfa": has_mfa(request.user),
        "is_owner": request.membership.may(Role.OWNER),
    }
    return render(request, "orgs/settings/edit.html", context, status=422 if form.errors else 200)
