"""How often somebody may do something (PRODUCT 8): GCRA, one SQL statement per attempt, shared by all processes.

Limits on pages stand in RATE_LIMITS, by view name, and hold for POST; the API's is ApiThrottle. Who is over a limit
gets 429 with Retry-After. While the counters cannot be reached, rules that guard secrets refuse and the others allow.
"""

import hashlib
import ipaddress
import logging
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

from allauth.account.internal.stagekit import unstash_login
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import ngettext
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from orgs.audit import client_ip, request_id
from orgs.models import Org, Person, RateBucket

if TYPE_CHECKING:
    from rest_framework.views import APIView  # reads the settings, which name this module

logger = logging.getLogger(__name__)

IPV6_NETWORK_BITS = 64  # what one customer of an access provider gets at least
UNREACHABLE_RETRY_SECONDS = 30
MINUTES_FROM_SECONDS = 120  # from here on we say minutes
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# One statement: the row's lock makes attempts take turns. The row holds when the bucket will have drained; an attempt
# that fits fills it by one interval, one that does not leaves it alone.
ATTEMPT = """
    WITH attempt AS (
        INSERT INTO public.orgs_ratebucket AS bucket (key, drained_at)
        VALUES (%(key)s, clock_timestamp() + %(interval)s)
        ON CONFLICT (key) DO UPDATE
            SET drained_at = greatest(bucket.drained_at, EXCLUDED.drained_at - %(interval)s) + %(interval)s
            WHERE bucket.drained_at <= EXCLUDED.drained_at + %(room)s
        RETURNING true AS allowed
    )
    SELECT (SELECT allowed FROM attempt), (
        SELECT extract(epoch FROM drained_at - %(room)s - %(interval)s - clock_timestamp())
        FROM public.orgs_ratebucket WHERE key = %(key)s
    )
"""


@dataclass(frozen=True)
class Rule:
    """`limit` attempts per `per` in the long run, of which `burst` may come at once."""

    name: str  # unique, at most 48 characters
    limit: int
    per: timedelta
    burst: int
    guards_secret: bool = False  # refuses when the counters are out of reach

    @property
    def interval(self) -> timedelta:
        return self.per / self.limit


@dataclass(frozen=True)
class Verdict:
    """`retry_after`: whole seconds until an attempt can succeed, at least 1; 0 when allowed."""

    allowed: bool
    retry_after: int = 0


def check(rule: Rule, who: str) -> Verdict:
    """Count one attempt of `who` (any text; only its hash is stored). Call it outside transactions that may roll back.

    Raises nothing: see the module's text for a database that is away.
    """
    values: dict[str, Any] = {
        "key": key_of(rule, who),
        "interval": rule.interval,
        "room": rule.interval * (rule.burst - 2),
    }
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            cursor.execute(ATTEMPT, values)
            allowed, wait = cursor.fetchone() or (True, None)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("Rate limit %s could not be counted: %s", rule.name, type(error).__name__)
        return Verdict(False, UNREACHABLE_RETRY_SECONDS) if rule.guards_secret else Verdict(True)
    if allowed:
        return Verdict(True)
    return Verdict(False, max(1, math.ceil(rule.interval.total_seconds() if wait is None else wait)))


def key_of(rule: Rule, who: str) -> str:
    return f"{rule.name}:{hashlib.sha256(who.encode()).hexdigest()[:40]}"


def prune() -> int:
    """Remove buckets that have drained: they say the same as no row. Out: how many. Scheduled each hour."""
    return RateBucket.objects.filter(drained_at__lt=timezone.now()).delete()[0]


# --- Who: each answers what is counted, or None when it does not apply to this request -----------------------------


def ip(request: HttpRequest) -> str | None:
    """The client's address; of IPv6 the network, since one customer owns it whole."""
    address = client_ip(request)
    if address is None:
        return "unknown"
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_NETWORK_BITS), strict=False))
    return address


def email(request: HttpRequest) -> str | None:
    """The address typed into a form that asks for one, whether or not anybody has it."""
    return request.POST.get("email", "").strip().lower() or None


def login(request: HttpRequest) -> str | None:
    """The address typed into the sign-in form, whose field has another name."""
    return request.POST.get("login", "").strip().lower() or None


def login_at_ip(request: HttpRequest) -> str | None:
    typed = login(request)
    return f"{typed} {ip(request)}" if typed else None


def person(request: HttpRequest) -> str | None:
    """Who is signed in, or who is half-way through signing in."""
    if isinstance(request.user, Person):
        return str(request.user.pk)
    login = unstash_login(request, peek=True)
    return str(login.user.pk) if login and login.user else None


def org(request: HttpRequest) -> str | None:
    entered = getattr(request, "org", None)
    return str(entered.pk) if isinstance(entered, Org) else None


Who = Callable[[HttpRequest], str | None]
Limit = tuple[Rule, Who]

# --- What ------------------------------------------------------------------------------------------------------------

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

