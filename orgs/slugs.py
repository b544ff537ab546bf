"""What may stand in `/o/<slug>/`: the rule, the words kept back, and a suggestion made from a name."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MinLengthValidator, RegexValidator
from django.utils.translation import gettext_lazy as _

SLUG_CHARS = 48
SLUG_PATTERN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"  # the database checks the same: orgs_org_slug_shape
# fmt: off
RESERVED = frozenset({
    "about", "abuse", "account", "accounts", "admin", "administrator", "api", "app", "assets", "auth", "billing",
    "blog", "calendar", "company", "contact", "dashboard", "demo", "dev", "developer", "developers", "docs",
    "download", "email", "en", "es", "example", "faq", "favicon", "features", "forum", "ftp", "health", "help",
    "home", "hooks", "i18n", "imap", "info", "internal", "invitations", "jobs", "legal", "live", "login", "logout",
    "mail", "mcp", "me", "media", "metrics", "new", "news", "null", "o", "official", "orgs", "owner", "people",
    "ping", "pop", "pricing", "privacy", "profile", "pt", "pt-br", "public", "qify", "register", "robots", "root",
    "sales", "sdr", "security", "self", "settings", "signin", "signout", "signup", "site", "sitemap", "smtp", "sso",
    "staff", "staging", "static", "status", "stripe", "support", "system", "team", "terms", "test", "undefined",
    "user", "users", "webhook", "webhooks", "webmaster", "www",
})
# fmt: on

is_slug = RegexValidator(
    SLUG_PATTERN,
    _("Use only a-z, digits and hyphens, and no hyphen at the beginning or the end."),
)


def is_not_reserved(value: str) -> None:
    """Raises ValidationError for a word that could be taken for one of our own pages."""
    if value in RESERVED:
        raise ValidationError(_("This address is kept back. Choose another one."), code="reserved")


SLUG_VALIDATORS: list[Callable[[Any], None]] = [
    is_slug,
    MinLengthValidator(2),
    MaxLengthValidator(SLUG_CHARS),
    is_not_reserved,
]


def suggest_slug(name: str) -> str:
    """An address made from a company's name, such as "Aurora Solar Ltda." → "aurora-solar-ltda"; it may be empty."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:SLUG_CHARS].strip("-")
