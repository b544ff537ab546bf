"""Export or erase everything that is kept of one contact (LGPD 18)."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from conversations import erasure
from conversations.models import Alias, Contact
from orgs.context import in_org
from orgs.models import Org
from sdr.lib import phone


class Command(BaseCommand):
    help = "Prints what is kept of a contact as JSON; with --yes it is erased instead. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--org", required=True, metavar="SLUG")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--phone", help="with the country's code")
        who.add_argument("--contact", type=int, metavar="ID")
        parser.add_argument("--yes", action="store_true", help="erase; it cannot be undone")

    def handle(self, *args: Any, **options: Any) -> None:
        org = Org.objects.filter(slug=options["org"]).first()
        if org is None:
            raise CommandError(f"No org has the address {options['org']}.")
        with in_org(org):
            contact = self._find(options)
            if not options["yes"]:
                kept = erasure.export(contact)
                self.stdout.write(json.dumps(kept, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
                return
            counts = erasure.erase(contact)
        for model, count in sorted(counts.items()):
            if count:
                self.stdout.write(f"{model}: {count}")
        for place in erasure.OUTSIDE:
            self.stdout.write(f"Not ours to erase: {place}.")

    def _find(self, options: dict[str, Any]) -> Contact:
        if options["contact"] is not None:
            found = Contact.objects.filter(pk=options["contact"]).first()
        else:
            number = phone.canonical(options["phone"]) or ""
            alias = Alias.objects.filter(sort=Alias.Sort.PHONE, value=number).select_related("contact").first()
            found = alias.contact if alias else None
        if found is None:
            raise CommandError("There is no such contact.")
        return found
