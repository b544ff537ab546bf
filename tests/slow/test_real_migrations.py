"""The committed snapshots are what real migrations make (a minute and a half: run by .ci/run, not by `make test`)."""

from io import StringIO

from django.core.management import call_command
from django.db import connection

from orgs.installation import PUBLIC_FILE
from orgs.models import Org
from orgs.schemas import TEMPLATE_FILE
from tests.orgs.schema_shape import shape


def test_the_public_snapshot_is_what_migrations_make(committed: None) -> None:
    out = StringIO()
    call_command("snapshot", show=True, stdout=out)
    assert out.getvalue().strip() == PUBLIC_FILE.read_text("utf-8").strip()


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
