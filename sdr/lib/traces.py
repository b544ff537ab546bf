"""Traces by OpenTelemetry, off unless OTEL_EXPORTER_OTLP_ENDPOINT is set; nothing personal leaves in a span.

Standard variables apply: OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER(_ARG), OTEL_EXPORTER_OTLP_HEADERS. `start()` is called
once per process, after any fork and before Django builds its middleware. Spans are scrubbed on their way out:
attributes by a list of the permitted, exceptions keep type and frames but not their message, addresses keep only
scheme and host. Rule: PRODUCT 7; https://opentelemetry.io/docs/specs/semconv/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sdr.lib import logs
from sdr.lib.masking import mask, mask_text

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
DEFAULT_SAMPLER = ("parentbased_traceidratio", "0.1")
CORRELATION = "request_id"
TEXT_ATTRIBUTES = frozenset(
    {"http.method", "http.request.method", "http.route", "http.scheme", "http.flavor", "http.host", "http.server_name",
     "url.scheme", "server.address", "net.host.name", "net.peer.name", "network.protocol.version", "db.system",
     "db.system.name", "db.name", "db.namespace", "db.operation", "db.operation.name", "error.type", "exception.type",
     "exception.escaped", "job.kind", "org.id", "gen_ai.request.model", "gen_ai.system", "gen_ai.operation.name"}
)  # fmt: skip
ADDRESSES = frozenset({"http.url", "url.full"})
STATEMENTS = frozenset({"db.statement", "db.query.text"})
LITERAL = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|(?<![\w$%\"])-?\d[\d.]*|--[^\n]*|/\*.*?\*/", re.DOTALL)
FRAME = re.compile(r'^\s+File "[^"]*", line \d+, in .+$', re.MULTILINE)

_started = False


def start(service: str) -> bool:
    """Trace this process from now on; `service` is the default of OTEL_SERVICE_NAME. False when tracing is off.

    Calling it again does nothing.
    """
    global _started
    if _started or not os.environ.get(ENDPOINT):
        return _started
    from django.conf import settings
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_TRACES_SAMPLER", DEFAULT_SAMPLER[0])
    os.environ.setdefault("OTEL_TRACES_SAMPLER_ARG", DEFAULT_SAMPLER[1])
    resource = Resource.create(
        {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or service,
            "service.version": getattr(settings, "VERSION", ""),
            "deployment.environment.name": getattr(settings, "ENVIRONMENT", "production"),
        }
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(scrubbing(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(excluded_urls="health/,metrics")
    PsycopgInstrumentor().instrument(capture_parameters=False)
    HTTPX2ClientInstrumentor().instrument()
    _started = True
    return True


def flush() -> None:
    """Send what is waiting; called when a worker ends."""
    if not _started:
        return
    from opentelemetry import trace

    provider: Any = trace.get_tracer_provider()
    provider.force_flush(5_000)


def carry() -> dict[str, str]:
    """What a job must take along so that its lines and spans belong to the request that caused it."""
    carried: dict[str, str] = {}
    if _started:
        from opentelemetry import propagate

        propagate.inject(carried)
    request_id = logs.bound().get(CORRELATION)
    if request_id:
        carried[CORRELATION] = str(request_id)
    return carried


@contextmanager
def resume(carried: Mapping[str, str], *, kind: str) -> Iterator[None]:
    """Run the block as a continuation of what `carry()` returned: same correlation id, same trace."""
    logs.clear()
    logs.bind(kind=kind, **({CORRELATION: carried[CORRELATION]} if CORRELATION in carried else {}))
    try:
        if not _started:
            yield
            return
        from opentelemetry import propagate, trace

        tracer = trace.get_tracer(__name__)
        with tracer.start_as_current_span(kind, context=propagate.extract(carried), attributes={"job.kind": kind}):
            yield
    finally:
        logs.clear()


def scrubbing(exporter: SpanExporter) -> SpanExporter:
    """`exporter` behind the scrubber."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Scrubbing(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return exporter.export([scrub(span) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return exporter.force_flush(timeout_millis)

    return Scrubbing()


def scrub(span: ReadableSpan) -> ReadableSpan:
    """A copy of `span` without anything personal."""
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, Status

    return ReadableSpan(
        name=mask_text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=scrub_attributes(span.attributes or {}),
        events=[
            Event(mask_text(event.name), scrub_attributes(event.attributes or {}), event.timestamp)
            for event in span.events
        ],
        links=[Link(link.context, scrub_attributes(link.attributes or {})) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code),  # its description is the exception's message
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def scrub_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The permitted attributes: numbers and flags, known texts masked, SQL without literals, addresses without path."""
    kept: dict[str, Any] = {}
    for name, value in attributes.items():
        if isinstance(value, bool | int | float):
            kept[name] = mask(value, name.rpartition(".")[2])
        elif not isinstance(value, str):
            continue
        elif name in TEXT_ATTRIBUTES:
            kept[name] = mask_text(value)
        elif name in STATEMENTS:
            kept[name] = mask_text(LITERAL.sub("?", value))
        elif name in ADDRESSES:
            parts = urlsplit(value)
            kept[name] = mask_text(f"{parts.scheme}://{parts.hostname or ''}/")
        elif name == "exception.stacktrace":
            kept[name] = "\n".join(FRAME.findall(value))
    return kept
