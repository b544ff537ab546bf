"""Starts tracing and error reports in each kind of process, and watches the tasks of django-q2.

Web: `start("web")` in sdr/wsgi.py, before Django builds its middleware. Worker: every worker process starts itself,
after the fork, by django-q2's signal (`watch_worker`, called when the apps are ready).
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from django.conf import settings

from sdr.lib import logs, metrics, sentry, traces

logger: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def start(service: str) -> None:
    """Trace and report errors of this process, as far as the environment asks for it."""
    sentry.start(settings.SENTRY_DSN, environment=settings.ENVIRONMENT, release=settings.VERSION)
    traces.start(f"sdr-{service}")


def watch_worker() -> None:
    """Count, time and log every task of django-q2; start tracing and error reports in each worker process."""
    from django_q import signals  # needs the app registry

    signals.post_spawn.connect(_spawned, dispatch_uid="sdr.observability")
    signals.pre_execute.connect(_before, dispatch_uid="sdr.observability")
    signals.post_execute_in_worker.connect(_after, dispatch_uid="sdr.observability")


class Reporter:
    """What django-q2 calls inside its `except`, where the exception can still be seen."""

    def report(self) -> None:
        """Log the task's exception; error reports listen to the log."""
        logger.exception("job_failed")


def _spawned(**_: Any) -> None:
    from django_q import worker

    worker.error_reporter = Reporter()
    start("worker")


def _before(*, task: dict[str, Any], **_: Any) -> None:
    logs.clear()
    logs.bind(kind=_kind(task), job_id=task["id"])
    task["_started"] = time.perf_counter()


def _after(*, task: dict[str, Any], **_: Any) -> None:
    from orgs.context import recycle_connection  # needs the app registry

    started = task.pop("_started", None)
    kind, succeeded = _kind(task), bool(task.get("success"))
    metrics.incr("job_runs", kind=kind, outcome="ok" if succeeded else "failed")
    if started is not None:
        seconds = time.perf_counter() - started
        metrics.observe("job_duration_seconds", seconds, kind=kind)
        logger.info("job_finished", outcome="ok" if succeeded else "failed", duration_ms=round(seconds * 1000, 1))
    recycle_connection()
    logs.clear()


def _kind(task: dict[str, Any]) -> str:
    function = task.get("func")
    return function if isinstance(function, str) else getattr(function, "__qualname__", type(function).__name__)
