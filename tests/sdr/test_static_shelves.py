"""Stylesheets and scripts: what lies on the shelf is linked, what is linked lies there, and hashed names still work."""

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import override_settings

STATIC = settings.BASE_DIR / "sdr" / "static"
LAYOUTS = settings.BASE_DIR / "templates" / "layouts"
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(|\boklch\((?!var\()")
TOKENS = {"_global.css", "print.css"}  # print sets the tokens to black on white


def linked(layout: str, pattern: str) -> list[str]:
    return re.findall(pattern, (LAYOUTS / layout).read_text("utf-8"))


def test_it_links_every_stylesheet_once() -> None:
    assert sorted(linked("_head.html", r'static "css/([^"]+)"')) == sorted(
        file.name for file in (STATIC / "css").glob("*.css")
    )


def test_it_maps_and_imports_every_element() -> None:
    elements = sorted(file.stem for file in (STATIC / "js" / "elements").glob("*.js"))
    assert sorted(linked("_scripts.html", r'static "js/elements/([^"]+)\.js"')) == elements
    assert (
        sorted(re.findall(r'^import "elements/([^"]+)"$', (STATIC / "js" / "app.js").read_text("utf-8"), re.MULTILINE))
        == elements
    )


@pytest.mark.parametrize("file", sorted((STATIC / "js" / "elements").glob("*.js")), ids=lambda file: file.stem)
def test_it_defines_each_element_under_the_name_of_its_file(file: Path) -> None:
    assert re.findall(r'customElements\.define\("([^"]+)"', file.read_text("utf-8")) == [file.stem]


@pytest.mark.parametrize("file", sorted((STATIC / "css").glob("*.css")), ids=lambda file: file.name)
def test_it_keeps_raw_colours_to_the_tokens(file: Path) -> None:
    css = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
    assert file.name in TOKENS or COLOUR.findall(css) == []
    assert re.match(r"\s*@layer ", css), "a rule outside the layers would beat them all"


def test_it_gives_dark_the_same_triples_by_choice_and_by_device() -> None:
    css = (STATIC / "css" / "_global.css").read_text("utf-8")
    chosen, device = re.findall(r"(?:html\[data-theme=\"dark\"\]|html:not\(\[data-theme\]\)) \{(.*?)\}", css, re.DOTALL)
    assert chosen.split() == device.split()


def test_it_vendors_what_it_says_it_vendors() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$",
        (STATIC / "vendor" / "VENDORED.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert {name: hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() for name, _ in rows} == dict(rows)
    assert {name for name, _ in rows} == {file.name for file in (STATIC / "vendor").glob("*.js")}
    assert linked("_scripts.html", r'static "vendor/([^"]+)"') == [name for name, _ in rows]


def test_it_hashes_every_name_and_keeps_every_reference(tmp_path: Path) -> None:
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    with override_settings(STATIC_ROOT=str(tmp_path), STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)
    names = {file.name for file in tmp_path.rglob("*")}
    assert any(re.fullmatch(r"app\.[0-9a-f]{12}\.js", name) for name in names)
    assert any(re.fullmatch(r"app\.[0-9a-f]{12}\.js\.br", name) for name in names)


def test_it_finds_every_static_file_that_a_template_names() -> None:
    files = [*(settings.BASE_DIR / "templates").rglob("*.html")]
    names = {
        name for file in files for name in re.findall(r"""{% static ["']([^"']+)["'] %}""", file.read_text("utf-8"))
    }
    assert names
    assert {name for name in names if finders.find(name) is None} == set()
