"""The tenant. One row here, one schema in PostgreSQL (DESIGN 2, 6)."""

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

if TYPE_CHECKING:
    from orgs.models.people import Person

DELETION_GRACE = timedelta(days=30)


def new_schema_name() -> str:
    """A schema name nobody can guess and no slug can collide with; it never changes, whatever the org is called."""
    return f"org_{secrets.token_hex(8)}"


class OrgQuerySet(models.QuerySet["Org"]):
    def of(self, person: "Person") -> "OrgQuerySet":
        """Orgs the person is a member of, by name."""
        return self.filter(memberships__person=person).order_by("name_folded", "pk")

    def due_for_deletion(self, now: datetime) -> "OrgQuerySet":
        return self.filter(status=Org.Status.DELETING, delete_after__lte=now)


class Org(TenantMixin):  # type: ignore[misc]  # django-tenants ships no types
    """A company. `slug` is its address (`/o/<slug>/`), `schema_name` its schema; everything a lead said lives in there."""

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

    def get_full_name(self) -> str:
        """Name sent to Stripe (contracts/stripe.md 6)."""
        return self.name


class Domain(DomainMixin):  # type: ignore[misc]  # django-tenants ships no types
    """Exists because django-tenants demands a domain model; orgs are found by path, never by host."""
