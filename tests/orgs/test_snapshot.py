"""The committed snapshots belong to the migrations beside them (fast; tests/slow proves that they are right)."""

from django.apps import apps
from django.conf import settings
from django.db import connection

from orgs import installation, schemas
from orgs.models import Org
from sdr import settings as product
from tests.orgs.schema_shape import shape

MOST_TABLES, MOST_INDEXES = 40, 120  # DESIGN 6: what an org may cost the catalogue


def test_the_public_snapshot_is_current() -> None:
    assert installation.read_public() is not None, "run: ENVIRONMENT=test python manage.py snapshot"


def test_the_org_template_is_current() -> None:
    configs = [config for config in apps.get_app_configs() if config.name in product.TENANT_APPS]
    version = schemas.migrations_version(configs)
    text = schemas.TEMPLATE_FILE.read_text("utf-8")
    assert f"{schemas.VERSION_LINE}{version}\n" in text, "run: ENVIRONMENT=test python manage.py snapshot --org"


def test_no_migration_is_missing(db: None) -> None:
    from django.core.management import call_command

    call_command(
        "makemigrations",
        *(config.label for config in apps.get_app_configs() if ours(config.name)),
        check=True,
        verbosity=0,
    )


def ours(name: str) -> bool:
    return name in {*product.TENANT_APPS, "orgs", "billing", "tests.rehearsal"}


def test_an_org_has_no_foreign_key_into_public(acme: Org) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.confrelid"
            " WHERE c.connamespace = %s::regnamespace AND t.relnamespace <> c.connamespace",
            [acme.schema_name],
        )
        assert cursor.fetchall() == []


def test_an_org_stays_small_in_the_catalogue() -> None:
    template = schemas.read_template()
    lines = (template.sql if template else schemas.TEMPLATE_FILE.read_text("utf-8")).splitlines()
    assert sum(line.startswith("CREATE TABLE") for line in lines) <= MOST_TABLES
    assert sum("PRIMARY KEY" in line or "INDEX" in line or "UNIQUE" in line for line in lines) <= MOST_INDEXES


def test_two_orgs_have_the_same_shape(acme: Org, globex: Org) -> None:
    assert shape(acme.schema_name) == shape(globex.schema_name)
    assert len(settings.TENANT_APPS) > len(product.TENANT_APPS)
