"""Predict what a careful reader would conclude from a file of examples, and compare."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from conversations import examination
from conversations.playbook import evaluation
from conversations.ports import Brain, Context, Decision

AT_ONCE = 8  # rows asked about by a brain that waits for somebody


class Command(BaseCommand):
    help = "Read FILE.jsonl (any format of tests/evals) with a brain; print a report, or with --json one object a line."
    requires_system_checks: list[str] = []  # needs no database, no settings, no running installation

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="rows with an id; labels (`expect`) only matter to the report")
        parser.add_argument("--brain", choices=sorted({"playbook", *settings.SDR_BRAINS}), default="playbook")
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="predictions only: id and fields of expect"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rows = _rows(options["file"])
        report = evaluation.Report()
        predictions = predicted(rows) if options["brain"] == "playbook" else self._asked(rows, options["brain"])
        for row, prediction in zip(rows, predictions, strict=True):
            if options["as_json"]:
                self.stdout.write(json.dumps(prediction, ensure_ascii=False))
            report.add(row, prediction)
        if not options["as_json"]:
            self.stdout.write("\n".join(report.lines()))

    def _asked(self, rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
        """By a brain that asks somebody: a few rows at once. What it could not ask is said on standard error."""
        brain: Brain = import_string(settings.SDR_BRAINS[name])()
        if brain.name != name:
            raise CommandError(f"The brain {name} is not configured: its key is missing.")
        others: list[str] = []

        async def decide(context: Context) -> Decision:
            decision = await brain.decide(context)
            if decision.brain != name:
                others.append(decision.brain)
            return decision

        async def all_rows() -> list[dict[str, Any]]:
            room = asyncio.Semaphore(AT_ONCE)

            async def one(row: dict[str, Any]) -> dict[str, Any]:
                async with room:
                    return await examined(row, decide)

            return list(await asyncio.gather(*(one(row) for row in rows)))

        found = asyncio.run(all_rows())
        if others:
            self.stderr.write(f"Decisions that are not by {name}: {len(others)}, by {', '.join(sorted(set(others)))}.")
        return found


def predicted(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """By the offline brain, one by one."""
    for row in rows:
        try:
            yield evaluation.predict(row)
        except ValueError as error:
            raise CommandError(f"{row.get('id')}: {error}") from error


async def examined(row: dict[str, Any], decide: examination.Decide) -> dict[str, Any]:
    try:
        return await examination.predict(row, decide)
    except ValueError as error:
        raise CommandError(f"{row.get('id')}: {error}") from error


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
