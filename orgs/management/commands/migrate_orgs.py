"""Migrate every org's schema: the SQL is computed once, then applied org by org."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orgs.models import Org
from orgs.schemas import migrate_orgs


class Command(BaseCommand):
    help = "Bring every org's schema to this code's version. Resumable; a failed org is reported and tried next time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--jobs", type=int, default=1, help="orgs at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        done = 0

        def progress(org: Org) -> None:
            nonlocal done
            done += 1
            if options["verbosity"] > 1 or done % 100 == 0:
                self.stdout.write(f"{done} orgs, last {org.slug}, {time.monotonic() - started:.1f} s")

        report = migrate_orgs(jobs=options["jobs"], progress=progress)
        self.stdout.write(f"{report.migrated} orgs migrated in {time.monotonic() - started:.1f} s")
        if report.failed:
            lines = "\n".join(f"  {schema}: {reason}" for schema, reason in report.failed.items())
            raise CommandError(f"{len(report.failed)} orgs were not migrated:\n{lines}")
