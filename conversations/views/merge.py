"""Saying that two contacts are one person: choose, look at both, confirm."""

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from conversations import merging
from conversations.access import get_conversation
from conversations.models import Conversation
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role

LONGEST_QUERY = 80


@require_role(Role.SDR)
@require_http_methods(["GET", "POST"])
def create(request: OrgRequest, pk: int) -> HttpResponseBase:
    """GET: whom to choose (`q` searches), or both beside each other (`with`). POST: `with` becomes one with this."""
    conversation = get_conversation(request, pk)
    if request.method == "POST":
        other = chosen(request, conversation, request.POST.get("with", ""))
        try:
            kept = merging.merge(conversation, other, request.membership, request=request)
        except Refused as refused:
            messages.error(request, str(refused))
            return redirect("conversations:merge", slug=request.org.slug, pk=conversation.pk)
        messages.success(request, _("They are one contact now."))
        return redirect("conversations:conversation", slug=request.org.slug, pk=kept.pk)
    if "with" in request.GET:
        both = [conversation, chosen(request, conversation, request.GET["with"])]
        context = {"conversation": conversation, "other": both[1], "sides": sides_of(both)}
        return render(request, "conversations/merge/preview.html", context)
    text = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:LONGEST_QUERY]
    found = merging.candidates(conversation, request.membership, text=text)
    return render(
        request, "conversations/merge/create.html", {"conversation": conversation, "found": found, "text": text}
    )


def chosen(request: OrgRequest, conversation: Conversation, given: str) -> Conversation:
    """Another contact's conversation that the member may see. Raises Http404 for anything else."""
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise Http404
    other = get_conversation(request, int(given))
    if other.contact_id == conversation.contact_id:
        raise Http404
    return other


def sides_of(both: list[Conversation]) -> list[tuple[Conversation, int]]:
    """Each conversation with how many messages it has."""
    counts = dict(
        Conversation.objects.filter(pk__in=[one.pk for one in both])
        .annotate(count=Count("messages"))
        .values_list("pk", "count")
    )
    return [(one, counts.get(one.pk, 0)) for one in both]
