"""What people correct about a lead: facts, signals, answers that do not count. It stays corrected (PRODUCT 2, SPIN).

Each verb locks the contact, then the conversation, writes, and judges the lead anew, in one transaction.
"""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from conversations import evidence, follow_ups, intake, settings_of, summary
from conversations.models import Answer, Contact, Conversation, Fact, FactKey, Signal
from conversations.qualification import SignalKey
from conversations.trail import note
from orgs import audit
from orgs.models import Person, Refused

TEAM_AT_MOST = 1_000_000
DIGITS = range(8, 16)  # of a phone with its country code


@transaction.atomic
def set_fact(
    conversation: Conversation, key: FactKey, text: str, person: Person, *, request: HttpRequest | None = None
) -> None:
    """A person says what is so; empty: nobody knows. Raises Refused for a value that cannot be."""
    ours = locked(conversation)
    value = value_of(key, text)
    current = Fact.objects.filter(contact_id=ours.contact_id, key=key, ended_at=None).first()
    if value is None and current is None:
        return
    if value is None and current is not None:
        evidence.strike(current, person_id=person.pk)
    elif value is not None and (current is None or current.value != value or current.author != Fact.Author.PERSON):
        evidence.set_fact(ours, key, value, person_id=person.pk)
    finish(ours, f"fact:{key}", person, request)


@transaction.atomic
def set_signal(
    conversation: Conversation, key: SignalKey, is_true: bool, person: Person, *, request: HttpRequest | None = None
) -> None:
    """A person says whether the signal is there."""
    ours = locked(conversation)
    evidence.set_signal(ours, key, is_true, person_id=person.pk)
    finish(ours, f"signal:{key}", person, request)


@transaction.atomic
def strike(
    conversation: Conversation, row: Answer | Fact | Signal, person: Person, *, request: HttpRequest | None = None
) -> None:
    """A person says that this does not count."""
    ours = locked(conversation)
    if type(row)._default_manager.filter(pk=row.pk, ended_at=None).exists():
        evidence.strike(row, person_id=person.pk)
        finish(ours, f"{row._meta.model_name}:{row.pk}", person, request)


@transaction.atomic
def stop_follow_ups(conversation: Conversation, person: Person, *, request: HttpRequest | None = None) -> None:
    """No further follow-up until the lead has written again; what waits to leave is withdrawn."""
    ours = locked(conversation)
    if follow_ups.skip(ours):
        note(audit.Action.LEAD_CORRECTED, ours, person, request=request, data={"what": "follow_ups"})


def value_of(key: FactKey, text: str) -> str | int | bool | None:
    """What a person typed as a fact's value; None when it was emptied. Raises Refused with what is wrong."""
    text = " ".join(text.replace("\x00", "").split())[: evidence.LONGEST_VALUE_CHARS]
    if not text:
        return None
    match key:
        case FactKey.TEAM_SIZE:
            if not text.isdecimal() or not 0 < int(text) <= TEAM_AT_MOST:
                raise Refused("invalid_value", _("The team's size is a whole number."))
            return int(text)
        case FactKey.DECISION_MAKER:
            if text not in {"yes", "no"}:
                raise Refused("invalid_value", _("Choose yes or no."))
            return text == "yes"
        case FactKey.PERSON_TYPE:
            if text not in {"PF", "PJ"}:
                raise Refused("invalid_value", _("Choose a company or a private person."))
            return text
        case FactKey.EMAIL:
            try:
                validate_email(text)
            except ValidationError:
                raise Refused("invalid_value", _("This is not an e-mail address.")) from None
            return text.lower()
        case FactKey.PHONE:
            digits = "".join(character for character in text if character.isdecimal())
            if len(digits) not in DIGITS:
                raise Refused("invalid_value", _("A phone has its country code and 8 to 15 digits."))
            return digits
        case _:
            return text


def locked(conversation: Conversation) -> Conversation:
    """The conversation, locked after its contact, whose facts other conversations write as well."""
    Contact.objects.select_for_update(no_key=True).get(pk=conversation.contact_id)
    return intake.locked(conversation.pk)


def finish(conversation: Conversation, target: str, person: Person, request: HttpRequest | None) -> None:
    """Judge the lead anew, and note who changed what."""
    agent, found = settings_of.number(conversation.number), evidence.current(conversation)
    evidence.requalify(conversation, agent, found=found)
    summary.keep(conversation, agent, found=found)
    note(audit.Action.LEAD_CORRECTED, conversation, person, request=request, data={"what": target})
