"""Fixtures everybody uses: a database per worker, the cast, signed-in clients, and no way out but loopback."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test import Client

from orgs.context import in_org
from orgs.models import Membership, Org, Person
from tests import databases


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """This worker's own copy of the template database."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    server = None
    try:
        with django_db_blocker.unblock():
            server = databases.start_server()
            databases.copy_worked_on(databases.copy_name(worker))
        yield  # a test that has not asked for the database is kept from it
        databases.drop(databases.copy_name(worker))
    finally:
        connection.close()
        if server:
            server.stop()


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test commits for real (threads, processes); its database is put back afterwards."""
    with django_db_blocker.unblock():
        yield
        databases.restore()


@pytest.fixture(autouse=True)
def in_public() -> Iterator[None]:
    yield
    schema = connection.schema_name  # type: ignore[attr-defined]
    assert schema == "public", "the test left the connection in an org's schema"


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Sockets reach this machine and nothing else."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(
            ("127.", "::1", "localhost")
        ):
            raise AssertionError(f"a test tried to reach {address[0]}")
        real(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", connect)
    yield
    patch.undo()


@pytest.fixture
def acme(db: None) -> Org:
    found: Org = Org.objects.get(slug="acme")
    return found


@pytest.fixture
def globex(db: None) -> Org:
    found: Org = Org.objects.get(slug="globex")
    return found


@pytest.fixture
def in_acme(acme: Org) -> Iterator[Org]:
    with in_org(acme):
        yield acme


@pytest.fixture
def ana(db: None) -> Person:
    """Owner of Acme."""
    return Person.objects.get(email="ana@example.com")


@pytest.fixture
def davi(db: None) -> Person:
    """Administrator of Acme."""
    return Person.objects.get(email="davi@example.com")


@pytest.fixture
def beto(db: None) -> Person:
    """SDR of Acme."""
    return Person.objects.get(email="beto@example.com")


@pytest.fixture
def vera(db: None) -> Person:
    """Viewer of Acme."""
    return Person.objects.get(email="vera@example.com")


@pytest.fixture
def carla(db: None) -> Person:
    """Owner of Globex: a stranger to Acme."""
    return Person.objects.get(email="carla@example.com")


@pytest.fixture
def sign_in() -> Callable[[Person], Client]:
    """A browser in which the person has signed in."""

    def make(person: Person) -> Client:
        client = Client()
        client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        # What allauth does at a real sign-in: the list of sessions knows it.
        UserSession.objects.create(
            user=person, session_key=client.session.session_key, ip="127.0.0.1", user_agent="", data={}
        )
        return client

    return make


@pytest.fixture
def membership_of() -> Callable[[Person], Membership]:
    """The person's membership; everybody of the cast has exactly one."""
    return lambda person: Membership.objects.select_related("org", "person").get(person=person)
