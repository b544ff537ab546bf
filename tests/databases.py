"""Test databases: one template per shape of the code, copied for each worker, put back after tests that commit."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from orgs import installation, schemas
from sdr.local.embedded import Cluster
from tests import cast

TEMPLATE_BUILD_LOCK = 4242
GONE_MS = 5_000  # for the sessions a test has left behind

# Whoever creates, changes, truncates or drops anything changes one of these. Statistics are not part of it.
CATALOGS = [
    "pg_attrdef", "pg_attribute", "pg_class", "pg_constraint", "pg_event_trigger", "pg_extension", "pg_index",
    "pg_largeobject_metadata", "pg_policy", "pg_proc", "pg_publication", "pg_rewrite", "pg_trigger", "pg_type",
]  # fmt: skip
SHAPE = " UNION ALL ".join(
    [f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM pg_catalog.{name}" for name in CATALOGS]
    + ["SELECT 'schema', count(*), max(xmin::text::bigint) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'"]
    + ["SELECT 'setting', count(*), 0 FROM pg_db_role_setting d JOIN pg_database b ON b.oid = d.setdatabase"
       " WHERE b.datname = current_database()"]
)  # fmt: skip
WRITTEN = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_relation_size(c.oid) > 0
"""
SEQUENCES = "SELECT s.seqrelid, pg_sequence_last_value(s.seqrelid), s.seqstart FROM pg_sequence s ORDER BY 1"
OTHERS = """
SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

Table = tuple[str, str]  # schema, name


def start_server() -> Cluster | None:
    """The embedded test server of this checkout, shared by all runs; None when DATABASE_URL names another."""
    if os.environ.get("DATABASE_URL"):
        return None
    cluster = Cluster(settings.STATE_DIR, tests=True)
    cluster.start()
    return cluster


@cache
def template_name() -> str:
    """Named by what is in it: a changed migration, snapshot or cast makes a new one. Settled once per run."""
    content = Path(cast.__file__).read_bytes() + Path(installation.PUBLIC_FILE).read_bytes()
    shape = f"{schemas.public_version()} {schemas.org_version()} {settings.SECRETS_KEYRING}".encode()
    return "tmpl_" + hashlib.sha256(shape + content).hexdigest()[:16]


def ensure_template() -> str:
    """Build the template unless it is there; others who want it wait. Templates of other shapes are dropped."""
    name = template_name()
    with maintenance() as server:
        server.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_BUILD_LOCK])
        present = {row[0] for row in server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'tmpl\\_%'")}
        if name not in present:
            build(f"{name}_new")
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            server.execute(rename.format(sql.Identifier(f"{name}_new"), sql.Identifier(name)))
        for other in (present - {name}) | left_behind(server):
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(other)))
    return name


def copy_name(worker: str) -> str:
    """The database of one worker of one run: two runs at once do not meet."""
    return f"test_{worker}_{os.getpid()}"


def left_behind(server: psycopg.Connection) -> set[str]:
    """Databases of runs that were killed; their names end with a process id that is no more."""
    names = [
        row[0] for row in server.execute("SELECT datname FROM pg_database WHERE datname ~ '^test_[a-z]+[0-9]*_[0-9]+$'")
    ]
    return {name for name in names if not Path("/proc", name.rpartition("_")[2]).exists()}


def drop(name: str) -> None:
    connection.close()
    with maintenance() as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def build(name: str) -> None:
    with maintenance() as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    use(name)
    installation.prepare_database()
    cast.make()
    connection.close()


def copy(template: str, name: str) -> None:
    """A fresh database `name`, and Django's connection on it."""
    use(name)
    with maintenance() as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        server.execute(create.format(sql.Identifier(name), sql.Identifier(template)))


def restore() -> None:
    """Undo everything that was committed to this worker's database since it was copied.

    Rows are put back table by table (some 20 ms); a database of another shape, or one that cannot be reached, is
    copied anew (0.4 to 1.5 s).
    """
    name = connection.settings_dict["NAME"]
    connection.close()
    with suppress(psycopg.Error):
        if _original and _original.name == name and _original.put_back():
            return
    copy_worked_on(name)


def copy_worked_on(name: str) -> None:
    """The worker's copy, and what `restore` must know of it."""
    global _original
    copy(ensure_template(), name)
    _original = Original(name)


class Original:
    """What a database held when it was fresh.

    Two figures tell whether a table is still the same: how many rows, and the newest transaction that wrote one. An
    insertion or update raises the second, a deletion lowers the first. Tables without a page hold nothing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        with own_connection() as database:
            self.shape = database.execute(SHAPE).fetchall()
            self.sequences = database.execute(SEQUENCES).fetchall()
            self.prints = prints(database)
            self.rows = {table: rows(database, table) for table, (count, _) in self.prints.items() if count}

    def put_back(self) -> bool:
        """Out: whether it is as it was; False for one of another shape, which is left as it is."""
        with own_connection() as database:
            database.execute(OTHERS, [GONE_MS])
            if database.execute(SHAPE).fetchall() != self.shape:
                return False
            found = prints(database)
            changed = [
                table for table in found.keys() | self.rows.keys()
                if found.get(table, EMPTY) != self.prints.get(table, EMPTY)
            ]  # fmt: skip
            with database.transaction():
                database.execute("SET LOCAL session_replication_role = replica")  # neither triggers nor foreign keys
                for table in changed:
                    self._refill(database, table)
                before_by_sequence = {row[0]: row[1] for row in self.sequences}
                for sequence, _, start in set(database.execute(SEQUENCES)) - set(self.sequences):
                    before = before_by_sequence[sequence]
                    values = [sequence, start if before is None else before, before is not None]
                    database.execute("SELECT setval(%s::oid::regclass, %s, %s)", values)
            for table in changed:
                database.execute(sql.SQL("VACUUM {}").format(sql.Identifier(*table)))
            now = prints(database)
            self.prints |= {table: now.get(table, EMPTY) for table in changed}
        return True

    def _refill(self, database: psycopg.Connection, table: Table) -> None:
        database.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*table)))
        if table in self.rows:
            with database.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(*table))) as into:
                into.write(self.rows[table])


EMPTY = (0, None)
_original: Original | None = None


def prints(database: psycopg.Connection) -> dict[Table, Any]:
    """(rows, newest writer) of every table that has a page."""
    tables = database.execute(WRITTEN).fetchall()
    if not tables:
        return {}
    one = sql.SQL("SELECT {}::int, count(*), max(xmin::text::bigint) FROM {}")
    query = sql.SQL(" UNION ALL ").join(
        one.format(sql.Literal(number), sql.Identifier(*table)) for number, table in enumerate(tables)
    )
    return {tables[number]: (count, newest) for number, count, newest in database.execute(query)}


def rows(database: psycopg.Connection, table: Table) -> bytes:
    with database.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*table))) as out:
        return b"".join(bytes(block) for block in out)


@contextmanager
def own_connection() -> Iterator[psycopg.Connection]:
    """An autocommit connection to the database Django's is on, apart from Django's."""
    parameters = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    with psycopg.connect(**parameters, autocommit=True) as database:
        yield database


def use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name


@contextmanager
def maintenance() -> Iterator[psycopg.Connection]:
    with installation.maintenance_connection() as server:
        yield server
