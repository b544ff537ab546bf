"""Is it alive, can it work, is it well: `/health/live`, `/health/ready`, `/health/deep`, and the door of `/metrics`.

They are answered by a middleware of their own, before host checks, redirects, sessions and orgs: load balancers call by
IP address and over plain HTTP. Ready looks at the database only: an outside outage must not take servers out.
Rule: PRODUCT 7, "health endpoints"; answers are JSON `{"status": "ok"|"failing", "checks": {name: "ok"|reason}}`.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from orgs import shift_cluster
from orgs.routing import tenant_labels
from orgs.schemas import org_version, public_version
from sdr.lib.metrics import bearer_matches, metrics_view

READY_SECONDS = 2.0
DEEP_SECONDS = 5.0
CONNECT_SECONDS = 2  # libpq takes whole seconds
STATEMENT_MS = 1_500
HEARTBEAT_AGE = timedelta(minutes=3)
SHIFT_AGE = timedelta(minutes=5)
QUEUE_AGE = timedelta(minutes=2)
MAIL_AGE = timedelta(minutes=10)
DISK_FREE_BYTES = 200 * 1024 * 1024
OK = "ok"

Connection = psycopg.Connection[tuple[Any, ...]]
Check = Callable[[Connection], str]


class HealthMiddleware:
    """Answers `/health/…` and `/metrics` at once; stands second, after the request's id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.views: dict[str, Callable[[HttpRequest], HttpResponse]] = {
            "/health/live": live,
            "/health/ready": ready,
            "/health/deep": deep,
            "/metrics": metrics_view,
        }

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = self.views.get(request.path_info.removesuffix("/"))
        if view is None:
            return self.get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        response = view(request)
        response.headers["Cache-Control"] = "no-store"
        # A failing check is no failure of a request: the caller is told, the log and the error reports are not.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


def live(request: HttpRequest) -> HttpResponse:
    """200 while the process answers; asks nobody."""
    return _answer({})


def ready(request: HttpRequest) -> HttpResponse:
    """200 when the database answers, has every migration of this code, and its queue can be read; else 503, in 2 s."""
    return _answer(_READY.run(READY_SECONDS))


def deep(request: HttpRequest) -> HttpResponse:
    """For people and the watchdog, never a load balancer: also workers, queue, e-mails, orgs' schemas, storage.

    Bearer HEALTH_TOKEN: 401 with a wrong one, 404 where none is set (development: open).
    """
    token = getattr(settings, "HEALTH_TOKEN", None)
    if not token and settings.ENVIRONMENT != "development":
        return HttpResponse(status=404)
    if token and not bearer_matches(request, token):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return _answer(_DEEP.run(DEEP_SECONDS) | {"storage": check_storage(), "disk": check_disk()})


def check_database(connection: Connection) -> str:
    """The database answers."""
    connection.execute("SELECT 1")
    return OK


def check_migrations(connection: Connection) -> str:
    """The public schema has every migration of this code. More than that is fine: newer code is being rolled out."""
    row = connection.execute("SELECT version FROM orgs_schemaversion WHERE name = 'public'").fetchone()
    if row is not None and row[0] == _public_version():
        return OK
    applied = {f"{app}.{name}" for app, name in connection.execute("SELECT app, name FROM django_migrations")}
    missing = _public_migrations() - applied
    return f"{len(missing)} migrations are not applied: run manage.py prepare_database" if missing else OK


def check_broker(connection: Connection) -> str:
    """The table of queued tasks can be read."""
    connection.execute("SELECT 1 FROM django_q_ormq LIMIT 1")
    return OK


def check_workers(connection: Connection) -> str:
    """A worker ran its heartbeat within three minutes."""
    return OK if _beats(connection, "worker", HEARTBEAT_AGE) else f"no sign of life of a worker for {HEARTBEAT_AGE}"


def check_shifts(connection: Connection) -> str:
    """A shift began within five minutes: one lasts 45 s, and minutes more when something long is to be ended."""
    return OK if _beats(connection, shift_cluster.HEARTBEAT, SHIFT_AGE) else f"no shift has begun for {SHIFT_AGE}"


def _beats(connection: Connection, kind: str, age: timedelta) -> bool:
    row = connection.execute(
        "SELECT max(beat_at) > now() - %s FROM orgs_heartbeat WHERE kind = %s", [age, kind]
    ).fetchone()
    return row is not None and bool(row[0])


