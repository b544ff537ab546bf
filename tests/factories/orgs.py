"""Orgs and people beyond the cast, for tests that need many or odd ones."""

import factory
from allauth.account.models import EmailAddress

from orgs.models import Invitation, Membership, Org, Person, Role
from orgs.models.people import hash_token, new_token
from orgs.schemas import provision
from tests.cast import PASSWORD


class PersonFactory(factory.django.DjangoModelFactory[Person]):  # type: ignore[misc]  # untyped library
    """Somebody with a confirmed address and the cast's password."""

    class Meta:
        model = Person

    name = factory.Sequence(lambda number: f"Person {number}")
    email = factory.Sequence(lambda number: f"person{number}@example.com")

    @classmethod
    def _create(cls, model_class: type[Person], *args: object, **fields: object) -> Person:
        email = str(fields.pop("email"))
        person = Person.objects.create_user(email, PASSWORD, **fields)
        EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
        return person


class OrgFactory(factory.django.DjangoModelFactory[Org]):  # type: ignore[misc]  # untyped library
    """An org with its schema; it has no members yet."""

    class Meta:
        model = Org

    name = factory.Sequence(lambda number: f"Org {number}")
    slug = factory.Sequence(lambda number: f"org-{number}")

    @classmethod
    def _create(cls, model_class: type[Org], *args: object, **fields: object) -> Org:
        return provision(Org(**fields))


class MembershipFactory(factory.django.DjangoModelFactory[Membership]):  # type: ignore[misc]  # untyped library
    class Meta:
        model = Membership

    org = factory.SubFactory(OrgFactory)
    person = factory.SubFactory(PersonFactory)
    role = Role.SDR


class InvitationFactory(factory.django.DjangoModelFactory[Invitation]):  # type: ignore[misc]  # untyped library
    """An open invitation; give `token` to know it."""

    class Meta:
        model = Invitation

    class Params:
        token = factory.LazyFunction(new_token)

    org = factory.SubFactory(OrgFactory)
    email = factory.Sequence(lambda number: f"guest{number}@example.com")
    role = Role.SDR
    token_hash = factory.LazyAttribute(lambda row: hash_token(row.token))
