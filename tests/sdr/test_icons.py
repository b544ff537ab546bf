"""Every icon a page asks for is drawn in the sprite, and nothing is drawn that nobody asks for (STYLE E5)."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Template

from conversations.news import ICONS
from sdr.context_processors import NAV
from sdr.templatetags.ui import FLASH_ICONS

TEMPLATES = settings.BASE_DIR / "templates"
SPRITE = TEMPLATES / "layouts" / "_sprite.svg"
# `{% icon "x" %}` itself, and `icon="x"` handed to a fragment that draws it.
ASKED = re.compile(r"""\bicon(?:=|\s+)["']([^"']+)["']""")


def drawn() -> list[str]:
    return re.findall(r'<symbol id="icon-([^"]+)"', SPRITE.read_text("utf-8"))


def asked() -> set[str]:
    files: list[Path] = [*TEMPLATES.rglob("*.html"), *settings.BASE_DIR.glob("*/templates/**/*.html")]
    in_templates = {name for file in files for name in ASKED.findall(file.read_text("utf-8"))}
    return in_templates | {entry.icon for entry in NAV} | set(FLASH_ICONS.values()) | set(ICONS.values())


def test_it_draws_every_icon_that_is_asked_for() -> None:
    assert asked() - set(drawn()) == set()


def test_it_draws_nothing_that_nobody_asks_for() -> None:
    assert set(drawn()) - asked() == set()


def test_it_keeps_the_drawings_sorted_and_single() -> None:
    assert drawn() == sorted(set(drawn()))


def test_it_paints_with_the_colour_of_the_text_only() -> None:
    assert re.findall(r'\b(?:fill|stroke|style|class)="(?!sprite)[^"]*"', SPRITE.read_text("utf-8")) == []


def test_it_hides_an_icon_without_a_label() -> None:
    html = Template('{% icon "check" %}').render(Context())
    assert html == '<svg class="icon" aria-hidden="true" focusable="false"><use href="#icon-check"/></svg>'


def test_it_names_an_icon_with_a_label() -> None:
    html = Template("{% icon 'check' label=label %}").render(Context({"label": "Done & <safe>"}))
    assert html == '<svg class="icon" role="img"><title>Done &amp; &lt;safe&gt;</title><use href="#icon-check"/></svg>'


def test_it_refuses_a_name_that_is_not_one() -> None:
    with pytest.raises(ValueError, match="not the name of an icon"):
        Template("{% icon name %}").render(Context({"name": '"><script>'}))
