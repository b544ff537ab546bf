"""Two contacts are one person: a person says so, when WhatsApp does not (`intake.identify` merges by itself)."""

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from conversations import access, finding, intake, policy
from conversations.models import Contact, Conversation
from orgs import audit
from orgs.context import current_org
from orgs.models import Membership, Refused

OFFERED = 10  # conversations


def candidates(conversation: Conversation, member: Membership, *, text: str = "") -> QuerySet[Conversation]:
    """Conversations of others that may be with the same person, the newest first: by name or phone, as it is typed.

    Nothing typed: who is called the same. Only what the member may see; at most OFFERED.
    """
    others = Conversation.objects.with_inbox_data().filter(access.theirs(member))
    others = others.exclude(contact=conversation.contact_id).recent_first()
    if text:
        return others.filter(pk__in=finding.by_contact(policy.folded(text)))[:OFFERED]
    name = conversation.contact.name_folded
    return others.filter(contact__name_folded=name)[:OFFERED] if name else others.none()


@transaction.atomic
def merge(
    conversation: Conversation, other: Conversation, member: Membership, *, request: HttpRequest | None = None
) -> Conversation:
    """The contact of `other` becomes one with that of `conversation`, which is kept; it cannot be taken back.

    Their conversations on one number become one, and the address of the one that ends leads there. Twice is once, also
    at the same time. Raises Refused when they were erased, or merged otherwise, meanwhile. Out: what `conversation` is
    now.
    """
    pks = sorted({conversation.contact_id, other.contact_id})
    found = {
        contact.pk: contact
        for contact in Contact.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk")
    }
    keep, goes = found.get(conversation.contact_id), found.get(other.contact_id)
    if keep is None or goes is None or keep.merged_into_id is not None:
        raise Refused("changed", _("Something has happened here since: look again."))
    if keep.pk == goes.pk:
        raise Refused("same", _("These are the same contact already."))
    if goes.merged_into_id == keep.pk:
        return Conversation.objects.get(pk=conversation.pk)
    if goes.merged_into_id is not None:
        raise Refused("changed", _("Something has happened here since: look again."))
    intake.merge(keep, goes)
    org = current_org()
    audit.record(
        audit.Action.CONVERSATION_MERGED, request=request, org=org, person=member.person,
        target=f"conversation:{conversation.pk}", data={"contact": keep.pk, "former": goes.pk},
    )  # fmt: skip
    return Conversation.objects.get(pk=conversation.pk)
