"""The second step: authenticator app and recovery codes, from setting up to signing in and turning off."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import connection
from django.test import Client

from orgs.audit import Action
from orgs.models import AuditEntry, Person
from tests.orgs.mailbox import last_mail, mails_to
from tests.orgs.test_signin import prove, sign_in_by_form

INDEX, ACTIVATE, DEACTIVATE = "/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/2fa/totp/deactivate/"
AUTHENTICATE, CODES = "/accounts/2fa/authenticate/", "/accounts/2fa/recovery-codes/"


def totp(secret: str, step: int = 0) -> str:
    """The code an app shows now, or `step` half minutes from now."""
    return str(format_hotp_value(hotp_value(secret, int(auth.time.time()) // 30 + step)))


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of codes stands still: no half minute ends between making a code and typing it."""
    now = time.time()
    monkeypatch.setattr(auth, "time", SimpleNamespace(time=lambda: now))


@pytest.fixture
def browser(ana: Person) -> Client:
    """Ana, who has just proven who she is."""
    client = Client()
    sign_in_by_form(client, ana)
    prove(client)
    return client


@pytest.fixture
def secret(browser: Client, django_capture_on_commit_callbacks: Any) -> str:
    """The secret of Ana's authenticator app, set up."""
    page = browser.get(ACTIVATE)
    secret: str = page.context["form"].secret
    assert secret in page.text
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post(ACTIVATE, {"code": totp(secret)}).status_code == 302
    cache.clear()  # a code counts once; the tests use the same half minute again
    return secret


def test_it_is_set_up_with_a_code_and_tells_the_person(ana: Person, secret: str) -> None:
    assert set(Authenticator.objects.filter(user=ana).values_list("type", flat=True)) == {"totp", "recovery_codes"}
    assert "mfa/email/totp_activated" in {mail.kind for mail in mails_to(ana.email)}
    added = AuditEntry.objects.get(person_id=ana.pk, action=Action.MFA_ADDED)
    assert added.data == {"kind": "totp"}


def test_it_keeps_the_secret_sealed(ana: Person, secret: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM mfa_authenticator WHERE user_id = %s", [ana.pk])
        stored = " ".join(row[0] for row in cursor.fetchall())
    assert secret not in stored


def test_it_refuses_a_wrong_code_and_stays_off(ana: Person, browser: Client) -> None:
    browser.get(ACTIVATE)
    response = browser.post(ACTIVATE, {"code": "000000"})
    assert response.context["form"].errors["code"]
    assert not Authenticator.objects.filter(user=ana).exists()


def test_it_asks_for_a_code_after_the_password(ana: Person, secret: str) -> None:
    client = Client()
    assert sign_in_by_form(client, ana) == AUTHENTICATE
    assert client.get("/o/acme/").headers["Location"].startswith("/accounts/login/")
    assert client.get(AUTHENTICATE).status_code == 200
    assert client.post(AUTHENTICATE, {"code": totp(secret)}).headers["Location"] == "/"
    assert client.get("/o/acme/").status_code == 200


def test_it_refuses_a_wrong_second_step_and_records_it(ana: Person, secret: str) -> None:
    client = Client()
    sign_in_by_form(client, ana)
    assert client.post(AUTHENTICATE, {"code": "000000"}).context["form"].errors["code"]
    assert "_auth_user_id" not in client.session
    entry = AuditEntry.objects.filter(action=Action.PERSON_SIGN_IN_FAILED).get()
    assert (entry.target, entry.data) == (f"person:{ana.pk}", {"step": "second"})


def test_it_takes_a_code_once(ana: Person, secret: str) -> None:
    code = totp(secret)
    first, second = Client(), Client()
    sign_in_by_form(first, ana)
    sign_in_by_form(second, ana)
    assert first.post(AUTHENTICATE, {"code": code}).status_code == 302
    assert second.post(AUTHENTICATE, {"code": code}).status_code == 200
    assert "_auth_user_id" not in second.session


def test_it_takes_a_recovery_code_once(ana: Person, browser: Client, secret: str) -> None:
    page = browser.get(CODES)
    codes = page.context["unused_codes"]
    assert len(codes) == 10
    first, second = Client(), Client()
    sign_in_by_form(first, ana)
    assert first.post(AUTHENTICATE, {"code": codes[0]}).headers["Location"] == "/"
    sign_in_by_form(second, ana)
    assert second.post(AUTHENTICATE, {"code": codes[0]}).status_code == 200
    assert "_auth_user_id" not in second.session


def test_it_makes_new_recovery_codes(
    ana: Person, browser: Client, secret: str, django_capture_on_commit_callbacks: Any
) -> None:
    old = browser.get(CODES).context["unused_codes"]
    before = AuditEntry.objects.filter(action=Action.RECOVERY_CODES_MADE).count()
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post("/accounts/2fa/recovery-codes/generate/").status_code == 302
    new = browser.get(CODES).context["unused_codes"]
    assert not set(old) & set(new)
    assert AuditEntry.objects.filter(action=Action.RECOVERY_CODES_MADE, person_id=ana.pk).count() == before + 1
    assert last_mail(ana.email).kind == "mfa/email/recovery_codes_generated"


def test_it_is_turned_off_by_its_owner(ana: Person, browser: Client, secret: str) -> None:
    assert browser.post(DEACTIVATE).status_code == 302
    assert not Authenticator.objects.filter(user=ana).exists()
    assert last_mail(ana.email).kind == "mfa/email/totp_deactivated"
    assert AuditEntry.objects.filter(action=Action.MFA_REMOVED, person_id=ana.pk).exists()
    assert sign_in_by_form(Client(), ana) == "/"


def test_it_asks_who_it_is_before_changing_anything(
    ana: Person, secret: str, sign_in: Callable[[Person], Client]
) -> None:
    stale = sign_in(ana)  # a session that has proven nothing of late
    for path in (DEACTIVATE, CODES, "/accounts/2fa/webauthn/add/"):
        assert "reauthenticate" in stale.get(path).headers["Location"]
    assert "reauthenticate" in stale.post(DEACTIVATE).headers["Location"]
    assert Authenticator.objects.filter(user=ana, type="totp").exists()


def test_it_goes_on_after_asking(ana: Person, sign_in: Callable[[Person], Client]) -> None:
    stale = sign_in(ana)
    asked = stale.get(ACTIVATE)
    response = stale.post(asked.headers["Location"], {"password": "correct-horse-battery"})
    assert response.headers["Location"].startswith(ACTIVATE)
    assert stale.get(ACTIVATE).status_code == 200


def test_it_shows_its_pages(browser: Client, secret: str) -> None:
    for path in (INDEX, CODES, "/accounts/2fa/webauthn/", "/accounts/2fa/webauthn/add/", DEACTIVATE):
        assert browser.get(path).status_code == 200, path
    download = browser.get("/accounts/2fa/recovery-codes/download/")
    assert download.headers["Content-Disposition"].startswith("attachment")


def test_it_survives_malformed_passkeys(ana: Person, browser: Client) -> None:
    for credential in (
        "",
        "{}",
        "[]",
        "null",
        '{"id": 1}',
        '{"type": "public-key", "response": {}}',
        "\x00",
        "x" * 9000,
    ):
        assert Client().post("/accounts/2fa/webauthn/login/", {"credential": credential}).status_code in {200, 302}, (
            credential
        )
        browser.get("/accounts/2fa/webauthn/add/")
        response = browser.post("/accounts/2fa/webauthn/add/", {"credential": credential, "name": "Key"})
        assert response.status_code in {200, 302}, credential
    assert not Authenticator.objects.filter(user=ana).exists()
