"""What people do for a lead's rights (LGPD, PRODUCT 8): leave them alone, write to them again, show what we keep.

Who says that a lead asked for something says how they did: that is the proof, kept with the time and the person.
"""

import json

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from conversations import erasure, intake
from conversations.models import Contact
from orgs import audit
from orgs.context import current_org
from orgs.models import Person


@transaction.atomic
def opt_out(contact: Contact, note: str, person: Person, *, request: HttpRequest | None = None) -> bool:
    """They asked a person to be left alone: nothing leaves any more, on any number. Out: False if it was so already."""
    ours = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    if ours.opted_out_at is not None:
        return False
    intake.opt_out(ours, None, person_id=person.pk, note=note)
    _note(audit.Action.CONTACT_OPTED_OUT, contact, person, request)
    return True


@transaction.atomic
def opt_back(contact: Contact, note: str, person: Person, *, request: HttpRequest | None = None) -> bool:
    """They told a person that they want to be written to again. Out: False when that was so already."""
    ours = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    if ours.opted_out_at is None:
        return False
    intake.opt_back(ours, None, person_id=person.pk, note=note)
    _note(audit.Action.CONTACT_OPTED_BACK, contact, person, request)
    return True


@transaction.atomic
def export(contact: Contact, person: Person, *, request: HttpRequest | None = None) -> str:
    """Everything we keep of them, as JSON by model, for the lead who asks for it. Recorded."""
    kept = erasure.export(contact)
    _note(audit.Action.CONTACT_EXPORTED, contact, person, request)
    return json.dumps(
        {"exported_at": timezone.now(), "kept_elsewhere": list(erasure.OUTSIDE), "data": kept},
        cls=DjangoJSONEncoder, ensure_ascii=False, indent=1,
    )  # fmt: skip


def _note(action: audit.Action, contact: Contact, person: Person, request: HttpRequest | None) -> None:
    org = current_org()
    audit.record(action, request=request, org=org, person=person, target=f"contact:{contact.pk}")
