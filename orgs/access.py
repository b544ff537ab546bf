"""The only authorisation words views use. Foreign things are 404, too little role is 403."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from orgs.http import OrgRequest
from orgs.models import Invitation, Membership, Role

P = ParamSpec("P")
OrgView = Callable[Concatenate[OrgRequest, P], HttpResponseBase]


def require_role(role: Role) -> Callable[[OrgView[P]], Callable[..., HttpResponseBase]]:
    """Let members whose role covers `role` through; others get 403. Only for views below `/o/<slug>/`.

    The view loses its `slug` argument: the org is `request.org`.
    """

    def decorate(view: OrgView[P]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, slug: str, **kwargs: Any) -> HttpResponseBase:
            membership: Membership | None = getattr(request, "membership", None)
            if membership is None:
                raise Http404
            if not membership.may(role):
                raise PermissionDenied
            return view(cast(OrgRequest, request), *args, **kwargs)

        guarded.required_role = role  # type: ignore[attr-defined]  # read by tests/test_other_org.py
        return guarded

    return decorate


def get_membership(request: OrgRequest, pk: int) -> Membership:
    """A membership of this org, with its person. Raises Http404 for any other."""
    membership = request.org.memberships.select_related("person", "org").filter(pk=pk).first()
    if membership is None:
        raise Http404
    return cast(Membership, membership)


def get_invitation(request: OrgRequest, pk: int) -> Invitation:
    """An open invitation of this org. Raises Http404 for any other."""
    invitation = request.org.invitations.open().filter(pk=pk).first()
    if invitation is None:
        raise Http404
    return cast(Invitation, invitation)
