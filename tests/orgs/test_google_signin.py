"""Signing in with Google, played by a stand-in over real HTTP that can fail in every way Google's documents name."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client

from calendar_sync.google.standin import Account, Fault, GoogleStandin
from orgs.audit import Action
from orgs.models import AuditEntry, Person
from tests.orgs.mailbox import code_in, last_mail, mails_to
from tests.orgs.test_signin import prove, sign_in_by_form

LOGIN = "/accounts/google/login/"
ANA = Account(sub="1001", email="ana@example.com", name="Ana Souza")
RITA = Account(sub="1002", email="rita@example.com", name="Rita Lopes")
SHADY = Account(sub="1003", email="carla@example.com", name="Not Carla", email_verified=False)
NOBODY = Account(sub="1004", email="", name="No Address")


@pytest.fixture
def google(settings: Any) -> Iterator[GoogleStandin]:
    with GoogleStandin(ANA, RITA, SHADY, NOBODY) as standin:
        own = settings.SOCIALACCOUNT_PROVIDERS["google"]
        settings.SOCIALACCOUNT_PROVIDERS = {"google": {**own, **standin.provider()}}
        yield standin


def go(client: Client, google: GoogleStandin, account: int | None, *, process: str = "login") -> Any:
    """Press the button, choose the account at Google (or cancel), come back."""
    sent = client.post(f"{LOGIN}?process={process}")
    assert sent.headers["Location"].startswith(f"{google.url}/o/oauth2/v2/auth?")
    back = google.consent(sent.headers["Location"], account=account)
    return client.get(back.removeprefix("http://testserver"))


def signed_in(client: Client) -> str:
    """The address of whoever is signed in, or nothing."""
    pk = client.session.get("_auth_user_id")
    return Person.objects.get(pk=pk).email if pk else ""


def test_it_makes_a_new_person_with_a_confirmed_address(db: None, google: GoogleStandin) -> None:
    client = Client(headers={"Accept-Language": "es"})
    assert go(client, google, 1).headers["Location"] == "/"
    person = Person.objects.get(email="rita@example.com")
    assert (person.name, person.language, person.has_usable_password()) == ("Rita Lopes", "es", False)
    assert EmailAddress.objects.get(user=person).verified
    assert signed_in(client) == "rita@example.com"
    assert client.get("/").headers["Location"] == "/orgs/new/"
    assert not any(mail.kind.startswith("account/email/email_confirmation") for mail in mails_to(person.email))


def test_it_joins_the_account_that_has_the_address(ana: Person, google: GoogleStandin) -> None:
    client = Client()
    assert go(client, google, 0).headers["Location"] == "/"
    assert signed_in(client) == ana.email
    assert SocialAccount.objects.get(user=ana).uid == "1001"
    assert sign_in_by_form(Client(), ana) == "/"  # the password stays good
    assert {mail.kind for mail in mails_to(ana.email)} == {"socialaccount/email/account_connected"}
    assert AuditEntry.objects.filter(action=Action.ACCOUNT_CONNECTED, person_id=ana.pk).count() == 1


def test_it_knows_the_person_by_the_subject_when_the_address_changed(ana: Person, google: GoogleStandin) -> None:
    go(Client(), google, 0)
    google.rename(0, "ana.souza@example.com")
    client = Client()
    go(client, google, 0)
    assert signed_in(client) == ana.email
    assert not Person.objects.filter(email="ana.souza@example.com").exists()


def test_it_locks_out_who_took_the_address_without_proof(db: None, google: GoogleStandin) -> None:
    """Somebody signed up with Rita's address and a password of their own, and never confirmed it."""
    squatter = Client()
    squatter.post("/accounts/signup/", {"name": "X", "email": RITA.email, "password1": "correct-horse-battery"})
    client = Client()
    go(client, google, 1)
    rita = Person.objects.get(email=RITA.email)
    assert not rita.has_usable_password()
    assert sign_in_by_form(Client(), rita) == ""
    assert signed_in(client) == RITA.email
    assert EmailAddress.objects.get(user=rita).verified
    assert signed_in(squatter) == ""
    [sent, *_] = mails_to(RITA.email)
    squatter.post("/accounts/confirm-email/", {"code": code_in(sent)})  # even if it leaked
    assert signed_in(squatter) == ""


def test_it_refuses_an_address_google_has_not_confirmed(carla: Person, google: GoogleStandin) -> None:
    client = Client()
    response = go(client, google, 2)
    assert response.status_code == 403
    assert signed_in(client) == ""
    assert not SocialAccount.objects.exists()
    assert not mails_to(carla.email)


