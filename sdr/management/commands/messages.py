"""Collects the texts to translate from our code and templates, and compiles what was translated; no GNU gettext."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation.template import templatize

CODE = ("sdr", "orgs", "conversations", "calendar_sync", "billing", "integrations")
TEMPLATES = "templates"
LOCALES = ("pt_BR", "es")  # the source language is English
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # a date that changed by itself would make every run a difference


class Command(BaseCommand):
    """`manage.py messages`: update locale/*/LC_MESSAGES/django.po and compile; `--check` only says what is stale."""

    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; fail when something is missing or stale"
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        template = collect(Path(settings.BASE_DIR))
        problems: list[str] = []
        for locale in LOCALES:
            catalog = updated(locale, template)
            missing = untranslated(catalog)
            problems += [f"{locale}: {text}" for text in missing]
            if check:
                if po_path(locale).read_bytes() != po_bytes(catalog):
                    problems.append(f"{locale}: django.po is not what the code says; run `make messages`.")
                if mo_path(locale).read_bytes() != mo_bytes(catalog):
                    problems.append(f"{locale}: django.mo is stale; run `make messages`.")
                continue
            po_path(locale).parent.mkdir(parents=True, exist_ok=True)
            po_path(locale).write_bytes(po_bytes(catalog))
            mo_path(locale).write_bytes(mo_bytes(catalog))
            self.stdout.write(f"{locale}: {len(catalog)} texts, {len(missing)} to translate")
        if check and problems:
            raise CommandError("\n".join(problems))


def po_path(locale: str) -> Path:
    return Path(settings.BASE_DIR) / "locale" / locale / "LC_MESSAGES" / "django.po"


def mo_path(locale: str) -> Path:
    return po_path(locale).with_suffix(".mo")


def collect(base: Path) -> Catalog:
    """All texts of our Python files and templates below `base`, with the files they are in."""
    catalog = Catalog(charset="utf-8")
    for path in sources(base):
        text = path.read_text("utf-8")
        if path.suffix != ".py":
            # Lines without indentation: what templatize leaves is meant for a tokeniser, not for a parser.
            text = "\n".join(line.lstrip() for line in templatize(text).splitlines())
        for _line, message, comments, context in extract(
            "python",
            io.BytesIO(text.encode()),
            keywords=KEYWORDS,
            comment_tags=["Translators:"],
            strip_comment_tags=True,
        ):
            catalog.add(
                message, locations=[(path.relative_to(base).as_posix(), 0)], auto_comments=comments, context=context
            )
    return catalog


def sources(base: Path) -> Iterator[Path]:
    for app in CODE:
        yield from sorted(path for path in (base / app).rglob("*.py") if "migrations" not in path.parts)
    yield from sorted(path for path in (base / TEMPLATES).rglob("*") if path.suffix in {".html", ".txt"})


def updated(locale: str, template: Catalog) -> Catalog:
    """The committed translations of the texts in `template`; texts that are gone are dropped, new ones are empty."""
    path = po_path(locale)
    with path.open("rb") if path.exists() else io.BytesIO() as file:
        catalog = read_po(file, locale=locale)
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def untranslated(catalog: Catalog) -> list[str]:
    """Texts without a translation, or with one that is marked as doubtful."""
    found = []
    for message in catalog:
        texts = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        if message.id and (message.fuzzy or not all(texts)):
            found.append(message.id if isinstance(message.id, str) else message.id[0])
    return found


def po_bytes(catalog: Catalog) -> bytes:
    """The .po file: sorted by file, without line numbers (each edit would change them) and without dates."""
    settle(catalog)
    out = io.BytesIO()
    write_po(out, catalog, width=120, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    return out.getvalue()


def mo_bytes(catalog: Catalog) -> bytes:
    settle(catalog)
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def settle(catalog: Catalog) -> None:
    catalog.fuzzy = False  # the header is no guess
    catalog.project, catalog.version = settings.BRAND, ""
    catalog.creation_date = catalog.revision_date = EPOCH
    catalog.last_translator = catalog.language_team = "Qify SDR"
    catalog.header_comment = "# Translations of Qify SDR. Written by `make messages`; translate the empty msgstr lines."
