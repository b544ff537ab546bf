"""Fill the demo with its story, and say who can sign in."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orgs import demo


class Command(BaseCommand):
    help = "Make the demo's orgs and people unless they are there, and print how to sign in. Never in production."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.IS_LOCAL:
            raise CommandError("The demo's password is public: seed_demo works with ENVIRONMENT=development only.")
        demo.seed()
        self.stdout.write("\n".join(demo.sign_in_lines()))
