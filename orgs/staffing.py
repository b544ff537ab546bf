"""Our own support staff: who they are, and what they may do to people (PRODUCT 8).

Two Django groups carry the roles: "support" looks, "support lead" also acts. `is_staff` alone opens nothing.
"""

from datetime import timedelta
from enum import StrEnum
from typing import cast

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from orgs import mail
from orgs.audit import Action, record
from orgs.models import Person

SECOND_STEP_LASTS = timedelta(hours=12)  # one shift; then staff prove their second step again to look
SECOND_STEP_LASTS_FOR_CHANGES = timedelta(minutes=15)


class StaffRole(StrEnum):
    """Names of the groups."""

    SUPPORT = "support"
    LEAD = "support lead"


class StaffRefusedError(Exception):
    """The act is not allowed on this person; the text says why, in English for our staff."""


def ensure_groups() -> None:
    """Make sure that both groups exist. Safe to repeat."""
    for role in StaffRole:
        Group.objects.get_or_create(name=role.value)


def roles_of(person: Person) -> frozenset[StaffRole]:
    """The staff roles of the person; a superuser has both, somebody inactive or not `is_staff` has none."""
    if not (person.is_active and person.is_staff):
        return frozenset()
    if person.is_superuser:
        return frozenset(StaffRole)
    known = getattr(person, "_staff_roles", None)
    if known is None:
        names = person.groups.filter(name__in=list(StaffRole)).values_list("name", flat=True)
        known = frozenset(StaffRole(name) for name in names)
        person._staff_roles = known  # type: ignore[attr-defined]  # one query per request
    return cast("frozenset[StaffRole]", known)


def is_support(person: Person) -> bool:
    return bool(roles_of(person))


def is_lead(person: Person) -> bool:
    return StaffRole.LEAD in roles_of(person)


def proved_second_step(request: HttpRequest, within: timedelta) -> bool:
    """True when this session's person has shown a second step or a passkey that recently."""
    records = get_authentication_records(request, cast(Person, request.user))
    proofs = [float(entry.get("at", 0)) for entry in records if entry.get("method") == "mfa"]
    return bool(proofs) and timezone.now().timestamp() - max(proofs) < within.total_seconds()


def grant(person: Person, role: StaffRole, *, by: Person | None = None, request: HttpRequest | None = None) -> None:
    """Give the person this staff role instead of any other, and record it."""
    ensure_groups()
    with transaction.atomic():
        person.groups.remove(*Group.objects.filter(name__in=list(StaffRole)))
        person.groups.add(Group.objects.get(name=role.value))
        Person.objects.filter(pk=person.pk).update(is_staff=True)
        change = {"role": role.value}
        record(Action.STAFF_CHANGED, request=request, person=by, target=f"person:{person.pk}", data=change)
    follow(person)


def revoke(person: Person, *, by: Person | None = None, request: HttpRequest | None = None) -> None:
    """Take staff access away, end the person's sessions, and record it."""
    with transaction.atomic():
        person.groups.remove(*Group.objects.filter(name__in=list(StaffRole)))
        Person.objects.filter(pk=person.pk).update(is_staff=False, is_superuser=False)
        record(Action.STAFF_CHANGED, request=request, person=by, target=f"person:{person.pk}", data={"role": None})
        remove_sessions(person)
    follow(person)


def deactivate(person: Person, *, by: Person, request: HttpRequest | None = None) -> None:
    """Stop the person from signing in and end their sessions. Raises StaffRefusedError for oneself and superusers."""
    refuse_protected(person, by)
    with transaction.atomic():
        if not Person.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
            return
        ended = remove_sessions(person)
        change = {"sessions": ended}
        record(Action.PERSON_DEACTIVATED, request=request, person=by, target=f"person:{person.pk}", data=change)
    person.is_active = False


def reactivate(person: Person, *, by: Person, request: HttpRequest | None = None) -> None:
    """Let the person sign in again. Raises StaffRefusedError for oneself and superusers."""
    refuse_protected(person, by)
    with transaction.atomic():
        if not Person.objects.filter(pk=person.pk, is_active=False).update(is_active=True):
            return
        record(Action.PERSON_REACTIVATED, request=request, person=by, target=f"person:{person.pk}")
    person.is_active = True


def end_sessions(person: Person, *, by: Person, request: HttpRequest | None = None) -> int:
    """Sign the person out everywhere. Out: how many sessions ended. Raises StaffRefusedError for superusers."""
    refuse_protected(person, by)
    with transaction.atomic():
        ended = remove_sessions(person)
        change = {"sessions": ended}
        record(Action.PERSON_SESSIONS_ENDED, request=request, person=by, target=f"person:{person.pk}", data=change)
    return ended


def reset_second_step(person: Person, *, by: Person, request: HttpRequest | None = None) -> None:
    """Remove every second step and passkey of somebody who lost theirs, sign them out, and tell them by e-mail.

    Raises StaffRefusedError for oneself and for anybody on the staff: those go through `manage.py staff`.
    """
    refuse_protected(person, by)
    if person.is_staff:
        raise StaffRefusedError("The second step of staff is not reset from here.")
    with transaction.atomic():
        removed, _ = Authenticator.objects.filter(user=person).delete()
        ended = remove_sessions(person)
        change = {"removed": removed, "sessions": ended}
        record(Action.MFA_RESET, request=request, person=by, target=f"person:{person.pk}", data=change)
        mail.send("orgs/mail/mfa_reset", to=person.email, context={}, language=person.language, person=person)


def remove_sessions(person: Person) -> int:
    """End every session of the person. Out: how many."""
    sessions = list(UserSession.objects.filter(user=person))
    for session in sessions:
        session.end()
    return len(sessions)


def refuse_protected(person: Person, by: Person) -> None:
    if person.pk == by.pk:
        raise StaffRefusedError("Nobody does this to themselves.")
    if person.is_superuser and not by.is_superuser:
        raise StaffRefusedError("Only a superuser does this to a superuser.")


def follow(person: Person) -> None:
    """Take over what the row says, and forget the roles known for this request."""
    person.refresh_from_db(fields=["is_staff", "is_superuser"])
    person.__dict__.pop("_staff_roles", None)
