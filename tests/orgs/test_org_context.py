"""The org's schema is entered by name and left again; without it, an org's tables are out of reach, loudly."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from pytest_django import Settings

from orgs.context import in_org, recycle_connection
from orgs.installation import INSTALL_LOCK, prepare_database
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


def pooled(work: Callable[[], None]) -> None:
    """Run the work in a thread whose default connection comes from a pool of one."""

    def run() -> None:
        wrapper = connections.create_connection("default")
        options = {**wrapper.settings_dict["OPTIONS"], "pool": {"min_size": 1, "max_size": 1, "timeout": 10}}
        wrapper.settings_dict = {**wrapper.settings_dict, "CONN_MAX_AGE": 0, "OPTIONS": options}
        connections["default"] = wrapper
        try:
            work()
        finally:
            wrapper.close()
            wrapper.close_pool()  # type: ignore[attr-defined]

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result(60)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_pooled_connection_is_renewed_too(committed: None, settings: Settings) -> None:
    settings.CONNECTION_ORG_LIMIT = 2
    acme, globex = Org.objects.get(slug="acme"), Org.objects.get(slug="globex")
    backends: list[int] = []

    def work() -> None:
        for org in (acme, globex, acme):
            with in_org(org):
                backends.append(backend())
            recycle_connection()
            connection.close()

    pooled(work)
    assert backends[0] == backends[1] != backends[2]


def test_preparing_leaves_no_lock_and_no_setting_in_a_pool(committed: None) -> None:
    left: list[object] = []

    def work() -> None:
        prepare_database()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s),"
                " current_setting('statement_timeout')",
                [INSTALL_LOCK],
            )
            left.extend(cursor.fetchone())

    pooled(work)
    assert left == [0, "30s"]
