"""The queues from the command line: how they stand, what was given up, and bringing it back."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from orgs import backlog, bell
from orgs.models import Due, Org

SHOWN = 200  # dead letters


class Command(BaseCommand):
    help = "status: rows by kind, shifts, invariants. dead: what was given up, and why. replay: bring it back, due now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["status", "dead", "replay"])
        parser.add_argument("--kind", default="", help="only rows of this kind")
        parser.add_argument("--org", metavar="SLUG", help="only rows of this org")
        parser.add_argument("--json", action="store_true", help="print JSON and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        org = None
        if options["org"]:
            org = Org.objects.filter(slug=options["org"].lower()).first()
            if org is None:
                raise CommandError(f"There is no org {options['org']}.")
        if options["verb"] == "status":
            if org is not None or options["kind"]:
                raise CommandError("status is about all orgs and kinds.")
            self.tell_status(backlog.state(), as_json=options["json"])
            return
        rows = backlog.dead(kind=options["kind"], org=org)
        if options["verb"] == "dead":
            self.tell_dead(list(rows[:SHOWN]), count=rows.count(), as_json=options["json"])
            return
        count = backlog.replay(rows)
        bell.ring()
        self.stdout.write(json.dumps({"replayed": count}) if options["json"] else f"{count} brought back.")

    def tell_status(self, state: backlog.State, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(state.as_json(), cls=DjangoJSONEncoder))
            return
        self.stdout.write(f"{'kind':<16}{'due':>8}{'in work':>9}{'ahead':>8}{'later':>8}{'dead':>7}{'oldest':>9}")
        for kind in state.kinds:
            self.stdout.write(
                f"{kind.kind:<16}{kind.due:>8}{kind.leased:>9}{kind.ahead:>8}{kind.later:>8}{kind.dead:>7}"
                f"{kind.oldest_seconds:>8.1f}s"
            )
        self.stdout.write(f"webhooks not read yet: {state.received}; shifts at work: {state.shifts}")
        for name, at in state.beats.items():
            self.stdout.write(f"last sign of {name}: {at:%Y-%m-%d %H:%M:%S} UTC")
        counted = f"{state.counted_at:%Y-%m-%d %H:%M:%S} UTC" if state.counted_at else "never"
        found = ", ".join(f"{name} {count}" for name, count in state.invariants.items()) or "nothing"
        self.stdout.write(f"what must be 0, counted {counted}: {found}")

    def tell_dead(self, rows: list[Due], *, count: int, as_json: bool) -> None:
        slugs = dict(Org.objects.filter(pk__in={row.org_id for row in rows}).values_list("pk", "slug"))
        if as_json:
            letters = [
                {
                    "org": slugs.get(row.org_id), "kind": row.kind, "ref": row.ref, "dead_at": row.dead_at,
                    "attempts": row.attempts, "reason": row.last_error,
                }
                for row in rows
            ]  # fmt: skip
            self.stdout.write(json.dumps({"count": count, "rows": letters}, cls=DjangoJSONEncoder))
            return
        for row in rows:
            self.stdout.write(
                f"{row.dead_at:%Y-%m-%d %H:%M:%S} {slugs.get(row.org_id, f'org {row.org_id}')} {row.kind} {row.ref}"
                f" after {row.attempts}: {row.last_error}"
            )
        self.stdout.write(f"{count} dead letters" + (f", the newest {SHOWN} shown." if count > len(rows) else "."))
