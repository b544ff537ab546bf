"""What the verbs of orgs and people tell: the audit log, and the people concerned. Both stand on the models, so they
are imported late, and only here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    from orgs.models.org import Org
    from orgs.models.people import Person


def record(
    action: str,
    *,
    request: HttpRequest | None,
    org: "Org",
    person: "Person | None" = None,
    target: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write an audit entry in the current transaction (orgs.audit.record)."""
    from orgs import audit

    audit.record(audit.Action(action), request=request, org=org, person=person, target=target, data=data)


def write_mail(
    template: str,
    *,
    to: str,
    language: str,
    org: "Org",
    path: str,
    context: Mapping[str, object] | None = None,
    person: "Person | None" = None,
) -> None:
    """Send an e-mail once the current transaction commits (orgs.mail.send); `path` of ours becomes its `url`."""
    from orgs import mail

    known = {**(context or {}), "url": mail.absolute_url(path)}
    mail.send(template, to=to, context=known, language=language, org=org, person=person)
