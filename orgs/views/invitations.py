"""Invitations: sending them (administrators) and accepting them (whoever has the link, or the confirmed address)."""

from typing import cast

from allauth.account.models import EmailAddress
from allauth.account.utils import complete_signup
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from orgs.access import get_invitation, require_role
from orgs.http import OrgRequest
from orgs.models import Invitation, Person, Refused, Role
from orgs.org_forms import InvitationForm, InvitedPersonForm
from orgs.views import people


# --- Administrators --------------------------------------------------------------------------------------------------
@require_role(Role.ADMIN)
@require_POST
def create(request: OrgRequest) -> HttpResponse:
    """Send an invitation. With errors the form comes back as typed, with status 422."""
    form = InvitationForm(request.POST, by=request.membership)
    if form.is_valid():
        given = form.cleaned_data
        try:
            request.org.invite(
                given["email"], role=given["role"], language=given["language"], by=request.membership, request=request
            )
        except Refused as refused:
            form.add_error("email", str(refused))
        else:
            messages.success(request, _("The invitation to %(email)s is on its way.") % {"email": given["email"]})
            return answer(request)
    if is_htmx(request):
        return render(request, "orgs/people/_invitations.html", people.invitation_context(request, form), status=422)
    return people.show(request, form, status=422)


@require_role(Role.ADMIN)
@require_POST
def resend(request: OrgRequest, pk: int) -> HttpResponse:
    """Send an invitation again, with a new link."""
    invitation = get_invitation(request, pk)
    try:
        invitation.resend(by=request.membership, request=request)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        sent = _("A new invitation to %(email)s is on its way. The link sent before does not work any more.")
        messages.success(request, sent % {"email": invitation.email})
    return answer(request)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def revoke(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then take an invitation back."""
    invitation = get_invitation(request, pk)
    if request.method != "POST":
        return render(request, "orgs/people/revocation.html", {"invitation": invitation})
    try:
        invitation.revoke(by=request.membership, request=request)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The invitation to %(email)s is revoked.") % {"email": invitation.email})
    return answer(request)


def answer(request: OrgRequest) -> HttpResponse:
    """After a change: the panel of invitations for htmx, otherwise back to the people page."""
    if not is_htmx(request):
        return redirect("orgs:people", slug=request.org.slug)
    context = people.invitation_context(request, InvitationForm(by=request.membership))
    return render(request, "orgs/people/_invitations.html", {**context, "oob": True})


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


# --- Guests ----------------------------------------------------------------------------------------------------------
@never_cache
@require_http_methods(["GET", "POST"])
def show(request: HttpRequest, token: str) -> HttpResponse:
    """What the link in the e-mail opens: join, sign in, or sign up. POST joins.

    A link that is unknown is 404, one that is used up 410; both say what to do.
    """
    invitation = find(token)
    if invitation is None:
        return refusal(request, "unknown")
    if isinstance(request.user, Person):
        return offer(request, invitation, request.user)
    if invitation.problem:
        return refusal(request, invitation.problem, invitation)
    if is_known(invitation.email):
        next_url = urlencode({"next": request.path})
        context = {"invitation": invitation, "sign_in_url": f"{reverse('account_login')}?{next_url}"}
        return render(request, "orgs/invitation/sign_in.html", context)
    return ask_new_person(request, token, invitation, InvitedPersonForm(invitation=invitation))


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def mine(request: HttpRequest, pk: int) -> HttpResponse:
    """An invitation to my own confirmed address, without the link in the e-mail. Any other is 404."""
    person = cast(Person, request.user)
    invitation = Invitation.objects.waiting_for(person).filter(pk=pk).first()
    if invitation is None:
        raise Http404
    return offer(request, invitation, person)


@never_cache
@require_POST
def sign_up(request: HttpRequest, token: str) -> HttpResponse:
    """Make the new person, their confirmed address and the membership in one transaction, and sign them in.

    The link proves that the address is theirs, so it is the invitation's address and no other.
    """
    invitation = find(token)
    if invitation is None:
        return refusal(request, "unknown")
    if isinstance(request.user, Person):
        return redirect("orgs:invitation", token=token)
    if invitation.problem:
        return refusal(request, invitation.problem, invitation)
    form = InvitedPersonForm(request.POST, invitation=invitation)
    if not form.is_valid():
        return ask_new_person(request, token, invitation, form, status=422)
    try:
        with transaction.atomic():
            person = Person.objects.create_user(
                invitation.email,
                form.cleaned_data["password1"],
                name=form.cleaned_data["name"],
                language=translation.get_language(),
                last_org=invitation.org,
            )
            EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
            invitation.accept(person, request=request)
    except IntegrityError:  # the address got an account meanwhile: the page says to sign in
        return redirect("orgs:invitation", token=token)
    except Refused as refused:
        return refusal(request, refused.code, invitation)
    home = reverse("orgs:home", args=[invitation.org.slug])
    response: HttpResponse = complete_signup(request, person, None, home)
    return response


def find(token: str) -> Invitation | None:
    return Invitation.objects.by_token(token).select_related("org", "invited_by").first()


def is_known(email: str) -> bool:
    """True when somebody has an account with this address. Only the holder of the link gets to know."""
    return (
        Person.objects.filter(email=email).exists()
        or EmailAddress.objects.filter(email__iexact=email, verified=True).exists()
    )


def offer(request: HttpRequest, invitation: Invitation, person: Person) -> HttpResponse:
    """For somebody who is signed in: join, or what stands in the way."""
    if invitation.problem == "used" and invitation.accepted_by_id == person.pk:
        return redirect("orgs:home", slug=invitation.org.slug)
    if invitation.problem:
        return refusal(request, invitation.problem, invitation)
    if invitation.email != person.email:
        return render(request, "orgs/invitation/other_person.html", {"invitation": invitation}, status=409)
    if request.method == "POST":
        try:
            invitation.accept(person, request=request)
        except Refused as refused:
            return refusal(request, refused.code, invitation)
        messages.success(request, _("Welcome to %(org)s.") % {"org": invitation.org})
        return redirect("orgs:home", slug=invitation.org.slug)
    return render(request, "orgs/invitation/show.html", {"invitation": invitation})


def ask_new_person(
    request: HttpRequest, token: str, invitation: Invitation, form: InvitedPersonForm, *, status: int = 200
) -> HttpResponse:
    context = {"invitation": invitation, "form": form, "action": reverse("orgs:invitation_signup", args=[token])}
    return render(request, "orgs/invitation/sign_up.html", context, status=status)


def refusal(request: HttpRequest, problem: str, invitation: Invitation | None = None) -> HttpResponse:
    """Why the link does not work: unknown is 404, all else 410."""
    context = {"problem": problem, "invitation": invitation}
    return render(request, "orgs/invitation/refused.html", context, status=404 if problem == "unknown" else 410)
