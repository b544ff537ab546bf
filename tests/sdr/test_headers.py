"""Every answer carries the headers that keep browsers safe: pages, errors, redirects, JSON, staff pages."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client, override_settings

from orgs import staffing
from orgs.models import Membership, Org, Person
from orgs.staffing import StaffRole
from sdr import settings as product
from sdr.headers import PERMISSIONS, permissions
from tests.cast import PASSWORD, make_person

STRANGERS = [
    ("/", 302),
    ("/accounts/login/", 200),
    ("/accounts/signup/", 200),
    ("/accounts/password/reset/", 200),
    ("/no/such/page/", 404),
    ("/o/acme/", 302),
    ("/staff/", 302),
    ("/invitations/unknown/", 404),
    ("/api/v1/me/", 401),
    ("/api/v1/orgs/acme/", 401),
]
MEMBERS = [
    ("/o/acme/", 200),
    ("/o/acme/people/", 200),
    ("/o/acme/settings/", 200),
    ("/o/globex/", 404),
    ("/account/", 200),
    ("/accounts/2fa/", 200),
    ("/accounts/sessions/", 200),
    ("/api/v1/me/", 200),
    ("/staff/", 404),
]
STAFF = [("/staff/", 200), ("/staff/orgs/org/", 200), ("/staff/orgs/org/0/change/", 302), ("/staff/nothing/", 404)]


def directives(response: Any) -> dict[str, list[str]]:
    """The content security policy, by directive."""
    policy = response.headers["Content-Security-Policy"]
    parts = (part.split() for part in policy.split(";"))
    return {name: values for name, *values in parts}


def assert_headers(response: Any) -> None:
    headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "publickey-credentials-get=(self)" in headers["Permissions-Policy"]
    assert "no-store" in headers["Cache-Control"]
    policy = directives(response)
    assert policy["default-src"] == ["'none'"]
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"][0] == "'self'"


def assert_strict(response: Any) -> None:
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "http:" not in policy
    assert_scripts_carry_the_nonce(response)


def assert_scripts_carry_the_nonce(response: Any) -> None:
    if not response.headers["Content-Type"].startswith("text/html"):
        return
    body = response.content.decode()
    allowed = [value[7:-1] for value in directives(response)["script-src"] if value.startswith("'nonce-")]
    for tag in re.findall(r"<script[^>]*>", body):
        nonce = re.search(r'nonce="([^"]+)"', tag)
        assert 'type="application/json"' in tag or (nonce and [nonce[1]] == allowed), tag
    assert not re.search(r"<[^>]+\son[a-z]+\s*=", body), "an inline handler"
    assert not re.search(r"<[^>]+\sstyle\s*=", body), "an inline style"
    assert "<style" not in body


@pytest.mark.parametrize(("path", "status"), STRANGERS)
def test_strangers_get_safe_answers(db: None, path: str, status: int) -> None:
    response = Client().get(path)
    assert response.status_code == status
    assert_headers(response)
    assert_strict(response)


@pytest.mark.parametrize(("path", "status"), MEMBERS)
def test_members_get_safe_answers(ana: Person, sign_in: Callable[[Person], Client], path: str, status: int) -> None:
    response = sign_in(ana).get(path)
    assert response.status_code == status
    assert_headers(response)
    assert_strict(response)


@pytest.mark.parametrize(("path", "status"), STAFF)
def test_staff_get_safe_answers(db: None, sign_in: Callable[[Person], Client], path: str, status: int) -> None:
    person = make_person("sofia")
    staffing.grant(person, StaffRole.LEAD)
    TOTP.activate(person, generate_totp_secret())
    client = sign_in(person)
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "at": time.time()}]
    session["account_authentication_methods_user"] = str(person.pk)
    session.save()
    response = client.get(path)
    assert response.status_code == status
    assert_headers(response)
    assert directives(response)["connect-src"] == ["'self'"]


def test_a_forged_post_gets_a_safe_answer(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {})
    assert response.status_code == 403
    assert_headers(response)
    assert_strict(response)


def test_a_broken_page_gets_a_safe_answer(
    acme: Org, ana: Person, sign_in: Callable[[Person], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in(ana)
    client.raise_request_exception = False
    monkeypatch.setattr(Membership, "may", lambda self, role: 1 / 0)
    response = client.get("/o/acme/")
    assert response.status_code == 500
    assert_headers(response)
    assert_strict(response)


def test_each_answer_has_a_nonce_of_its_own(db: None) -> None:
    client = Client()
    policies = {client.get("/accounts/login/").headers["Content-Security-Policy"] for _ in range(5)}
    assert len(policies) == 5


@override_settings(
    SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=31_536_000, SECURE_HSTS_INCLUDE_SUBDOMAINS=True,
    SECURE_HSTS_PRELOAD=True, SECURE_REDIRECT_EXEMPT=product.SECURE_REDIRECT_EXEMPT,
)  # fmt: skip
def test_under_tls_browsers_are_told_to_stay_there(db: None) -> None:
    plain = Client().get("/accounts/login/")
    assert (plain.status_code, plain.headers["Location"]) == (301, "https://testserver/accounts/login/")
    secure = Client().get("/accounts/login/", secure=True)
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert Client().get("/health/live").status_code == 200, "probes inside the network speak no TLS"


@override_settings(
    SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_SECURE=True,
    CSRF_COOKIE_NAME="__Host-csrf", CSRF_COOKIE_SECURE=True,
)  # fmt: skip
def test_host_cookies_meet_what_browsers_demand_of_that_name(ana: Person) -> None:
    client = Client()
    client.get("/accounts/login/", secure=True)
    client.post("/accounts/login/", {"login": ana.email, "password": PASSWORD}, secure=True)
    assert {"__Host-session", "__Host-csrf"} <= set(client.cookies)
    for name in ("__Host-session", "__Host-csrf"):
        cookie = client.cookies[name]
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"


def test_a_page_is_granted_only_what_it_names() -> None:
    granted = permissions("microphone=(self)")
    assert "microphone=(self)" in granted
    assert "microphone=()" not in granted
    assert {*PERMISSIONS.split(", ")} - {*granted.split(", ")} == {"microphone=()"}
    assert permissions("") == PERMISSIONS
