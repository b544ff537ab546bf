"""People, what they may do in which org, and how they get there (PRODUCT 3)."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

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
    last_org = models.ForeignKey("orgs.Org", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+")

    objects = PersonManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(fields=["email"], name="orgs_person_email"),
            models.CheckConstraint(condition=models.Q(email=models.functions.Lower("email")), name="orgs_person_email_lower"),
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


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> "InvitationQuerySet":
        """Neither accepted nor revoked; it may have expired, then it can be sent again."""
        return self.filter(accepted_at=None, revoked_at=None)

    def by_token(self, token: str) -> "InvitationQuerySet":
        return self.filter(token_hash=hash_token(token))


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
