"""Error reports to Sentry, off unless SENTRY_DSN is set; an event is rebuilt from what may leave, all else stays here.

Kept: type and frames of exceptions (no locals, no message unless its type is harmless), the template of a log line (not
its arguments), route and method, release, environment, the opaque org id. Rule: PRODUCT 7 and 8.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sdr.lib import logs
from sdr.lib.masking import digest, exception_text, mask, mask_text

if TYPE_CHECKING:
    from sentry_sdk.types import Breadcrumb, BreadcrumbHint, Event, Hint

OURS = ("sdr", "orgs", "conversations", "calendar_sync", "billing", "integrations")
KEPT = ("event_id", "timestamp", "level", "platform", "environment", "release", "server_name", "transaction",
        "transaction_info", "logger", "fingerprint", "modules", "sdk")  # fmt: skip
KEPT_WHOLE = frozenset({"event_id", "timestamp", "modules", "sdk"})
KEPT_CONTEXTS = ("runtime", "os", "trace")
KEPT_FRAME = (
    "filename",
    "abs_path",
    "function",
    "module",
    "lineno",
    "pre_context",
    "context_line",
    "post_context",
    "in_app",
)
KEPT_BREADCRUMB = ("type", "category", "level", "timestamp")
TAGS = ("org_id", "kind", "request_id", "route")
SHUTDOWN_SECONDS = 2


def start(dsn: str, *, environment: str, release: str) -> bool:
    """Report errors of this process from now on. False when `dsn` is empty."""
    if not dsn:
        return False
    import sentry_sdk
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        # Those that start by themselves would also listen to model and calendar SDKs.
        auto_enabling_integrations=False,
        integrations=[
            DjangoIntegration(transaction_style="url", middleware_spans=False, signals_spans=False),
            LoggingIntegration(level=logging.INFO, event_level=logging.ERROR),
        ],
        auto_session_tracking=False,
        traces_sample_rate=None,  # tracing is OpenTelemetry's
        trace_propagation_targets=[],
        before_send=scrub_event,
        before_send_transaction=lambda event, hint: None,
        before_breadcrumb=scrub_breadcrumb,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    return True


def scrub_event(event: Event, hint: Hint) -> Event | None:
    """What of `event` may leave. If that cannot be told, nothing does."""
    try:
        return _rebuild(dict(event), hint)
    except Exception:  # an event that cannot be scrubbed is not sent
        return None


def scrub_breadcrumb(crumb: Breadcrumb, hint: BreadcrumbHint) -> Breadcrumb | None:
    """The kind and moment of a breadcrumb; of a log line also its template."""
    kept = {name: crumb[name] for name in KEPT_BREADCRUMB if name in crumb}
    record = hint.get("log_record")
    if isinstance(record, logging.LogRecord):
        kept["message"] = template_of(record)
    return kept


def template_of(record: logging.LogRecord) -> str:
    """What a log call says before its arguments are put in; a digest where a foreign library put them in itself."""
    message: Any = record.msg
    if isinstance(message, Mapping):
        return mask_text(str(message.get("event", "")))
    if record.args or record.name.partition(".")[0] in OURS:
        return mask_text(str(message))
    return digest(str(message))


def _rebuild(event: dict[str, Any], hint: Mapping[str, Any]) -> Event:
    kept: Any = {name: event[name] if name in KEPT_WHOLE else mask(event[name], name) for name in KEPT if name in event}
    record = hint.get("log_record")
    if isinstance(record, logging.LogRecord):
        kept["logentry"] = {"message": template_of(record)}
    if "exception" in event:
        kept["exception"] = {"values": [_exception(value) for value in _values(event["exception"])]}
    crumbs = [
        {name: crumb[name] for name in (*KEPT_BREADCRUMB, "message") if name in crumb}
        for crumb in _values(event.get("breadcrumbs"))
    ]
    kept["breadcrumbs"] = {"values": crumbs}
    contexts = event.get("contexts") or {}
    kept["contexts"] = {name: mask(contexts[name], name) for name in KEPT_CONTEXTS if name in contexts}
    if "request" in event:
        kept["request"] = {"method": str(event["request"].get("method", ""))}
    bound = logs.bound()
    kept["tags"] = {name: mask(bound[name], name) for name in TAGS if name in bound}
    person = bound.get("person_id")
    if person is not None:
        kept["user"] = {"id": str(person)}
    result: Event = kept
    return result


def _exception(value: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "type": value.get("type"),
        "module": value.get("module"),
        "value": exception_text(str(value.get("type", "")), str(value.get("value") or "")),
        "mechanism": {
            name: item
            for name, item in (value.get("mechanism") or {}).items()
            if name in {"type", "handled", "exception_id", "parent_id", "is_exception_group"}
        },
    }
    frames = (value.get("stacktrace") or {}).get("frames") or []
    kept["stacktrace"] = {"frames": [{name: frame[name] for name in KEPT_FRAME if name in frame} for frame in frames]}
    return kept


def _values(holder: Any) -> list[Any]:
    if isinstance(holder, Mapping):
        holder = holder.get("values")
    return [value for value in holder or [] if isinstance(value, Mapping)]
