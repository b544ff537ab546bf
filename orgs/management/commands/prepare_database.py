"""Bring the database to this code's shape. Run it at every deployment, before the new processes start."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orgs.installation import prepare_database


class Command(BaseCommand):
    help = "Create, load or migrate the database: public first, then every org. Safe to repeat."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--jobs", type=int, default=1, help="orgs migrated at a time")
        parser.add_argument("--demo", action="store_true", help="afterwards seed the demo (seed_demo)")

    def handle(self, *args: Any, **options: Any) -> None:
        report = prepare_database(jobs=options["jobs"], say=self.stdout.write)
        if report.failed:
            lines = "\n".join(f"  {schema}: {reason}" for schema, reason in report.failed.items())
            raise CommandError(f"{len(report.failed)} orgs were not migrated; run this again:\n{lines}")
        if options["demo"]:
            call_command("seed_demo", stdout=self.stdout)
