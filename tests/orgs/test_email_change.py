"""Changing one's address: it counts once it is confirmed, and the old one is told."""

from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from orgs.audit import Action
from orgs.models import AuditEntry, Person
from tests.orgs.mailbox import code_in, last_mail, mails_to

SignIn = Callable[[Person], Client]
PAGE, CONFIRM = "/accounts/email/", "/accounts/confirm-email/"
NEW = "ana.new@example.com"


@pytest.fixture
def browser(ana: Person) -> Client:
    """Ana, signed in by password just now."""
    client = Client()
    client.post("/accounts/login/", {"login": ana.email, "password": "correct-horse-battery"})
    return client


def test_it_counts_once_confirmed(ana: Person, browser: Client) -> None:
    assert browser.post(PAGE, {"action_add": "", "email": NEW}).headers["Location"] == CONFIRM
    ana.refresh_from_db()
    assert ana.email == "ana@example.com"
    browser.post(CONFIRM, {"code": code_in(last_mail(NEW))})
    ana.refresh_from_db()
    assert ana.email == NEW
    assert list(EmailAddress.objects.filter(user=ana).values_list("email", "verified", "primary")) == [
        (NEW, True, True)
    ]
    assert last_mail("ana@example.com").kind == "account/email/email_changed"
    assert AuditEntry.objects.filter(action=Action.EMAIL_CHANGED, person_id=ana.pk).count() == 1


def test_it_shows_the_form_while_it_waits(browser: Client) -> None:
    browser.post(PAGE, {"action_add": "", "email": NEW})
    assert browser.get(CONFIRM).status_code == 200
    assert browser.get(PAGE).status_code == 200
    assert browser.get("/account/").status_code == 200


def test_it_does_not_take_an_address_somebody_else_has(ana: Person, carla: Person, browser: Client) -> None:
    """The page does not tell that there is such an account; only who reads its mail can go on, and gets no further."""
    free, taken = (browser.post(PAGE, {"action_add": "", "email": email}) for email in (NEW, carla.email))
    assert (free.status_code, free.headers["Location"]) == (taken.status_code, taken.headers["Location"])
    response = browser.post(CONFIRM, {"code": code_in(last_mail(carla.email))})
    assert response.context["form"].errors["code"]
    ana.refresh_from_db()
    carla.refresh_from_db()
    assert (ana.email, carla.email) == ("ana@example.com", "carla@example.com")
    assert EmailAddress.objects.get(email=carla.email, verified=True).user == carla


def test_it_refuses_what_is_no_address(ana: Person, browser: Client) -> None:
    response = browser.post(PAGE, {"action_add": "", "email": "not an address"})
    assert response.context["form"].errors["email"]
    assert 'value="not an address"' in response.text


def test_it_needs_a_sign_in(db: None) -> None:
    assert Client().post(PAGE, {"action_add": "", "email": NEW}).headers["Location"].startswith("/accounts/login/")
    assert not mails_to(NEW)


def test_it_leaves_the_address_alone_when_somebody_took_it_meanwhile(
    ana: Person, carla: Person, browser: Client
) -> None:
    browser.post(PAGE, {"action_add": "", "email": NEW})
    code = code_in(last_mail(NEW))
    EmailAddress.objects.filter(user=carla).update(email=NEW)
    Person.objects.filter(pk=carla.pk).update(email=NEW)
    assert browser.post(CONFIRM, {"code": code}).status_code in {200, 302}
    ana.refresh_from_db()
    assert ana.email == "ana@example.com"


def test_it_asks_who_it_is_when_the_sign_in_is_long_ago(ana: Person, sign_in: SignIn) -> None:
    """A browser left open, or a stolen cookie, must not be enough to take the account over."""
    here = sign_in(ana)  # as after ACCOUNT_REAUTHENTICATION_TIMEOUT: no proof in the session
    response = here.post(PAGE, {"action_add": "", "email": NEW})
    assert response.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not mails_to(NEW)
    assert not EmailAddress.objects.filter(email=NEW).exists()
