"""Signing in and out: what a wrong password tells, where one lands, how long it lasts."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from orgs.audit import Action
from orgs.models import AuditEntry, Membership, Org, Person, Role
from tests.cast import PASSWORD, make_person

SignIn = Callable[[Person], Client]
LOGIN = "/accounts/login/"


def sign_in_by_form(client: Client, person: Person, **changes: str) -> str:
    response = client.post(LOGIN, {"login": person.email, "password": PASSWORD, **changes})
    return response.headers.get("Location", "")


def prove(client: Client) -> None:
    """Show once more who it is, as the pages about safety ask for."""
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302


def test_it_leads_to_the_org(ana: Person) -> None:
    client = Client()
    assert sign_in_by_form(client, ana) == "/"
    assert client.get("/").headers["Location"] == "/o/acme/"


def test_it_leads_back_to_where_one_wanted_to_go(ana: Person) -> None:
    client = Client()
    page = client.get("/o/acme/people/")
    assert page.headers["Location"] == "/accounts/login/?next=%2Fo%2Facme%2Fpeople%2F"
    assert sign_in_by_form(client, ana, next="/o/acme/people/") == "/o/acme/people/"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.com/",
        "//evil.example.com/",
        "/\\evil.example.com",
        "javascript:alert(1)",
        "https:/evil.example.com",
    ],
)
def test_it_leads_to_no_other_site(ana: Person, elsewhere: str) -> None:
    assert sign_in_by_form(Client(), ana, next=elsewhere) == "/"


def test_it_leads_to_no_other_site_from_the_query_either(ana: Person) -> None:
    response = Client().post(f"{LOGIN}?next=//evil.example.com", {"login": ana.email, "password": PASSWORD})
    assert response.headers["Location"] == "/"


def test_it_does_not_tell_a_wrong_password_from_a_stranger(ana: Person) -> None:
    answers = [
        Client().post(LOGIN, {"login": login, "password": password})
        for login, password in [(ana.email, "wrong-password"), ("nobody@example.com", "wrong-password")]
    ]
    errors = [dict(answer.context["form"].errors) for answer in answers]
    assert errors[0] == errors[1] != {}
    assert {answer.status_code for answer in answers} == {200}


def test_it_keeps_the_typed_address_and_never_the_password(ana: Person) -> None:
    response = Client().post(LOGIN, {"login": ana.email, "password": "wrong-password"})
    assert f'value="{ana.email}"' in response.text
    assert "wrong-password" not in response.text


@pytest.mark.parametrize("login", ["", "ana", "a\x00@example.com", "x" * 5000, "ana@example.com\r\nBcc: x@example.com"])
def test_it_survives_odd_addresses(db: None, login: str) -> None:
    assert Client().post(LOGIN, {"login": login, "password": "p\x00q"}).status_code == 200


def test_it_does_not_mind_capitals(ana: Person) -> None:
    assert sign_in_by_form(Client(), ana, login="Ana@Example.Com") == "/"


def test_it_makes_a_new_session(ana: Person) -> None:
    client = Client()
    client.get("/accounts/signup/")
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    sign_in_by_form(client, ana)
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != session.session_key


def test_it_lasts_until_the_browser_closes_unless_asked_to_remember(ana: Person) -> None:
    forgetful, loyal = Client(), Client()
    sign_in_by_form(forgetful, ana)
    sign_in_by_form(loyal, ana, remember="on")
    assert forgetful.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == ""
    assert loyal.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == settings.SESSION_COOKIE_AGE


def test_it_refuses_somebody_who_may_not_sign_in(ana: Person) -> None:
    Person.objects.filter(pk=ana.pk).update(is_active=False)
    client = Client()
    assert sign_in_by_form(client, ana) == "/accounts/inactive/"
    assert client.get("/accounts/inactive/").status_code == 200
    assert "_auth_user_id" not in client.session


def test_it_ends_a_running_session_of_somebody_who_may_not_sign_in_any_more(ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    assert client.get("/o/acme/").status_code == 200
    Person.objects.filter(pk=ana.pk).update(is_active=False)
    assert client.get("/o/acme/").headers["Location"].startswith(LOGIN)


def test_it_records_who_came_and_went(ana: Person) -> None:
    client = Client(headers={"User-Agent": "Firefox"})
    sign_in_by_form(client, ana)
    client.post("/accounts/logout/")
    entries = AuditEntry.objects.filter(person_id=ana.pk).order_by("pk")
    assert [(entry.action, entry.ip, entry.user_agent) for entry in entries] == [
        (Action.PERSON_SIGNED_IN, "127.0.0.1", "Firefox"),
        (Action.PERSON_SIGNED_OUT, "127.0.0.1", "Firefox"),
    ]
    assert entries[0].data == {"methods": ["password"]}


def test_it_records_failures_without_the_address(ana: Person) -> None:
    for login in (ana.email, "nobody@example.com", "nobody@example.com"):
        Client().post(LOGIN, {"login": login, "password": "wrong-password"})
    entries = list(AuditEntry.objects.filter(action=Action.PERSON_SIGN_IN_FAILED).order_by("pk"))
    assert [entry.target for entry in entries] == [f"person:{ana.pk}", "", ""]
    assert entries[1].data == entries[2].data != entries[0].data
    assert not any("example.com" in f"{entry.data} {entry.actor}" for entry in entries)


def test_it_signs_out_by_post_alone(ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    assert client.get("/accounts/logout/").status_code == 200
    assert "_auth_user_id" in client.session
    assert client.post("/accounts/logout/").headers["Location"] == "/"
    assert "_auth_user_id" not in client.session


def test_it_signs_nobody_out_from_another_site(ana: Person) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.post("/accounts/logout/").status_code == 403
    assert "_auth_user_id" in client.session


def test_it_goes_to_the_last_org_then_to_the_choice(ana: Person, globex: Org, acme: Org, sign_in: SignIn) -> None:
    Membership.objects.create(org=globex, person=ana, role=Role.VIEWER)
    client = sign_in(ana)
    page = client.get("/")
    assert [org.slug for org in page.context["orgs"]] == ["acme", "globex"]
    client.get("/o/globex/")
    assert client.get("/").headers["Location"] == "/o/globex/"
    Membership.objects.filter(org=globex, person=ana).delete()
    assert client.get("/").headers["Location"] == "/o/acme/"


def test_it_sends_somebody_without_an_org_to_found_one(db: None, sign_in: SignIn) -> None:
    assert sign_in(make_person("rita")).get("/").headers["Location"] == "/orgs/new/"


def test_it_remembers_the_last_org(ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    client.get("/o/acme/")
    ana.refresh_from_db()
    assert ana.last_org is not None
    assert ana.last_org.slug == "acme"


def test_it_hides_google_when_it_is_not_configured(db: None) -> None:
    for page in (LOGIN, "/accounts/signup/"):
        assert "Google" not in Client().get(page).text
    for path in ("/accounts/google/login/", "/accounts/google/login/callback/", "/accounts/google/login/token/"):
        assert Client().get(path).status_code == 404
        assert Client().post(path).status_code in {404, 405}


def test_whoever_has_just_signed_in_is_not_asked_again(ana: Person) -> None:
    client = Client()
    sign_in_by_form(client, ana)
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200
