"""Structured logs: one JSON line per event in production, readable lines in development; masked last.

`config()` is the value of Django's LOGGING. Records of the standard library go through the same chain, so a library's
line carries the request's context and is masked too. Exceptions are rendered before the mask, without locals.
Names bound for the duration of a request or job: `request_id`, `org_id`, `person_id`, `route`, `job_id`, `kind`.
Rule: PRODUCT 7, "structured logs with correlation id and masked PII"; STYLE C2.27.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from sdr.lib.masking import exception_trace, mask
from sdr.lib.metrics import route_of

# Their lines hold whole addresses, and addresses hold keys and phones.
TALKATIVE = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "botocore",
    "boto3",
    "urllib3",
    "google_genai",
    "stripe",
    "asyncio",
)
CARRIED_ON = frozenset({"request_id"})
UNWANTED = ("request", "server_time", "response", "exc_text", "stack_info", "color_message")


def config(*, json_lines: bool, level: str = "INFO") -> dict[str, Any]:
    """The LOGGING dictionary, and structlog set to match. `json_lines` False prints for a person's eyes."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            stamp,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    foreign: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        stamp,
        _retell,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": foreign,
                "processors": [_name_trace, _render_exception, _mask_line, renderer],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.request": {"level": "ERROR"},  # request_finished tells of 4xx
            "django.server": {"handlers": [], "propagate": True, "level": "WARNING"},
            "django-q": {"handlers": [], "propagate": True, "level": "INFO"},
            "uvicorn": {"handlers": [], "propagate": True, "level": "INFO"},
            "uvicorn.error": {"handlers": [], "propagate": True, "level": "INFO"},
            "uvicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
            **{name: {"level": "WARNING"} for name in TALKATIVE},
        },
    }


def bind(**values: Any) -> None:
    """Add fields to every line of this request or job from now on: ids only, never a lead's words."""
    bind_contextvars(**values)


def clear() -> None:
    """Forget all bound fields; called where a request or job begins and ends."""
    clear_contextvars()


def bound() -> Mapping[str, Any]:
    """The fields bound at present."""
    return get_contextvars()


def cause() -> dict[str, Any]:
    """What late work should be logged with as well, because it is done for the present request or job."""
    return {name: value for name, value in get_contextvars().items() if name in CARRIED_ON}


def _retell(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Foreign lines that would tell too much: raw paths of django.request, results of django-q."""
    request = line.get("request")
    name = line.get("logger") or ""
    if request is not None and name.startswith("django."):
        line["event"] = "request_failed" if line.get("exc_info") else "request_refused"
        line["method"], line["route"] = getattr(request, "method", ""), _route(request)
    elif name == "django-q":
        # A failed task's line carries its traceback with the exception's message; we log failures ourselves.
        line["event"] = str(line.get("event", "")).split("\n", 1)[0].split(" - ", 1)[0]
    for unwanted in UNWANTED:
        line.pop(unwanted, None)
    return line


def _route(request: Any) -> str:
    return route_of(request) if hasattr(request, "resolver_match") else ""


def _name_trace(_logger: WrappedLogger, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.pop("_record", None)
    line.pop("_from_structlog", None)
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None and "opentelemetry.sdk.trace" in sys.modules:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"], line["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    return line


def _render_exception(_logger: WrappedLogger, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    info = line.pop("exc_info", None)
    if not info:
        return line
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        line["exception"] = exception_trace(error, error.__traceback__)
    return line


def _mask_line(_logger: WrappedLogger, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    try:
        masked: dict[str, Any] = mask(dict(line))
    except Exception:  # an unmasked line must not be written instead
        return {"event": "log_line_could_not_be_masked", "level": logging.getLevelName(logging.ERROR).lower()}
    return masked
