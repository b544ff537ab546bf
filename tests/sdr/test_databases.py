"""What tests commit is undone exactly: rows, sequences and the shape of tables, without a copy where none is needed."""

import psycopg
import pytest
from django.db import connection

from orgs.context import in_org
from orgs.models import Due, Org, Person
from tests import databases
from tests.rehearsal.models import Note01

pytestmark = pytest.mark.usefixtures("committed")


def content() -> tuple[object, ...]:
    """Every row of every table, where sequences stand, and the shape."""
    with databases.own_connection() as database:
        tables = sorted(table for table, (count, _) in databases.prints(database).items() if count)
        kept = {table: sorted(databases.rows(database, table).splitlines()) for table in tables}
        shape = [row[:2] for row in database.execute(databases.SHAPE)]
        return kept, database.execute(databases.SEQUENCES).fetchall(), shape


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of databases that were copied anew meanwhile."""
    made: list[str] = []
    real = databases.copy

    def copy(template: str, name: str) -> None:
        made.append(name)
        real(template, name)

    monkeypatch.setattr(databases, "copy", copy)
    return made


def test_it_puts_back_rows_in_place(copies: list[str]) -> None:
    databases.restore()
    copies.clear()
    before = content()
    acme = Org.objects.get(slug="acme")
    Due.objects.want(acme.pk, "note", 1)
    with in_org(acme):
        Note01.objects.create()
    Person.objects.filter(email="ana@example.com").update(name="Another")
    Org.objects.filter(slug="globex").update(name="Another")
    with connection.cursor() as cursor:  # the owner's trigger and foreign keys are no hindrance
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM orgs_membership")
        cursor.execute("INSERT INTO auth_group (name) VALUES ('gone again')")
        cursor.execute("DELETE FROM auth_group WHERE name = 'gone again'")
    assert content() != before

    databases.restore()

    assert content() == before
    assert copies == []
    databases.restore()  # and what was put back counts as it is
    assert content() == before
    assert copies == []


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE orgs_person ADD COLUMN more text",
        "CREATE SCHEMA another",
        "TRUNCATE orgs_membership CASCADE",
    ],
)
def test_it_copies_a_database_of_another_shape(copies: list[str], statement: str) -> None:
    databases.copy_worked_on(connection.settings_dict["NAME"])  # of the template as it is now
    copies.clear()
    before = content()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)

    databases.restore()

    assert copies == [connection.settings_dict["NAME"]]
    assert content() == before


def test_it_ends_the_sessions_a_test_has_left_behind() -> None:
    with databases.own_connection() as database:
        database.execute("BEGIN")
        database.execute("LOCK TABLE orgs_person")

        databases.restore()

        with pytest.raises(psycopg.OperationalError):
            database.execute("SELECT 1")
