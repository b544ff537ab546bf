"""Schemas of orgs: made from one SQL text, migrated by one SQL text, dropped (DESIGN 6, BOOT 2).

A migration of Django costs seconds of CPU per schema, almost all of it to rebuild the project's state. So the SQL is
recorded once, by really running the migrations in a scratch schema that is rolled back, and then executed for each org:
about 0.2 s for a new org, 10 ms for an added column. Every schema keeps Django's own table of applied migrations, so
that `migrate_schemas` finds nothing left to do.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.db import DatabaseError, connection, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
from django.utils import timezone
from psycopg import sql

from orgs.models import Due, Later, Org, Received, SchemaVersion
from orgs.models.org import new_schema_name
from orgs.routing import tenant_configs, tenant_labels

TEMPLATE_FILE = Path(__file__).parent / "snapshot" / "org.sql"
VERSION_LINE = "-- version: "
MIGRATIONS_LINE = "-- migrations: "
TEMPLATE_LOCK = 0x5D4_0001  # shared by provisioning, exclusive while the template changes
ORG_LOCK_CLASS = 0x5D4  # with the org's id: one migration of a schema at a time
ORG_LOCK_TIMEOUT = "3s"
SCRATCH_SCHEMA = "org_scratch"
HISTORIES_PER_QUERY = 100
FORMER = "org-"  # with the first 12 digits of its version: every template this database has had
ROUNDS = 5  # orgs may appear while we migrate; a round without any older org ends the run

Name = tuple[str, str]  # (app label, migration name)


class SchemaError(RuntimeError):
    """A schema cannot be made or migrated; the message says which migration or org and why."""


@dataclass(frozen=True)
class Template:
    """SQL that turns an empty schema into an org's, and the migrations it stands for."""

    version: str
    migrations: list[str]
    sql: str


@dataclass
class Report:
    """What `migrate_orgs` did: counts, and the orgs that could not be migrated with the reason."""

    migrated: int = 0
    failed: dict[str, str] = field(default_factory=dict)


