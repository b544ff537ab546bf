"""Requests as our views see them: what the middlewares have added, by type."""

from typing import TYPE_CHECKING

from django.http import HttpRequest

if TYPE_CHECKING:
    from orgs.models import Membership, Org, Person


class PersonRequest(HttpRequest):
    """Somebody is signed in."""

    user: "Person"
    csp_nonce: str


class OrgRequest(PersonRequest):
    """Somebody is signed in and a member of the org in the path, whose schema is entered."""

    org: "Org"
    membership: "Membership"
