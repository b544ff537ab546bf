"""Webhooks that nobody could use: how many there are, and another chance for them."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations import quarantine
from integrations.models import Quarantine
from orgs.models import Org


class Command(BaseCommand):
    help = "Queue an org's quarantined webhooks again, as if they had just come in; --count only counts them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", metavar="SLUG", required=True)
        parser.add_argument("--reason", choices=Quarantine.Reason.values, default="", help="only those (all)")
        parser.add_argument("--count", action="store_true", help="change nothing, tell how many there are by reason")
        parser.add_argument("--json", action="store_true", help="print JSON and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        org = Org.objects.filter(slug=options["org"].lower()).first()
        if org is None:
            raise CommandError(f"There is no org {options['org']}.")
        if options["count"]:
            counts = quarantine.counts_of(org)
        else:
            counts = asdict(quarantine.replay(org, reason=options["reason"]))
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        self.stdout.write(", ".join(f"{name}: {count}" for name, count in counts.items()) or "Nothing is quarantined.")
