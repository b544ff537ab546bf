"""The pages for what went wrong: kind, in the reader's language, without a query, and never failing themselves."""

import json
from typing import Any

import pytest
import structlog
from django.db import OperationalError
from django.http import HttpResponse
from django.template import TemplateDoesNotExist
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.utils import translation

from sdr import errors
from sdr.urls import handler400, handler403, handler404, handler500  # noqa: F401


def broken(request: Any) -> HttpResponse:
    raise RuntimeError("a secret of ours")


def away(request: Any) -> HttpResponse:
    raise OperationalError("the database is away")


urlpatterns = [path("broken/", broken), path("api/v1/broken/", broken), path("away/", away)]


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500", "503"])
def test_it_renders_without_a_query(name: str, db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0), translation.override("en"):
        response = errors.error_page(RequestFactory().get("/x/"), int(name[:3]), template=f"{name}.html")
    html = response.content.decode()
    assert response.status_code == int(name[:3])
    assert '<html lang="en">' in html
    assert html.count("<h1>") == 1
    assert 'href="/"' in html


@pytest.mark.urls(__name__)
def test_it_answers_500_without_saying_what_broke(db: None, browser: Client) -> None:
    response = browser.get("/broken/", headers={"accept-language": "en"})
    assert response.status_code == 500
    assert "Something broke on our side" in response.content.decode()
    assert "secret" not in response.content.decode()


@pytest.mark.urls(__name__)
def test_it_answers_503_with_retry_after_when_the_database_is_away(db: None, browser: Client) -> None:
    response = browser.get("/away/", headers={"accept-language": "en"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
    assert "We will be right back" in response.content.decode()


@pytest.mark.urls(__name__)
def test_it_answers_machines_in_json(db: None, browser: Client) -> None:
    response = browser.get("/api/v1/broken/")
    assert response.status_code == 500
    assert json.loads(response.content)["error"] == {
        "code": "internal_server_error",
        "message": "Internal Server Error",
        "fields": {},
    }


def test_it_answers_404_in_the_readers_language(db: None, browser: Client) -> None:
    response = browser.get("/nowhere/", headers={"accept-language": "es"})
    assert response.status_code == 404
    assert '<html lang="es">' in response.content.decode()


def test_it_answers_a_form_without_its_token(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {}, headers={"accept-language": "en"})
    assert response.status_code == 403
    assert "This form is out of date" in response.content.decode()


def test_it_gives_the_requests_id_to_quote() -> None:
    with structlog.contextvars.bound_contextvars(request_id="req-123"):
        response = errors.server_error(RequestFactory().get("/x/"))
    assert '<code class="text-break">req-123</code>' in response.content.decode()


def test_it_still_answers_when_the_page_itself_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> str:
        raise TemplateDoesNotExist("500.html")

    monkeypatch.setattr(errors, "render_to_string", fail)
    with structlog.contextvars.bound_contextvars(request_id="req-123"):
        response = errors.server_error(RequestFactory().get("/x/"))
    assert (response.status_code, response.content) == (500, b"500\nreq-123\n")


@override_settings(ALLOWED_HOSTS=["app.example.com"])
def test_it_answers_400_to_a_foreign_host(db: None, browser: Client) -> None:
    response = browser.get("/accounts/login/", headers={"host": "evil.example.net"})
    assert response.status_code == 400
