"""The org's schema is entered by name and left again; without it, an org's tables are out of reach, loudly."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from orgs.context import in_org
from orgs.models import Org
from orgs.routing import NoOrgContext
from tests.rehearsal.models import Note01


def test_it_refuses_an_orgs_table_without_an_org(db: None) -> None:
    with pytest.raises(NoOrgContext, match=r"rehearsal\.Note01"):
        Note01.objects.count()


def test_it_sees_only_the_org_it_entered(acme: Org, globex: Org) -> None:
    with in_org(acme):
        Note01.objects.create(pk=1, title="Acme's")
    with in_org(globex):
        assert Note01.objects.count() == 0
        Note01.objects.create(pk=1, title="Globex's")
    with in_org(acme):
        assert Note01.objects.get(pk=1).title == "Acme's"


def test_it_leaves_the_org_when_the_block_fails(acme: Org) -> None:
    with pytest.raises(ZeroDivisionError), in_org(acme):
        1 / 0  # noqa: B018
    with pytest.raises(NoOrgContext):
        Note01.objects.count()


def test_a_thread_that_has_not_connected_yet_can_enter(committed: None) -> None:
    org = Org.objects.get(slug="acme")

    def count() -> int:
        try:
            with in_org(org):
                return int(Note01.objects.count())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(count).result(10) == 0
