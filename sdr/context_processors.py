"""Branding for templates."""

from django.http import HttpRequest


def branding(request: HttpRequest) -> dict[str, object]:
    return {}
