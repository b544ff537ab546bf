"""Passwords: forgotten, changed; who is signed out and who is told."""

from collections.abc import Callable

import pytest
from django.test import Client

from orgs.audit import Action
from orgs.models import AuditEntry, Person
from tests.cast import PASSWORD
from tests.orgs.mailbox import code_in, last_mail, mails_to
from tests.orgs.test_signin import sign_in_by_form

SignIn = Callable[[Person], Client]
NEW = "another-good-password"
RESET, CONFIRM, COMPLETE = (
    "/accounts/password/reset/",
    "/accounts/password/reset/confirm/",
    "/accounts/password/reset/complete/",
)
CHANGE = "/accounts/password/change/"


def wrong(code: str) -> str:
    return "000000" if code != "000000" else "111111"


def test_it_lets_a_new_password_be_chosen_with_a_code(ana: Person) -> None:
    client = Client()
    assert client.post(RESET, {"email": ana.email}).headers["Location"] == CONFIRM
    mail = last_mail(ana.email)
    assert (mail.kind, mail.language) == ("account/email/password_reset_code", "pt-br")
    assert client.post(CONFIRM, {"code": code_in(mail)}).headers["Location"] == COMPLETE
    assert client.post(COMPLETE, {"password1": NEW, "password2": NEW}).status_code == 302
    ana.refresh_from_db()
    assert ana.check_password(NEW)
    assert sign_in_by_form(Client(), ana, password=NEW) == "/"
    assert sign_in_by_form(Client(), ana) == ""


def test_it_signs_everybody_out_and_tells_the_person(ana: Person, sign_in: SignIn) -> None:
    elsewhere = sign_in(ana)
    client = Client()
    client.post(RESET, {"email": ana.email})
    client.post(CONFIRM, {"code": code_in(last_mail(ana.email))})
    client.post(COMPLETE, {"password1": NEW, "password2": NEW})
    assert elsewhere.get("/o/acme/").status_code == 302
    assert last_mail(ana.email).kind == "account/email/password_reset"
    assert AuditEntry.objects.filter(action=Action.PASSWORD_RESET, person_id=ana.pk).count() == 1


def test_it_does_not_tell_who_has_an_account(ana: Person) -> None:
    """The pages are the same; a stranger's mail says that there is no account."""
    pages = []
    for address in (ana.email, "nobody@example.com"):
        client = Client()
        answer = client.post(RESET, {"email": address})
        failed = client.post(CONFIRM, {"code": "00000a"})
        pages.append(
            (answer.status_code, answer.headers["Location"], failed.status_code, dict(failed.context["form"].errors))
        )
    assert pages[0] == pages[1]
    assert last_mail("nobody@example.com").kind == "account/email/unknown_account"


def test_it_refuses_a_wrong_code_and_ends_after_five(ana: Person) -> None:
    client = Client()
    client.post(RESET, {"email": ana.email})
    code = code_in(last_mail(ana.email))
    for _ in range(5):
        client.post(CONFIRM, {"code": wrong(code)})
    client.post(CONFIRM, {"code": code})
    assert client.post(COMPLETE, {"password1": NEW, "password2": NEW}).headers["Location"] == RESET
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def test_it_refuses_to_skip_the_code(ana: Person) -> None:
    client = Client()
    client.post(RESET, {"email": ana.email})
    assert client.post(COMPLETE, {"password1": NEW, "password2": NEW}).headers["Location"] == CONFIRM
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def test_it_refuses_a_code_after_fifteen_minutes(ana: Person) -> None:
    client = Client()
    client.post(RESET, {"email": ana.email})
    session = client.session
    session["account_password_reset_verification"]["at"] -= 901
    session.save()
    assert client.post(CONFIRM, {"code": code_in(last_mail(ana.email))}).headers["Location"] == "/accounts/login/"


def test_it_does_not_take_the_code_of_another_browser(ana: Person) -> None:
    Client().post(RESET, {"email": ana.email})
    stolen = code_in(last_mail(ana.email))
    thief = Client()
    assert thief.post(CONFIRM, {"code": stolen}).headers["Location"] == "/accounts/login/"


def test_it_changes_and_keeps_this_session_alone(ana: Person, sign_in: SignIn) -> None:
    here, elsewhere = sign_in(ana), sign_in(ana)
    response = here.post(CHANGE, {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert response.status_code == 302
    assert here.get("/o/acme/").status_code == 200
    assert elsewhere.get("/o/acme/").status_code == 302
    assert last_mail(ana.email).kind == "account/email/password_changed"
    assert AuditEntry.objects.filter(action=Action.PASSWORD_CHANGED, person_id=ana.pk).count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("oldpassword", "wrong-password"), ("password1", "short"), ("password2", "something-else"), ("password1", "")],
)
def test_it_says_what_is_wrong_and_changes_nothing(ana: Person, sign_in: SignIn, field: str, value: str) -> None:
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW, field: value}
    response = sign_in(ana).post(CHANGE, form)
    assert field in response.context["form"].errors or "password2" in response.context["form"].errors
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)
    assert not mails_to(ana.email)


def test_it_is_written_with_a_notice_of_when_and_where_from(ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    client.post(
        CHANGE, {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}, headers={"User-Agent": "Lynx/1 <b>"}
    )
    mail = last_mail(ana.email)
    assert "127.0.0.1" in mail.text
    assert "Lynx/1 <b>" in mail.text
    assert "Lynx/1 &lt;b&gt;" in mail.html
