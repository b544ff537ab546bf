"""Start the deletion of an org, take it back, or delete now what is due."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orgs import deletion
from orgs.models import Org, Refused


class Command(BaseCommand):
    help = "Close an org and delete it after the grace of thirty days; its owners are told and can restore it."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("slug", nargs="?", help="the org's address")
        what.add_argument("--purge", action="store_true", help="really delete the orgs whose grace is over, now")
        parser.add_argument("--restore", action="store_true", help="take the deletion back")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["purge"]:
            for slug in deletion.purge():
                self.stdout.write(f"{slug}: deleted")
            return
        org = Org.objects.filter(slug=options["slug"]).first()
        if org is None:
            raise CommandError(f"No org has the address {options['slug']}.")
        try:
            if options["restore"]:
                org.cancel_deletion(by=None)
            else:
                org.request_deletion(by=None)
        except Refused as refused:
            raise CommandError(str(refused)) from None
        due = f", due {org.delete_after:%Y-%m-%d %H:%M} UTC" if org.delete_after else ""
        self.stdout.write(f"{org.slug}: {org.status}{due}")
