"""Flags: setting, percentage, override, in that order of strength; changes are audited and reach everybody soon."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from orgs import flags
from orgs.models import AuditEntry, Flag, FlagOverride, Org, Person

NAME = "FEATURE_ANALYTICS"
EFFECT_SECONDS = 5


@pytest.fixture(autouse=True)
def unread() -> Iterator[None]:
    flags.rows = flags.Rows()
    yield
    flags.rows = flags.Rows()


@pytest.mark.parametrize("default", [True, False])
def test_it_follows_the_setting_without_rows(acme: Org, default: bool) -> None:
    with override_settings(FEATURES={NAME: default}):
        assert flags.is_on(NAME) is default
        assert flags.is_on(NAME, acme) is default


def test_it_lets_the_override_win_over_the_percentage(acme: Org, globex: Org) -> None:
    flags.set_percentage(NAME, 100)
    flags.set_override(NAME, acme, is_on=False)
    flags.forget()
    assert not flags.is_on(NAME, acme)
    assert flags.is_on(NAME, globex)
    assert flags.is_on(NAME)
    flags.clear_override(NAME, acme)
    flags.forget()
    assert flags.is_on(NAME, acme)


@override_settings(FEATURES={NAME: True})
def test_it_lets_zero_percent_win_over_the_setting(acme: Org) -> None:
    flags.set_percentage(NAME, 0)
    flags.forget()
    assert not flags.is_on(NAME, acme)
    flags.clear_percentage(NAME)
    flags.forget()
    assert flags.is_on(NAME, acme)


def test_it_chooses_a_stable_and_growing_share_of_orgs() -> None:
    orgs = [Org(pk=pk) for pk in range(1, 5001)]
    previous: set[int] = set()
    for percentage in (0, 1, 10, 50, 99, 100):
        flags.rows = flags.Rows(time.monotonic(), {NAME: percentage})
        chosen = {org.pk for org in orgs if flags.is_on(NAME, org)}
        assert previous <= chosen
        assert abs(len(chosen) - 50 * percentage) < 120
        previous = chosen
    other = {org.pk for org in orgs if flags.share("FEATURE_S3_MEDIA", org) < 50}
    assert len(other ^ {org.pk for org in orgs if flags.share(NAME, org) < 50}) > 1000, "flags choose different orgs"


def test_it_refuses_unknown_names_and_wrong_percentages(acme: Org) -> None:
    for attempt in (
        lambda: flags.is_on("FEATURE_NONE"),
        lambda: flags.set_percentage("FEATURE_NONE", 5),
        lambda: flags.clear_percentage("FEATURE_NONE"),
        lambda: flags.set_override("FEATURE_NONE", acme, is_on=True),
        lambda: flags.clear_override("FEATURE_NONE", acme),
    ):
        with pytest.raises(flags.UnknownFlagError):
            attempt()
    for percentage in (-1, 101):
        with pytest.raises(ValueError, match="0 to 100"):
            flags.set_percentage(NAME, percentage)
    assert not Flag.objects.exists()
    assert not FlagOverride.objects.exists()
    assert not AuditEntry.objects.exists()


def test_it_audits_every_change(acme: Org, ana: Person) -> None:
    flags.set_percentage(NAME, 10, person=ana)
    flags.set_percentage(NAME, 20, person=ana)
    flags.set_override(NAME, acme, is_on=True, person=ana)
    flags.clear_override(NAME, acme, person=ana)
    flags.clear_override(NAME, acme, person=ana)
    flags.clear_percentage(NAME, person=ana)
    flags.clear_percentage(NAME, person=ana)
    entries = AuditEntry.objects.order_by("pk").values_list("action", "actor", "org_slug", "target", "data")
    target, actor = f"flag:{NAME}", "ana@example.com"
    assert list(entries) == [
        ("flag.changed", actor, "", target, {"percentage": [None, 10]}),
        ("flag.changed", actor, "", target, {"percentage": [10, 20]}),
        ("flag.overridden", actor, "acme", target, {"is_on": [None, True]}),
        ("flag.override_cleared", actor, "acme", target, {"is_on": [True, None]}),
        ("flag.changed", actor, "", target, {"percentage": [20, None]}),
    ]


def test_it_changes_nothing_when_the_audit_fails(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("no space")

    monkeypatch.setattr(flags, "record", fail)
    with pytest.raises(DatabaseError), transaction.atomic():
        flags.set_percentage(NAME, 10)
    assert not Flag.objects.exists()


def test_it_asks_the_database_once_for_many_questions(acme: Org) -> None:
    with CaptureQueriesContext(connection) as queries:
        for _ in range(1000):
            flags.is_on(NAME, acme)
            flags.is_on("FEATURE_S3_MEDIA")
    assert len([query for query in queries if "orgs_flag" in query["sql"]]) == 1


def test_it_keeps_the_last_known_values_while_the_database_is_away(acme: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    flags.set_override(NAME, acme, is_on=True)
    flags.forget()
    assert flags.is_on(NAME, acme)
    attempts = []

    def away() -> None:
        attempts.append(1)
        raise OperationalError("the server closed the connection")

    flags.forget()
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        for _ in range(100):
            assert flags.is_on(NAME, acme)
    assert len(attempts) == 1, "a database that is away is asked again after CACHE_SECONDS, not at each question"


@override_settings(FEATURES={NAME: True})
def test_it_follows_the_setting_when_it_never_reached_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", lambda: (_ for _ in ()).throw(OperationalError("refused")))
        assert flags.is_on(NAME, Org(pk=1))


def test_it_does_not_spoil_the_callers_transaction(acme: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flags, "EVERYTHING", "SELECT * FROM no_such_table")
    with transaction.atomic():
        assert flags.is_on(NAME, acme) is settings.FEATURES[NAME]
        assert Org.objects.filter(pk=acme.pk).exists()


def test_it_makes_no_thread_wait_for_another_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    flags.rows = flags.Rows(time.monotonic() - 60, {NAME: 100})
    assert flags.reading.acquire(timeout=1)
    try:
        answers: list[bool] = []
        asker = threading.Thread(target=lambda: answers.append(flags.is_on(NAME)))
        asker.start()
        asker.join(5)
        assert answers == [True]
    finally:
        flags.reading.release()


WATCH = f"""
import sys, time, django
django.setup()
from django.conf import settings
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from orgs import flags
print("ready", flags.is_on({NAME!r}), flush=True)
while not flags.is_on({NAME!r}):
    time.sleep(0.05)
