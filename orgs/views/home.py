"""An org's home: what there is, and what to do next."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from orgs.access import require_role
from orgs.audit import Action
from orgs.http import OrgRequest
from orgs.middleware import has_mfa
from orgs.models import AuditEntry, Person, Role

MEMBERS_SHOWN = 8


@require_role(Role.VIEWER)
@require_GET
def home(request: OrgRequest) -> HttpResponse:
    """What there is, and what is worth doing next. Remembers where the person was."""
    person, org = request.user, request.org
    if person.last_org_id != org.pk:
        Person.objects.filter(pk=person.pk).update(last_org=org)
    members = list(org.memberships.select_related("person").order_by("pk")[:MEMBERS_SHOWN])
    count = org.memberships.count()
    waiting = org.invitations.open().filter(expires_at__gt=timezone.now()).count()
    context = {
        "members": members,
        "member_count": count,
        "more_members": count - len(members),
        "waiting": waiting,
        "is_admin": request.membership.may(Role.ADMIN),
        "steps": next_steps(request, has_team=count + waiting > 1),
    }
    return render(request, "orgs/org/home.html", context)


def next_steps(request: OrgRequest, *, has_team: bool) -> list[dict[str, object]]:
    """What is worth doing, each with `label`, `text`, `url`, `action` and `is_done`; empty once all is done."""
    steps: list[dict[str, object]] = []
    if request.membership.may(Role.ADMIN):
        reviewed = AuditEntry.objects.filter(org_id=request.org.pk, action=Action.ORG_CHANGED).exists()
        steps += [
            {
                "label": _("Complete the details of your organization"),
                "text": _("Check its name, its language and its time zone, and save them."),
                "url": reverse("orgs:settings", args=[request.org.slug]),
                "action": _("Open the settings"),
                "is_done": reviewed,
            },
            {
                "label": _("Invite your team"),
                "text": _("Colleagues get an e-mail with a link that is valid for seven days."),
                "url": reverse("orgs:people", args=[request.org.slug]) + "#invitations",
                "action": _("Invite people"),
                "is_done": has_team,
            },
        ]
    steps.append(
        {
            "label": _("Turn on two-step sign-in"),
            "text": _("A stolen password alone then opens nothing."),
            "url": reverse("mfa_index"),
            "action": _("Set it up"),
            "is_done": has_mfa(request.user),
        }
    )
    return [] if all(step["is_done"] for step in steps) else steps
