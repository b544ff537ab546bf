"""What every page knows: the brand, the person's orgs, the entries of the main navigation, the request's id."""

from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy

from conversations import shell
from orgs.models import Membership, Org, Person, Role


@dataclass(frozen=True)
class NavEntry:
    """A place in an org's main navigation: `path` stands below /o/<slug>/, `role` is the least that sees it."""

    label: str | Promise  # translated when shown
    icon: str
    path: str
    role: Role = Role.VIEWER


NAV = (
    NavEntry(gettext_lazy("Inbox"), "inbox", "inbox/"),
    NavEntry(gettext_lazy("Home"), "home", ""),
    NavEntry(gettext_lazy("Agent"), "agent", "agent/"),
    NavEntry(gettext_lazy("Knowledge"), "book", "knowledge/"),
    NavEntry(gettext_lazy("Numbers"), "phone", "numbers/"),
    NavEntry(gettext_lazy("People"), "people", "people/"),
    NavEntry(gettext_lazy("Settings"), "settings", "settings/", Role.ADMIN),
)


def branding(request: HttpRequest) -> dict[str, Any]:
    """`brand`, `nav`, `request_id`, `is_demo`, `may_steer` (works with conversations here), and what asks the database
    once when it is looked at, and never for a stranger: `my_orgs`, `status`.
    """
    return {
        "brand": settings.BRAND,
        "is_demo": settings.IS_DEMO,
        "my_orgs": SimpleLazyObject(lambda: my_orgs(request)),
        "nav": nav(request),
        "status": SimpleLazyObject(lambda: status(request)),
        "may_steer": may_steer(request),
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }


def my_orgs(request: HttpRequest) -> list[Org]:
    """The orgs the signed-in person belongs to, by name; empty for a stranger."""
    person = getattr(request, "user", None)
    if not isinstance(person, Person):
        return []
    memberships = Membership.objects.filter(person=person).select_related("org").order_by("org__name", "org_id")
    return [membership.org for membership in memberships]


def status(request: HttpRequest) -> shell.Status | None:
    """How the org of the page stands; None outside an org, and in one that is closed."""
    org: Org | None = getattr(request, "org", None)
    membership: Membership | None = getattr(request, "membership", None)
    if org is None or membership is None or not org.is_open:
        return None
    if connection.schema_name != org.schema_name:  # type: ignore[attr-defined]  # django-tenants' wrapper has it
        return None
    return shell.status(membership)


def may_steer(request: HttpRequest) -> bool:
    """The member may take over, answer and pause."""
    membership: Membership | None = getattr(request, "membership", None)
    return membership is not None and membership.may(Role.SDR)


def nav(request: HttpRequest) -> list[dict[str, Any]]:
    """The entries this member sees, each with `label`, `icon`, `href` and `is_exact`; empty outside an org."""
    org: Org | None = getattr(request, "org", None)
    membership: Membership | None = getattr(request, "membership", None)
    if org is None or membership is None or not org.is_open:
        return []
    return [
        {"label": entry.label, "icon": entry.icon, "href": f"/o/{org.slug}/{entry.path}", "is_exact": not entry.path}
        for entry in NAV
        if membership.may(entry.role)
    ]
