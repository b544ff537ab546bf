"""Suspend an org, or end its suspension."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orgs.models import Org, Refused


class Command(BaseCommand):
    help = "Close an org to its members, who read the reason; --lift opens it again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--reason", help="what the members read, at most 200 characters")
        what.add_argument("--lift", action="store_true", help="end the suspension")

    def handle(self, *args: Any, **options: Any) -> None:
        org = Org.objects.filter(slug=options["slug"]).first()
        if org is None:
            raise CommandError(f"No org has the address {options['slug']}.")
        try:
            if options["lift"]:
                org.unsuspend()
            else:
                org.suspend(options["reason"])
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{org.slug}: {org.status}")
