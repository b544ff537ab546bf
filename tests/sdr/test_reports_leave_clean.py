"""Real envelopes, real OTLP bodies and real log lines of a failing request hold nothing personal."""

import gzip
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from django.db import connection
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SAID = {
    "phone": "5511987654321",
    "email": "ana.lead@example.com",
    "text": "quero comprar um apartamento",
    "token": "tok-9f8e7d6c5b4a",
}
FRAGMENTS = ("5511987654321", "98765432", "ana.lead", "apartamento", "quero", "9f8e7d6c")
FAILING_SECONDS = 60


@dataclass
class Outcome:
    """What left the process, decompressed, by the path it was sent to; and what it logged."""

    bodies: dict[str, list[bytes]] = field(default_factory=dict)
    headers: dict[str, list[str]] = field(default_factory=dict)
    log: str = ""

    def sent(self, path: str) -> bytes:
        return b"\n".join(self.bodies.get(path, []))


@pytest.fixture(scope="module")
def outcome(django_db_setup: None, django_db_blocker: Any) -> Iterator[Outcome]:
    """One run of the leaky program against a collector on loopback."""
    result = Outcome()

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            encoding = self.headers.get("Content-Encoding", "")
            if encoding == "gzip":
                body = gzip.decompress(body)
            elif encoding == "br":
                body = brotli.decompress(body)
            else:
                assert encoding == "", encoding
            path = "/vendor" if self.path.startswith("/vendor") else self.path
            result.bodies.setdefault(path, []).append(body)
            result.headers.setdefault(path, []).append(str(self.headers))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        with django_db_blocker.unblock():
            wanted = connection.get_connection_params()
        done = subprocess.run(
            [sys.executable, "-m", "tests.sdr.leaky_program"],
            cwd=Path(__file__).parents[2],
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "DJANGO_"))},
                "LEAK": json.dumps(SAID),
                "LEAK_DSN": " ".join(f"{name}={wanted[name]}" for name in ("host", "user", "dbname") if name in wanted),
                "SENTRY_DSN": f"http://key@127.0.0.1:{server.server_port}/1",
                "OTEL_EXPORTER_OTLP_ENDPOINT": base,
                "OTEL_TRACES_SAMPLER": "always_on",
                "VENDOR": f"{base}/vendor",
            },
            capture_output=True,
            text=True,
            timeout=FAILING_SECONDS,
            check=False,
        )
        server.shutdown()
    assert done.returncode == 0, done.stderr
    result.log = done.stdout + done.stderr
    yield result


def test_it_really_sent_something_personal_to_the_vendor(outcome: Outcome) -> None:
    """The program does what it says, so the absence below means something."""
    assert SAID["text"].encode() in outcome.sent("/vendor")


def test_it_sends_error_reports_without_personal_data(outcome: Outcome) -> None:
    raw = outcome.sent("/api/1/envelope/")
    assert b'"ValueError"' in raw
    assert b'"KeyError"' in raw
    assert [fragment for fragment in FRAGMENTS if fragment.encode() in raw] == []
    event = next(
        json.loads(line)
        for line in raw.splitlines()
        if line.startswith(b"{") and b'"exception"' in line and b'"ValueError"' in line
    )
    assert (event["transaction"], event["environment"], event["release"]) == ("/i/{secret_link}/", "staging", "1.2.3")
    assert event["tags"]["org_id"] == 7
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert "no answer to %s from %s" in [crumb.get("message") for crumb in event["breadcrumbs"]["values"]]


def test_it_sends_traces_without_personal_data(outcome: Outcome) -> None:
    raw = outcome.sent("/v1/traces")
    assert [fragment for fragment in FRAGMENTS if fragment.encode() in raw] == []
    spans = [
        span
        for body in outcome.bodies["/v1/traces"]
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    names = {span.name for span in spans}
    assert {"POST i/<str:secret_link>/", "POST", "SELECT", "intake"} <= names
    request = next(span for span in spans if span.name.startswith("POST i/"))
    assert request.status.code == request.status.STATUS_CODE_ERROR
    raised = [event for event in request.events if event.name == "exception"]
    frames = {item.key: item.value.string_value for item in raised[0].attributes}["exception.stacktrace"]
    assert "in fail" in frames
    outgoing = next(span for span in spans if span.name == "POST")
    assert outgoing.trace_id == request.trace_id
    assert any(f"traceparent: 00-{request.trace_id.hex()}" in seen for seen in outcome.headers["/vendor"])
    job = next(span for span in spans if span.name == "intake")
    assert (job.trace_id.hex(), job.parent_span_id.hex()) == ("ab" * 16, "cd" * 8)


def test_it_keeps_trace_headers_of_error_reports_from_vendors(outcome: Outcome) -> None:
    assert not any("sentry-trace" in seen.lower() or "baggage" in seen.lower() for seen in outcome.headers["/vendor"])


def test_it_logs_lines_without_personal_data(outcome: Outcome) -> None:
    lines = [json.loads(line) for line in outcome.log.splitlines() if line.startswith("{")]
    own = [line for line in lines if line["logger"] not in {"orgs.views", "some.library"}]
    shown = json.dumps(own)
    assert [fragment for fragment in FRAGMENTS if fragment in shown] == []
    # What a programmer writes into the sentence itself cannot be recognised, except by its form.
    foreign = json.dumps([line for line in lines if line not in own])
    assert [fragment for fragment in ("5511987654321", "98765432") if fragment in foreign] == []
    finished = next(line for line in lines if line["event"] == "request_finished")
    assert (finished["route"], finished["status"], finished["method"]) == ("i/<str:secret_link>/", 500, "POST")
    failed = next(line for line in lines if line["event"] == "request_failed")
    assert failed["request_id"] == finished["request_id"]
    assert (failed["org_id"], failed["person_id"]) == (7, 8)
    assert "ValueError: [" in failed["exception"]
    assert next(line for line in lines if line["event"] == "in job")["request_id"] == "r-1"
