"""A page, a list, an API answer and a file of one org: what tests and benchmarks walk while the product has none."""

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404

from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role
from tests.rehearsal.models import NOTES, Note01


@require_role(Role.VIEWER)
def page(request: OrgRequest) -> HttpResponse:
    """Reads eight tables of the org, as a real page would."""
    lines = [
        f"{model.__name__}: {note.pk} {note.title}"
        for model in NOTES[:8]
        for note in model._default_manager.order_by("pk")[:5]
    ]
    return HttpResponse("\n".join(lines), content_type="text/plain")


@require_role(Role.VIEWER)
def detail(request: OrgRequest, pk: int) -> JsonResponse:
    note = get_object_or_404(Note01, pk=pk)
    return JsonResponse({"title": note.title, "body": note.body})


@require_role(Role.SDR)
def create(request: OrgRequest) -> JsonResponse:
    note = Note01.objects.create(title=request.POST["title"], author=request.user)
    return JsonResponse({"pk": note.pk}, status=201)


@require_role(Role.VIEWER)
def export(request: OrgRequest) -> StreamingHttpResponse:
    titles = list(Note01.objects.order_by("pk").values_list("title", flat=True))
    return StreamingHttpResponse((f"{title}\n" for title in titles), content_type="text/csv")


@require_role(Role.VIEWER)
def broken(request: OrgRequest) -> HttpResponse:
    """Fails in the middle of a transaction, as code does."""
    Note01.objects.create(pk=1, title="taken")
    return HttpResponse()
