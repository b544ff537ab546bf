"""What dj-stripe asks us."""

from django.http import HttpRequest

from orgs.models import Org


def org_from_request(request: HttpRequest) -> Org | None:
    """The org that pays: the one in the path, entered by orgs.middleware; None outside an org."""
    return getattr(request, "org", None)
