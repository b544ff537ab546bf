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

    Static files bring their own Cache-Control. All else may carry a person's data or a form's token, so neither a
    proxy nor the browser's disk keeps it: after signing out, "back" shows nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store, private")
        return response
