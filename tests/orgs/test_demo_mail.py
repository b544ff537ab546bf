"""The demo's mail box: what the file backend wrote, safely shown; nowhere else."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches, get_resolver
from django.urls.resolvers import URLPattern

from orgs import mail
from orgs.models import Mail
from orgs.views import demo_mail

PAGE = "/demo/mail/"


@pytest.fixture
def demo(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The demo's settings and addresses, and its folder of mails."""
    import orgs.account_urls
    import sdr.urls
    import tests.urls

    settings.IS_DEMO = True
    settings.MAIL_DIR = tmp_path / "mail"
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(settings.MAIL_DIR)
    reload(orgs.account_urls, sdr.urls, tests.urls)
    yield settings.MAIL_DIR
    settings.IS_DEMO = False
    reload(orgs.account_urls, sdr.urls, tests.urls)


def reload(*modules: Any) -> None:
    for module in modules:
        importlib.reload(module)
    clear_url_caches()


def written(template: str = "account/email/email_confirmation", **context: str) -> Mail:
    row = mail.send(template, to="lead@example.com", context={"code": "123456", **context}, language="en")
    assert mail.deliver(row.pk)
    return row


def test_it_lists_what_was_sent_newest_first(db: None, demo: Path) -> None:
    written(code="111111")
    written(code="222222")
    mail.send("account/email/email_confirmation", to="x@example.com", context={"code": "3"}, language="en")
    page = Client().get(PAGE)
    assert [letter.subject[:6] for letter in page.context["letters"]] == ["222222", "111111"]
    assert page.context["waiting"] == 1


def test_it_is_empty_at_first(db: None, demo: Path) -> None:
    assert Client().get(PAGE).context["letters"] == []


def test_it_answers_htmx_with_the_list_alone(db: None, demo: Path) -> None:
    written()
    fragment = Client().get(PAGE, headers={"HX-Request": "true"})
    assert fragment.text.lstrip().startswith('<div id="letters"')
    assert "HX-Request" in fragment.headers["Vary"]


def test_it_shows_text_with_links_and_the_html_in_a_frame(db: None, demo: Path) -> None:
    written("account/email/account_already_exists")
    [letter] = demo_mail.letters()
    page = Client().get(f"{PAGE}{letter.name}/")
    assert '<a href="http://localhost:8000/accounts/password/reset/"' in page.text
    assert f'src="{PAGE}{letter.name}/html/"' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]


def test_it_gives_the_html_a_policy_of_its_own(db: None, demo: Path) -> None:
    written()
    [letter] = demo_mail.letters()
    frame = Client().get(f"{PAGE}{letter.name}/html/")
    policy = frame.headers["Content-Security-Policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "allow-scripts" not in policy
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert '<base target="_blank">' in frame.text


@pytest.mark.parametrize("name", ["..%2f..%2fsecret", "20260101-000000-1", "x", "20260101-000000-1.log", "%00"])
def test_it_opens_nothing_but_its_own_files(db: None, demo: Path, name: str) -> None:
    assert Client().get(f"{PAGE}{name}/").status_code == 404
    assert Client().get(f"{PAGE}{name}/html/").status_code == 404


def test_it_leaves_out_a_file_that_is_being_written(db: None, demo: Path) -> None:
    written()
    (demo / "20990101-000000-1.log").write_bytes(b"Subject: half")
    assert len(demo_mail.letters()) == 1


def test_it_has_no_address_outside_the_demo(db: None) -> None:
    assert Client().get(PAGE).status_code == 404
    assert not any("demo" in str(pattern.pattern) for pattern in all_patterns(get_resolver().url_patterns))


def test_it_answers_404_should_the_address_exist_all_the_same(db: None, rf: Any) -> None:
    from django.http import Http404

    for view, extra in ((demo_mail.index, {}), (demo_mail.show, {"name": "x"}), (demo_mail.html, {"name": "x"})):
        with pytest.raises(Http404):
            view(rf.get(PAGE), **extra)


def all_patterns(patterns: Any) -> Iterator[URLPattern]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from all_patterns(pattern.url_patterns)
        else:
            yield pattern
