"""People for the command palette."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from conversations import finding, listing, policy
from conversations.access import theirs
from conversations.models import Conversation
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role

MOST = 8


@require_role(Role.VIEWER)
@require_GET
def show(request: OrgRequest) -> HttpResponse:
    """Links to the conversations of contacts so called, or with that phone, the latest first: a fragment."""
    text = policy.folded(listing.Wanted.read({"q": request.GET.get("q", "")}).q)
    mine = Conversation.objects.filter(theirs(request.membership))
    found = mine.filter(pk__in=finding.by_contact(text)) if text else mine.none()
    conversations = found.with_inbox_data().recent_first()[:MOST]
    return render(request, "conversations/lookup/show.html", {"conversations": conversations})
