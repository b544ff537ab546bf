"""People, what they may do in which org, and how they get there (PRODUCT 3)."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orgs.models.org import Org
from orgs.models.refused import Refused
from orgs.models.telling import record, write_mail

INVITATION_LIFETIME = timedelta(days=7)


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "Person":
        """A person with the e-mail in lower case; without a password they can only sign in by other means."""
        person = self.model(email=self.normalize_email(email).lower(), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "Person":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "Person":
        return self.get(email=(username or "").lower())


class Person(AbstractBaseUser, PermissionsMixin):
    """Somebody who signs in. `is_staff` is our own support staff, not a customer's administrator."""

    email = models.EmailField(_("e-mail"), max_length=254)
    name = models.CharField(_("name"), max_length=120)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE)
    is_active = models.BooleanField(_("may sign in"), default=True)
    is_staff = models.BooleanField(_("support staff"), default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_org = models.ForeignKey(
        "orgs.Org", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    objects = PersonManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(fields=["email"], name="orgs_person_email"),
            models.CheckConstraint(
                condition=models.Q(email=models.functions.Lower("email")), name="orgs_person_email_lower"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        """One or two letters for an avatar: first and last word of the name, else of the e-mail."""
        words = self.name.split() or [self.email]
        return (words[0][:1] + (words[-1][:1] if len(words) > 1 else "")).upper()

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split()[0] if self.name.split() else self.email


class Role(models.TextChoices):
    """What a member may do, strongest first (PRODUCT, "who")."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Administrator")
    SDR = "sdr", _("SDR")
    VIEWER = "viewer", _("Viewer")

    @property
    def rank(self) -> int:
        return {"owner": 40, "admin": 30, "sdr": 20, "viewer": 10}[self.value]

    def covers(self, other: "Role") -> bool:
        """True when this role may do everything the other may."""
        return self.rank >= other.rank


class MembershipQuerySet(models.QuerySet["Membership"]):
    def owners(self) -> "MembershipQuerySet":
        return self.filter(role=Role.OWNER)


class Membership(models.Model):
    """A person in an org. An org never loses its last owner: the verbs lock the org, and a database trigger insists."""

    org = models.ForeignKey("orgs.Org", on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey("orgs.Person", on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=8, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "person"], name="orgs_membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="orgs_membership_role"),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.get_role_display()}"

    def may(self, role: Role) -> bool:
        """True when the member's role covers `role`."""
        return Role(self.role).covers(role)

    def may_manage(self, other: "Membership") -> bool:
        """True when this member may change or remove the other: administrators, and nobody above themself."""
        return self.may(Role.ADMIN) and Role(self.role).covers(Role(other.role))

    @property
    def roles_to_give(self) -> list[Role]:
        """Roles this member may give, strongest first; none below administrator."""
        return [role for role in Role if self.may(role)] if self.may(Role.ADMIN) else []

    def ensure_may_give(self, role: Role) -> None:
        """Raises Refused: role_too_low below administrator, above_own_role for a role that theirs does not cover."""
        if not self.may(Role.ADMIN):
            raise Refused("role_too_low", _("Only owners and administrators can do that."))
        if role not in self.roles_to_give:
            raise Refused("above_own_role", _("Only an owner can make or change owners."))

    def change_role(self, to: str, *, by: "Membership", request: HttpRequest | None = None) -> None:
        """Give the member another role and tell them. The same role again is harmless.

        Raises Refused: role_too_low, above_own_role, last_owner, member_gone, not_a_member.
        """
        with transaction.atomic():
            actor, member = lock_members(self.org_id, by, self)
            actor.ensure_may_give(Role(member.role))
            actor.ensure_may_give(Role(to))
            before = member.role
            if before != Role(to):
                if before == Role.OWNER:
                    member._ensure_another_owner()
                member.role = Role(to)
                member.save(update_fields=["role"])
                member.withdraw_invitations()
                record(
                    "membership.role_changed",
                    request=request,
                    org=member.org,
                    person=actor.person,
                    target=f"membership:{member.pk}",
                    data={"email": member.person.email, "from": before, "to": member.role},
                )
                if actor.pk != member.pk:
                    member.tell_role_changed(by=actor.person)
        self.role = member.role

    def remove(self, *, by: "Membership", request: HttpRequest | None = None) -> None:
        """End the membership of somebody else, and with it every access, at once. Tells them.

        Raises Refused: role_too_low, above_own_role, last_owner, yourself, member_gone, not_a_member.
        """
        with transaction.atomic():
            actor, member = lock_members(self.org_id, by, self)
            if actor.pk == member.pk:
                raise Refused("yourself", _("To remove yourself, leave the organization."))
            actor.ensure_may_give(Role(member.role))
            record(
                "membership.removed",
                request=request,
                org=member.org,
                person=actor.person,
                target=f"membership:{member.pk}",
                data={"email": member.person.email, "role": member.role},
            )
            member._end()
            write_mail(
                "orgs/mail/removal",
                to=member.person.email,
                language=member.person.language,
                org=member.org,
                path="/",
                person=member.person,
            )

    def leave(self, *, request: HttpRequest | None = None) -> None:
        """End one's own membership. Raises Refused: last_owner, member_gone."""
        with transaction.atomic():
            (member,) = lock_members(self.org_id, self)
            record(
                "membership.left",
                request=request,
                org=member.org,
                person=member.person,
                target=f"membership:{member.pk}",
                data={"role": member.role},
            )
            member._end()

    def withdraw_invitations(self) -> None:
        """Revoke this person's open invitations that they could not send any more: no role outlives its giver's."""
        offered = Invitation.objects.open().filter(org_id=self.org_id, invited_by_id=self.person_id)
        offered.exclude(role__in=self.roles_to_give).update(revoked_at=timezone.now())

    def tell_role_changed(self, *, by: Person) -> None:
        """Write to the member what they may do from now on."""
        write_mail(
            "orgs/mail/role_changed",
            to=self.person.email,
            language=self.person.language,
            org=self.org,
            path=reverse("orgs:home", args=[self.org.slug]),
            context={"membership": self, "changed_by": by},
            person=self.person,
        )

    def _end(self) -> None:
        if self.role == Role.OWNER:
            self._ensure_another_owner()
        Invitation.objects.open().filter(org_id=self.org_id, invited_by_id=self.person_id).update(
            revoked_at=timezone.now()
        )
        Person.objects.filter(pk=self.person_id, last_org_id=self.org_id).update(last_org=None)
        self.delete()

    def _ensure_another_owner(self) -> None:
        if not Membership.objects.owners().filter(org_id=self.org_id).exclude(pk=self.pk).exists():
            raise Refused("last_owner", _("An organization needs an owner. Make somebody else an owner first."))


def lock_members(org_id: int, by: Membership, *others: Membership) -> list[Membership]:
    """The org locked first, then these memberships in the order of their ids, read anew: `by`, then `others`.

    Only inside a transaction. Raises Refused: not_a_member when `by` is gone, member_gone when another is, org_gone.
    """
    org = Org.objects.locked(org_id)
    wanted = [by, *others]
    rows = Membership.objects.select_for_update(of=("self",)).select_related("person").filter(org_id=org_id)
    found = {row.pk: row for row in rows.filter(pk__in=[member.pk for member in wanted]).order_by("pk")}
    if by.pk not in found:
        raise Refused("not_a_member", _("You are no longer a member of this organization."))
    if any(other.pk not in found for other in others):
        raise Refused("member_gone", _("This person is no longer a member."))
    for row in found.values():
        row.org = org
    return [found[member.pk] for member in wanted]


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> "InvitationQuerySet":
        """Neither accepted nor revoked; it may have expired, then it can be sent again."""
        return self.filter(accepted_at=None, revoked_at=None)

    def by_token(self, token: str) -> "InvitationQuerySet":
        return self.filter(token_hash=hash_token(token))

    def waiting_for(self, person: Person) -> "InvitationQuerySet":
        """Offers this person can accept without the link in the e-mail, because their address is confirmed."""
        from allauth.account.models import EmailAddress  # needs the app registry

        confirmed = EmailAddress.objects.filter(user=person, verified=True).values("email")
        return (
            self.open()
            .filter(
                email=person.email, email__in=confirmed, expires_at__gt=timezone.now(), org__status=Org.Status.ACTIVE
            )
            .select_related("org", "invited_by")
            .order_by("pk")
        )


def hash_token(token: str) -> str:
    """SHA-256, hex. Tokens are long and random, so a plain hash is enough to keep a stolen table useless."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """43 URL-safe characters, 256 bits."""
    return secrets.token_urlsafe(32)


def invitation_expiry() -> datetime:
    return timezone.now() + INVITATION_LIFETIME


class Invitation(models.Model):
    """An offer to join an org, sent by e-mail. Only the hash of its token is kept; sending again makes a new token."""

    org = models.ForeignKey("orgs.Org", on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail"), max_length=254)
    role = models.CharField(_("role"), max_length=8, choices=Role.choices, default=Role.SDR)
    language = models.CharField(max_length=8, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE)
    token_hash = models.CharField(max_length=64, editable=False)
    invited_by = models.ForeignKey("orgs.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(default=invitation_expiry)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey("orgs.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token_hash"], name="orgs_invitation_token"),
            models.UniqueConstraint(
                fields=["org", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="orgs_invitation_one_open",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="orgs_invitation_role"),
            models.CheckConstraint(
                condition=models.Q(email=models.functions.Lower("email")), name="orgs_invitation_email_lower"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def problem(self) -> str:
        """Why it cannot be accepted: used, revoked, expired, closed (the org is not open), or "" when it can."""
        if self.accepted_at is not None:
            return "used"
        if self.revoked_at is not None:
            return "revoked"
        if self.is_expired:
            return "expired"
        return "" if self.org.is_open else "closed"

    def send(self, *, by: Person) -> None:
        """Save with a new token (the one before stops working) and a new expiry, and mail the link.

        The token is in the e-mail and nowhere else. Call inside the transaction that locked the org.
        """
        token = new_token()
        self.token_hash, self.sent_at = hash_token(token), timezone.now()
        self.expires_at = self.sent_at + INVITATION_LIFETIME
        self.save()
        write_mail(
            "orgs/mail/invitation",
            to=self.email,
            language=self.language,
            org=self.org,
            path=reverse("orgs:invitation", args=[token]),
            context={"invitation": self, "invited_by": by},
        )

    def resend(self, *, by: Membership, request: HttpRequest | None = None) -> None:
        """Send an open or expired invitation again; only the newest link works.

        Raises Refused: role_too_low, above_own_role, used, revoked, not_a_member.
        """
        with transaction.atomic():
            (actor,) = lock_members(self.org_id, by)
            invitation = self._locked(actor)
            if invitation.problem in {"used", "revoked"}:
                raise Refused(invitation.problem, _("This invitation is not open any more."))
            invitation.invited_by = actor.person
            invitation.send(by=actor.person)
            record(
                "invitation.resent",
                request=request,
                org=actor.org,
                person=actor.person,
                target=f"invitation:{self.pk}",
                data={"email": self.email},
            )

    def revoke(self, *, by: Membership, request: HttpRequest | None = None) -> None:
        """Take the offer back. Twice is harmless. Raises Refused: role_too_low, above_own_role, used, not_a_member."""
        with transaction.atomic():
            (actor,) = lock_members(self.org_id, by)
            invitation = self._locked(actor)
            if invitation.accepted_at is not None:
                raise Refused("used", _("This invitation has been accepted meanwhile."))
            if invitation.revoked_at is None:
                invitation.revoked_at = timezone.now()
                invitation.save(update_fields=["revoked_at"])
                record(
                    "invitation.revoked",
                    request=request,
                    org=actor.org,
                    person=actor.person,
                    target=f"invitation:{self.pk}",
                    data={"email": self.email},
                )

    def accept(self, person: Person, *, request: HttpRequest | None = None) -> Membership:
        """Make the person a member. Twice, also at the same moment, gives the same one membership.

        Somebody who is a member already keeps the role they have. The caller has proof that the address is the
        person's: the token, or a confirmed address. Raises Refused: used, revoked, expired, closed, other_address, and
        unknown when it was sent again meanwhile (the token is another).
        """
        with transaction.atomic():
            org = Org.objects.locked(self.org_id)
            invitation = (
                Invitation.objects.select_for_update(of=("self",))
                .filter(pk=self.pk, token_hash=self.token_hash)
                .first()
            )
            if invitation is None:
                raise Refused("unknown", _("This link does not work any more."))
            invitation.org = org
            if invitation.problem == "used" and invitation.accepted_by_id == person.pk:
                member = Membership.objects.filter(org=org, person=person).first()
                if member is not None:
                    return member
            if invitation.problem:
                raise Refused(invitation.problem, _("This invitation is not open any more."))
            if person.email != invitation.email:
                raise Refused("other_address", _("This invitation was sent to another address."))
            member, is_new = Membership.objects.get_or_create(
                org=org, person=person, defaults={"role": invitation.role}
            )
            invitation.accepted_at, invitation.accepted_by = timezone.now(), person
            invitation.save(update_fields=["accepted_at", "accepted_by"])
            record(
                "invitation.accepted",
                request=request,
                org=org,
                person=person,
                target=f"membership:{member.pk}",
                data={"role": member.role, "was_member": not is_new},
            )
        return member

    def _locked(self, actor: Membership) -> "Invitation":
        invitation = Invitation.objects.select_for_update(of=("self",)).filter(pk=self.pk).first()
        if invitation is None:
            raise Refused("revoked", _("This invitation is not open any more."))
        actor.ensure_may_give(Role(invitation.role))
        invitation.org = actor.org
        return invitation
