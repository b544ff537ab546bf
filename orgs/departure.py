"""A person deletes their account. What they did stays in the audit log, what they wrote stays with their orgs."""

from datetime import timedelta

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from orgs import audit, mail
from orgs.models import Invitation, Membership, Org, Person, Refused, Role

UNCONFIRMED_FOR = timedelta(days=7)
PRUNE_ROWS = 1_000


def orphaned_orgs(person: Person) -> list[Org]:
    """Orgs whose only owner the person is, by name."""
    owned = Org.objects.filter(memberships__person=person, memberships__role=Role.OWNER)
    others = Membership.objects.filter(role=Role.OWNER).exclude(person=person)
    return list(owned.exclude(pk__in=others.values("org_id")).order_by("name_folded", "pk"))


def delete_account(person: Person, *, request: HttpRequest) -> None:
    """Remove the person, their memberships and sessions, revoke what they offered, and tell them, in one transaction.

    Raises Refused, and changes nothing, for support staff and for the only owner of an org: an org is handed over or
    deleted first. Locks the person's orgs in the order of their ids, as every change of owners does.
    """
    if person.is_staff:
        raise Refused("staff", _("Accounts of our support staff are closed by an administrator."))
    with transaction.atomic():
        mine = Org.objects.filter(memberships__person=person).values("pk")
        orgs = list(Org.objects.select_for_update().filter(pk__in=mine).order_by("pk"))
        if left := orphaned_orgs(person):
            names = ", ".join(org.name for org in left)
            raise Refused(
                "sole_owner",
                _("You are the only owner of %(orgs)s. Make somebody else an owner there, or delete it first.")
                % {"orgs": names},
            )
        for org in orgs:
            audit.record(audit.Action.MEMBERSHIP_LEFT, request=request, org=org, person=person)
        audit.record(audit.Action.PERSON_DELETED, request=request, person=person, target=f"person:{person.pk}")
        mail.send("orgs/mail/account_deleted", to=person.email, context={"name": person.name}, language=person.language)
        Invitation.objects.open().filter(invited_by=person).update(revoked_at=timezone.now())
        for session in UserSession.objects.filter(user=person):
            session.end()
        person.delete()


def forget_unconfirmed() -> int:
    """Delete people who signed up over UNCONFIRMED_FOR ago and never confirmed their address. How many.

    Their address may be a stranger's. Only who has never signed in and belongs to no org is touched.
    """
    confirmed = EmailAddress.objects.filter(verified=True).values("user_id")
    forgotten = Person.objects.filter(
        created_at__lt=timezone.now() - UNCONFIRMED_FOR, last_login=None, memberships=None, is_staff=False
    ).exclude(pk__in=confirmed)
    pks = list(forgotten.order_by("pk").values_list("pk", flat=True)[:PRUNE_ROWS])
    Person.objects.filter(pk__in=pks).delete()
    return len(pks)
