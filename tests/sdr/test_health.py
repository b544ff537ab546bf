"""/health/… and /metrics: they answer whoever calls, quickly, and never hang."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from orgs import shift_cluster
from orgs.models import Heartbeat, Mail, Org, SchemaVersion
from sdr import health


@pytest.fixture
def frozen_server(settings: Any) -> Iterator[int]:
    """A server that accepts connections and then says nothing: what a stopped PostgreSQL looks like."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer than a load balancer waits: what is tried here is the answer, not the time."""
    monkeypatch.setattr(health, "READY_SECONDS", 30.0)
    monkeypatch.setattr(health, "DEEP_SECONDS", 30.0)
    monkeypatch.setattr(health, "CONNECT_SECONDS", 30)


def test_it_is_alive_without_a_database(client: Client) -> None:
    response = client.get("/health/live", headers={"host": "10.1.2.3"})
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {}}


def test_it_is_ready_for_a_caller_by_address_over_plain_http(
    committed: None, patient: None, client: Client, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["app.example.com"]
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/health/ready", headers={"host": "10.1.2.3"})
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok", "broker": "ok"}}
    assert response.status_code == 200


def test_it_is_not_ready_while_a_migration_is_missing(committed: None, patient: None, client: Client) -> None:
    SchemaVersion.objects.filter(name="public").update(version="older")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orgs' AND name LIKE '0001%%'")
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["migrations"] == ("1 migrations are not applied: run manage.py prepare_database")


def test_it_stays_ready_when_newer_code_has_migrated_already(committed: None, patient: None, client: Client) -> None:
    SchemaVersion.objects.filter(name="public").update(version="newer")
    assert client.get("/health/ready").status_code == 200


def test_it_is_not_ready_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_connect", lambda: _connect_to(1))
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert set(response.json()["checks"].values()) == {"no connection to the database (OperationalError)"}


def test_it_answers_in_time_when_the_database_is_frozen(
    client: Client, frozen_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_connect", lambda: _connect_to(frozen_server))
    started = time.monotonic()
    answers: list[int] = []
    callers = [
        threading.Thread(target=lambda: answers.append(client.get("/health/ready").status_code)) for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert answers == [503] * 4
    assert time.monotonic() - started < health.READY_SECONDS + 1


def test_it_answers_in_time_when_a_connected_backend_is_stopped(
    committed: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = health._connect
    stopped: list[int] = []

    def connect_then_stop() -> Any:
        opened = real()
        os.kill(opened.info.backend_pid, signal.SIGSTOP)
        stopped.append(opened.info.backend_pid)
        return opened

    monkeypatch.setattr(health, "_connect", connect_then_stop)
    started = time.monotonic()
    try:
        assert client.get("/health/ready").status_code == 503
        assert time.monotonic() - started < health.READY_SECONDS + 1
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    thread = health._READY._running
    assert thread is not None
    thread.join(5)
    monkeypatch.undo()
    monkeypatch.setattr(health, "READY_SECONDS", 30.0)
    monkeypatch.setattr(health, "CONNECT_SECONDS", 30)
    assert client.get("/health/ready").status_code == 200


def test_it_tells_the_depths_only_to_the_bearer_of_the_token(
    committed: None, patient: None, client: Client, settings: Any
) -> None:
    assert client.get("/health/deep").status_code == 401
    assert client.get("/health/deep", headers={"authorization": "Bearer wrong"}).status_code == 401
    settings.HEALTH_TOKEN = None
    assert client.get("/health/deep", headers={"authorization": "Bearer "}).status_code == 404


def test_it_tells_what_is_not_well(committed: None, client: Client, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    token = {"authorization": f"Bearer {settings.HEALTH_TOKEN}"}
    Heartbeat.objects.all().delete()
    checks = client.get("/health/deep", headers=token).json()["checks"]
    assert checks["workers"] == "no sign of life of a worker for 0:03:00"
    assert checks["shifts"] == "no shift has begun for 0:05:00"
    shift_cluster.beat()
    checks = client.get("/health/deep", headers=token).json()["checks"]
    assert (checks["workers"], checks["shifts"]) == ("no sign of life of a worker for 0:03:00", "ok")
    Heartbeat.objects.create(name="worker@here", kind="worker", beat_at=timezone.now())
    response = client.get("/health/deep", headers=token)
    assert response.json() == {"status": "ok", "checks": dict.fromkeys(response.json()["checks"], "ok")}
    assert list(tmp_path.glob("health/*")) == []

    Mail.objects.create(to="a@example.com", subject="s", language="en", kind="k", state=Mail.State.FAILED)
    Org.objects.filter(slug="acme").update(schema_version="older")
    response = client.get("/health/deep", headers=token)
    assert response.status_code == 503
    assert response.json()["checks"]["mail"] == "0 e-mails waiting, 1 given up"
    assert response.json()["checks"]["orgs"] == "1 orgs are at another schema version: run manage.py migrate_orgs"


def test_it_refuses_other_methods(client: Client) -> None:
    assert client.post("/health/live").status_code == 405


def test_it_keeps_metrics_for_the_bearer_of_the_token(client: Client, settings: Any) -> None:
    assert client.get("/metrics").status_code == 401
    response = client.get("/metrics", headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"})
    assert response.status_code == 200
    assert b"http_requests_total" in response.content
    settings.METRICS_TOKEN = None
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404


def _connect_to(port: int) -> Any:
    import psycopg

    return psycopg.connect(host="127.0.0.1", port=port, user="x", dbname="x", connect_timeout=health.CONNECT_SECONDS)
