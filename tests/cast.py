"""The fixed cast. Acme: Ana owns, Davi administers, Beto sells, Vera only looks. Globex: Carla, who sees no Acme."""

from allauth.account.models import EmailAddress

from orgs.models import Membership, Org, Person, Role
from orgs.schemas import provision

PASSWORD = "correct-horse-battery"
ACME = {"ana": Role.OWNER, "davi": Role.ADMIN, "beto": Role.SDR, "vera": Role.VIEWER}
GLOBEX = {"carla": Role.OWNER}


def make() -> None:
    """Both orgs with their schemas and people, committed (into the template database)."""
    for slug, people in {"acme": ACME, "globex": GLOBEX}.items():
        org = provision(Org(slug=slug, name=slug.capitalize(), name_folded=slug))
        for name, role in people.items():
            person = make_person(name)
            Membership.objects.create(org=org, person=person, role=role)


def make_person(name: str, **fields: object) -> Person:
    """A person with a verified address `<name>@example.com` and the password above."""
    person = Person.objects.create_user(f"{name}@example.com", PASSWORD, name=name.capitalize(), **fields)
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    return person
