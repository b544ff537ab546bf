"""What every page knows costs one query at most, and nothing for a stranger."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from orgs.models import Membership, Org, Person, Role
from sdr.context_processors import branding

READ_BY_ALL = [f"/o/acme/{path}" for path in ("inbox/", "", "agent/", "knowledge/", "numbers/", "people/")]


@pytest.fixture
def page() -> Callable[..., dict[str, Any]]:
    def make(person: Person | AnonymousUser, **attributes: Any) -> dict[str, Any]:
        request = RequestFactory().get("/")
        request.user = person
        for name, value in attributes.items():
            setattr(request, name, value)
        return branding(request)

    return make


def test_it_asks_nothing_until_the_orgs_are_looked_at(page: Any, ana: Person, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        page(ana)


def test_it_lists_the_persons_own_orgs_in_one_query(
    page: Any, ana: Person, acme: Org, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        values = page(ana)
        assert list(values["my_orgs"]) == [acme]
        assert list(values["my_orgs"]) == [acme]


def test_it_asks_nothing_for_a_stranger(page: Any, db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert list(page(AnonymousUser())["my_orgs"]) == []


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.OWNER, [*READ_BY_ALL, "/o/acme/settings/"]),
        (Role.ADMIN, [*READ_BY_ALL, "/o/acme/settings/"]),
        (Role.SDR, READ_BY_ALL),
        (Role.VIEWER, READ_BY_ALL),
    ],
)
def test_it_offers_only_what_the_role_may_open(
    page: Any, ana: Person, acme: Org, role: Role, expected: list[str]
) -> None:
    membership = Membership(org=acme, person=ana, role=role)
    assert [entry["href"] for entry in page(ana, org=acme, membership=membership)["nav"]] == expected


def test_it_offers_no_navigation_outside_an_org(page: Any, ana: Person) -> None:
    assert page(ana)["nav"] == []