def check_queue(connection: Connection) -> str:
    """No task has waited for long. (A task's `lock` is the moment from which it may run.) Calls for shifts may wait."""
    row = connection.execute(
        "SELECT count(*) FROM django_q_ormq WHERE lock < now() - %s AND key <> %s", [QUEUE_AGE, shift_cluster.QUEUE]
    ).fetchone()
    late = row[0] if row is not None else 0
    return OK if not late else f"{late} tasks have waited longer than {QUEUE_AGE}"


def check_mail(connection: Connection) -> str:
    """No e-mail is stuck, and none was given up within the hour."""
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE state = 'queued' AND created_at < now() - %s),"
        " count(*) FILTER (WHERE state = 'failed' AND created_at > now() - interval '1 hour') FROM orgs_mail",
        [MAIL_AGE],
    ).fetchone()
    stuck, failed = row if row is not None else (0, 0)
    return OK if not stuck and not failed else f"{stuck} e-mails waiting, {failed} given up"


def check_orgs(connection: Connection) -> str:
    """Every org's schema is at this code's version."""
    row = connection.execute(
        "SELECT count(*) FROM orgs_org WHERE schema_name <> 'public' AND schema_version <> %s", [_org_version()]
    ).fetchone()
    behind = row[0] if row is not None else 0
    return OK if not behind else f"{behind} orgs are at another schema version: run manage.py migrate_orgs"


def check_storage() -> str:
    """A file can be written to the media storage and removed again."""
    try:
        name = default_storage.save(f"health/{uuid.uuid4().hex}", ContentFile(b"ok"))
        default_storage.delete(name)
    except Exception as error:  # each kind of storage fails in its own way
        return f"not writable ({type(error).__name__})"
    return OK


def check_disk() -> str:
    """The disk of this installation's state has room."""
    path = Path(settings.STATE_DIR)
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free
    return OK if free > DISK_FREE_BYTES else f"{free // 1024 // 1024} MB free"


@dataclass
class Probe:
    """Runs checks in a thread of its own, so that a frozen database cannot hang the caller; one run at a time."""

    checks: dict[str, Check]
    _running: threading.Thread | None = field(default=None, repr=False)
    _result: dict[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, seconds: float) -> dict[str, str]:
        """Each check's verdict, "ok" or a reason, after at most `seconds`. Callers at the same time share one run."""
        with self._lock:
            if self._running is None or not self._running.is_alive():
                self._result = dict.fromkeys(self.checks, "did not answer in time")
                self._running = threading.Thread(target=self._work, args=[self._result], daemon=True, name="health")
                self._running.start()
            thread, result = self._running, self._result
        thread.join(seconds)
        return dict(result)

    def forget(self) -> None:
        """Start anew: a run that is under way belongs to another process."""
        self._running, self._lock = None, threading.Lock()

    def _work(self, result: dict[str, str]) -> None:
        try:
            with _connect() as connection:
                for name, check in self.checks.items():
                    result[name] = _verdict(check, connection)
        except psycopg.Error as error:
            for name in self.checks:
                result[name] = f"no connection to the database ({type(error).__name__})"


def _verdict(check: Check, connection: Connection) -> str:
    try:
        return check(connection)
    except psycopg.Error as error:
        return type(error).__name__


def _connect() -> Connection:
    wanted = connections["default"].get_connection_params()
    named = {
        name: wanted[name]
        for name in ("dbname", "user", "password", "host", "port", "sslmode", "sslrootcert", "service")
        if wanted.get(name)
    }
    return psycopg.connect(
        **named,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name="sdr-health",
        options=f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={STATEMENT_MS} -c search_path=public",
    )


def _answer(checks: dict[str, str]) -> JsonResponse:
    well = all(verdict == OK for verdict in checks.values())
    return JsonResponse({"status": OK if well else "failing", "checks": checks}, status=200 if well else 503)


@cache
def _public_version() -> str:
    return public_version()


@cache
def _org_version() -> str:
    return org_version()


@cache
def _public_migrations() -> frozenset[str]:
    tenant = tenant_labels()
    return frozenset(
        f"{config.label}.{file.stem}"
        for config in apps.get_app_configs()
        if config.label not in tenant
        for file in Path(config.path, "migrations").glob("[0-9]*.py")
    )


_READY = Probe({"database": check_database, "migrations": check_migrations, "broker": check_broker})
_DEEP = Probe(
    {
        "database": check_database,
        "migrations": check_migrations,
        "broker": check_broker,
        "workers": check_workers,
        "shifts": check_shifts,
        "queue": check_queue,
        "mail": check_mail,
        "orgs": check_orgs,
    }
)

# A child must not wait for a thread that stayed in its parent.
os.register_at_fork(after_in_child=_READY.forget)
os.register_at_fork(after_in_child=_DEEP.forget)
