"""Who of us may use the staff pages. Only the command line gives and takes this."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orgs import staffing
from orgs.models import Person
from orgs.staffing import StaffRole

ROLES = {"support": StaffRole.SUPPORT, "lead": StaffRole.LEAD}


class Command(BaseCommand):
    help = "List support staff, give somebody a staff role, or take it away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="everybody with access to the staff pages")
        grant = verbs.add_parser("grant", help="support looks, lead also acts")
        grant.add_argument("email")
        grant.add_argument("role", choices=sorted(ROLES))
        revoke = verbs.add_parser("revoke", help="take access away and end the sessions")
        revoke.add_argument("email")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "list":
            for member in Person.objects.filter(is_staff=True).order_by("email"):
                self.stdout.write(f"{member.email}: {', '.join(sorted(staffing.roles_of(member))) or 'no role'}")
            return
        person = Person.objects.filter(email=options["email"].lower()).first()
        if person is None:
            raise CommandError(f"Nobody has the address {options['email']}; they sign up first.")
        if verb == "grant":
            staffing.grant(person, ROLES[options["role"]])
        else:
            staffing.revoke(person)
        self.stdout.write(f"{person.email}: {', '.join(sorted(staffing.roles_of(person))) or 'no role'}")
