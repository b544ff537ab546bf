"""What makes an org's pages an app on a phone or a desk (W3C Web Application Manifest)."""

from django.conf import settings
from django.http import JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role

THEME = "#0c4f46"  # as in img/favicon.svg
BACKGROUND = "#f8faf9"
SHORT_NAME_CHARS = 30
ICONS = (
    ("img/icon-192.png", "192x192", "any"),
    ("img/icon-512.png", "512x512", "any"),
    ("img/icon-maskable-512.png", "512x512", "maskable"),
)


@require_role(Role.VIEWER)
@require_safe
def show(request: OrgRequest) -> JsonResponse:
    """The manifest of an org's app: it opens the inbox. Who signs in does so within the app, so its scope is the site.

    Works without a service worker: nothing is kept, so that no page is ever stale.
    """
    inbox = reverse("conversations:inbox", args=[request.org.slug])
    icons = [{"src": static(path), "sizes": sizes, "type": "image/png", "purpose": use} for path, sizes, use in ICONS]
    manifest = {
        "id": reverse("orgs:home", args=[request.org.slug]),
        "name": f"{request.org.name} · {settings.BRAND}",
        "short_name": request.org.name[:SHORT_NAME_CHARS],
        "description": _("Your leads on WhatsApp: watch, understand, take over."),
        "lang": get_language(),
        "start_url": inbox,
        "scope": "/",
        "display": "standalone",
        "background_color": BACKGROUND,
        "theme_color": THEME,
        "categories": ["business", "productivity"],
        "icons": icons,
        "shortcuts": [{"name": _("Needs you"), "url": f"{inbox}?show=needs", "icons": icons[:1]}],
    }
    return JsonResponse(manifest, content_type="application/manifest+json")
