"""Canned replies: texts an org has at hand, with variables that are filled in for the lead at hand (FIELD 4.2).

A variable nobody can fill stays as it stands, {{company}}, and what holds one is not sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations.models import CannedReply, Conversation, Fact, FactKey
from orgs import audit
from orgs.context import current_org
from orgs.models import Person, Refused

AT_MOST = 300  # of an org: the composer holds them all
TEXT_CHARS = 4096  # as much as a reply takes
SHORTCUT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
VARIABLE = re.compile(r"\{\{\s*(\w{1,40})\s*\}\}")
VARIABLES: dict[str, str | Promise] = {
    "first_name": _("the lead's first name"),
    "name": _("the lead's name"),
    "company": _("the lead's company"),
    "my_name": _("your first name"),
    "our_company": _("the name of your organization"),
}


@dataclass(frozen=True)
class Filled:
    """A text with its variables filled in, and the names of those that nobody could fill, each once."""

    text: str
    missing: tuple[str, ...]


def values_for(conversation: Conversation, person: Person) -> dict[str, str]:
    """What each variable stands for in this conversation; unknown ones are missing. One query."""
    facts = Fact.objects.filter(
        contact_id=conversation.contact_id, key__in=[FactKey.NAME, FactKey.COMPANY], ended_at=None
    )
    known = {key: " ".join(str(value).split()) for key, value in facts.values_list("key", "value")}
    name = known.get(FactKey.NAME) or conversation.contact.name.strip()
    org = current_org()
    values = {
        "first_name": name.split()[0] if name else "",
        "name": name,
        "company": known.get(FactKey.COMPANY, ""),
        "my_name": person.get_short_name() if person.name.strip() else "",
        "our_company": org.name,
    }
    return {key: value for key, value in values.items() if value}


def filled(text: str, values: Mapping[str, str]) -> Filled:
    """Put the values in. A value is never looked at for variables itself."""
    missing = tuple(dict.fromkeys(name for name in VARIABLE.findall(text) if name not in values))
    return Filled(VARIABLE.sub(lambda found: values.get(found[1], found[0]), text), missing)


def unknown_variables(text: str) -> list[str]:
    """Names in double braces that are no variables, each once."""
    return list(dict.fromkeys(name for name in VARIABLE.findall(text) if name not in VARIABLES))


@transaction.atomic
def keep(
    reply: CannedReply | None, person: Person, *, shortcut: str, text: str, request: HttpRequest | None = None
) -> CannedReply:
    """A new canned reply, or other words for one. In: both checked by the form. Out: the row.

    Raises Refused when another one has the shortcut, or the org has AT_MOST already.
    """
    if reply is None and CannedReply.objects.count() >= AT_MOST:
        raise Refused("too_many", _("You have as many canned replies as there can be. Remove one first."))
    ours = reply or CannedReply()
    ours.shortcut, ours.text, ours.changed_by, ours.changed_at = shortcut, text, person.pk, timezone.now()
    try:
        with transaction.atomic():
            ours.save()
    except IntegrityError:
        raise Refused("shortcut_taken", _("Another canned reply has this shortcut.")) from None
    action = audit.Action.CANNED_REPLY_CHANGED if reply else audit.Action.CANNED_REPLY_ADDED
    note(action, ours.pk, person, request=request)
    return ours


@transaction.atomic
def remove(reply: CannedReply, person: Person, *, request: HttpRequest | None = None) -> None:
    """It is gone; removing it twice changes nothing."""
    pk = reply.pk
    if CannedReply.objects.filter(pk=pk).delete()[0]:
        note(audit.Action.CANNED_REPLY_REMOVED, pk, person, request=request)


def note(action: audit.Action, pk: int, person: Person, *, request: HttpRequest | None) -> None:
    org = current_org()
    audit.record(action, request=request, org=org, person=person, target=f"canned:{pk}")
