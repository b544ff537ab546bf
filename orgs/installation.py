"""Bringing a database to this code's shape: from nothing by the snapshot, from an older version by migrations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from orgs import schemas
from orgs.context import discard_connection
from orgs.models import SchemaVersion
from orgs.tasks import ensure_schedules

PUBLIC_FILE = Path(__file__).parent / "snapshot" / "public.sql"
INSTALL_LOCK = 0x5D4_0002  # one process prepares, the others wait
Say = Callable[[str], None]


def prepare_database(*, jobs: int = 1, say: Say = lambda line: None) -> schemas.Report:
    """Create the database if it is missing, load or migrate public, publish the org template, migrate the orgs.

    Safe to repeat and to run on several machines at once; when nothing is to be done it costs a few queries.
    Raises SchemaError or a database error; a half-loaded public schema cannot remain (one transaction).
    """
    ensure_database()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [INSTALL_LOCK])
    try:
        prepare_public(say)
        ensure_schedules()
        return prepare_orgs(jobs, say)
    finally:
        discard_connection()  # and with it the lock and the timeouts


def is_prepared() -> bool:
    """True when public and the org template have this code's shape or a newer one."""
    public, org = schemas.stored("public"), schemas.stored("org")
    return bool(public and org and public.version == schemas.public_version() and org.version == schemas.org_version())


def ensure_database() -> None:
    """Create the database named in the settings when the server says that it does not exist."""
    try:
        connection.ensure_connection()
    except Exception as error:
        if "does not exist" not in str(error):
            raise
        with maintenance_connection() as server:
            name = sql.Identifier(connection.settings_dict["NAME"])
            with suppress(psycopg.errors.DuplicateDatabase):  # another process was faster
                server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        connection.ensure_connection()


def prepare_public(say: Say) -> None:
    if not has_public():
        text = read_public()
        if text is None:
            say("Migrating the public schema (minutes: the snapshot is for other migrations)")
            migrate_public()
        else:
            say("Loading the public schema")
            with transaction.atomic():
                connection.cursor().execute(text)
    elif (stored := schemas.stored("public")) is None or stored.version != schemas.public_version():
        say("Migrating the public schema")
        migrate_public()
    SchemaVersion.objects.update_or_create(
        name="public", defaults={"version": schemas.public_version(), "applied_at": timezone.now()}
    )


def prepare_orgs(jobs: int, say: Say) -> schemas.Report:
    stored = schemas.stored("org")
    if stored is None or stored.version != schemas.org_version():
        say("Publishing the org template")
    report = schemas.migrate_orgs(jobs=jobs)
    if report.migrated:
        say(f"Migrated {report.migrated} orgs")
    return report


def has_public() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.django_migrations') IS NOT NULL")
        row = cursor.fetchone()
    return bool(row and row[0])


def read_public() -> str | None:
    """The committed public snapshot, or None when it was written for other migrations."""
    if not PUBLIC_FILE.exists():
        return None
    text = PUBLIC_FILE.read_text("utf-8")
    return text if f"{schemas.VERSION_LINE}{schemas.public_version()}\n" in text else None


def migrate_public() -> None:
    call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)


@contextmanager
def maintenance_connection() -> Iterator[psycopg.Connection]:
    """An autocommit connection to the server's `postgres` database, for creating and dropping databases."""
    settings = connection.settings_dict
    with psycopg.connect(
        dbname="postgres",
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        autocommit=True,
        connect_timeout=5,
    ) as server:
        yield server
