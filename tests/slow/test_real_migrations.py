"""The committed snapshots are what real migrations make (a minute and a half: run by .ci/run, not by `make test`)."""

import os
import subprocess
import sys

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from orgs.installation import PUBLIC_FILE
from orgs.models import Org
from orgs.schemas import TEMPLATE_FILE
from tests.orgs.schema_shape import shape

MIGRATING_SECONDS = 600


def test_the_public_snapshot_is_what_migrations_make(committed: None) -> None:
    # In a process of its own with the product's settings: the rehearsal app would add its content types.
    environment = {**os.environ, "ENVIRONMENT": "test", "DJANGO_SETTINGS_MODULE": "sdr.settings"}
    done = subprocess.run(
        [sys.executable, "manage.py", "snapshot", "--print"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=MIGRATING_SECONDS,
        check=True,
    )
    wanted = PUBLIC_FILE.read_text("utf-8").strip()
    made = done.stdout[done.stdout.index(wanted[:20]) :].strip()  # what migrating says comes first
    assert made.splitlines() == wanted.splitlines()


def test_an_org_from_the_template_is_what_migrations_make(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    ours = shape(acme.schema_name)
    with connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{acme.schema_name}" CASCADE')
        cursor.execute(f'CREATE SCHEMA "{acme.schema_name}"')
    call_command("migrate_schemas", schema_name=acme.schema_name, interactive=False, verbosity=0)
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    theirs = shape(acme.schema_name)
    assert {kind: sorted(rows) for kind, rows in ours.items()} == {kind: sorted(rows) for kind, rows in theirs.items()}
    assert TEMPLATE_FILE.exists()
