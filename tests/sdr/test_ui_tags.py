"""The markup helpers of sdr.templatetags.ui, apart from icons."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone as django_timezone
from django.utils import translation

from sdr.templatetags.ui import active, control, device, time_element

MOMENT = datetime(2026, 11, 22, 13, 5, 9, 123456, tzinfo=UTC)


def test_it_marks_a_moment_in_utc_whatever_its_zone() -> None:
    here = MOMENT.astimezone(timezone(timedelta(hours=-3)))
    with translation.override("en"):
        assert time_element(here) == (
            '<local-time data-style="datetime"><time datetime="2026-11-22T13:05:09Z">'
            "Nov. 22, 2026, 1:05 p.m. UTC</time></local-time>"
        )


def test_it_writes_the_moment_in_the_active_time_zone_for_readers_without_scripts() -> None:
    with translation.override("pt-br"), django_timezone.override(ZoneInfo("America/Sao_Paulo")):
        assert "22 de novembro de 2026 às 10:05<" in time_element(MOMENT)


def test_it_shows_only_the_day_of_a_moment() -> None:
    with translation.override("en"):
        assert time_element(MOMENT, "date") == (
            '<local-time data-style="date"><time datetime="2026-11-22T13:05:09Z">Nov. 22, 2026</time></local-time>'
        )


def test_it_leaves_a_date_as_it_is() -> None:
    with translation.override("en"):
        assert time_element(date(2026, 11, 22)) == '<time datetime="2026-11-22">Nov. 22, 2026</time>'


def test_it_shows_nothing_for_no_time() -> None:
    assert Template("[{% time moment %}]").render(Context({"moment": None})) == "[]"


def test_it_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        time_element(datetime(2026, 11, 22))


def test_it_refuses_an_unknown_style() -> None:
    with pytest.raises(ValueError, match="not a way to show a time"):
        time_element(MOMENT, "iso")


@pytest.mark.parametrize(
    ("path", "exact", "expected"),
    [
        ("/o/acme/people/", False, 'aria-current="page"'),
        ("/o/acme/people/", True, 'aria-current="page"'),
        ("/o/acme/", False, 'aria-current="true"'),
        ("/o/acme/", True, ""),
        ("/o/globex/", False, ""),
        ("", False, ""),
    ],
)
def test_it_marks_the_link_to_the_page_one_is_on(path: str, exact: bool, expected: str) -> None:
    request = RequestFactory().get("/o/acme/people/?page=2")
    assert active(Context({"request": request}), path, exact=exact) == expected


def test_it_marks_no_link_without_a_request() -> None:
    assert active(Context(), "/o/acme/") == ""


class InviteForm(forms.Form):
    email = forms.EmailField(
        help_text="Theirs.", widget=forms.EmailInput(attrs={"placeholder": "E-mail", "autocomplete": "off"})
    )


def test_it_drops_the_placeholder_and_keeps_the_rest() -> None:
    form = InviteForm({"email": "typed@"})
    assert control(form["email"]) == (
        '<input type="email" name="email" value="typed@" autocomplete="off" maxlength="320" required '
        'aria-invalid="true" aria-describedby="id_email_helptext id_email_error" id="id_email">'
    )


def test_it_ties_label_help_and_errors_to_the_field() -> None:
    html = Template('{% include "layouts/_form.html" with submit="Send" %}').render(
        Context({"form": InviteForm({"email": "typed@"})})
    )
    assert '<label class="field__label" for="id_email">' in html
    assert 'id="id_email_error"' in html
    assert 'id="id_email_helptext"' in html
    assert '<div class="form-errors" role="alert" tabindex="-1">' in html
    assert '<a href="#id_email">' in html
    assert 'value="typed@"' in html


APPLE = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {APPLE} Chrome/140.0.0.0 Safari/537.36", "Chrome, Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0) {APPLE} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge, Windows"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {APPLE} Version/18.0 Safari/604.1", "Safari, iPhone"),
        (f"Mozilla/5.0 (Linux; Android 14) {APPLE} SamsungBrowser/25.0 Chrome/121.0", "Samsung Internet, Android"),
        ("curl/8.9", ""),
    ],
)
def test_it_says_browser_and_system_in_words(user_agent: str, expected: str) -> None:
    assert device(user_agent) == expected
