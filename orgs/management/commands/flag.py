"""Feature flags from the command line: what is on, and changes that are audited like those of the staff pages."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orgs import flags
from orgs.models import Flag, FlagOverride, Org

WORDS = {"on": 100, "off": 0}


class Command(BaseCommand):
    help = "List feature flags, or set one: a percentage of orgs, one org's override, or back to the default."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="every flag with its default, percentage and overrides")
        setter = verbs.add_parser("set", help="change one flag")
        setter.add_argument("name", choices=sorted(settings.FEATURES))
        setter.add_argument("value", help="on, off, default, or a percentage from 0 to 100")
        setter.add_argument("--org", metavar="SLUG", help="for this org only (on, off or default)")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "list":
            self.list_flags()
        elif options["org"]:
            self.set_override(options["name"], options["value"], slug=options["org"])
        else:
            self.set_percentage(options["name"], options["value"])

    def list_flags(self) -> None:
        percentages = dict(Flag.objects.values_list("name", "percentage"))
        for name in sorted(settings.FEATURES):
            share = f"{percentages[name]} %" if name in percentages else "-"
            self.stdout.write(f"{name}  default {word(flags.default_of(name))}  percentage {share}")
            for override in FlagOverride.objects.filter(name=name).select_related("org").order_by("org__slug"):
                self.stdout.write(f"  {override.org.slug}: {word(override.is_on)}")

    def set_override(self, name: str, value: str, *, slug: str) -> None:
        org = Org.objects.filter(slug=slug.lower()).first()
        if org is None:
            raise CommandError(f"There is no org {slug}.")
        if value == "default":
            flags.clear_override(name, org)
        elif value in {"on", "off"}:
            flags.set_override(name, org, is_on=value == "on")
        else:
            raise CommandError("For one org the value is on, off or default.")
        self.stdout.write(f"{name} for {org.slug}: {value}")

    def set_percentage(self, name: str, value: str) -> None:
        if value == "default":
            flags.clear_percentage(name)
        else:
            try:
                flags.set_percentage(name, WORDS[value] if value in WORDS else int(value))
            except ValueError:
                raise CommandError("The value is on, off, default, or a whole number from 0 to 100.") from None
        self.stdout.write(f"{name}: {value}")


def word(is_on: bool) -> str:
    return "on" if is_on else "off"
