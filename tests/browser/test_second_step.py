"""Two-step sign-in and passkeys with a real browser: authenticator app, recovery codes, a virtual security key."""

import base64
import hmac
import re
import secrets
import struct
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.harness import Visitor, code_in, letter_to

PASSWORD = "a-horse-in-the-rain"
STEP_SECONDS = 30


def totp(secret: str, at: float) -> str:
    """Six digits of an authenticator app (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.digest(key, struct.pack(">Q", int(at) // STEP_SECONDS), "sha1")
    start = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def sign_up(person: Visitor) -> str:
    """A new person with a proven address. Out: the address."""
    email = f"person-{secrets.token_hex(4)}@example.com"
    person.go("/accounts/signup/")
    person.page.fill("[name=name]", "Paula Passo")
    person.page.fill("[name=email]", email)
    person.page.fill("[name=password1]", PASSWORD)
    person.submit("main form:has([name=password1])")
    person.page.fill("[name=code]", code_in(letter_to(person, email)))
    person.submit("main form:has([name=code])")
    person.page.wait_for_url("**/orgs/new/")
    return email


def sign_out(person: Visitor) -> None:
    person.go("/account/")
    person.page.locator("summary:has(.avatar)").click()
    person.submit("form[action*='logout']")


def confirm_password(person: Visitor) -> None:
    """Where the page asks who is there before it changes something about safety."""
    if "reauthenticate" in person.path:
        person.page.fill("[name=password]", PASSWORD)
        person.submit("main form:has([name=password])")


def test_an_authenticator_app_is_asked_for_after_the_password(visitor: Callable[..., Visitor]) -> None:
    person = visitor(locale="en")
    email = sign_up(person)
    person.go("/accounts/2fa/totp/activate/")
    confirm_password(person)
    shown = person.page.locator("main").inner_text()
    field = person.page.locator("main input[readonly], main input[disabled]")
    secret = field.first.input_value() if field.count() else (re.search(r"\b[A-Z2-7]{16,}\b", shown) or [""])[0]
    assert secret
    person.assert_accessible()
    used = time.time()
    person.page.fill("[name=code]", totp(secret, used))
    person.submit("main form:has([name=code])")
    sign_out(person)

    person.go("/accounts/login/")
    person.page.fill("[name=login]", email)
    person.page.fill("[name=password]", PASSWORD)
    person.submit("main form:has([name=password])")
    assert person.path == "/accounts/2fa/authenticate/"
    person.assert_accessible()
    person.go("/orgs/new/")  # the password alone opens nothing
    assert person.path == "/accounts/2fa/authenticate/"
    person.page.fill("[name=code]", "000000")
    person.submit("main form:has([name=code])")
    assert person.page.locator("[name=code]").get_attribute("aria-invalid") == "true"
    time.sleep(max(0, (used // STEP_SECONDS + 1) * STEP_SECONDS + 1 - time.time()))  # each code works once
    person.page.fill("[name=code]", totp(secret, time.time()))
    person.submit("main form:has([name=code])")
    person.page.wait_for_url("**/orgs/new/")


def test_a_passkey_signs_in_without_a_password(visitor: Callable[..., Visitor]) -> None:
    person = visitor(locale="en")
    cdp = person.context.new_cdp_session(person.page)
    cdp.send("WebAuthn.enable")
    cdp.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    sign_up(person)
    person.go("/accounts/2fa/webauthn/add/")
    confirm_password(person)
    person.page.fill("[name=name]", "My laptop")
    passwordless = person.page.locator("[name=passwordless]")
    if passwordless.count():
        passwordless.check()
    person.page.locator("#mfa_webauthn_add").click()
    person.page.wait_for_url(lambda url: "/webauthn/add" not in url)
    person.go("/accounts/2fa/webauthn/")
    expect(person.page.locator("main")).to_contain_text("My laptop")
    person.assert_accessible()
    sign_out(person)

    person.go("/accounts/login/")
    person.page.locator("#passkey_login").click()
    person.page.wait_for_url("**/orgs/new/")


def test_a_session_ended_elsewhere_is_over_at_once(visitor: Callable[..., Visitor]) -> None:
    laptop, phone = visitor(locale="en"), visitor(locale="en")
    email = sign_up(laptop)
    phone.sign_in(email, PASSWORD)
    phone.go("/account/")
    assert phone.path == "/account/"
    laptop.go("/accounts/sessions/")
    expect(laptop.page.locator("main")).to_contain_text("127.0.0.1")
    laptop.submit("main form")
    phone.go("/account/")
    assert phone.path == "/accounts/login/"
    laptop.go("/account/")
    assert laptop.path == "/account/"
