"""The sheet of shortcuts names what works: keys of the script, and controls that carry one."""

import re

from django.conf import settings

TEMPLATES = settings.BASE_DIR / "templates"
SCRIPT = (settings.BASE_DIR / "sdr" / "static" / "js" / "elements" / "shortcut-keys.js").read_text("utf-8")
SHEET = (TEMPLATES / "layouts" / "_keys.html").read_text("utf-8")
# A control of one page has a key of its own; two in one file are two states of one place.
TWO_STATES = {"alt+t"}


def own_keys() -> set[str]:
    """Keys that the script knows without a control."""
    table = SCRIPT.split("const OWN = {", 1)[1].split("\n}\n", 1)[0]
    return set(re.findall(r'(?m)^  "([^"]+)": \(\) =>', table))


def keys_of_controls() -> list[str]:
    """Keys that controls of the templates carry, a key of one file once."""
    return [
        key
        for file in TEMPLATES.rglob("*.html")
        if file.name != "_keys.html"
        for key in set(re.findall(r'data-shortcut="([^"]+)"', file.read_text("utf-8")))
    ]


def test_the_sheet_names_the_keys_of_the_script_and_no_others() -> None:
    assert set(re.findall(r'data-shortcut="([^"]+)"', SHEET)) == own_keys()
    assert len(own_keys()) > 5


def test_no_key_means_two_things() -> None:
    controls = keys_of_controls()
    assert set(controls) & own_keys() == set()
    assert {key for key in controls if controls.count(key) > 1} - TWO_STATES == set()


def test_every_control_that_the_script_presses_is_somewhere() -> None:
    markup = "".join(file.read_text("utf-8") for file in TEMPLATES.rglob("*.html"))
    for name in re.findall(r'getElementById\("([^"]+)"\)', SCRIPT) + re.findall(r'"#([a-z-]+)"', SCRIPT):
        assert f'id="{name}"' in markup, name
    for name in ("inbox__row", "inbox-tabs__tab", "nav__link"):
        assert f".{name}" in SCRIPT
        assert f'class="{name}' in markup


def test_no_key_is_a_single_letter_while_somebody_types() -> None:
    assert [key for key in {*own_keys(), *keys_of_controls()} if len(key) == 1 and key.isalnum()] == []
