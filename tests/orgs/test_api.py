"""REST API v1: what it tells, to whom, and the one shape of its errors."""

from collections.abc import Callable

import pytest
from django.test import Client

from orgs import ratelimit
from orgs.models import AuditEntry, Membership, Org, Person
from tests.factories.orgs import MembershipFactory

SignIn = Callable[[Person], Client]
MembershipOf = Callable[[Person], Membership]
PATHS = ["/api/v1/me/", "/api/v1/orgs/", "/api/v1/orgs/acme/", "/api/v1/orgs/acme/people/"]


def test_me_tells_who_and_where(sign_in: SignIn, globex: Org, ana: Person) -> None:
    MembershipFactory(org=globex, person=ana, role="viewer")
    told = sign_in(ana).get("/api/v1/me/").json()
    assert {key: told[key] for key in ("id", "name", "email", "language")} == {
        "id": ana.pk,
        "name": "Ana",
        "email": "ana@example.com",
        "language": "pt-br",
    }
    assert [(row["org"], row["role"]) for row in told["memberships"]] == [
        ({"slug": "acme", "name": "Acme"}, "owner"),
        ({"slug": "globex", "name": "Globex"}, "viewer"),
    ]


def test_orgs_lists_only_mine(sign_in: SignIn, carla: Person) -> None:
    told = sign_in(carla).get("/api/v1/orgs/").json()
    assert [(org["slug"], org["role"]) for org in told["orgs"]] == [("globex", "owner")]


def test_an_org_tells_its_details(sign_in: SignIn, vera: Person, acme: Org) -> None:
    told = sign_in(vera).get("/api/v1/orgs/acme/").json()
    assert told.pop("createdAt")
    assert told == {
        "slug": "acme",
        "name": "Acme",
        "status": "active",
        "language": "pt-br",
        "timeZone": "America/Sao_Paulo",
        "requiresMfa": False,
        "role": "viewer",
    }


def test_people_lists_the_members(sign_in: SignIn, vera: Person) -> None:
    told = sign_in(vera).get("/api/v1/orgs/acme/people/").json()
    assert [(row["email"], row["role"]) for row in told["people"]] == [
        ("ana@example.com", "owner"),
        ("davi@example.com", "admin"),
        ("beto@example.com", "sdr"),
        ("vera@example.com", "viewer"),
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_gets_401(db: None, path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Session"
    assert_error(answer.json(), "not_authenticated")


@pytest.mark.parametrize("path", ["/api/v1/orgs/acme/", "/api/v1/orgs/acme/people/", "/api/v1/orgs/nowhere/people/"])
def test_another_org_and_none_look_alike(sign_in: SignIn, carla: Person, path: str) -> None:
    answer = sign_in(carla).get(path)
    assert answer.status_code == 404
    assert_error(answer.json(), "not_found")
    assert answer.json() == sign_in(carla).get("/api/v1/orgs/acme/nothing/").json()


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/orgs/acme/nothing/", "/api/"])
def test_an_unknown_path_is_404_in_json(sign_in: SignIn, ana: Person, path: str) -> None:
    answer = sign_in(ana).get(path)
    assert answer.status_code == 404
    assert_error(answer.json(), "not_found")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(sign_in: SignIn, ana: Person, path: str, method: str) -> None:
    answer = getattr(sign_in(ana), method)(path, {}, content_type="application/json")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert_error(answer.json(), "method_not_allowed")
    assert not AuditEntry.objects.exists()


def test_an_answer_of_another_type_is_406(sign_in: SignIn, ana: Person) -> None:
    answer = sign_in(ana).get("/api/v1/me/", headers={"accept": "text/html"})
    assert answer.status_code == 406
    assert_error(answer.json(), "not_acceptable")


def test_too_many_requests_say_when_to_come_back(monkeypatch: pytest.MonkeyPatch, sign_in: SignIn, ana: Person) -> None:
    monkeypatch.setattr(ratelimit, "API_PERSON", ratelimit.Rule("api-test", 1, ratelimit.MINUTE, burst=2))
    client = sign_in(ana)
    answers = [client.get("/api/v1/me/") for _ in range(3)]
    refused = answers[-1]
    assert (answers[0].status_code, refused.status_code) == (200, 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert_error(refused.json(), "throttled")


def assert_error(body: dict[str, dict[str, object]], code: str) -> None:
    """The shape: a code for programs, a sentence for people, and messages by field."""
    assert set(body["error"]) == {"code", "message", "fields"}
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    assert body["error"]["fields"] == {}
