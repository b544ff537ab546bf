"""Test databases: one template per shape of the code, copied for each worker, copied anew after tests that commit."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from orgs import installation, schemas
from sdr.local.embedded import Cluster
from tests import cast

TEMPLATE_BUILD_LOCK = 4242


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


def use(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name


@contextmanager
def maintenance() -> Iterator[psycopg.Connection]:
    with installation.maintenance_connection() as server:
        yield server