def test_it_refuses_an_account_without_an_address(db: None, google: GoogleStandin) -> None:
    client = Client()
    assert go(client, google, 3).status_code == 403
    assert signed_in(client) == ""


def test_it_says_so_when_the_person_cancels(db: None, google: GoogleStandin) -> None:
    client = Client()
    response = go(client, google, None)
    assert response.headers["Location"] == "/accounts/3rdparty/login/cancelled/"
    assert client.get(response.headers["Location"]).status_code == 200
    assert ("POST", "/token") not in google.requests


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.ODD_EXPIRY])
def test_it_stays_friendly_whatever_google_does(ana: Person, google: GoogleStandin, fault: Fault) -> None:
    google.fault = fault
    client = Client()
    response = go(client, google, 0)
    assert response.status_code in {200, 401, 403}, response.status_code
    assert 'href="/accounts/login/"' in response.text
    assert signed_in(client) == ""
    assert not SocialAccount.objects.exists()


def test_it_refuses_an_odd_expiry(ana: Person, google: GoogleStandin) -> None:
    google.fault = Fault.ODD_EXPIRY
    client = Client()
    assert go(client, google, 0).status_code < 500
    assert signed_in(client) == ""


def test_it_works_again_after_a_failure(ana: Person, google: GoogleStandin) -> None:
    client = Client()
    google.fault = Fault.SERVER_ERROR
    go(client, google, 0)
    google.fault = None
    go(client, google, 0)
    assert signed_in(client) == ana.email


@pytest.mark.parametrize("query", ["", "?state=forged&code=x", "?code=x", "?error=server_error", "?state=%00&code=%00"])
def test_it_refuses_an_answer_nobody_asked_for(db: None, google: GoogleStandin, query: str) -> None:
    response = Client().get(f"{LOGIN}callback/{query}")
    assert response.status_code in {200, 401, 403}
    assert google.requests == []


def test_it_refuses_the_answer_to_another_browser(ana: Person, google: GoogleStandin) -> None:
    victim = Client()
    sent = Client().post(LOGIN)
    back = google.consent(sent.headers["Location"], account=0)
    victim.get(back.removeprefix("http://testserver"))
    assert signed_in(victim) == ""
    assert ("POST", "/token") not in google.requests


def test_it_takes_an_answer_once(ana: Person, google: GoogleStandin) -> None:
    client = Client()
    back = google.consent(client.post(LOGIN).headers["Location"], account=0).removeprefix("http://testserver")
    client.get(back)
    client.post("/accounts/logout/")
    client.get(back)
    assert signed_in(client) == ""


def test_it_sends_a_challenge_and_asks_for_little(db: None, google: GoogleStandin) -> None:
    location = Client().post(LOGIN).headers["Location"]
    assert "code_challenge_method=S256" in location
    assert "state=" in location
    assert "access_type=online" in location
    assert {"profile", "email"} == set(location.split("scope=")[1].split("&")[0].split("+"))


def test_it_starts_by_post_alone(db: None, google: GoogleStandin) -> None:
    assert Client().get(LOGIN).status_code == 200
    assert Client(enforce_csrf_checks=True).post(LOGIN).status_code == 403
    assert Client().post(f"{LOGIN}token/", {"credential": "x"}).status_code == 404


def test_it_leads_to_no_other_site(ana: Person, google: GoogleStandin) -> None:
    client = Client()
    sent = client.post(f"{LOGIN}?process=login&next=https://evil.example.com/")
    back = google.consent(sent.headers["Location"], account=0)
    assert client.get(back.removeprefix("http://testserver")).headers["Location"] == "/"


def test_it_keeps_no_token(ana: Person, google: GoogleStandin) -> None:
    go(Client(), google, 0)
    assert not SocialToken.objects.exists()


def test_it_shows_its_button(db: None, google: GoogleStandin) -> None:
    for page in ("/accounts/login/", "/accounts/signup/"):
        text = Client().get(page).text
        assert "Google" in text
        assert 'method="post" action="/accounts/google/login/?process=login"' in text


def test_it_is_connected_and_disconnected_from_the_profile(ana: Person, google: GoogleStandin) -> None:
    client = Client()
    sign_in_by_form(client, ana)
    prove(client)
    go(client, google, 1, process="connect")
    account = SocialAccount.objects.get(user=ana)
    assert account.uid == "1002"
    page = client.get("/accounts/3rdparty/")
    assert page.status_code == 200
    assert client.post("/accounts/3rdparty/", {"account": account.pk}).status_code == 302
    assert not SocialAccount.objects.exists()
    assert AuditEntry.objects.filter(action=Action.ACCOUNT_DISCONNECTED, person_id=ana.pk).count() == 1
    other = Client()
    go(other, google, 1)
    assert signed_in(other) == "rita@example.com"  # no longer Ana


