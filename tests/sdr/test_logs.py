"""Log lines: JSON, tied together by the request's id, without paths, and cheap."""

import io
import json
import logging
import logging.config
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from sdr.lib import logs
from sdr.lib.request_log import RequestLogMiddleware

LINE_MICROSECONDS = 1_000  # CPU; 150 measured


@pytest.fixture
def lines() -> Iterator[Any]:
    """The lines of the production format, parsed; call it to read what came since."""
    wanted = logs.config(json_lines=True)
    formatter = wanted["formatters"]["structured"]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=formatter["foreign_pre_chain"], processors=formatter["processors"]
        )
    )
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel("INFO")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)
    logs.clear()


def test_it_gives_each_request_an_id_and_one_line(lines: Any) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        logging.getLogger("some.library").info("half way")
        return HttpResponse(status=204)

    response = RequestLogMiddleware(view)(RequestFactory().get("/i/secret-token/?phone=5511987654321"))
    request_id = response.headers["X-Request-ID"]
    half_way, finished = lines()
    assert half_way["request_id"] == finished["request_id"] == request_id
    assert (finished["event"], finished["status"], finished["route"], finished["level"]) == (
        "request_finished", 204, "unmatched", "info",
    )  # fmt: skip
    assert "secret-token" not in json.dumps([half_way, finished])
    assert logs.bound() == {}


@pytest.mark.parametrize("given", ["abcdef12", "5511-98765-4321-x"])
def test_it_takes_over_a_callers_id_only_from_a_trusted_proxy(settings: Any, given: str) -> None:
    request = RequestFactory().get("/", headers={"x-request-id": given})
    assert RequestLogMiddleware(lambda _: HttpResponse())(request).headers["X-Request-ID"] != given
    settings.TRUST_REQUEST_ID = True
    assert RequestLogMiddleware(lambda _: HttpResponse())(request).headers["X-Request-ID"] == given
    hostile = RequestFactory().get("/", headers={"x-request-id": "a b\tc;drop table"})
    assert " " not in RequestLogMiddleware(lambda _: HttpResponse())(hostile).headers["X-Request-ID"]


def test_it_names_the_person_and_the_org(lines: Any, sign_in: Any, ana: Any, acme: Any) -> None:
    client: Client = sign_in(ana)
    client.get(f"/o/{acme.slug}/")
    finished = [line for line in lines() if line["event"] == "request_finished"][-1]
    assert (finished["org_id"], finished["person_id"]) == (acme.pk, ana.pk)


def test_it_does_not_tell_a_failed_tasks_words(lines: Any) -> None:
    logging.getLogger("django-q").error("Failed 'f' (blue-sky) - quero comprar : Traceback\n  quero comprar")
    assert lines()[0]["event"] == "Failed 'f' (blue-sky)"


def test_it_writes_no_line_rather_than_an_unmasked_one(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(value: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(logs, "mask", broken)
    logging.getLogger("x").warning("call 5511987654321")
    assert lines() == [{"event": "log_line_could_not_be_masked", "level": "error"}]


def test_it_costs_little(lines: Any) -> None:
    logger = structlog.get_logger("sdr.bench")
    started = time.process_time()
    for number in range(500):
        logger.info(
            "request_finished", method="GET", route="o/<slug:slug>/people/", status=200, duration_ms=number / 10
        )
    assert (time.process_time() - started) / 500 * 1e6 < LINE_MICROSECONDS
