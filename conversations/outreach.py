"""A person writes first: to a phone, from a number of the org, with the reason why they may (PRODUCT 8, LGPD 7).

Whether the phone has WhatsApp at all is found out by the send, as for every message: a page asks no provider.
"""

from django.db import transaction
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations import access, erasure, intake, policy, replies
from conversations.models import Alias, Consent, Contact, Conversation, Message, Number
from conversations.ports import ChatAddress
from orgs import audit
from orgs.context import current_org
from orgs.models import Membership, Refused
from sdr.lib import phone

NATIONAL_DIGITS = (10, 11)  # a Brazilian phone with its area code, as people write it
BRAZIL = "55"

IGNORED: dict[str, str | Promise] = {
    Contact.Ignored.CUSTOMER: _("They are marked as a customer: take the mark away in their conversation first."),
    Contact.Ignored.SUPPLIER: _("They are marked as a supplier: take the mark away in their conversation first."),
    Contact.Ignored.JOB_SEEKER: _("They are marked as a job seeker: take the mark away in their conversation first."),
    Contact.Ignored.SPAM: _("They are marked as spam: take the mark away in their conversation first."),
}


class Known(Exception):
    """Somebody talks with them on this number already. `conversation`: None when the member may not see it."""

    def __init__(self, conversation: Conversation | None) -> None:
        super().__init__("known")
        self.conversation = conversation


def phone_in(typed: str) -> str | None:
    """The canonical digits of a phone as somebody types it; None when it can be none. Without a country it is Brazil's.

    A country is told by + or 00 before it, or by digits that are too many for an area code and a phone.
    """
    if typed.strip().startswith(("+", "00")):
        return phone.canonical(typed)
    digits = phone.PUNCTUATION.sub("", typed).removeprefix("0")  # dialled before an area code
    return phone.canonical(BRAZIL + digits if len(digits) in NATIONAL_DIGITS else digits)


@transaction.atomic
def start(
    number: Number,
    member: Membership,
    *,
    to: str,
    text: str,
    basis: Consent.Basis,
    source: str,
    name: str = "",
    key: str = "",
    request: HttpRequest | None = None,
) -> Conversation:
    """Open a conversation with a phone, keep why, and queue the member's first words: it is theirs from the start.

    In: `to`, canonical digits; `key` names the attempt, the same one again changes nothing. Raises Known for a contact
    with a conversation on this number, and Refused where nobody may write first: our own numbers, who asked to be left
    alone or to be forgotten, who is blocked or marked as no lead. Nothing is kept then. Out: the conversation.
    """
    if Number.objects.filter(phone__in=phone.spellings(to), removed_at=None).exists():
        raise Refused("own_number", _("That is a number of your own."))
    names = [(Alias.Sort.PHONE.value, to)]
    if not intake.aliases_of(names) and erasure.erased_until(names) is not None:
        raise Refused("erased", _("Their data was erased. They can write to you; you cannot write first."))
    contact = intake.identify(ChatAddress(f"{to}@s.whatsapp.net", phone=to))
    ensure_may_be_written_to(contact)
    before = contact.conversations.filter(number=number).first()
    if before is not None:
        if key and before.messages.filter(author=Message.Author.PERSON, extra__key=key).exists():
            return before
        raise Known(before if access.may_see(member, before) else None)
    if name and not contact.name:
        contact.name, contact.name_is_theirs, contact.name_folded = name[:120], False, policy.folded(name)[:120]
        contact.save(update_fields=["name", "name_is_theirs", "name_folded"])
    conversation = intake.converse(contact, number, f"{to}@s.whatsapp.net")
    Consent.objects.create(contact=contact, basis=basis, source=source, person_id=member.person_id)
    org = current_org()
    audit.record(
        audit.Action.CONVERSATION_STARTED, request=request, org=org, person=member.person,
        target=f"conversation:{conversation.pk}", data={"basis": basis},
    )  # fmt: skip
    replies.reply(conversation, member.person, text=text, key=key, request=request)
    return conversation


def ensure_may_be_written_to(contact: Contact) -> None:
    """Raise Refused for who is not to be written to first. The contact is locked."""
    if contact.opted_out_at is not None:
        raise Refused("opted_out", _("They asked to be left alone. They can write to you; you cannot write first."))
    if contact.blocked_at is not None:
        raise Refused("blocked", _("This contact is blocked."))
    if contact.ignored_as:
        raise Refused("ignored", IGNORED.get(contact.ignored_as, _("That is one of your own people or numbers.")))
