"""Markup helpers for every template: `{% icon %}`, `{% time %}`, `{% active %}`. None of them asks the database."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from django import template
from django.forms import BoundField
from django.template import Context
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from sdr.lib.undo import UndoForm, undo_form

register = template.Library()

ICON_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FLASH_ICONS: Mapping[str, str] = {"success": "check", "info": "info", "warning": "alert", "error": "alert"}
# The first that fits wins: browsers name those they descend from.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
TIME_STYLES = {
    "datetime": "DATETIME_FORMAT",
    "date": "DATE_FORMAT",
    "clock": "TIME_FORMAT",
    "relative": "DATETIME_FORMAT",
    "left": "TIME_FORMAT",
}


@register.simple_tag
def icon(name: str, *, label: str = "") -> SafeString:
    """A drawing of `layouts/_sprite.svg` in the colour and size of the text (STYLE E5).

    Without a label it is decoration, hidden from assistive technology; with one it is an image of that name.
    Raises ValueError for a name that could not be a symbol's id. tests/sdr/test_icons.py checks that it is drawn.
    """
    if not ICON_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an icon.")
    if label:
        return format_html('<svg class="icon" role="img"><title>{}</title><use href="#icon-{}"/></svg>', label, name)
    return format_html('<svg class="icon" aria-hidden="true" focusable="false"><use href="#icon-{}"/></svg>', name)


@register.simple_tag
def flash_icon(level: str) -> SafeString:
    """The drawing for a message of django.contrib.messages, by its level tag; anything unknown is information."""
    return icon(FLASH_ICONS.get(level, "info"))


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """The input of a form's field, with the attributes Django gives it but without a placeholder.

    A placeholder goes away with the first key and is too pale to read: we say it in the label or in the help text.
    """
    return field.as_widget(attrs={"placeholder": False})


@register.simple_tag(name="time")
def time_element(value: date | datetime | None, style: str = "datetime") -> SafeString:
    """A moment as `<time>` in UTC, shown in the reader's own time zone by <local-time> (STYLE E4).

    `style` is datetime, date, clock (the hour alone, below a heading with the day), relative, or left (counts the
    seconds down). Without scripts the
    text is in Django's current time zone, which it names when that is UTC. A plain date is the same day everywhere and
    is not converted. None gives the empty string. Raises ValueError for a naive datetime: nobody knows when that is.
    """
    if style not in TIME_STYLES:
        raise ValueError(f"{style!r} is not a way to show a time; use one of {sorted(TIME_STYLES)}.")
    if value is None:
        return mark_safe("")
    if not isinstance(value, datetime):
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), date_format(value, "DATE_FORMAT"))
    if timezone.is_naive(value):
        raise ValueError("A time shown to people needs a time zone.")
    local = timezone.localtime(value)
    text = date_format(local, TIME_STYLES[style])
    if style != "date" and not local.utcoffset():
        text = f"{text} UTC"
    stamp = value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return format_html('<local-time data-style="{}"><time datetime="{}">{}</time></local-time>', style, stamp, text)


@register.simple_tag(takes_context=True)
def active(context: Context, path: str, *, exact: bool = False) -> SafeString:
    """`aria-current` for a link: "page" on that very page, "true" on a page below it unless `exact`; else nothing."""
    request = context.get("request")
    if request is None or not path:
        return mark_safe("")
    if request.path == path:
        return mark_safe('aria-current="page"')
    if not exact and request.path.startswith(path):
        return mark_safe('aria-current="true"')
    return mark_safe("")


@register.filter
def undo(tags: str | None) -> UndoForm | None:
    """The form that takes back what a message tells of, from the message's `extra_tags`; None for most."""
    return undo_form(tags)


@register.filter
def device(user_agent: str | None) -> str:
    """Browser and system in words ("Firefox, Android") from a User-Agent header; "" when neither is known."""
    user_agent = user_agent or ""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    return ", ".join(filter(None, (browser, system)))
