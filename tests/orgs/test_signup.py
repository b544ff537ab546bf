"""Signing up: name, address, password, the code by e-mail, and nothing said about who else is here."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test import Client
from django.utils import timezone

from orgs.audit import Action
from orgs.departure import forget_unconfirmed
from orgs.models import AuditEntry, Mail, Org, Person
from tests.cast import PASSWORD
from tests.orgs.mailbox import code_in, last_mail, mails_to

NEW = "rita@example.com"
FORM = {"name": "Rita Lopes", "email": NEW, "password1": PASSWORD}
SIGN_UP, CONFIRM = "/accounts/signup/", "/accounts/confirm-email/"


def sign_up(client: Client, **changes: str) -> Any:
    return client.post(SIGN_UP, {**FORM, **changes})


def wrong(code: str) -> str:
    return "000000" if code != "000000" else "111111"


def test_it_leads_from_the_form_over_the_code_to_a_first_org(db: None) -> None:
    client = Client()
    assert sign_up(client).headers["Location"] == CONFIRM
    page = client.get(CONFIRM)
    assert NEW in page.text
    response = client.post(CONFIRM, {"code": code_in(last_mail(NEW))}, follow=True)
    assert response.redirect_chain == [("/", 302), ("/orgs/new/", 302)]
    person = Person.objects.get(email=NEW)
    assert person.name == "Rita Lopes"
    assert EmailAddress.objects.get(user=person).verified
    assert client.get("/").headers["Location"] == "/orgs/new/"


def test_it_lets_nobody_in_before_the_code(db: None) -> None:
    client = Client()
    sign_up(client)
    assert client.get("/").headers["Location"] == "/accounts/login/"
    assert client.get("/orgs/new/").headers["Location"].startswith("/accounts/login/")
    assert not Org.objects.exclude(slug__in=["acme", "globex"]).exists()


def test_it_keeps_the_language_the_person_read(db: None) -> None:
    client = Client(headers={"Accept-Language": "es"})
    sign_up(client)
    assert Person.objects.get(email=NEW).language == "es"
    assert last_mail(NEW).language == "es"


def test_it_records_who_came_and_that_the_address_is_theirs(db: None) -> None:
    client = Client()
    sign_up(client)
    client.post(CONFIRM, {"code": code_in(last_mail(NEW))})
    actions = AuditEntry.objects.filter(actor=NEW).order_by("pk").values_list("action", flat=True)
    assert list(actions) == [Action.PERSON_SIGNED_UP, Action.EMAIL_VERIFIED, Action.PERSON_SIGNED_IN]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("email", "rita"),
        ("email", ""),
        ("password1", "short"),
        ("password1", "1234567890"),
        ("password1", NEW),
    ],
)
def test_it_says_beside_the_field_what_is_wrong_and_keeps_the_rest(db: None, field: str, value: str) -> None:
    response = sign_up(Client(), **{field: value})
    assert list(response.context["form"].errors) == [field]
    assert f'id="id_{field}_error"' in response.text
    for kept in {"name", "email"} - {field}:
        assert f'value="{FORM[kept]}"' in response.text
    assert not Person.objects.filter(email=NEW).exists()
    assert not mails_to(NEW)


def test_it_accepts_names_of_any_script_and_refuses_nul(db: None) -> None:
    assert sign_up(Client(), name="Łukasz 'D’Arc' 李 <b>").headers["Location"] == CONFIRM
    assert Person.objects.get(email=NEW).name == "Łukasz 'D’Arc' 李 <b>"
    assert sign_up(Client(), email="a@example.com", name="a\x00b").context["form"].errors["name"]


def test_it_writes_the_address_in_lower_case(db: None) -> None:
    sign_up(Client(), email="Rita@Example.COM")
    assert Person.objects.filter(email=NEW).count() == 1


def test_it_refuses_a_wrong_code_and_takes_the_right_one_afterwards(db: None) -> None:
    client = Client()
    sign_up(client)
    code = code_in(last_mail(NEW))
    response = client.post(CONFIRM, {"code": wrong(code)})
    assert response.context["verify_form"].errors["code"]
    assert client.post(CONFIRM, {"code": code}).headers["Location"] == "/"


def test_it_ends_after_five_wrong_codes(db: None) -> None:
    client = Client()
    sign_up(client)
    code = code_in(last_mail(NEW))
    for _ in range(5):
        client.post(CONFIRM, {"code": wrong(code)})
    client.post(CONFIRM, {"code": code})
    assert not EmailAddress.objects.get(email=NEW).verified
    assert "_auth_user_id" not in client.session


def test_it_refuses_a_code_after_fifteen_minutes(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    sign_up(client)
    session = client.session
    session["account_email_verification_code"]["at"] -= 901
    session.save()
    client.post(CONFIRM, {"code": code_in(last_mail(NEW))})
    assert not EmailAddress.objects.get(email=NEW).verified


def test_it_sends_a_new_code_and_forgets_the_old_one(db: None) -> None:
    client = Client()
    sign_up(client)
    old = code_in(last_mail(NEW))
    assert client.post(CONFIRM, {"action": "resend"}).headers["Location"] == CONFIRM
    new = code_in(last_mail(NEW))
    assert len(mails_to(NEW)) == 2
    if old != new:
        client.post(CONFIRM, {"code": old})
        assert not EmailAddress.objects.get(email=NEW).verified
    client.post(CONFIRM, {"code": new})
    assert EmailAddress.objects.get(email=NEW).verified


def test_it_sends_five_new_codes_at_most(db: None) -> None:
    client = Client()
    sign_up(client)
    for _ in range(7):
        client.post(CONFIRM, {"action": "resend"})
    assert len(mails_to(NEW)) == 6


def test_it_starts_over_with_another_address(db: None) -> None:
    client = Client()
    sign_up(client, email="rtia@example.com")
    assert client.post("/accounts/logout/", {"next": SIGN_UP}).headers["Location"] == SIGN_UP
    assert sign_up(client).headers["Location"] == CONFIRM
    client.post(CONFIRM, {"code": code_in(last_mail(NEW))})
    assert client.session["_auth_user_id"] == str(Person.objects.get(email=NEW).pk)


def test_it_goes_on_where_it_was_left_when_the_person_signs_in(db: None) -> None:
    sign_up(Client())
    later = Client()
    assert later.post("/accounts/login/", {"login": NEW, "password": PASSWORD}).headers["Location"] == CONFIRM
    later.post(CONFIRM, {"code": code_in(last_mail(NEW))})
    assert EmailAddress.objects.get(email=NEW).verified


def without_chance(page: str) -> str:
    """A page without its tokens and nonces, and with one address for all."""
    page = re.sub(r'(name="csrfmiddlewaretoken" value|nonce|"X-CSRFToken":)[= ]*"[^"]*"', r"\1", page)
    return page.replace("ana@example.com", NEW)


def test_it_answers_the_same_for_an_address_that_has_an_account(ana: Person) -> None:
    """No page, status or redirect differs, through wrong codes, resending and giving up; only the mail does."""

    def story(address: str) -> list[tuple[int, str, str]]:
        client = Client()
        steps = [
            sign_up(client, email=address),
            client.get(CONFIRM),
            client.post(CONFIRM, {"code": "00000a"}),
            client.post(CONFIRM, {"action": "resend"}),
            client.get(CONFIRM),
            client.post(CONFIRM, {"action": "change", "email": "other@example.com"}),
            *[client.post(CONFIRM, {"code": "00000a"}) for _ in range(4)],
            client.get(CONFIRM),
            client.get("/accounts/login/"),
        ]
        return [(step.status_code, step.headers.get("Location", ""), without_chance(step.text)) for step in steps]

    for step, (free, taken) in enumerate(zip(story(NEW), story("ana@example.com"), strict=True)):
        assert free == taken, f"step {step}"


def test_it_tells_the_owner_of_the_address_instead(ana: Person) -> None:
    sign_up(Client(), email=ana.email, name="Somebody Else")
    mail = last_mail(ana.email)
    assert mail.kind == "account/email/account_already_exists"
    assert "/accounts/password/reset/" in mail.text
    ana.refresh_from_db()
    assert ana.name == "Ana"
    assert ana.check_password(PASSWORD)


def test_it_takes_as_long_for_an_address_that_has_an_account(ana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr("orgs.forms.make_password", hashed.append)
    sign_up(Client(), email=ana.email)
    assert hashed == [PASSWORD]


def test_it_makes_one_person_of_two_who_send_the_form_at_once(committed: None) -> None:
    barrier = threading.Barrier(2)
    statuses: list[int] = []

    def post() -> None:
        try:
            client = Client()
            client.get(SIGN_UP)
            barrier.wait()
            statuses.append(sign_up(client).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [302, 302]
    assert Person.objects.filter(email=NEW).count() == 1


def test_it_needs_a_token_against_forged_forms(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    assert sign_up(client).status_code == 403
    assert not Person.objects.filter(email=NEW).exists()
    assert not Mail.objects.exists()


def test_it_shows_no_code_on_any_page(db: None) -> None:
    client = Client()
    sign_up(client)
    assert code_in(last_mail(NEW)) not in client.get(CONFIRM).text


def test_it_does_not_sign_in_somebody_who_is_gone(db: None) -> None:
    client = Client()
    sign_up(client)
    code = code_in(last_mail(NEW))
    Person.objects.get(email=NEW).delete()
    response = client.post(CONFIRM, {"code": code})
    assert response.status_code in {200, 302}
    assert "_auth_user_id" not in client.session


def test_it_does_not_sign_in_somebody_who_may_not(db: None) -> None:
    client = Client()
    sign_up(client)
    Person.objects.filter(email=NEW).update(is_active=False)
    client.post(CONFIRM, {"code": code_in(last_mail(NEW))})
    assert "_auth_user_id" not in client.session


def test_it_forgets_who_never_confirmed_their_address(ana: Person) -> None:
    for name in ("late", "new", "confirmed"):
        sign_up(Client(), email=f"{name}@example.com")
    EmailAddress.objects.filter(email="confirmed@example.com").update(verified=True)
    old = timezone.now() - timedelta(days=8)
    Person.objects.exclude(email="new@example.com").update(created_at=old, last_login=None)
    assert forget_unconfirmed() == 1
    assert not Person.objects.filter(email="late@example.com").exists()
    assert Person.objects.filter(email__in=["new@example.com", "confirmed@example.com", ana.email]).count() == 3
