"""Where one is signed in, and signing out everywhere else."""

from collections.abc import Callable
from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.test import Client

from orgs.audit import Action
from orgs.models import AuditEntry, Person
from tests.orgs.test_signin import sign_in_by_form

SignIn = Callable[[Person], Client]
PAGE = "/accounts/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def browser(person: Person, agent: str = FIREFOX) -> Client:
    client = Client(headers={"User-Agent": agent})
    sign_in_by_form(client, person)
    return client


def test_it_lists_mine_and_marks_this_one(ana: Person, carla: Person) -> None:
    here, _ = browser(ana), browser(ana, "Another")
    browser(carla, "Carla's")
    page = here.get(PAGE)
    sessions = page.context["sessions"]
    assert [session.user_agent for session in sessions] == [FIREFOX, "Another"]
    assert page.text.count("badge--positive") == 1
    assert "Carla" not in page.text


def test_it_signs_out_everywhere_else(ana: Person, carla: Person) -> None:
    here, there, hers = browser(ana), browser(ana), browser(carla)
    assert here.post(PAGE).headers["Location"] == PAGE
    assert here.get("/o/acme/").status_code == 200
    assert there.get("/o/acme/").status_code == 302
    assert hers.get("/o/globex/").status_code == 200
    assert UserSession.objects.filter(user=ana).count() == 1
    assert AuditEntry.objects.filter(action=Action.PERSON_SESSIONS_ENDED, person_id=ana.pk).count() == 1


def test_it_forgets_sessions_that_are_over(ana: Person) -> None:
    here, there = browser(ana), browser(ana)
    there.post("/accounts/logout/")
    assert len(here.get(PAGE).context["sessions"]) == 1


def test_it_needs_a_sign_in(db: None) -> None:
    assert Client().post(PAGE).headers["Location"].startswith("/accounts/login/")
    assert not AuditEntry.objects.filter(action=Action.PERSON_SESSIONS_ENDED).exists()


def test_it_writes_when_a_session_was_seen_every_five_minutes(ana: Person) -> None:
    here = browser(ana)
    first = UserSession.objects.get(user=ana).last_seen_at
    here.get(PAGE)
    assert UserSession.objects.get(user=ana).last_seen_at == first
    UserSession.objects.filter(user=ana).update(last_seen_at=first - timedelta(minutes=6))
    here.get(PAGE, headers={"User-Agent": "Updated"}, REMOTE_ADDR="192.0.2.7")
    session = UserSession.objects.get(user=ana)
    assert session.last_seen_at >= first
    assert (session.user_agent, session.ip) == ("Updated", "192.0.2.7")


def test_it_takes_an_impossible_key_for_no_session(db: None) -> None:
    response = Client().get("/", headers={"Cookie": 'session="\\000aaaaaaaaaaaaaaaa"'})  # the quotes hide a NUL
    assert response.headers["Location"].startswith("/accounts/login/")