# --- Versions ---------------------------------------------------------------------------------------------------------
def migrations_version(configs: Iterable[AppConfig]) -> str:
    """SHA-256 over the names and contents of the migration files of these apps, without importing them."""
    digest = hashlib.sha256()
    for config in sorted(configs, key=lambda config: config.name):
        for file in sorted(Path(config.path, "migrations").glob("[0-9]*.py")):
            digest.update(f"{config.label}/{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def org_version() -> str:
    """Version of an org's schema in this code."""
    return migrations_version(tenant_configs())


def public_version() -> str:
    """Version of the public schema in this code, libraries' tables included."""
    tenants = tenant_labels()
    return migrations_version(config for config in apps.get_app_configs() if config.label not in tenants)


def stored(name: str) -> SchemaVersion | None:
    """The version the database is at: of `public` or of the `org` template."""
    return SchemaVersion.objects.filter(name=name).first()


# --- The template -----------------------------------------------------------------------------------------------------
def current_template() -> Template:
    """The template of this code: from the committed file when it fits, else recorded now (a few seconds)."""
    return read_template() or record_template()


def read_template() -> Template | None:
    """The committed template, or None when it was written for other migrations."""
    if not TEMPLATE_FILE.exists():
        return None
    lines = TEMPLATE_FILE.read_text("utf-8").splitlines()
    version = next((line.removeprefix(VERSION_LINE) for line in lines if line.startswith(VERSION_LINE)), "")
    if version != org_version():
        return None
    names = next((line.removeprefix(MIGRATIONS_LINE) for line in lines if line.startswith(MIGRATIONS_LINE)), "")
    body = "\n".join(line for line in lines if not line.startswith("-- "))
    return Template(version=version, migrations=names.split(), sql=body)


def write_template(template: Template) -> None:
    """Write the committed file: reviewable, one statement a line."""
    TEMPLATE_FILE.parent.mkdir(exist_ok=True)
    TEMPLATE_FILE.write_text(
        "-- An org's schema, recorded from its apps' migrations by `manage.py snapshot`. Do not edit.\n"
        f"{VERSION_LINE}{template.version}\n{MIGRATIONS_LINE}{' '.join(template.migrations)}\n{template.sql}\n",
        "utf-8",
    )


def record_template() -> Template:
    """Run the org's migrations in a scratch schema, keep the SQL, roll back."""
    names, statements = record_pending(frozenset())
    with connection.schema_editor(collect_sql=True) as editor:
        editor.create_model(MigrationRecorder.Migration)
    statements = [*editor.collected_sql, *statements]
    return Template(
        version=org_version(),
        migrations=[f"{app}.{name}" for app, name in names],
        sql="\n".join(one_line(statement) for statement in statements),
    )


def record_pending(applied: frozenset[Name]) -> tuple[list[Name], list[str]]:
    """Migrations an org lacks that has applied `applied`, in order, and the SQL that applies them.

    They are run for real, since some operations look up the names of constraints, in a scratch schema that first gets
    the applied ones (from a former template, else by replaying them) and is rolled back: no live org is locked
    meanwhile. Out: shared lists, not to be changed. Raises SchemaError for a migration that is
    not plain SQL, or a history this code does not know.
    """
    plan = pending_plan()
    known = {(migration.app_label, migration.name) for migration in plan}
    own = {name for name in applied if name[0] in tenant_labels()}
    if unknown := sorted(own - known):
        raise SchemaError(f"{unknown[0][0]}.{unknown[0][1]} is applied there but unknown to this code, which is older.")
    key = (applied, org_version())
    if key not in _recorded:
        _recorded[key] = _record(plan, frozenset(own))
    return _recorded[key]


_recorded: dict[tuple[frozenset[Name], str], tuple[list[Name], list[str]]] = {}


def _record(plan: list[Migration], applied: frozenset[Name]) -> tuple[list[Name], list[str]]:
    recorded: list[str] = []
    pending: list[Name] = []
    former = former_template(applied)

    def is_pending(migration: Migration) -> bool:
        return migration.app_label in tenant_labels() and (migration.app_label, migration.name) not in applied

    with transaction.atomic(), _entered(SCRATCH_SCHEMA):
        connection.cursor().execute(f"CREATE SCHEMA {SCRATCH_SCHEMA}")
        if former is not None:
            execute(former.sql)
        state = ProjectState()
        with _recording_editor(recorded) as editor:
            for migration in sorted(plan, key=is_pending):
                name = (migration.app_label, migration.name)
                if migration.app_label not in tenant_labels() or (former is not None and name in applied):
                    state = migration.mutate_state(state, preserve=False)
                    continue
                refuse_data_steps(migration)
                if name not in applied and not pending:
                    editor.flush()
                    recorded.clear()
                state = migration.apply(state, editor)
                if name not in applied:
                    pending.append(name)
        transaction.set_rollback(True)
    return pending, recorded if pending else []


def former_template(applied: frozenset[Name]) -> SchemaVersion | None:
    """A template this database once had whose migrations are exactly these: its SQL saves replaying them."""
    wanted = {f"{app}.{name}" for app, name in applied}
    if not wanted:
        return None
    formers = SchemaVersion.objects.filter(name__startswith=FORMER).order_by("-applied_at")
    return next((former for former in formers if set(former.migrations) == wanted), None)


def pending_plan() -> list[Migration]:
    """All migrations the org's apps and their ancestors consist of, in order (libraries nobody needs are not in it)."""
    executor = MigrationExecutor(connection)
    executor.loader.applied_migrations = {}
    labels = tenant_labels()
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in labels]
    return [migration for migration, _ in executor.migration_plan(targets)]


def refuse_data_steps(migration: Migration) -> None:
    """Raise SchemaError unless every step is plain SQL that can run inside a transaction, once for each org."""

    def plain(operation: Operation) -> bool:
        return operation.reduces_to_sql and getattr(operation, "atomic", True) is not None

    if not migration.atomic or not all(plain(operation) for operation in migration.operations):
        raise SchemaError(
            f"{migration.app_label}.{migration.name} is more than SQL in one transaction. "
            "Org migrations change shapes only; data moves as late work, in batches."
        )


def one_line(statement: str) -> str:
    text = (
        " ".join(line.strip() for line in statement.strip().splitlines())
        if "$$" not in statement
        else statement.strip()
    )
    return text if text.endswith(";") else f"{text};"