SIGN_IN_IP = Rule("sign-in-ip", 120, HOUR, burst=40, guards_secret=True)  # an office behind one address
SIGN_IN_EMAIL_IP = Rule("sign-in-email-ip", 60, HOUR, burst=8, guards_secret=True)
SIGN_IN_EMAIL = Rule("sign-in-email", 60, HOUR, burst=40, guards_secret=True)  # from many addresses at once
SECOND_STEP = Rule("second-step", 20, HOUR, burst=8, guards_secret=True)  # of a million codes: 0.15 % in a day
SECOND_STEP_IP = Rule("second-step-ip", 120, HOUR, burst=40, guards_secret=True)
PASSKEY_IP = Rule("passkey-ip", 120, HOUR, burst=40, guards_secret=True)
PROVE_AGAIN = Rule("prove-again", 30, HOUR, burst=8, guards_secret=True)
SIGN_UP_IP = Rule("sign-up-ip", 20, HOUR, burst=10)
RESET_IP = Rule("reset-ip", 20, HOUR, burst=10)
RESET_EMAIL = Rule("reset-email", 5, HOUR, burst=3)
CODE_IP = Rule("code-ip", 60, HOUR, burst=20, guards_secret=True)
CODE_PERSON = Rule("code-person", 30, HOUR, burst=10, guards_secret=True)
MAIL_PERSON = Rule("mail-person", 20, HOUR, burst=10)
GOOGLE_IP = Rule("google-ip", 120, HOUR, burst=40)
INVITE_ORG = Rule("invite-org", 100, HOUR, burst=50)
INVITE_PERSON = Rule("invite-person", 60, HOUR, burst=30)
INVITATION_IP = Rule("invitation-ip", 60, HOUR, burst=20, guards_secret=True)
NEW_ORG_PERSON = Rule("new-org-person", 10, timedelta(days=1), burst=5)
NEW_ORG_IP = Rule("new-org-ip", 20, timedelta(days=1), burst=10)
NUMBER_ORG = Rule("number-org", 300, HOUR, burst=60)  # each may become calls to the org's server
NEW_NUMBER_ORG = Rule("new-number-org", 60, HOUR, burst=20)
SECRET_PERSON = Rule("secret-person", 60, HOUR, burst=20)  # looks at what proves that webhooks are authentic
KNOWLEDGE_ORG = Rule("knowledge-org", 200, HOUR, burst=60)  # files and pages are read by processes of their own
SUGGEST_PERSON = Rule("suggest-person", 120, HOUR, burst=10)  # each may cost a request to a model
SUGGEST_ORG = Rule("suggest-org", 600, HOUR, burst=60)
API_PERSON = Rule("api-person", 600, MINUTE, burst=120)
API_IP = Rule("api-ip", 60, MINUTE, burst=30)

PROVING_AGAIN: tuple[Limit, ...] = ((PROVE_AGAIN, person),)
SIGNING_UP: tuple[Limit, ...] = ((SIGN_UP_IP, ip),)
INVITING: tuple[Limit, ...] = ((INVITE_PERSON, person), (INVITE_ORG, org))
CHANGING_NUMBER: tuple[Limit, ...] = ((NUMBER_ORG, org),)
ADDING_NUMBER: tuple[Limit, ...] = ((NEW_NUMBER_ORG, org), *CHANGING_NUMBER)
TEACHING: tuple[Limit, ...] = ((KNOWLEDGE_ORG, org),)
SEEING_SECRET: tuple[Limit, ...] = ((SECRET_PERSON, person), *CHANGING_NUMBER)
SUGGESTING: tuple[Limit, ...] = ((SUGGEST_PERSON, person), (SUGGEST_ORG, org))

