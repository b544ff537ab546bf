"""System checks: each finds what it is for, and the product passes all of them."""

from base64 import urlsafe_b64encode
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import migrations, models
from django.test import override_settings
from django.test.utils import isolate_apps

from orgs import routing
from sdr import checks

A_KEY = urlsafe_b64encode(b"k" * 32).decode()  # the same in each worker: it is part of a test's name
SAFE: dict[str, Any] = {
    "IS_LOCAL": False,
    "DEBUG": False,
    "SITE_URL": "https://app.example.com",
    "SECRETS_KEYRING": [A_KEY],
    "METRICS_TOKEN": "x" * 32,
    "HEALTH_TOKEN": "y" * 32,
    "TRUSTED_PROXIES": 1,
    "GEMINI_API_KEY": "a-key",
}


def ids(**changed: Any) -> list[str | None]:
    with override_settings(**{**SAFE, **changed}):
        return [message.id for message in checks.check_installation()]


def test_the_product_passes_its_own_checks(db: None) -> None:
    call_command("check", fail_level="WARNING")


def test_a_safe_installation_passes() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("changed", "id"),
    [
        ({"SOME_API": "http://localhost:8080"}, "sdr.E001"),
        ({"SOME_API": {"url": ["https://127.0.0.1/x"]}}, "sdr.E001"),
        ({"SOME_API": "http://user@[::1]:3000"}, "sdr.E001"),
        ({"PORTS": {"calendar": "calendar_sync.google.standin.Calendar"}}, "sdr.E001"),
        ({"PORTS": ("tests.fakes.FakeBrain",)}, "sdr.E001"),
        ({"DEBUG": True}, "sdr.E002"),
        ({"SITE_URL": "http://app.example.com"}, "sdr.E003"),
        ({"SECRETS_KEYRING": []}, "sdr.E004"),
        ({"SECRETS_KEYRING": [A_KEY, "short"]}, "sdr.E004"),
        ({"METRICS_TOKEN": None}, "sdr.W005"),
        ({"METRICS_TOKEN": "guess"}, "sdr.W005"),
        ({"HEALTH_TOKEN": None}, "sdr.W006"),
        ({"HEALTH_TOKEN": "guess"}, "sdr.W006"),
        ({"TRUSTED_PROXIES": 0}, "sdr.W007"),
        ({"GEMINI_API_KEY": ""}, "sdr.W008"),
        ({"GEMINI_BASE_URL": "http://models.example.com"}, "sdr.E011"),
        ({"VAPID_PRIVATE_KEY": "not a key"}, "sdr.E012"),
    ],
    ids=str,
)
def test_an_unsafe_installation_is_told_so_once(changed: dict[str, Any], id: str) -> None:
    assert ids(**changed) == [id]
    assert ids(**changed, IS_LOCAL=True) == [], "development and tests may"


def test_ordinary_addresses_are_no_stand_ins() -> None:
    assert ids(API="https://localhost.example.com", HOST="127.0.0.1", CLASS="fakery.Thing", X="10.0.0.1") == []


@pytest.fixture
def one_app(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the checks see an app with these models, as an org's."""

    def make(*found: type[models.Model]) -> None:
        config = SimpleNamespace(label="rehearsal", name="rehearsal", get_models=lambda **_: found)
        for module in (checks, routing):
            monkeypatch.setattr(module, "tenant_configs", lambda: [config])

    return make


@isolate_apps("tests.rehearsal", "orgs")
def test_a_constraint_from_an_org_to_public_is_an_error(one_app: Any) -> None:
    class Visit(models.Model):
        loose = models.ForeignKey("orgs.Person", db_constraint=False, on_delete=models.DO_NOTHING, related_name="+")
        tight = models.ForeignKey("orgs.Person", on_delete=models.CASCADE, related_name="+")

        class Meta:
            app_label = "rehearsal"

    class Person(models.Model):
        class Meta:
            app_label = "orgs"

    Visit._meta.apps.lazy_model_operation(lambda model: None, ("orgs", "person"))
    one_app(Visit)
    (message,) = checks.check_tenant_models()
    assert message.id == "sdr.E008"
    assert "Visit.tight" in message.msg


@isolate_apps("tests.rehearsal")
def test_indexed_text_is_an_error(one_app: Any) -> None:
    class Word(models.Model):
        key = models.CharField(max_length=9, primary_key=True)
        free = models.TextField()
        indexed = models.CharField(max_length=9, db_index=True)
        unique = models.EmailField(unique=True)
        number = models.IntegerField(unique=True)

        class Meta:
            app_label = "rehearsal"

    one_app(Word)
    found = [(message.id, message.msg.split(" ")[0]) for message in checks.check_text_indexes()]
    assert found == [("sdr.E009", "rehearsal.Word.indexed"), ("sdr.E009", "rehearsal.Word.unique")]


@pytest.mark.parametrize(
    ("operations", "atomic", "count"),
    [
        ([migrations.RunSQL("SELECT 1")], True, 0),
        ([migrations.RunPython(migrations.RunPython.noop)], True, 1),
        ([migrations.SeparateDatabaseAndState([migrations.RunPython(migrations.RunPython.noop)])], True, 1),
        ([migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("Word")])], True, 0),
        ([migrations.RunSQL("SELECT 1")], False, 1),
    ],
)
def test_python_in_an_orgs_migration_is_an_error(
    one_app: Any, monkeypatch: pytest.MonkeyPatch, operations: list[Any], atomic: bool, count: int
) -> None:
    migration = type("Migration", (migrations.Migration,), {"operations": operations, "atomic": atomic})
    module = SimpleNamespace(__name__="rehearsal.migrations.0009_x", Migration=migration)
    one_app()
    monkeypatch.setattr(checks, "migration_modules", lambda config: [module])
    assert [message.id for message in checks.check_tenant_migrations()] == ["sdr.E010"] * count