# --- Making and dropping ----------------------------------------------------------------------------------------------
def provision(org: Org) -> Org:
    """Save a new org and make its schema, in one transaction: whole or not at all, whatever dies when.

    The SQL is the database's current template, not this process's file: code that is still running while a newer
    version migrates makes orgs of the newer shape. Raises SchemaError when the database has no template.
    """
    with transaction.atomic():
        cursor = connection.cursor()
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [TEMPLATE_LOCK])
        template = stored("org")
        if template is None:
            raise SchemaError("The database has no org template: run manage.py prepare_database.")
        org.schema_name = org.schema_name or new_schema_name()
        org.schema_version = template.version
        org.save()
        connection.cursor().execute(f"CREATE SCHEMA {quoted(org.schema_name)}")
        with _entered(org.schema_name):
            execute(template.sql)
            record_applied([name_of(entry) for entry in template.migrations])
    return org


def drop(org: Org) -> None:
    """Drop the org's schema and its rows, in one transaction. There is no way back but a backup."""
    with transaction.atomic():
        Org.objects.select_for_update().get(pk=org.pk)
        connection.cursor().execute(f"DROP SCHEMA IF EXISTS {quoted(org.schema_name)} CASCADE")
        for queue in (Received, Due, Later):  # no foreign keys
            queue.objects.filter(org_id=org.pk).delete()
        org.delete()


# --- Migrating all of them --------------------------------------------------------------------------------------------
def publish_template(template: Template) -> bool:
    """Make this the database's template, unless the database is already newer. True when it changed."""
    with transaction.atomic():
        connection.cursor().execute("SELECT pg_advisory_xact_lock(%s)", [TEMPLATE_LOCK])
        present = stored("org")
        if present and (present.version == template.version or set(present.migrations) > set(template.migrations)):
            return False
        for name in ("org", f"{FORMER}{template.version[:12]}"):
            SchemaVersion.objects.update_or_create(
                name=name,
                defaults={
                    "version": template.version,
                    "migrations": template.migrations,
                    "sql": template.sql,
                    "applied_at": timezone.now(),
                },
            )
        return True


def migrate_orgs(*, jobs: int = 1, progress: Callable[[Org], None] = lambda org: None) -> Report:
    """Bring every org to this code's schema: SQL once per distinct history, one short transaction per org.

    Safe to run twice at once and to repeat: history and change commit together. An org that cannot be migrated (a lock
    held too long, say) is reported, skipped, and tried again by the next run. In: `jobs` orgs at a time.
    """
    template = current_template()
    publish_template(template)
    report = Report()
    target = stored("org")
    if target is None or target.version != template.version:
        return report  # the database is newer than this code
    for _ in range(ROUNDS):
        behind = list(
            Org.objects.exclude(schema_version=template.version).exclude(schema_name__in=report.failed).order_by("pk")
        )
        if not behind:
            break
        for applied, orgs in by_history(behind, report.failed).items():
            try:
                names, statements = record_pending(applied)
            except SchemaError as error:
                report.failed |= {org.schema_name: str(error) for org in orgs}
                continue
            text = "\n".join(one_line(statement) for statement in statements)

            def apply(
                org: Org, *, applied: frozenset[Name] = applied, names: list[Name] = names, text: str = text
            ) -> tuple[Org, str]:
                return org, migrate_org(org, applied=applied, names=names, text=text, version=template.version)

            for org, problem in run_all(apply, orgs, jobs=jobs):
                if problem:
                    note_failure(org, problem, report.failed)
                else:
                    report.migrated += 1
                    progress(org)
    return report


