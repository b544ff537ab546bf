"""No template of ours needs a hole in the content security policy."""

import re
from pathlib import Path

import pytest
from django.conf import settings

MAIL = re.compile(r"(^|/)mail/|/email/|layouts/_?mail\w*\.html$")  # mail programs know inline styles only
TEMPLATES = Path(settings.BASE_DIR) / "templates"
OURS = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
PAGES = [name for name in OURS if not MAIL.search(name) and not name.startswith("admin/")]
TEMPLATE_CODE = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def test_there_are_templates() -> None:
    assert len(PAGES) > 50


@pytest.mark.parametrize("name", PAGES)
def test_it_has_nothing_inline_without_a_nonce(name: str) -> None:
    text = (TEMPLATES / name).read_text("utf-8")
    for tag in re.findall(r"<script\b[^>]*>", text):
        assert "nonce=" in tag or 'type="application/json"' in tag, tag
    markup = TEMPLATE_CODE.sub("", text)
    assert not re.search(r"<style\b", markup)
    assert not re.search(r"<[a-z][^<>]*\sstyle\s*=", markup)
    assert not re.search(r"<[a-z][^<>]*\son[a-z]+\s*=", markup)
    assert "javascript:" not in markup
    assert not re.search(r"hx-(on|vals=.js:|vars)", markup)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//(?!www\.w3\.org)", markup), "something from another host"
