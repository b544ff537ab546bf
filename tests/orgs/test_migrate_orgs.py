"""One SQL text per distinct history, applied org by org; what cannot be done is said and tried again."""

import threading

import pytest
from django.db import connection, migrations, transaction

from orgs import schemas
from orgs.models import Org, SchemaVersion
from tests.orgs.schema_shape import shape


def make_older(org: Org) -> None:
    """Undo the last migration of the rehearsal app in one org, as if it had been made by an older release."""
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER TABLE "{org.schema_name}".rehearsal_note01 DROP COLUMN colour')
        cursor.execute(f"DELETE FROM \"{org.schema_name}\".django_migrations WHERE name = '0002_colour'")
    Org.objects.filter(pk=org.pk).update(schema_version="older")


def test_it_adds_the_column_to_every_older_org(acme: Org, globex: Org) -> None:
    new = schemas.provision(Org(slug="nova", name="Nova"))
    make_older(acme)
    make_older(globex)
    report = schemas.migrate_orgs()
    assert (report.migrated, report.failed) == (2, {})
    assert shape(acme.schema_name) == shape(new.schema_name) == shape(globex.schema_name)
    assert set(Org.objects.values_list("schema_version", flat=True)) == {schemas.org_version()}


def test_it_does_nothing_twice(acme: Org) -> None:
    make_older(acme)
    assert schemas.migrate_orgs().migrated == 1
    assert schemas.migrate_orgs().migrated == 0


def test_it_repairs_an_org_whose_version_alone_is_old(acme: Org) -> None:
    Org.objects.filter(pk=acme.pk).update(schema_version="older")
    assert schemas.migrate_orgs().migrated == 1


def test_an_org_that_is_locked_is_reported_and_migrated_next_time(committed: None) -> None:
    acme, globex = Org.objects.get(slug="acme"), Org.objects.get(slug="globex")
    make_older(acme)
    make_older(globex)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'LOCK TABLE "{acme.schema_name}".rehearsal_note01 IN ACCESS EXCLUSIVE MODE')
            locked.set()
            done.wait(300)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(10)
    try:
        report = schemas.migrate_orgs()
    finally:
        done.set()
        holder.join()
    assert set(report.failed) == {acme.schema_name}
    assert "lock timeout" in report.failed[acme.schema_name]
    assert report.migrated == 1
    assert schemas.migrate_orgs().migrated == 1


def test_two_runs_at_once_migrate_each_org_once(committed: None) -> None:
    for number in range(6):
        make_older(schemas.provision(Org(slug=f"org-{number}", name="Org")))
    start = threading.Barrier(2)
    reports: list[schemas.Report] = []

    def run() -> None:
        start.wait(10)
        reports.append(schemas.migrate_orgs())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [report.failed for report in reports] == [{}, {}]
    new = schemas.provision(Org(slug="nova", name="Nova"))
    for org in Org.objects.all():
        assert shape(org.schema_name) == shape(new.schema_name)


def test_a_former_template_saves_the_replay(acme: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    make_older(acme)
    applied = schemas.by_history([acme], {}).popitem()[0]
    replayed = schemas.record_pending(applied)
    stored = schemas.stored("org")
    assert stored is not None
    older = [name for name in stored.migrations if name != "rehearsal.0002_colour"]
    sql = "\n".join(line for line in stored.sql.splitlines() if '"colour"' not in line)
    SchemaVersion.objects.create(name="org-former", version="former", migrations=older, sql=sql)
    monkeypatch.setattr(schemas, "_recorded", {})
    assert schemas.record_pending(applied) == replayed
    assert [name for _, name in replayed[0]] == ["0002_colour"]


def test_an_org_newer_than_this_code_is_left_alone(acme: Org) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{acme.schema_name}".django_migrations (app, name, applied) VALUES (%s, %s, now())',
            ["rehearsal", "0003_from_the_future"],
        )
    Org.objects.filter(pk=acme.pk).update(schema_version="newer")
    report = schemas.migrate_orgs()
    assert report.migrated == 0
    assert "unknown to this code" in report.failed[acme.schema_name]


def test_an_older_release_does_not_take_the_template_back(db: None) -> None:
    stored = schemas.stored("org")
    assert stored is not None
    newer = [*stored.migrations, "rehearsal.0003_from_the_future"]
    SchemaVersion.objects.filter(name="org").update(version="newer", migrations=newer)
    assert schemas.migrate_orgs() == schemas.Report()
    assert schemas.provision(Org(slug="nova", name="Nova")).schema_version == "newer"


def test_data_steps_are_refused() -> None:
    class Migration(migrations.Migration):
        operations = [migrations.RunPython(migrations.RunPython.noop)]

    with pytest.raises(schemas.SchemaError, match=r"rehearsal\.0009_data is more than SQL"):
        schemas.refuse_data_steps(Migration("0009_data", "rehearsal"))


def test_an_org_without_a_schema_does_not_hold_up_the_others(acme: Org, globex: Org) -> None:
    make_older(acme)
    make_older(globex)
    with connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{acme.schema_name}" CASCADE')
    report = schemas.migrate_orgs()
    assert report.migrated == 1
    assert set(report.failed) == {acme.schema_name}


def test_an_org_deleted_meanwhile_has_not_failed(acme: Org, globex: Org) -> None:
    failed: dict[str, str] = {}
    schemas.drop(acme)
    found = schemas.histories([acme, globex], failed)
    assert [org.slug for org, _ in found] == ["globex"]
    assert failed == {}
