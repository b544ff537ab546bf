"""Metrics: small labels, all processes added up, and the dead counted once."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import resolve
from prometheus_client.parser import text_string_to_metric_families

from sdr.lib import metrics

ROOT = Path(__file__).parents[2]


def value(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def answered(path: str, status: int = 200, method: str = "GET") -> None:
    def view(request: HttpRequest) -> HttpResponse:
        if path.startswith("/o/"):
            request.resolver_match = resolve(path)
        return HttpResponse(status=status)

    metrics.MetricsMiddleware(view)(RequestFactory().generic(method, path))


def test_it_counts_by_route_and_never_by_path() -> None:
    answered("/o/acme/")
    answered("/o/globex/")
    answered("/wp-login.php?phone=5511987654321", 404)
    answered("/", 200, "BREW")
    text = metrics.exposition().decode()
    assert 'route="o/<slug:slug>/"' in text
    assert value(text, "http_requests_total", route="unmatched", status_class="4xx") >= 1
    assert value(text, "http_requests_total", method="OTHER") >= 1
    for forbidden in ("acme", "globex", "wp-login", "5511987654321", "BREW"):
        assert forbidden not in text


def test_it_leaves_itself_and_health_out() -> None:
    before = metrics.exposition()
    answered("/metrics")
    answered("/health/ready")
    assert value(metrics.exposition().decode(), "http_requests_total") == value(before.decode(), "http_requests_total")


def test_it_counts_a_request_that_raises() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise RuntimeError

    before = value(metrics.exposition().decode(), "http_requests_total", status_class="5xx")
    with pytest.raises(RuntimeError):
        metrics.MetricsMiddleware(view)(RequestFactory().get("/"))
    after = metrics.exposition().decode()
    assert value(after, "http_requests_total", status_class="5xx") == before + 1
    assert value(after, "http_requests_in_progress") == 0


def test_it_refuses_a_name_that_is_not_declared() -> None:
    with pytest.raises(KeyError):
        metrics.incr("leads_total", org="acme")


def work(directory: Path, times: int) -> None:
    """A process that counts `times` requests and ends without tidying up."""
    code = (
        "import os, django; from django.conf import settings; settings.configure(); from sdr.lib import metrics\n"
        f"for _ in range({times}): metrics.incr('job_runs', kind='k', outcome='ok'); "
        "metrics.observe('job_duration_seconds', 0.2, kind='k')\n"
        "metrics.IN_PROGRESS.inc(); os._exit(0)"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=60)


def test_it_adds_up_processes_and_buries_the_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for times in (2, 3):
        work(tmp_path, times)
    assert len(list(tmp_path.glob("*.db"))) == 8  # counters, histograms and two sorts of gauges of each
    for _ in range(3):
        text = metrics.exposition().decode()
        assert value(text, "job_runs_total", kind="k", outcome="ok") == 5
        assert value(text, "job_duration_seconds_count", kind="k") == 5
        assert value(text, "job_duration_seconds_bucket", kind="k", le="0.1") == 0
        assert value(text, "http_requests_in_progress") == 0
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["counter_0.db", "histogram_0.db"]
    work(tmp_path, 4)
    assert value(metrics.exposition().decode(), "job_runs_total", kind="k") == 9


def test_it_counts_jobs_of_the_queue(db: None, settings: Any) -> None:
    from django_q.signals import post_execute_in_worker, pre_execute

    before = value(metrics.exposition().decode(), "job_runs_total", kind="orgs.tasks.send_mail", outcome="failed")
    task = {"id": "1", "func": "orgs.tasks.send_mail", "success": False}
    pre_execute.send(sender="django_q", func=None, task=task)
    post_execute_in_worker.send(sender="django_q", func=None, task=task)
    after = metrics.exposition().decode()
    assert value(after, "job_runs_total", kind="orgs.tasks.send_mail", outcome="failed") == before + 1
    assert "_started" not in task