RATE_LIMITS: dict[str, tuple[Limit, ...]] = {
    "account_login": ((SIGN_IN_IP, ip), (SIGN_IN_EMAIL_IP, login_at_ip), (SIGN_IN_EMAIL, login)),
    "account_signup": SIGNING_UP,
    "account_email_verification_sent": ((CODE_IP, ip), (CODE_PERSON, person)),
    "account_confirm_login_code": ((CODE_IP, ip), (CODE_PERSON, person)),
    "account_reset_password": ((RESET_IP, ip), (RESET_EMAIL, email)),
    "account_confirm_password_reset_code": ((CODE_IP, ip),),
    "account_complete_password_reset": ((CODE_IP, ip),),
    "account_email": ((MAIL_PERSON, person),),
    "account_reauthenticate": PROVING_AGAIN,
    "account_change_password": PROVING_AGAIN,
    "mfa_authenticate": ((SECOND_STEP_IP, ip), (SECOND_STEP, person)),
    "mfa_reauthenticate": PROVING_AGAIN,
    "mfa_reauthenticate_webauthn": PROVING_AGAIN,
    "mfa_activate_totp": PROVING_AGAIN,
    "mfa_login_webauthn": ((PASSKEY_IP, ip),),
    "google_login": ((GOOGLE_IP, ip),),
    "google_login_by_token": ((GOOGLE_IP, ip),),
    "socialaccount_signup": SIGNING_UP,
    "account:new_org": ((NEW_ORG_PERSON, person), (NEW_ORG_IP, ip)),
    "account:deletion": PROVING_AGAIN,
    "orgs:invitations": INVITING,
    "orgs:invitation_resend": INVITING,
    "orgs:invitation": ((INVITATION_IP, ip),),
    "orgs:invitation_signup": ((INVITATION_IP, ip), *SIGNING_UP),
    "conversations:suggestions": SUGGESTING,
    "knowledge:new": TEACHING,
    "knowledge:edit": TEACHING,
    "knowledge:reading": TEACHING,
    "knowledge:product_new": TEACHING,
    "knowledge:product": TEACHING,
    "numbers:new": ADDING_NUMBER,
    "numbers:new_at_server": ADDING_NUMBER,
    "numbers:new_address": ADDING_NUMBER,
    "numbers:edit": CHANGING_NUMBER,
    "numbers:mode": CHANGING_NUMBER,
    "numbers:connection": CHANGING_NUMBER,
    "numbers:renewal": CHANGING_NUMBER,
    "numbers:restart": CHANGING_NUMBER,
    "numbers:logout": CHANGING_NUMBER,
    "numbers:removal": CHANGING_NUMBER,
    "numbers:webhook": CHANGING_NUMBER,
    "numbers:secret": SEEING_SECRET,
    "numbers:rotation": SEEING_SECRET,
    "numbers:rotation_end": SEEING_SECRET,
}


class RateLimitMiddleware:
    """Holds RATE_LIMITS for whatever is not a mere look. Stands after authentication, org and CSRF check."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponseBase | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        if request.method in SAFE_METHODS or name not in RATE_LIMITS:
            return None
        return refusal(request, RATE_LIMITS[name])


def rate_limited(
    *limits: Limit,
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Hold the limits for this view, its GET too: for what costs or reveals something by being looked at."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return refusal(request, limits) or view(request, *args, **kwargs)

        return limited

    return decorate


def refusal(request: HttpRequest, limits: tuple[Limit, ...]) -> HttpResponse | None:
    """Count the attempt under each limit. Out: None, or the 429 of the first one that is over."""
    for rule, who in limits:
        subject = who(request)
        if subject is None:
            continue
        verdict = check(rule, subject)
        if not verdict.allowed:
            logger.warning("Rate limit %s refused a request", rule.name)
            return too_many(request, verdict.retry_after)
    return None


def too_many(request: HttpRequest, retry_after: int) -> HttpResponse:
    """429 with Retry-After (RFC 6585, 4; RFC 9110, 10.2.3) as the asker can use it.

    JSON for scripts; for htmx a message that leaves the form and what was typed alone; otherwise the page.
    """
    wait = wait_text(retry_after)
    response: HttpResponse
    if request.path_info.startswith("/api/") or "application/json" in request.headers.get("Accept", ""):
        response = JsonResponse({"error": {"code": "throttled", "message": wait, "fields": {}}}, status=429)
    elif request.headers.get("HX-Request") == "true":
        html = render_to_string("layouts/_flash_message.html", {"level": "error", "text": wait})
        response = HttpResponse(html, status=429)
        response.headers["HX-Retarget"] = "#flashes-urgent"
        response.headers["HX-Reswap"] = "innerHTML"
    else:
        values = {"brand": settings.BRAND, "request": request, "request_id": request_id(request), "wait": wait}
        response = HttpResponse(render_to_string("429.html", values), status=429)
    response.headers["Retry-After"] = str(retry_after)
    response.headers["Cache-Control"] = "no-store"
    return response


def wait_text(seconds: int) -> str:
    """What to tell a person: seconds for short waits, minutes rounded up for long ones."""
    if seconds < MINUTES_FROM_SECONDS:
        return ngettext(
            "There were too many attempts in a short time. Please try again in %(count)d second.",
            "There were too many attempts in a short time. Please try again in %(count)d seconds.",
            seconds,
        ) % {"count": seconds}
    minutes = math.ceil(seconds / 60)
    return ngettext(
        "There were too many attempts in a short time. Please try again in %(count)d minute.",
        "There were too many attempts in a short time. Please try again in %(count)d minutes.",
        minutes,
    ) % {"count": minutes}


class ApiThrottle(BaseThrottle):
    """The API's limit: per person, and per address for those who are not signed in."""

    retry_after: int | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        rule, who = (API_PERSON, person) if isinstance(request.user, Person) else (API_IP, ip)
        verdict = check(rule, who(request._request) or "unknown")
        self.retry_after = verdict.retry_after
        return verdict.allowed

    def wait(self) -> float | None:
        """Seconds until an attempt can succeed; DRF makes Retry-After of it."""
        return self.retry_after
