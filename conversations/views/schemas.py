"""The schemas of our events, for anybody: they hold nobody's data."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from conversations import envelope

KEPT_SECONDS = 3600


def etag(request: HttpRequest, name: str) -> str | None:
    return f'"{envelope.digest(name)}"' if name in envelope.schemas() else None


@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
@condition(etag_func=etag)
def schema(request: HttpRequest, name: str) -> HttpResponse:
    """`/schemas/<detail type>.json`, readable from every origin."""
    if name not in envelope.schemas():
        raise Http404
    answer = HttpResponse(envelope.schemas()[name], content_type="application/schema+json")
    answer["Access-Control-Allow-Origin"] = "*"
    return answer
