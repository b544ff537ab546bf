"""A person founds an org: schema, row, ownership and the record of it, whole or not at all (PRODUCT 3)."""

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from orgs import audit
from orgs.models import Membership, Org, Person, Role
from orgs.models.org import fold
from orgs.schemas import provision
from orgs.slugs import SLUG_CHARS, suggest_slug

SLUG_CONSTRAINT = "orgs_org_slug"
TRIES = 50  # numbered addresses that are looked at before we stop suggesting
ZONES = {  # of the language and country a browser asks for, where most of its people live
    "pt-br": "America/Sao_Paulo",
    "pt-pt": "Europe/Lisbon",
    "es-es": "Europe/Madrid",
    "es-mx": "America/Mexico_City",
    "es-ar": "America/Argentina/Buenos_Aires",
    "es-co": "America/Bogota",
    "es-cl": "America/Santiago",
    "es-pe": "America/Lima",
    "es-uy": "America/Montevideo",
    "es-py": "America/Asuncion",
    "es-ec": "America/Guayaquil",
    "en-us": "America/New_York",
    "en-gb": "Europe/London",
    "en-ca": "America/Toronto",
}
DEFAULT_ZONE = "America/Sao_Paulo"


class SlugTaken(Exception):
    """Another org has this address, perhaps only just now."""


def found_org(
    person: Person, name: str, *, slug: str, language: str, time_zone: str, request: HttpRequest | None = None
) -> Org:
    """Make an org that the person owns, with its schema, in one transaction.

    In: validated values (`orgs.slugs`, an IANA zone). Raises SlugTaken, and then nothing was made: of two who ask for
    one address at the same time the second waits for the first and gets this.
    """
    org = Org(name=name, name_folded=fold(name), slug=slug, language=language, time_zone=time_zone)
    try:
        with transaction.atomic():
            provision(org)
            Membership.objects.create(org=org, person=person, role=Role.OWNER)
            Person.objects.filter(pk=person.pk).update(last_org=org)
            audit.record(audit.Action.ORG_CREATED, request=request, org=org, person=person, target=f"org:{org.pk}")
    except IntegrityError as error:
        if SLUG_CONSTRAINT in str(error):
            raise SlugTaken(slug) from None
        raise
    return org


def free_slug(name: str) -> str:
    """An address nobody has, made from the name: "aurora", else "aurora-2" and so on; empty when there is none."""
    wish = suggest_slug(name)
    if not wish:
        return ""
    numbered = [wish, *(f"{wish[: SLUG_CHARS - 4].rstrip('-')}-{number}" for number in range(2, TRIES))]
    taken = set(Org.objects.filter(slug__in=numbered).values_list("slug", flat=True))
    return next((slug for slug in numbered if slug not in taken), "")


def is_taken(slug: str) -> bool:
    return Org.objects.filter(slug=slug).exists()


def likely_zone(accept_language: str) -> str:
    """The time zone that goes with a browser's Accept-Language header."""
    for part in accept_language.lower().split(","):
        if zone := ZONES.get(part.partition(";")[0].strip()):
            return zone
    return DEFAULT_ZONE
