"""The tenant. One row here, one schema in PostgreSQL (DESIGN 2, 6)."""

import secrets
import unicodedata
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from orgs.models.refused import Refused
from orgs.models.telling import record, write_mail

if TYPE_CHECKING:
    from orgs.models.people import Invitation, Membership, Person

DELETION_GRACE = timedelta(days=30)
GRACE_AFTER_SUSPENSION = timedelta(days=7)  # what owners have at least, when the clock of a deletion runs again


def fold(text: str) -> str:
    """Text to sort and search by: without accents, in lower case."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()


def new_schema_name() -> str:
    """A schema name nobody can guess and no slug can collide with; it never changes, whatever the org is called."""
    return f"org_{secrets.token_hex(8)}"


class OrgQuerySet(models.QuerySet["Org"]):
    def of(self, person: "Person") -> "OrgQuerySet":
        """Orgs the person is a member of, by name."""
        return self.filter(memberships__person=person).order_by("name_folded", "pk")

    def due_for_deletion(self, now: datetime) -> "OrgQuerySet":
        """Orgs whose grace is over; a suspended one waits."""
        return self.filter(status=Org.Status.DELETING, delete_after__lte=now)

    def locked(self, pk: int) -> "Org":
        """The org, locked until the transaction ends: first of all locks of a verb about its people. Raises Refused."""
        org = self.select_for_update().filter(pk=pk).first()
        if org is None:
            raise Refused("org_gone", _("This organization does not exist any more."))
        return org


class Org(TenantMixin):  # type: ignore[misc]  # django-tenants ships no types
    """A company. `slug` is its address (`/o/<slug>/`), `schema_name` its schema: all that leads said lives there."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        DELETING = "deleting", _("Being deleted")

    auto_create_schema = False  # orgs.schemas provisions, in the same transaction as the row
    auto_drop_schema = False

    name = models.CharField(_("name"), max_length=120)
    name_folded = models.CharField(max_length=120, editable=False, default="")
    slug = models.CharField(_("address"), max_length=48)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    suspended_reason = models.CharField(max_length=200, blank=True, default="")
    delete_after = models.DateTimeField(null=True, blank=True)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE)
    time_zone = models.CharField(_("time zone"), max_length=64, default="America/Sao_Paulo")
    requires_mfa = models.BooleanField(_("everyone must use two-step sign-in"), default=False)
    shares_text = models.BooleanField(_("events carry what was said"), default=True)
    sdrs_see_only_theirs = models.BooleanField(_("SDRs see only their own leads"), default=False, db_default=False)
    schema_version = models.CharField(max_length=64, default="", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("slug"), name="orgs_org_slug"),
            models.CheckConstraint(
                condition=models.Q(slug__regex=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"), name="orgs_org_slug_shape"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="deleting") | models.Q(delete_after__isnull=False),
                name="orgs_org_deleting_has_date",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **options: Any) -> None:
        """As ever, and `name_folded` follows `name`."""
        fields = options.get("update_fields")
        if fields is None or "name" in fields:
            self.name_folded = fold(self.name)[:120]
            if fields is not None:
                options["update_fields"] = {*fields, "name_folded"}
        super().save(*args, **options)

    @property
    def email(self) -> str:
        """Address for billing mails: the first owner's (dj-stripe requires the attribute on its subscriber)."""
        owner = self.memberships.filter(role="owner").select_related("person").order_by("pk").first()
        return owner.person.email if owner else ""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def is_open(self) -> bool:
        """False while suspended or being deleted: members may look at why, nothing else."""
        return bool(self.status == self.Status.ACTIVE)

    @property
    def media_folder(self) -> str:
        """Where the default storage keeps what belongs to the org (PRODUCT 5)."""
        return str(self.pk)

    @property
    def owners(self) -> "list[Person]":
        """The people who own the org, longest first."""
        owners = self.memberships.filter(role="owner").select_related("person").order_by("pk")
        return [membership.person for membership in owners]

    @property
    def is_past_grace(self) -> bool:
        """True once nobody can take the deletion back."""
        return self.delete_after is not None and self.delete_after <= timezone.now()

    def get_full_name(self) -> str:
        """Name sent to Stripe (contracts/stripe.md 6)."""
        return self.name

    def invite(
        self,
        email: str,
        *,
        role: str,
        language: str,
        by: "Membership",
        request: HttpRequest | None = None,
    ) -> "Invitation":
        """Offer `email` a role, by a mail in `language`; an expired offer to the same address is renewed.

        Raises Refused: role_too_low, above_own_role, already_member, already_invited (codes), or not_a_member when
        the inviter has just been removed.
        """
        from orgs.models.people import Invitation, Role, lock_members  # people.py stands on this file

        email = email.strip().lower()
        with transaction.atomic():
            (actor,) = lock_members(self.pk, by)
            actor.ensure_may_give(Role(role))
            if self.memberships.filter(person__email=email).exists():
                raise Refused("already_member", _("This person is already a member."))
            invitation: Invitation | None = (
                self.invitations.open().select_for_update(of=("self",)).filter(email=email).first()
            )
            if invitation is None:
                invitation = Invitation(org=actor.org, email=email)
            elif not invitation.is_expired:
                raise Refused(
                    "already_invited", _("This person has been invited already. You can send the invitation again.")
                )
            invitation.role, invitation.language, invitation.invited_by = Role(role), language, actor.person
            invitation.send(by=actor.person)
            record(
                "person.invited",
                request=request,
                org=actor.org,
                person=actor.person,
                target=f"invitation:{invitation.pk}",
                data={"email": email, "role": Role(role).value},
            )
        return invitation

    def transfer_ownership(self, to: "Membership", *, by: "Membership", request: HttpRequest | None = None) -> None:
        """Make `to` an owner and `by`, an owner until now, an administrator, at once.

        Raises Refused: not_owner, yourself, member_gone, not_a_member.
        """
        from orgs.models.people import Role, lock_members  # people.py stands on this file

        with transaction.atomic():
            actor, heir = lock_members(self.pk, by, to)
            if actor.role != Role.OWNER:
                raise Refused("not_owner", _("Only an owner can hand over the organization."))
            if heir.pk == actor.pk:
                raise Refused("yourself", _("Choose somebody else."))
            heir.role, actor.role = Role.OWNER, Role.ADMIN
            heir.save(update_fields=["role"])
            actor.save(update_fields=["role"])
            actor.withdraw_invitations()
            record(
                "ownership.transferred",
                request=request,
                org=actor.org,
                person=actor.person,
                target=f"membership:{heir.pk}",
                data={"to": heir.person.email},
            )
            heir.tell_role_changed(by=actor.person)
        to.role, by.role = heir.role, actor.role

    def request_deletion(
        self, *, by: "Membership | None", request: HttpRequest | None = None, person: "Person | None" = None
    ) -> None:
        """Close the org now and delete it after DELETION_GRACE; every owner is told. Twice is harmless.

        In: `by` is the owner who asks; None for our staff (`person` says who). Raises Refused: not_owner, suspended.
        """
        with transaction.atomic():
            org, person = self._locked_for_owner(by, person)
            if org.status == Org.Status.DELETING:
                self._follow(org)
                return
            if org.status == Org.Status.SUSPENDED:
                raise Refused("suspended", _("This organization is suspended. Write to us to have it deleted."))
            org.status, org.delete_after = Org.Status.DELETING, timezone.now() + DELETION_GRACE
            org.save(update_fields=["status", "delete_after"])
            record("org.deletion_requested", request=request, org=org, person=person, target=f"org:{org.pk}")
            org._tell_owners("orgs/mail/deletion", asked_by=person)
        self._follow(org)

    def cancel_deletion(self, *, by: "Membership | None", request: HttpRequest | None = None) -> None:
        """Open the org again. Twice is harmless. Raises Refused: not_owner, suspended, too_late after the grace."""
        with transaction.atomic():
            org, person = self._locked_for_owner(by, None)
            if org.status == Org.Status.ACTIVE:
                self._follow(org)
                return
            if org.status == Org.Status.SUSPENDED:
                raise Refused("suspended", _("This organization is suspended."))
            if org.is_past_grace:  # its files may be gone already
                raise Refused("too_late", _("It is too late: this organization is being deleted right now."))
            org.status, org.delete_after = Org.Status.ACTIVE, None
            org.save(update_fields=["status", "delete_after"])
            record("org.deletion_cancelled", request=request, org=org, person=person, target=f"org:{org.pk}")
            org._tell_owners("orgs/mail/restoration", asked_by=person)
        self._follow(org)

    def suspend(self, reason: str, *, person: "Person | None" = None, request: HttpRequest | None = None) -> None:
        """Close the org to its members, who read `reason` (at most 200 characters). A deletion's clock keeps its date
        but nothing is deleted meanwhile. Raises Refused: too_late, when the org is just being deleted."""
        with transaction.atomic():
            org = Org.objects.locked(self.pk)
            if org.status == Org.Status.DELETING and org.is_past_grace:
                raise Refused("too_late", _("It is too late: this organization is being deleted right now."))
            org.status, org.suspended_reason = Org.Status.SUSPENDED, reason[:200]
            org.save(update_fields=["status", "suspended_reason"])
            record(
                "org.suspended",
                request=request,
                org=org,
                person=person,
                target=f"org:{org.pk}",
                data={"reason": org.suspended_reason},
            )
        self._follow(org)

    def unsuspend(self, *, person: "Person | None" = None, request: HttpRequest | None = None) -> None:
        """End a suspension. An org that was being deleted is so again, with at least GRACE_AFTER_SUSPENSION to go."""
        with transaction.atomic():
            org = Org.objects.locked(self.pk)
            if org.status != Org.Status.SUSPENDED:
                self._follow(org)
                return
            org.status, org.suspended_reason = Org.Status.ACTIVE, ""
            if org.delete_after is not None:
                org.status = Org.Status.DELETING
                org.delete_after = max(org.delete_after, timezone.now() + GRACE_AFTER_SUSPENSION)
            org.save(update_fields=["status", "suspended_reason", "delete_after"])
            record("org.unsuspended", request=request, org=org, person=person, target=f"org:{org.pk}")
        self._follow(org)

    def _locked_for_owner(self, by: "Membership | None", person: "Person | None") -> "tuple[Org, Person | None]":
        from orgs.models.people import Role, lock_members  # people.py stands on this file

        if by is None:
            return Org.objects.locked(self.pk), person
        (actor,) = lock_members(self.pk, by)
        if actor.role != Role.OWNER:
            raise Refused("not_owner", _("Only an owner can do that."))
        return actor.org, actor.person

    def _tell_owners(self, template: str, *, asked_by: "Person | None") -> None:
        delete_on = self.delete_after.astimezone(self.zone).date() if self.delete_after else None
        for owner in self.owners:
            write_mail(
                template,
                to=owner.email,
                language=owner.language,
                org=self,
                path=reverse("orgs:home", args=[self.slug]),
                context={"asked_by": asked_by, "delete_on": delete_on},
                person=owner,
            )

    def _follow(self, org: "Org") -> None:
        """Take over what the locked row says."""
        self.status, self.suspended_reason, self.delete_after = org.status, org.suspended_reason, org.delete_after


class Domain(DomainMixin):  # type: ignore[misc]  # django-tenants ships no types
    """Exists because django-tenants demands a domain model; orgs are found by path, never by host."""
