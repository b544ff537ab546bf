"""An org is made whole or not at all, in the shape that migrations would give it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from orgs import schemas
from orgs.context import in_org
from orgs.models import Org, SchemaVersion
from tests.orgs.schema_shape import exists
from tests.rehearsal.models import NOTES, TABLES

MAKE_ORGS_FOR_EVER = """
import django; django.setup()
from django.db import connection
connection.settings_dict["NAME"] = {name!r}
from orgs.models import Org; from orgs.schemas import provision
n = 0
while True:
    provision(Org(slug=f"born-{{n}}", name="Born")); n += 1
    print(n, flush=True)
"""


def test_it_makes_all_tables_and_the_history(db: None) -> None:
    org = schemas.provision(Org(slug="nova", name="Nova"))
    with in_org(org):
        assert [model._default_manager.count() for model in NOTES] == [0] * TABLES
        assert ("rehearsal", "0001_initial") in schemas.history()
    assert org.schema_version == schemas.org_version()


def test_it_leaves_nothing_when_the_address_is_taken(acme: Org) -> None:
    org = Org(slug="acme", name="Another")
    with pytest.raises(IntegrityError), transaction.atomic():
        schemas.provision(org)
    assert not exists(org)
    assert Org.objects.filter(slug="acme").count() == 1


def test_it_leaves_nothing_when_the_sql_fails(db: None) -> None:
    SchemaVersion.objects.filter(name="org").update(sql="CREATE TABLE one (id int); CREATE TABLE one (id int);")
    org = Org(slug="nova", name="Nova")
    with pytest.raises(Exception, match="already exists"), transaction.atomic():
        schemas.provision(org)
    assert not exists(org)
    assert not Org.objects.filter(slug="nova").exists()


def test_it_says_what_to_do_without_a_template(db: None) -> None:
    SchemaVersion.objects.filter(name="org").delete()
    with pytest.raises(schemas.SchemaError, match="prepare_database"):
        schemas.provision(Org(slug="nova", name="Nova"))


def test_kill_9_in_the_middle_leaves_no_half_made_org(committed: None, tmp_path: Path) -> None:
    script = MAKE_ORGS_FOR_EVER.format(name=connection.settings_dict["NAME"])
    before = Org.objects.count()
    for moment in (0.05, 0.11, 0.17):
        child = subprocess.Popen([sys.executable, "-c", script], env=os.environ, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()  # the first org is made; the next one is under way
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
        child.wait()
        Org.objects.filter(slug__startswith="born-").update(slug=models_slug())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and open_transactions():
        time.sleep(0.05)
    orgs = list(Org.objects.all())
    assert len(orgs) >= before + 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'org\\_%%' ORDER BY 1")
        assert [row[0] for row in cursor.fetchall()] == sorted(org.schema_name for org in orgs)
    for org in orgs:
        with in_org(org):
            assert [model._default_manager.count() for model in NOTES] == [0] * TABLES


def models_slug() -> object:
    """Each org its own address again, so that the next process may start at born-0."""
    from django.db.models import CharField, F, Value
    from django.db.models.functions import Cast, Concat

    return Concat(Value("was-"), Cast(F("id"), CharField()))


def open_transactions() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND state <> 'idle'"
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0
