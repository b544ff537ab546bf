"""Predict what a careful reader would conclude from a file of examples, and compare."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.playbook import evaluation


class Command(BaseCommand):
    help = "Read FILE.jsonl (any format of tests/evals) with a brain; print a report, or with --json one object a line."
    requires_system_checks: list[str] = []  # needs no database, no settings, no running installation

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="rows with an id; labels (`expect`) only matter to the report")
        parser.add_argument("--brain", choices=["playbook"], default="playbook")
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="predictions only: id and fields of expect"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rows = _rows(options["file"])
        report = evaluation.Report()
        for row in rows:
            try:
                prediction = evaluation.predict(row)
            except ValueError as error:
                raise CommandError(f"{row.get('id')}: {error}") from error
            if options["as_json"]:
                self.stdout.write(json.dumps(prediction, ensure_ascii=False))
            report.add(row, prediction)
        if not options["as_json"]:
            self.stdout.write("\n".join(report.lines()))


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CommandError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise CommandError(f"{path}, line {number}: not an object")
        if "doc_set" in row:
            row["document"] = _document(path, row)
        rows.append(row)
    return rows


def _document(path: Path, row: dict[str, Any]) -> str:
    """The text a knowledge question is about: it lies beside the questions."""
    document = path.parent / f"{Path(str(row['doc_set'])).name}.txt"
    try:
        return document.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{row.get('id')}: {document.name} cannot be read: {error.strerror}") from error