def test_it_does_not_connect_an_account_that_somebody_else_has(
    ana: Person, carla: Person, google: GoogleStandin
) -> None:
    go(Client(), google, 0)
    client = Client()
    sign_in_by_form(client, carla)
    prove(client)
    assert go(client, google, 0, process="connect").status_code < 500
    assert SocialAccount.objects.get().user == ana


def forget_proofs(client: Client) -> None:
    """As if the sign-in had been hours ago."""
    session = client.session
    del session["account_authentication_methods"]
    session.save()


def test_a_person_without_a_password_proves_again_by_google(db: None, google: GoogleStandin) -> None:
    client = Client()
    go(client, google, 1)
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200  # the sign-in itself is proof
    forget_proofs(client)
    asked = client.get("/accounts/2fa/totp/activate/")
    proof = "/accounts/google/proof/?next=%2Faccounts%2F2fa%2Ftotp%2Factivate%2F"
    assert asked.headers["Location"] == proof
    page = client.get(proof).text
    form = re.search(r'action="(/accounts/google/login/[^"]+)"', page)
    assert form
    before = client.session.session_key
    sent = client.post(unescape(form[1]))
    back = client.get(google.consent(sent.headers["Location"], account=1).removeprefix("http://testserver"))
    assert back.headers["Location"] == "/accounts/2fa/totp/activate/"
    assert client.session.session_key == before
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200


@pytest.mark.parametrize("path", ["/accounts/email/", "/accounts/3rdparty/", "/accounts/password/set/"])
def test_without_a_fresh_proof_a_google_account_changes_nothing(db: None, google: GoogleStandin, path: str) -> None:
    client = Client()
    go(client, google, 1)
    forget_proofs(client)
    account = SocialAccount.objects.get()
    passwords = {"password1": "a-good-new-one", "password2": "a-good-new-one"}
    client.post(path, {"email": "mine@example.com", "action_add": "", "account": account.pk, **passwords})
    assert not EmailAddress.objects.filter(email="mine@example.com").exists()
    assert not mails_to("mine@example.com")
    assert SocialAccount.objects.get() == account
    assert not Person.objects.get(email=RITA.email).has_usable_password()


@pytest.mark.parametrize("account", [0, 2])
def test_another_google_account_proves_nothing(ana: Person, google: GoogleStandin, account: int) -> None:
    """Neither one that is somebody else's, nor one that is nobody's; and it signs nobody in or out."""
    client = Client()
    go(client, google, 1)
    forget_proofs(client)
    assert go(client, google, account, process="prove").status_code == 403
    assert signed_in(client) == RITA.email
    assert client.get("/accounts/2fa/totp/activate/").status_code == 302
    assert SocialAccount.objects.count() == 1


def test_a_proof_signs_no_stranger_in(ana: Person, google: GoogleStandin) -> None:
    go(Client(), google, 0)
    client = Client()
    assert go(client, google, 0, process="prove").status_code == 403
    assert signed_in(client) == ""


def test_the_proof_is_for_those_who_have_an_account_there(ana: Person, google: GoogleStandin) -> None:
    client = Client()
    assert client.get("/accounts/google/proof/").status_code == 302
    sign_in_by_form(client, ana)
    assert client.get("/accounts/google/proof/").status_code == 404


def test_it_gives_a_person_without_a_password_one_by_mail(db: None, google: GoogleStandin) -> None:
    go(Client(), google, 1)
    client = Client()
    client.post("/accounts/password/reset/", {"email": RITA.email})
    client.post("/accounts/password/reset/confirm/", {"code": code_in(last_mail(RITA.email))})
    client.post("/accounts/password/reset/complete/", {"password1": "a-good-new-one", "password2": "a-good-new-one"})
    assert Person.objects.get(email=RITA.email).check_password("a-good-new-one")


def test_the_stand_in_refuses_what_google_refuses(google: GoogleStandin) -> None:
    form = {
        "client_id": google.client_id,
        "client_secret": google.secret,
        "grant_type": "authorization_code",
        "code": "x",
    }
    answers = [
        requests.post(f"{google.url}/token", data={**form, **change}, timeout=5)
        for change in ({"client_secret": "wrong"}, {}, {"grant_type": "password"})
    ]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [
        (401, "invalid_client"),
        (400, "invalid_grant"),
        (400, "unsupported_grant_type"),
    ]
    assert requests.get(f"{google.url}/o/oauth2/v2/auth?client_id=x", timeout=5).status_code == 400
    assert requests.get(f"{google.url}/oauth2/v2/userinfo", timeout=5).status_code == 401
