"""Counters, durations and gauges, and `/metrics` in Prometheus text (rule: PRODUCT 7, RED and USE).

With several processes PROMETHEUS_MULTIPROC_DIR must be set before this module is imported, to a directory that is new
for each run of the supervisor; every process writes there and whichever answers `/metrics` adds them up. Labels never
name an org, a person or a phone: their number must stay small.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.mmap_dict import MmapedDict

REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
INGESTION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds; 0.2 is what we promise
JOB_BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)  # seconds
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
UNMEASURED_PATHS = ("/metrics", "/health/")
DEAD_PID = 0  # whose files hold the sums of processes that ended
ADDED_UP = ("counter", "histogram")

COUNTERS = {
    counter._name: counter
    for counter in (
        Counter("http_requests", "Requests answered.", ["method", "route", "status_class"]),
        Counter("dep_requests", "Calls to other systems.", ["dep", "op", "outcome"]),
        Counter("job_runs", "Jobs that ended.", ["kind", "outcome"]),
        Counter("job_claims", "Rows taken into work.", ["kind"]),
        Counter("shift_recoveries", "Times the chain of shifts had to be mended.", ["action"]),
        Counter("sdr_turns", "Moves of the AI that ended.", ["outcome"]),
        Counter("sdr_finds_refused", "What a brain claimed to have found and was not written, by the reason.", ["why"]),
        Counter("sdr_transcripts", "Voice notes, by how hearing them ended.", ["outcome"]),
        Counter("sdr_sends", "Messages of ours, by what became of them.", ["outcome"]),
        Counter("sdr_number_changes", "Changes of a number's connection, by what it became.", ["state"]),
        Counter("sdr_model_fallbacks", "Turns in which the playbook spoke for a model, by the reason.", ["reason"]),
        Counter("sdr_gap_looks", "Looks for webhooks that were lost, by how they ended.", ["outcome"]),
        Counter("sdr_gaps", "What looks for lost webhooks found, by what became of it.", ["outcome"]),
        Counter("webhook_requests", "Webhooks of providers, by what became of them.", ["outcome"]),
        Counter("webhook_quarantined", "Authentic webhooks that could not be used.", ["reason"]),
        Counter("webhook_signature_failures", "Webhooks that did not prove where they come from."),
    )
}
HISTOGRAMS = {
    histogram._name: histogram
    for histogram in (
        Histogram("http_request_duration_seconds", "Time to answer.", ["method", "route"], buckets=REQUEST_BUCKETS),
        Histogram("dep_duration_seconds", "Time of a call to another system.", ["dep", "op"], buckets=REQUEST_BUCKETS),
        Histogram("job_duration_seconds", "Time of a job.", ["kind"], buckets=JOB_BUCKETS),
        Histogram("sdr_decision_seconds", "Time from a turn being claimed to its reply decided.", buckets=JOB_BUCKETS),
        Histogram("sdr_gap_seconds", "Age of messages when reading back found them.", buckets=JOB_BUCKETS),
        Histogram("job_wait_seconds", "Time from due to started.", ["kind"], buckets=JOB_BUCKETS),
        Histogram("sdr_ingestion_seconds", "Time from webhook to acknowledgement.", buckets=INGESTION_BUCKETS),
    )
}
GAUGES = {
    gauge._name: gauge
    for gauge in (
        Gauge(
            "shift_silence_seconds",
            "Since a shift of the cluster gave a sign of life; more than 35 is an alarm.",
            multiprocess_mode="livemax",
        ),
        Gauge("queue_rows", "Rows at the last look.", ["queue", "kind"], multiprocess_mode="mostrecent"),
        Gauge(
            "queue_oldest_seconds",
            "How overdue the oldest row was.",
            ["kind"],
            multiprocess_mode="mostrecent",
        ),
        Gauge(
            "sdr_invariant_violations",
            "What must never be, found at the last look.",
            ["name"],
            multiprocess_mode="mostrecent",
        ),
    )
}
M = TypeVar("M", Counter, Histogram)
IN_PROGRESS = Gauge("http_requests_in_progress", "Requests being answered.", multiprocess_mode="livesum")


def incr(name: str, amount: float = 1, **labels: str) -> None:
    """Add `amount` to the counter `name` (without `_total`). Raises KeyError for a name that is not declared here."""
    _one(COUNTERS, name, labels).inc(amount)


def observe(name: str, value: float, **labels: str) -> None:
    """Note one `value` (seconds) in the histogram `name`. Raises KeyError for a name that is not declared here."""
    _one(HISTOGRAMS, name, labels).observe(value)


def tell(name: str, value: float, /, **labels: str) -> None:
    """Set the gauge `name` to `value`. Raises KeyError for a name that is not declared here."""
    gauge = GAUGES[name]
    (gauge.labels(**labels) if labels else gauge).set(value)


def _one(metrics: Mapping[str, M], name: str, labels: Mapping[str, str]) -> M:
    """The one with these labels, remembered: finding it takes the library longer than counting."""
    if not labels:
        return metrics[name]
    key = (name, *labels.items())
    found = _known.get(key)
    if found is None:
        found = _known[key] = metrics[name].labels(**labels)
    return cast("M", found)


_known: dict[Any, Any] = {}  # as many as the registry has


@contextmanager
def timing(name: str, **labels: str) -> Iterator[None]:
    """Note the seconds that the block takes, also when it fails."""
    started = time.perf_counter()
    try:
        yield
    finally:
        observe(name, time.perf_counter() - started, **labels)


class Outcome:
    """How a call to another system ended, as a label: `ok`, the class of its status, or `failed`."""

    def __init__(self) -> None:
        self.label = "failed"

    def status(self, status: int) -> None:
        """Note the HTTP status of the answer."""
        self.label = "ok" if status < 400 else f"{status // 100}xx"


@contextmanager
def dependency(dep: str, op: str) -> Iterator[Outcome]:
    """Count and time one call to `dep`; nothing is noted without a name."""
    outcome = Outcome()
    started = time.perf_counter()
    try:
        yield outcome
    finally:
        if dep:
            incr("dep_requests", dep=dep, op=op, outcome=outcome.label)
            observe("dep_duration_seconds", time.perf_counter() - started, dep=dep, op=op)


class MetricsMiddleware:
    """Counts and times requests by route; stands outermost. `/metrics` and `/health/` are left out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(UNMEASURED_PATHS):
            return self.get_response(request)
        started = time.perf_counter()
        status = 500
        with IN_PROGRESS.track_inprogress():
            try:
                response = self.get_response(request)
                status = response.status_code
            finally:
                method = request.method if request.method in METHODS else "OTHER"
                route = route_of(request)
                incr("http_requests", method=method, route=route, status_class=f"{status // 100}xx")
                observe("http_request_duration_seconds", time.perf_counter() - started, method=method, route=route)
        return response


