"""Telling the team that a lead needs a person, or is qualified (PRODUCT 2, "State of a conversation"; PRODUCT 3).

Both verbs run in the transaction that makes it so, with the conversation's row locked: the e-mails exist exactly when
the change does, and once for each handoff, whoever calls how often. They carry nothing that a lead said or is.
"""

from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo

from django.db import connection
from django.urls import reverse
from django.utils import timezone, translation

from conversations import intake, settings_of, summary, wording
from conversations.models import Contact, Conversation, Qualification
from orgs import mail
from orgs.models import Mail, Membership, Org, Person, Role

QUALIFIED = "qualified"
FLOOD, FLOOD_SPAN = 30, timedelta(hours=1)  # mails of a kind to one person: in an outage more are of no use
TOLD = (Role.OWNER, Role.ADMIN, Role.SDR)  # who may answer a lead
# What the lead wants now goes before the news that they are qualified.
FIRST = frozenset({"lead_asked", "hostile", "cancel", "reschedule"})


def handed_off(conversation: Conversation, reason: str) -> list[Person]:
    """A person must go on, and the team is told, once as long as nobody has. The AI goes on until a person takes over.

    In: the locked conversation; `reason`, a code of `wording.NEEDS`. Out: who was written to, nobody for a test lead.
    """
    if reason == QUALIFIED and not _is_qualified(conversation):
        reason = "wants_meeting"  # the lead was told that somebody arranges one
    if reason == QUALIFIED and (told := qualified(conversation)):
        return told
    _need(conversation, reason)
    return _tell_once(conversation, "handed_off", reason)


def qualified(conversation: Conversation) -> list[Person]:
    """The lead has become qualified: a person arranges the meeting, and the team is told, once per conversation.

    In: the locked conversation. Out: who was written to; nobody while it is not qualified, or when it was told.
    """
    news = Qualification.objects.filter(conversation=conversation, is_qualified=True, told_at=None)
    if not news.update(told_at=timezone.now()):
        return []
    _need(conversation, QUALIFIED)
    conversation.told_since = None  # told by a mail of its own
    return _tell_once(conversation, "qualified", QUALIFIED)


def _is_qualified(conversation: Conversation) -> bool:
    return Qualification.objects.filter(conversation=conversation, is_qualified=True).exists()


def _need(conversation: Conversation, reason: str) -> None:
    """A person is needed; the news that the lead is qualified does not hide what they asked for."""
    hides = reason == QUALIFIED and conversation.needs_person_since is not None
    if not hides or conversation.needs_reason not in FIRST:
        intake.need(conversation, reason)


def _tell_once(conversation: Conversation, template: str, reason: str) -> list[Person]:
    """The mails of this handoff, unless they were written. `told_since` names the handoff they are for."""
    if conversation.told_since == conversation.needs_person_since:
        return []
    conversation.told_since = conversation.needs_person_since
    conversation.save(update_fields=["told_since"])
    if Contact.objects.filter(pk=conversation.contact_id, is_test=True).exists():
        return []
    return _write(conversation, template, reason)


def _write(conversation: Conversation, template: str, reason: str) -> list[Person]:
    """Mails to whom the conversation concerns, each in their own language: its owner, else all who may answer."""
    org = cast(Org, connection.tenant)  # type: ignore[attr-defined]  # django-tenants' wrapper has it
    agent = settings_of.number(conversation.number)
    members = Membership.objects.filter(org=org, role__in=TOLD, person__is_active=True).select_related("person")
    people = [member.person for member in members.order_by("person_id")]
    told = [person for person in people if person.pk == conversation.owner_person_id] or people
    path = reverse("conversations:conversation", kwargs={"slug": org.slug, "pk": conversation.pk})
    kind = f"conversations/mail/{template}"
    recent = Mail.objects.filter(org=org, kind=kind, created_at__gt=timezone.now() - FLOOD_SPAN)
    with timezone.override(ZoneInfo(org.time_zone)):
        for person in told:
            if recent.filter(to=person.email).count() >= FLOOD:
                continue
            with translation.override(person.language):
                context = {
                    "reason": wording.need(reason),
                    "number": conversation.number.name,
                    "since": conversation.needs_person_since,
                    "brief": summary.of(conversation, agent, language=person.language).brief,
                    "url": mail.absolute_url(path),
                }
            mail.send(
                kind, to=person.email, language=person.language, org=org, person=person,
                context=context,
            )  # fmt: skip
    return told
