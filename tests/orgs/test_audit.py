"""The audit log says who, when, from where and on what, keeps no secret, and cannot be changed by anybody."""

from typing import Any

import pytest
import structlog
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory, override_settings

from orgs.audit import MASK, Action, SecretInAuditError, record, safe_data
from orgs.models import AuditEntry, Org, Person


def test_it_records_who_what_when_from_where_on_what(acme: Org, ana: Person) -> None:
    request = RequestFactory().post("/", headers={"User-Agent": "Browser\x00 1"}, REMOTE_ADDR="2001:db8::7")
    request.user = ana
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        entry = record(
            Action.MEMBERSHIP_ROLE_CHANGED,
            request=request,
            org=acme,
            target="membership:7",
            data={"role": ["sdr", "admin"]},
        )
    entry.refresh_from_db()
    assert (entry.org_id, entry.org_slug) == (acme.pk, "acme")
    assert (entry.person_id, entry.actor) == (ana.pk, "ana@example.com")
    assert (entry.action, entry.target, entry.data) == (
        "membership.role_changed", "membership:7", {"role": ["sdr", "admin"]},
    )  # fmt: skip
    assert (entry.ip, entry.user_agent, entry.request_id) == ("2001:db8::7", "Browser 1", "req-1")


def test_it_records_the_system_when_nobody_asked(db: None) -> None:
    entry = record(Action.SECRETS_ROTATED)
    assert (entry.actor, entry.person_id, entry.org_id, entry.ip, entry.data) == ("", None, None, None, {})


def test_it_does_not_believe_forwarding_headers(db: None) -> None:
    request = RequestFactory().get("/", headers={"X-Forwarded-For": "203.0.113.9"}, REMOTE_ADDR="198.51.100.4")
    assert record(Action.PERSON_SIGNED_OUT, request=request).ip == "198.51.100.4"


def test_it_leaves_no_entry_when_the_change_fails(db: None) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        record(Action.ORG_CHANGED)
        raise RuntimeError
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orgs_auditentry SET actor = 'somebody'",
        "DELETE FROM orgs_auditentry",
        "TRUNCATE orgs_auditentry",
        "TRUNCATE orgs_auditentry CASCADE",
        "INSERT INTO orgs_auditentry SELECT * FROM orgs_auditentry ON CONFLICT (id) DO UPDATE SET actor = 'somebody'",
    ],
)
def test_it_refuses_change_by_sql(db: None, statement: str) -> None:
    record(Action.ORG_CHANGED)
    before = list(AuditEntry.objects.values())
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)
    assert list(AuditEntry.objects.values()) == before


def test_it_refuses_change_through_the_model(db: None) -> None:
    entry = record(Action.ORG_CHANGED)
    attempts = (
        AuditEntry.objects.all().delete,
        entry.delete,
        lambda: AuditEntry.objects.update(actor="somebody"),
        lambda: AuditEntry.objects.bulk_update([entry], ["actor"]),
        entry.save,
    )
    for attempt in attempts:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()
    assert AuditEntry.objects.get().actor == ""


def test_it_outlives_the_org_and_the_person(globex: Org, carla: Person) -> None:
    record(Action.ORG_DELETED, org=globex, person=carla)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orgs_membership DISABLE TRIGGER USER")
    globex.memberships.all().delete()
    Org.objects.filter(pk=globex.pk).delete()
    carla.delete()
    entry = AuditEntry.objects.get(action="org.deleted")
    assert (entry.org_slug, entry.actor) == ("globex", "carla@example.com")


SECRETS: list[Any] = [
    {"password": "x"},
    {"new_Password1": "x"},
    {"token": "abc"},
    {"nested": {"api_key": "abc"}},
    {"list": [{"phone": "+55 11 90000-0000"}]},
    {"text": "Oi, quero saber o preço"},
    {"value": "sk_test_0123456789"},
    {"value": "whsec_0123456789"},
    {"value": "$argon2id$v=19$m=1"},
    {"value": "0123456789abcdef0123456789abcdef01234567"},
    {"value": "Zm9vYmFyQUJDMTIzZm9vYmFyQUJDMTIzZm9vYmFyQUJD"},
    {"value": b"bytes"},
]


@pytest.mark.parametrize("data", SECRETS)
def test_it_refuses_secrets_and_messages(db: None, data: dict[str, Any]) -> None:
    with pytest.raises(SecretInAuditError):
        record(Action.ORG_CHANGED, data=data)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("data", SECRETS)
@override_settings(ENVIRONMENT="production")
def test_it_masks_secrets_in_production(data: dict[str, Any]) -> None:
    kept = str(safe_data(data))
    assert MASK in kept
    for secret in ("abc'", "90000", "preço", "sk_test", "whsec", "argon2", "cdef", "Zm9v", "bytes"):
        assert secret not in kept


def test_it_keeps_ordinary_values(db: None) -> None:
    data = {
        "email": "x@example.com",
        "role": ["viewer", "admin"],
        "requires_mfa": True,
        "slug": "acme-comercio-de-energia-solar-e-baterias-sp-2",
        "tokens": 3,
    }
    assert record(Action.ORG_CHANGED, data=data).data == data
