"""A person's own views of the inbox."""

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversations.listing import Wanted
from conversations.models import SavedView
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role

MOST = 20  # views of one person


@require_role(Role.VIEWER)
@require_POST
def create(request: OrgRequest) -> HttpResponse:
    """Keep tab and filters under a name; the same name again replaces it. What was searched for is not kept."""
    name = " ".join(request.POST.get("name", "").replace("\x00", "").split())[:40]
    wanted = Wanted.read(QueryDict(request.POST.get("query", "")).dict()).but(q="")
    mine = SavedView.objects.filter(person_id=request.user.pk)
    if not name:
        messages.error(request, _("Give the view a name."))
    elif mine.count() >= MOST and not mine.filter(name=name).exists():
        messages.error(request, _("That is one view too many: remove another first."))
    else:
        keep(request.user.pk, name, wanted.query)
        messages.success(request, _("The view is kept, above the list."))
    return to_list(request, wanted)


@require_role(Role.VIEWER)
@require_POST
def end(request: OrgRequest, pk: int) -> HttpResponse:
    """Remove a view of one's own; 404 for anybody else's."""
    view = SavedView.objects.filter(pk=pk, person_id=request.user.pk).first()
    if view is None:
        raise Http404
    view.delete()
    messages.success(request, _("The view is removed."))
    return to_list(request, Wanted())


def keep(person_id: int, name: str, query: str) -> None:
    """Insert or replace; two at once end as one."""
    try:
        with transaction.atomic():
            SavedView.objects.update_or_create(person_id=person_id, name=name, defaults={"query": query})
    except IntegrityError:
        SavedView.objects.filter(person_id=person_id, name=name).update(query=query)


def to_list(request: OrgRequest, wanted: Wanted) -> HttpResponse:
    address = reverse("conversations:inbox", args=[request.org.slug])
    return redirect(f"{address}?{wanted.query}" if wanted.query else address)
