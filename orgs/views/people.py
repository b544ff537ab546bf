"""The members of an org: who they are, their roles, their leaving (PRODUCT 3)."""

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from orgs.access import get_membership, require_role
from orgs.http import OrgRequest
from orgs.models import Membership, Refused, Role
from orgs.org_forms import InvitationForm, RoleForm

PEOPLE_PER_PAGE = 50


@require_role(Role.VIEWER)
@require_GET
def index(request: OrgRequest) -> HttpResponse:
    """Everybody; for administrators also two-step sign-in, open invitations and the form to invite."""
    return show(request, InvitationForm(by=request.membership))


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def role(request: OrgRequest, pk: int) -> HttpResponse:
    """Another role for a member."""
    member = get_membership(request, pk)
    form = RoleForm(request.POST or None, member=member, by=request.membership)
    if request.method == "POST" and form.is_valid():
        try:
            member.change_role(form.cleaned_data["role"], by=request.membership, request=request)
        except Refused as refused:
            form.add_error("role", str(refused))
        else:
            done = _("%(name)s has the role “%(role)s” now.")
            messages.success(request, done % {"name": member.person, "role": member.get_role_display()})
            return redirect("orgs:people", slug=request.org.slug)
    return render(
        request,
        "orgs/people/role.html",
        {"member": member, "form": form, "may_manage": request.membership.may_manage(member)},
        status=422 if form.errors else 200,
    )


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def removal(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then end somebody's membership."""
    member = get_membership(request, pk)
    if member.pk == request.membership.pk:
        return redirect("orgs:leave", slug=request.org.slug)
    if request.method == "POST":
        try:
            member.remove(by=request.membership, request=request)
        except Refused as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, _("%(name)s is no longer a member.") % {"name": member.person})
        return redirect("orgs:people", slug=request.org.slug)
    return render(request, "orgs/people/removal.html", {"member": member})


@require_role(Role.VIEWER)
@require_http_methods(["GET", "POST"])
def leave(request: OrgRequest) -> HttpResponse:
    """Ask, then end one's own membership. Open also while the org is closed."""
    if request.method == "POST":
        try:
            request.membership.leave(request=request)
        except Refused as refused:
            messages.error(request, str(refused))
            return redirect("orgs:leave", slug=request.org.slug)
        messages.success(request, _("You have left %(org)s.") % {"org": request.org})
        return redirect("orgs:start")
    is_last_owner = request.membership.role == Role.OWNER and request.org.memberships.owners().count() == 1
    return render(request, "orgs/people/leave.html", {"is_last_owner": is_last_owner})


def show(request: OrgRequest, form: InvitationForm, *, status: int = 200) -> HttpResponse:
    """The page, with the invitation form as it stands."""
    members = request.org.memberships.select_related("person").order_by("person__name", "pk")
    page = Paginator(members, PEOPLE_PER_PAGE).get_page(request.GET.get("page"))
    context = {**invitation_context(request, form), "page": page, "rows": rows(request.membership, list(page))}
    return render(request, "orgs/people/index.html", context, status=status)


def rows(actor: Membership, members: list[Membership]) -> list[dict[str, object]]:
    """What each line shows: the member, whether the actor may manage it, and for administrators two-step sign-in."""
    protected: set[int] = set()
    if actor.may(Role.ADMIN):
        protected = protected_people([member.person_id for member in members])
    return [
        {
            "member": member,
            "is_me": member.pk == actor.pk,
            "may_manage": actor.may_manage(member),
            "has_mfa": member.person_id in protected,
        }
        for member in members
    ]


def protected_people(pks: list[int]) -> set[int]:
    """Those whose sign-in asks for a second step; recovery codes alone are none."""
    factors = Authenticator.objects.filter(user_id__in=pks).exclude(type=Authenticator.Type.RECOVERY_CODES)
    return set(factors.values_list("user_id", flat=True))


def invitation_context(request: OrgRequest, form: InvitationForm) -> dict[str, object]:
    """What `orgs/people/_invitations.html` needs; to others than administrators invitations are not shown."""
    if not request.membership.may(Role.ADMIN):
        return {"may_invite": False}
    invitations = request.org.invitations.open().select_related("invited_by", "org").order_by("-sent_at", "-pk")
    given = request.membership.roles_to_give
    return {
        "may_invite": True,
        "form": form,
        "invitations": [{"invitation": row, "may_manage": row.role in given} for row in invitations],
    }