def route_of(request: HttpRequest) -> str:
    """The pattern that the URL list matched, such as `o/<slug:slug>/people/`; never the path itself."""
    match = request.resolver_match
    return (match.route or "/") if match is not None else UNMATCHED


def metrics_view(request: HttpRequest) -> HttpResponse:
    """`GET /metrics`: bearer METRICS_TOKEN. 401 with a wrong one, 404 where none is set (development: open)."""
    token = getattr(settings, "METRICS_TOKEN", None)
    if not token and getattr(settings, "ENVIRONMENT", "production") != "development":
        return HttpResponse(status=404)
    if token and not bearer_matches(request, token):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


def bearer_matches(request: HttpRequest, token: str) -> bool:
    """Whether the request carries `token` as its bearer token, compared in constant time."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def exposition() -> bytes:
    """All metrics of all processes in Prometheus text."""
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not directory:
        return generate_latest(REGISTRY)
    with _locked(Path(directory)):
        bury_dead(Path(directory))
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def bury_dead(directory: Path) -> None:
    """Add the counters and histograms of ended processes up into one file each, and drop their gauges.

    Without this every recycled worker leaves files that each scrape reads again. Call it under the directory's lock.
    """
    dead: dict[str, list[Path]] = defaultdict(list)
    for path in directory.glob("*.db"):
        kind, _, pid = path.stem.rpartition("_")
        if pid.isdigit() and int(pid) != DEAD_PID and not _is_alive(int(pid)):
            dead[kind].append(path)
    for kind, paths in dead.items():
        if kind in ADDED_UP:
            _add_up(directory / f"{kind}_{DEAD_PID}.db", paths)
        for path in paths:
            path.unlink(missing_ok=True)


def _add_up(total: Path, paths: list[Path]) -> None:
    sums: dict[str, float] = defaultdict(float)
    for path in [*paths, *([total] if total.exists() else [])]:
        for key, value, _timestamp, _position in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
            json.loads(key)  # a file torn by a crash must not spoil the sum
            sums[key] += value
    draft = total.with_suffix(".new")
    draft.unlink(missing_ok=True)
    book = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
    for key, value in sums.items():
        book.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    book.close()  # type: ignore[no-untyped-call]
    draft.replace(total)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _locked(directory: Path) -> Iterator[Any]:
    with (directory / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