def migrate_org(org: Org, *, applied: frozenset[Name], names: list[Name], text: str, version: str) -> str:
    """Apply `text` to one org whose history is still `applied`. Out: "" or why it was not done."""
    try:
        with transaction.atomic():
            cursor = connection.cursor()
            cursor.execute(f"SET LOCAL lock_timeout = '{ORG_LOCK_TIMEOUT}'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ORG_LOCK_CLASS, org.pk % 2**31])
            with _entered(org.schema_name):
                if history() == applied and names:
                    execute(text)
                    record_applied(names)
                elif history() != applied | frozenset(names):
                    return ""  # somebody else has moved it meanwhile; the next round looks again
            Org.objects.filter(pk=org.pk).update(schema_version=version)
    except DatabaseError as error:
        return str(error).splitlines()[0]
    return ""


def by_history(orgs: list[Org], failed: dict[str, str]) -> dict[frozenset[Name], list[Org]]:
    """Orgs grouped by the migrations their schemas have applied; those that cannot be read go to `failed`."""
    groups: dict[frozenset[Name], list[Org]] = {}
    for start in range(0, len(orgs), HISTORIES_PER_QUERY):
        page = orgs[start : start + HISTORIES_PER_QUERY]
        for org, applied in histories(page, failed):
            groups.setdefault(applied, []).append(org)
    return groups


def histories(orgs: list[Org], failed: dict[str, str]) -> list[tuple[Org, frozenset[Name]]]:
    """The migrations of each org's schema, in one query; one by one when one of them has none to read."""
    union = " UNION ALL ".join(
        f"SELECT {org.pk}, app::text, name::text FROM {quoted(org.schema_name)}.django_migrations"  # noqa: S608
        for org in orgs
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(union)
            rows = cursor.fetchall()
    except DatabaseError as error:
        if len(orgs) > 1:
            return [found for org in orgs for found in histories([org], failed)]
        note_failure(orgs[0], str(error).splitlines()[0], failed)
        return []
    found: dict[int, set[Name]] = {org.pk: set() for org in orgs}
    for pk, app, name in rows:
        found[pk].add((app, name))
    return [(org, frozenset(found[org.pk])) for org in orgs]


def note_failure(org: Org, problem: str, failed: dict[str, str]) -> None:
    """An org that was deleted meanwhile has not failed."""
    if Org.objects.filter(pk=org.pk).exists():
        failed[org.schema_name] = problem


def run_all(apply: Callable[[Org], tuple[Org, str]], orgs: list[Org], *, jobs: int) -> Iterator[tuple[Org, str]]:
    if jobs <= 1:
        yield from map(apply, orgs)
        return

    def and_close(org: Org) -> tuple[Org, str]:
        try:
            return apply(org)
        finally:
            connection.close()  # this thread's own

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(and_close, orgs)


# --- Inside one schema ------------------------------------------------------------------------------------------------
@contextmanager
def _entered(schema: str) -> Iterator[None]:
    """Only this schema in the search path: a name that is not in it is an error, never somebody else's table."""
    before = connection.tenant  # type: ignore[attr-defined]
    connection.set_schema(schema, include_public=False)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        connection.set_tenant(before)  # type: ignore[attr-defined]


@contextmanager
def _recording_editor(recorded: list[str]) -> Iterator[Any]:
    """A schema editor that executes and also appends each statement, with its values in place."""
    base: Any = connection.SchemaEditorClass

    class Recording(base):  # type: ignore[misc]
        def execute(self, statement: Any, params: Any = ()) -> None:
            text = str(statement) if params is None else self.connection.ops.compose_sql(str(statement), params)
            recorded.append(text)
            super().execute(text, None)

        def flush(self) -> None:
            """Run what was put off to the end (indexes, foreign keys) now."""
            for statement in self.deferred_sql:
                self.execute(statement, None)
            self.deferred_sql.clear()

    with Recording(connection, atomic=False) as editor:
        yield editor


def history() -> frozenset[Name]:
    """Migrations applied in the schema that is entered."""
    cursor = connection.cursor()
    cursor.execute("SELECT app, name FROM django_migrations")
    return frozenset((app, name) for app, name in cursor.fetchall())


def record_applied(names: list[Name]) -> None:
    if not names:
        return
    connection.cursor().executemany(
        "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", [list(name) for name in names]
    )


def execute(text: str) -> None:
    """Several statements at once; psycopg sends them as they are when there are no parameters."""
    if text.strip():
        connection.cursor().execute(text)


def quoted(schema: str) -> str:
    return sql.Identifier(schema).as_string(None)


def name_of(entry: str) -> Name:
    app, _, name = entry.partition(".")
    return app, name
