"""Every text of ours reads in Portuguese and Spanish, with the same placeholders, and the compiled files are fresh."""

import re
from pathlib import Path

import allauth
import pytest
from babel.messages import Catalog
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils import translation

from sdr.borrowed_texts import BORROWED
from sdr.management.commands import messages

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|<[^<>]+>")
HOW = "run `make messages`, translate the empty msgstr lines of locale/, run it again"


@pytest.fixture(scope="module")
def template() -> Catalog:
    return messages.collect(Path(settings.BASE_DIR))


@pytest.mark.parametrize("locale", messages.LOCALES)
def test_it_translates_every_text(template: Catalog, locale: str) -> None:
    assert len(template) > 100
    assert messages.untranslated(messages.updated(locale, template)) == [], HOW


@pytest.mark.parametrize("locale", messages.LOCALES)
def test_the_committed_catalog_is_what_the_code_says(template: Catalog, locale: str) -> None:
    assert messages.po_path(locale).read_bytes() == messages.po_bytes(messages.updated(locale, template)), HOW


@pytest.mark.parametrize("locale", messages.LOCALES)
def test_the_compiled_catalog_is_fresh(locale: str) -> None:
    assert messages.mo_path(locale).read_bytes() == messages.mo_bytes(committed_catalog(locale)), HOW


@pytest.mark.parametrize("locale", messages.LOCALES)
def test_translations_keep_placeholders_and_tags(locale: str) -> None:
    wrong = []
    for message in committed_catalog(locale):
        if not message.id:
            continue
        ours = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
        theirs = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        wanted = sorted(PLACEHOLDER.findall(ours[-1]))
        # The singular may say "one" in words.
        wrong += [text for text in theirs[-1:] if sorted(PLACEHOLDER.findall(text)) != wanted]
        wrong += [text for text in theirs[:-1] if not set(PLACEHOLDER.findall(text)) <= set(wanted)]
    assert wrong == []


@pytest.mark.parametrize("locale", messages.LOCALES)
def test_translations_keep_spaces_and_line_breaks_at_the_ends(locale: str) -> None:
    def ends(text: str) -> tuple[str, str]:
        return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]

    pairs = [(m.id, m.string) for m in committed_catalog(locale) if m.id and isinstance(m.id, str)]
    assert [theirs for ours, theirs in pairs if ends(ours) != ends(str(theirs))] == []


def test_a_text_that_nobody_translated_is_noticed() -> None:
    catalog = Catalog(locale="es")
    catalog.add("Sign in", "Entrar")
    catalog.add("Sign out", "")
    catalog.add("Perhaps", "Quizás", flags=["fuzzy"])
    catalog.add(("%(count)s person", "%(count)s people"), ("una persona", ""))
    assert messages.untranslated(catalog) == ["Sign out", "Perhaps", "%(count)s person"]


def test_texts_of_templates_and_code_are_collected(tmp_path: Path) -> None:
    (tmp_path / "orgs").mkdir()
    (tmp_path / "orgs" / "verbs.py").write_text('raise Refused(_("Only owners may."))\n', "utf-8")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(
        '<p>\n    {% translate "Hello" %}\n  {% blocktranslate trimmed count n=people %}\n  {{ n }} person'
        "\n  {% plural %}\n  {{ n }} people\n{% endblocktranslate %}</p>",
        "utf-8",
    )
    found = {message.id for message in messages.collect(tmp_path) if message.id}
    assert found == {"Only owners may.", "Hello", ("%(n)s person", "%(n)s people")}


@pytest.mark.parametrize(("language", "word"), [("pt-br", "Sair"), ("es", "Cerrar sesión"), ("en", "Sign out")])
def test_django_reads_them(language: str, word: str) -> None:
    with translation.override(language):
        assert translation.gettext("Sign out") == word


def committed_catalog(locale: str) -> Catalog:
    with messages.po_path(locale).open("rb") as file:
        return read_po(file, locale=locale)


def test_texts_borrowed_from_allauth_are_still_its_own() -> None:
    path = Path(allauth.__file__).parent / "locale" / "es" / "LC_MESSAGES" / "django.po"
    with path.open("rb") as file:
        theirs = {message.id for message in read_po(file)}
    assert [text for text in BORROWED if text not in theirs] == []


def test_our_words_win_over_allauths() -> None:
    with translation.override("es"):
        assert translation.gettext("Forgot your password?") == "¿Olvidaste la contraseña?"