print("on", flush=True)
"""


def test_it_takes_effect_in_another_process_within_five_seconds(committed: None) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    watcher = subprocess.Popen(
        [sys.executable, "-c", WATCH, str(connection.settings_dict["NAME"])],
        stdout=subprocess.PIPE, text=True, env=environment, cwd=settings.BASE_DIR,
    )  # fmt: skip
    try:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ready False\n"
        flags.set_percentage(NAME, 100)
        changed = time.monotonic()
        assert watcher.stdout.readline() == "on\n"
        assert time.monotonic() - changed < EFFECT_SECONDS
    finally:
        watcher.kill()
        watcher.wait()


def test_the_command_lists_and_sets(acme: Org) -> None:
    call_command("flag", "set", NAME, "25", stdout=StringIO())
    call_command("flag", "set", NAME, "off", org="acme", stdout=StringIO())
    out = StringIO()
    call_command("flag", "list", stdout=out)
    assert f"{NAME}  default off  percentage 25 %\n  acme: off\n" in out.getvalue()
    call_command("flag", "set", NAME, "default", org="acme", stdout=StringIO())
    call_command("flag", "set", NAME, "on", stdout=StringIO())
    assert list(Flag.objects.values_list("percentage", flat=True)) == [100]
    assert not FlagOverride.objects.exists()
    assert AuditEntry.objects.count() == 4


@pytest.mark.parametrize(("value", "org"), [("101", None), ("half", None), ("50", "acme"), ("on", "nobody")], ids=str)
def test_the_command_refuses_nonsense(acme: Org, value: str, org: str | None) -> None:
    with pytest.raises(CommandError):
        call_command("flag", "set", NAME, value, org=org)
    assert not AuditEntry.objects.exists()
