"""Response headers that Django's own middleware and django-csp leave to us."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

# What no page of ours uses is denied to it and to whatever might get into it.
PERMISSIONS = (
    "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), "
    "encrypted-media=(), fullscreen=(self), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), "
    "idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    "publickey-credentials-create=(self), publickey-credentials-get=(self), serial=(), usb=(), "
    "xr-spatial-tracking=()"
)


class HeadersMiddleware:
    """Permissions-Policy and Cross-Origin-Resource-Policy on everything; no copies of what names no other rule.

    A view may name the directives of Permissions-Policy that its page needs (`microphone=(self)`): the others stay.

    Static files bring their own Cache-Control. All else may carry a person's data or a form's token, so neither a
    proxy nor the browser's disk keeps it: after signing out, "back" shows nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers["Permissions-Policy"] = permissions(response.headers.get("Permissions-Policy", ""))
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store, private")
        return response


def permissions(granted: str) -> str:
    """The policy with the directives that a view has set in place of ours."""
    if not granted:
        return PERMISSIONS
    names = {directive.partition("=")[0].strip() for directive in granted.split(",")}
    kept = [directive for directive in PERMISSIONS.split(", ") if directive.partition("=")[0] not in names]
    return ", ".join([*kept, granted])
