"""A small Django program that puts personal data wherever it can, run by test_reports_leave_clean.py as a process.

Everything personal comes from the environment: a source line may be quoted in a report, a value may not.
"""

import json
import logging
import os
import sys
from typing import Any

import django
from django.conf import settings

from sdr.lib import logs

SAID = json.loads(os.environ["LEAK"])
PHONE, EMAIL, TEXT, TOKEN = SAID["phone"], SAID["email"], SAID["text"], SAID["token"]

settings.configure(
    SECRET_KEY="x" * 50,
    SECRETS_KEYRING=[],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["sdr.lib.request_log.RequestLogMiddleware", "sdr.lib.metrics.MetricsMiddleware"],
    INSTALLED_APPS=["django.contrib.contenttypes"],
    LOGGING=logs.config(json_lines=True),
    ENVIRONMENT="staging",
    VERSION="1.2.3",
    USE_TZ=True,
)

from sdr.lib import http, sentry, traces  # noqa: E402

sentry.start(os.environ["SENTRY_DSN"], environment="staging", release="1.2.3")
traces.start("sdr-test")
django.setup()

import psycopg  # noqa: E402
import sentry_sdk  # noqa: E402
import structlog  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


def fail(request: HttpRequest, secret_link: str) -> HttpResponse:
    """Everything at once, then an exception."""
    phone, words, token = PHONE, TEXT, TOKEN
    logs.bind(org_id=7, person_id=8)
    logging.getLogger("orgs.views").warning("no answer to %s from %s", words, phone)
    logging.getLogger("some.library").error(f"failed for {phone}: {words} {token}")
    structlog.get_logger("orgs").info("message_received", text=words, phone=phone, api_token=token)
    sentry_sdk.add_breadcrumb(category="chat", message=words, data={"phone": phone, "text": words})
    sentry_sdk.set_extra("note", words)
    sentry_sdk.set_tag("phone", phone)
    sentry_sdk.set_user({"email": EMAIL, "id": phone})
    http.request("POST", f"{os.environ['VENDOR']}/send/{token}?to={phone}", json={"text": words}, allow_private=True)
    with psycopg.connect(os.environ["LEAK_DSN"]) as connection:
        connection.execute(f"SELECT '{words}', '{phone}', {PHONE}, $${words}$$ -- {words}")
        connection.execute("SELECT %s", [EMAIL])
    from opentelemetry import trace

    span = trace.get_current_span()
    span.set_attribute("text", words)
    span.set_attribute("customer", phone)
    span.set_attribute("digits", int(PHONE))
    span.add_event(f"asked by {phone}", {"said": words})
    try:
        raise KeyError(words)
    except KeyError as error:
        error.add_note(f"from {EMAIL}")
        raise ValueError(f"{phone} {EMAIL} said {words} with {token}") from error


urlpatterns = [path("i/<str:secret_link>/", fail)]


def main() -> None:
    client = Client(raise_request_exception=False)
    response: Any = client.post(
        f"/i/{TOKEN}/?phone={PHONE}&email={EMAIL}",
        {"text": TEXT, "phone": PHONE},
        headers={"x-customer": PHONE, "authorization": f"Bearer {TOKEN}", "user-agent": TEXT, "cookie": f"s={TOKEN}"},
    )
    assert response.status_code == 500, response.status_code
    carried = traces.carry()
    assert "request_id" not in carried, "the request is over"
    with traces.resume({"request_id": "r-1", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}, kind="intake"):
        assert traces.carry()["request_id"] == "r-1"
        assert traces.carry()["traceparent"].startswith(f"00-{'ab' * 16}-")
        logging.getLogger("orgs").warning("in job")
    traces.flush()
    sentry_sdk.flush(5)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
