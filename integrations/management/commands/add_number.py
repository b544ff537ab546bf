"""A number from the command line, for operators and tests: prints where its webhooks go."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.models import Number
from integrations.whatsapp.auth import Proof
from integrations.whatsapp.numbers import Provider, add_number, webhook_path
from orgs.models import Org, Refused


class Command(BaseCommand):
    help = "Add a WhatsApp number to an org and print the path that its webhooks are posted to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", metavar="SLUG", required=True)
        parser.add_argument("--name", required=True, help="what people call the number")
        parser.add_argument(
            "--auth", choices=[proof.value for proof in Proof], required=True, help="how webhooks prove themselves"
        )
        parser.add_argument("--secret", required=True, help="HMAC key, JWT key or token")
        parser.add_argument(
            "--mode", choices=Number.Mode.values, default=Number.Mode.ALL, help="how far the AI is live (all)"
        )
        parser.add_argument("--evolution-url", metavar="U", help="address of the Evolution API")
        parser.add_argument("--api-key", metavar="K", help="its key")
        parser.add_argument("--instance", metavar="I", default="", help="the number's name there")
        parser.add_argument("--json", action="store_true", help='print {"webhook_path": …} and nothing else')

    def handle(self, *args: Any, **options: Any) -> None:
        org = Org.objects.filter(slug=options["org"].lower()).first()
        if org is None:
            raise CommandError(f"There is no org {options['org']}.")
        try:
            address = add_number(
                org,
                options["name"],
                proof=Proof(options["auth"]),
                secret=options["secret"],
                mode=Number.Mode(options["mode"]),
                provider=self.provider(options),
            )
        except Refused as refused:
            raise CommandError(str(refused)) from None
        path = webhook_path(address)
        self.stdout.write(
            json.dumps({"webhook_path": path}) if options["json"] else f"Webhooks of {options['name']} go to {path}"
        )

    def provider(self, options: dict[str, Any]) -> Provider | None:
        url, key, instance = options["evolution_url"], options["api_key"], options["instance"]
        if not url and not key and not instance:
            return None
        if not (url and key and instance):
            raise CommandError("--evolution-url, --api-key and --instance are given together or not at all.")
        return Provider(url, key, instance)
