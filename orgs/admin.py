"""What our support staff sees: orgs, people, memberships, their health and the audit log — never a secret, never a
lead's words. sdr.staff registers these classes on the staff site; looking at an object is itself recorded.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from orgs import backlog, bell, flags, schemas, staffing
from orgs.audit import Action, record
from orgs.context import in_org
from orgs.models import (
    AuditEntry,
    Due,
    Flag,
    FlagOverride,
    Heartbeat,
    Invitation,
    Later,
    Mail,
    Membership,
    Org,
    Person,
)
from orgs.models.refused import Refused
from orgs.routing import tenant_configs
from orgs.staffing import StaffRefusedError

COUNT_TIMEOUT_MS = 2_000
MASKED_START = 2  # letters of an address that support sees of somebody who is no user yet


def masked(address: str) -> str:
    """`maria@example.com` as `ma•••@example.com`."""
    name, _, domain = address.partition("@")
    return f"{name[:MASKED_START]}•••@{domain}"


class StaffModelAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Support looks; nobody adds, changes or deletes unless a subclass says so. Each object looked at is audited."""

    actions_on_top = True
    list_per_page = 50
    show_full_result_count = False
    empty_value_display = "—"
    compressed_fields = True

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Sequence[str]:
        return cast("Sequence[str]", self.fields or ())

    def has_module_permission(self, request: HttpRequest) -> bool:
        return staffing.is_support(cast(Person, request.user))

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return staffing.is_support(cast(Person, request.user))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_lead_permission(self, request: HttpRequest) -> bool:
        """For actions: `@admin.action(permissions=["lead"])`."""
        return staffing.is_lead(cast(Person, request.user))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        if request.method == "GET" and response.status_code == 200:
            self.note_look(request, object_id)
        return response

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().history_view(request, object_id, extra_context)
        self.note_look(request, object_id)
        return response

    def note_look(self, request: HttpRequest, object_id: str) -> None:
        org = Org.objects.filter(pk=object_id).first() if self.model is Org else None
        record(Action.STAFF_LOOKED, request=request, org=org, target=f"{self.model._meta.model_name}:{object_id}")


class ReasonForm(ActionForm):  # type: ignore[misc]
    """The list's action form with a line for why."""

    reason = forms.CharField(
        label="Reason (the members read it)", max_length=200, required=False, widget=UnfoldAdminTextInputWidget()
    )


class OrgAdmin(StaffModelAdmin):
    list_display = ("name", "slug", "status", "members", "is_current", "created_at")
    list_filter = ("status", "requires_mfa", "language")
    search_fields = ("name", "slug", "memberships__person__email")
    ordering = ("name_folded", "pk")
    fields = (
        "name", "slug", "status", "suspended_reason", "delete_after", "language", "time_zone", "requires_mfa",
        "schema_name", "is_current", "members_list", "created_at", "health",
    )  # fmt: skip
    action_form = ReasonForm
    actions = ("suspend", "unsuspend")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Org]:
        return cast("QuerySet[Org]", super().get_queryset(request).annotate(member_count=Count("memberships")))

    @admin.display(description="members", ordering="member_count")
    def members(self, org: Org) -> int:
        return int(org.member_count)

    @admin.display(description="schema is current", boolean=True)
    def is_current(self, org: Org) -> bool:
        return bool(org.schema_version == schemas.org_version())

    @admin.display(description="members")
    def members_list(self, org: Org) -> str:
        rows = org.memberships.select_related("person").order_by("pk")[:200]
        return format_html_join(
            "", "<div>{} · {}</div>", ((membership.person.email, membership.get_role_display()) for membership in rows)
        )

    @admin.display(description="health")
    def health(self, org: Org) -> str:
        return format_html('<a href="{}">Open</a>', reverse("admin:orgs_org_health", args=[org.pk]))

    @admin.action(description="Suspend, with the reason given", permissions=["lead"])
    def suspend(self, request: HttpRequest, orgs: QuerySet[Org]) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, "Give a reason: the members read it.", messages.ERROR)
            return
        for org in orgs:
            try:
                org.suspend(reason, person=cast(Person, request.user), request=request)
            except Refused as refusal:
                self.message_user(request, f"{org.slug}: {refusal}", messages.ERROR)
            else:
                self.message_user(request, f"{org.slug} is suspended.")

    @admin.action(description="End the suspension", permissions=["lead"])
    def unsuspend(self, request: HttpRequest, orgs: QuerySet[Org]) -> None:
        for org in orgs:
            org.unsuspend(person=cast(Person, request.user), request=request)
            self.message_user(request, f"{org.slug} is {org.status}.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.health_view)
        return [path("<int:pk>/health/", view, name="orgs_org_health"), *super().get_urls()]

    def health_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How the org's schema is: rows per table, read-only, no content of any row."""
        org = Org.objects.filter(pk=pk).first()
        if org is None:
            raise Http404
        record(Action.STAFF_LOOKED, request=request, org=org, target=f"org_health:{org.pk}")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Health of {org.name}",
            "org": org,
            "current_version": schemas.org_version(),
            "is_current": self.is_current(org),
            "tables": count_rows(org),
            "overrides": FlagOverride.objects.filter(org=org).order_by("name"),
            "opts": Org._meta,
        }
        return TemplateResponse(request, "admin/orgs/org/health.html", context)


def count_rows(org: Org) -> list[tuple[str, int | None]]:
    """Rows per table of the org, by name; None where counting takes too long or the table is not there yet."""
    counts: list[tuple[str, int | None]] = []
    tables = sorted(
        model._meta.db_table for config in tenant_configs() for model in config.get_models(include_auto_created=True)
    )
    with in_org(org), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute(f"SET LOCAL statement_timeout = {COUNT_TIMEOUT_MS}")
        for table in tables:
            try:
                with transaction.atomic():
                    cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608  # our names
                    row = cursor.fetchone()
            except DatabaseError:
                counts.append((table, None))
            else:
                counts.append((table, int(row[0]) if row else None))
    return counts


class PersonAdmin(StaffModelAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "language", "last_login", "created_at")
    list_filter = ("is_active", "is_staff", "language")
    search_fields = ("email", "name")
    ordering = ("email",)
    fields = (
        "email", "email_is_verified", "name", "language", "is_active", "staff_role", "second_step", "open_sessions",
        "orgs_list", "last_login", "created_at",
    )  # fmt: skip
    actions = ("deactivate", "reactivate", "end_sessions", "reset_second_step")

    @admin.display(description="e-mail verified", boolean=True)
    def email_is_verified(self, person: Person) -> bool:
        return bool(EmailAddress.objects.filter(user=person, email__iexact=person.email, verified=True).exists())

    @admin.display(description="staff role")
    def staff_role(self, person: Person) -> str:
        return ", ".join(sorted(staffing.roles_of(person))) or "—"

    @admin.display(description="second step")
    def second_step(self, person: Person) -> str:
        kinds = Authenticator.objects.filter(user=person).order_by("type").values_list("type", flat=True).distinct()
        return ", ".join(kinds) or "none"

    @admin.display(description="open sessions")
    def open_sessions(self, person: Person) -> int:
        return int(UserSession.objects.filter(user=person).count())

    @admin.display(description="orgs")
    def orgs_list(self, person: Person) -> str:
        rows = person.memberships.select_related("org").order_by("org__name_folded")[:200]
        return format_html_join(
            "",
            '<div><a href="{}">{}</a> · {}</div>',
            (
                (
                    reverse("admin:orgs_org_change", args=[membership.org_id]),
                    membership.org.name,
                    membership.get_role_display(),
                )
                for membership in rows
            ),
        )

    @admin.action(description="Stop from signing in", permissions=["lead"])
    def deactivate(self, request: HttpRequest, people: QuerySet[Person]) -> None:
        self.act(request, people, staffing.deactivate, "may not sign in any more")

    @admin.action(description="Allow to sign in again", permissions=["lead"])
    def reactivate(self, request: HttpRequest, people: QuerySet[Person]) -> None:
        self.act(request, people, staffing.reactivate, "may sign in again")

    @admin.action(description="Sign out everywhere", permissions=["lead"])
    def end_sessions(self, request: HttpRequest, people: QuerySet[Person]) -> None:
        self.act(request, people, staffing.end_sessions, "is signed out everywhere")

    @admin.action(description="Reset the second step", permissions=["lead"])
    def reset_second_step(self, request: HttpRequest, people: QuerySet[Person]) -> None:
        self.act(request, people, staffing.reset_second_step, "has no second step now and was told by e-mail")

    def act(self, request: HttpRequest, people: QuerySet[Person], verb: Any, done: str) -> None:
        for person in people:
            try:
                verb(person, by=cast(Person, request.user), request=request)
            except StaffRefusedError as refusal:
                self.message_user(request, f"{person.email}: {refusal}", messages.ERROR)
            else:
                self.message_user(request, f"{person.email} {done}.")


class MembershipAdmin(StaffModelAdmin):
    list_display = ("person", "org", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("person", "org")
    search_fields = ("person__email", "org__slug", "org__name")
    ordering = ("-pk",)
    fields = ("person", "org", "role", "created_at")


class InvitationAdmin(StaffModelAdmin):
    list_display = ("to", "org", "role", "sent_at", "expires_at", "accepted_at", "revoked_at")
    list_filter = ("role",)
    list_select_related = ("org",)
    search_fields = ("email__iexact", "org__slug", "org__name")
    ordering = ("-pk",)
    fields = (
        "to", "org", "role", "language", "invited_by", "created_at", "sent_at", "expires_at", "accepted_at",
        "accepted_by", "revoked_at",
    )  # fmt: skip

    @admin.display(description="to")
    def to(self, invitation: Invitation) -> str:
        return masked(invitation.email)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Invitation | None:
        """Titles and breadcrumbs print the row itself, so its address is masked; nothing here saves it."""
        invitation: Invitation | None = super().get_object(request, object_id, from_field)
        if invitation is not None:
            invitation.email = masked(invitation.email)
        return invitation


class MailAdmin(StaffModelAdmin):
    list_display = ("created_at", "recipient", "kind", "org", "state", "attempts", "sent_at")
    list_filter = ("state", "kind")
    list_select_related = ("org",)
    search_fields = ("to__iexact", "kind")
    ordering = ("-pk",)
    fields = (
        "recipient", "kind", "org", "language", "state", "attempts", "not_before", "created_at", "sent_at",
    )  # fmt: skip

    @admin.display(description="to")
    def recipient(self, mail: Mail) -> str:
        return masked(mail.to)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mail]:
        return cast("QuerySet[Mail]", super().get_queryset(request).defer("text", "html", "subject", "last_error"))


class AuditEntryAdmin(StaffModelAdmin):
    list_display = ("at", "action", "actor", "org_slug", "target", "ip")
    list_filter = (("at", admin.DateFieldListFilter), "action")
    search_fields = ("actor__iexact", "org_slug__iexact", "target__iexact", "request_id__iexact")
    ordering = ("-pk",)
    fields = (
        "at", "action", "actor", "person_id", "org_slug", "org_id", "target", "data", "ip", "user_agent", "request_id",
    )  # fmt: skip


class HeartbeatAdmin(StaffModelAdmin):
    list_display = ("name", "kind", "beat_at")
    list_filter = ("kind",)
    ordering = ("kind", "name")
    fields = ("name", "kind", "beat_at")


class DeadFilter(admin.SimpleListFilter):
    """Given up or not."""

    title = "dead"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Due]) -> QuerySet[Due]:
        if self.value() in {"yes", "no"}:
            return queryset.filter(dead_at__isnull=self.value() == "no")
        return queryset


class QueueAdmin(StaffModelAdmin):
    """Rows of a queue: ids, times and reasons; what they are about stays in the org."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        slug = Org.objects.filter(pk=OuterRef("org_id")).values("slug")
        return cast("QuerySet[Any]", super().get_queryset(request).annotate(org_slug=Subquery(slug)))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the org's address or the row's ref."""
        if not search_term:
            return queryset, False
        return queryset.filter(Q(org_slug=search_term.lower()) | Q(ref=search_term)), False

    @admin.display(description="org")
    def org(self, row: Any) -> str:
        return row.org_slug or f"#{row.org_id}, gone"


class DueAdmin(QueueAdmin):
    list_display = ("kind", "org", "ref", "due_at", "overdue", "lease_until", "attempts", "dead_at", "last_error")
    list_filter = (DeadFilter, "kind")
    search_fields = ("ref",)
    ordering = ("-dead_at", "due_at", "pk")
    fields = (
        "kind", "org", "ref", "due_at", "overdue", "wanted_since", "generation", "priority", "context", "lease_until",
        "attempts", "dead_at", "last_error",
    )  # fmt: skip
    actions = ("replay", "replay_kinds")

    @admin.display(description="overdue")
    def overdue(self, row: Due) -> str:
        seconds = (timezone.now() - row.due_at).total_seconds()
        return f"{seconds:.0f} s" if seconds > 0 and row.dead_at is None else ""

    @admin.action(description="Bring back, due now (dead letters)", permissions=["lead"])
    def replay(self, request: HttpRequest, rows: QuerySet[Due]) -> None:
        count = backlog.replay(Due.objects.filter(pk__in=rows.values("pk")), request=request)
        bell.ring()
        self.message_user(request, f"{count} brought back.")

    @admin.action(description="Bring back all dead letters of these kinds", permissions=["lead"])
    def replay_kinds(self, request: HttpRequest, rows: QuerySet[Due]) -> None:
        kinds = sorted(set(rows.order_by().values_list("kind", flat=True)))
        count = sum(backlog.replay(backlog.dead(kind=kind), request=request) for kind in kinds)
        bell.ring()
        self.message_user(request, f"{count} brought back of {', '.join(kinds)}.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.overview)
        return [path("overview/", view, name="orgs_due_overview"), *super().get_urls()]

    def overview(self, request: HttpRequest) -> HttpResponse:
        """Figures by kind, shifts, signs of life, invariants."""
        context = {
            **self.admin_site.each_context(request), "title": "Queue", "state": backlog.state(), "opts": Due._meta,
        }  # fmt: skip
        return TemplateResponse(request, "admin/orgs/due/overview.html", context)


class LaterAdmin(QueueAdmin):
    list_display = ("kind", "org", "ref", "due_at", "priority")
    list_filter = ("kind",)
    search_fields = ("ref",)
    ordering = ("due_at", "pk")
    fields = ("kind", "org", "ref", "due_at", "wanted_since", "priority", "context", "attempts", "last_error")


class LeadEditsMixin:
    """Leads add, change and delete; support looks."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return staffing.is_lead(cast(Person, request.user))

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return staffing.is_lead(cast(Person, request.user))

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return staffing.is_lead(cast(Person, request.user))


class FlagAdmin(LeadEditsMixin, StaffModelAdmin):
    """Changes go through orgs.flags, which audits them."""

    list_display = ("name", "percentage", "updated_at")
    ordering = ("name",)
    fields = ("name", "percentage")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Sequence[str]:
        return () if obj is None else ("name",)

    def formfield_for_dbfield(self, field: "models.Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        return flag_choices(field) or super().formfield_for_dbfield(field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Flag, form: "ModelForm[Flag]", change: bool) -> None:
        flags.set_percentage(obj.name, obj.percentage, request=request)

    def delete_model(self, request: HttpRequest, obj: Flag) -> None:
        flags.clear_percentage(obj.name, request=request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Flag]) -> None:
        for flag in queryset:
            self.delete_model(request, flag)


class FlagOverrideAdmin(LeadEditsMixin, StaffModelAdmin):
    """Changes go through orgs.flags, which audits them."""

    list_display = ("name", "org", "is_on", "updated_at")
    list_filter = ("name", "is_on")
    list_select_related = ("org",)
    search_fields = ("org__slug", "org__name")
    autocomplete_fields: ClassVar[Sequence[str]] = ("org",)
    ordering = ("name", "org")
    fields = ("name", "org", "is_on")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Sequence[str]:
        return () if obj is None else ("name", "org")

    def formfield_for_dbfield(self, field: "models.Field[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        return flag_choices(field) or super().formfield_for_dbfield(field, request, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: FlagOverride, form: "ModelForm[FlagOverride]", change: bool
    ) -> None:
        flags.set_override(obj.name, obj.org, is_on=obj.is_on, request=request)
        obj.pk = FlagOverride.objects.get(name=obj.name, org=obj.org).pk

    def delete_model(self, request: HttpRequest, obj: FlagOverride) -> None:
        flags.clear_override(obj.name, obj.org, request=request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[FlagOverride]) -> None:
        for override in queryset.select_related("org"):
            self.delete_model(request, override)


def flag_choices(field: "models.Field[Any, Any]") -> forms.ChoiceField | None:
    """The form field of a flag's name: only flags that exist can be chosen."""
    if field.name != "name":
        return None
    return forms.ChoiceField(choices=[(name, name) for name in sorted(settings.FEATURES)])


ADMINS: dict[type[models.Model], type[StaffModelAdmin]] = {
    Org: OrgAdmin,
    Person: PersonAdmin,
    Membership: MembershipAdmin,
    Invitation: InvitationAdmin,
    Mail: MailAdmin,
    AuditEntry: AuditEntryAdmin,
    Heartbeat: HeartbeatAdmin,
    Due: DueAdmin,
    Later: LaterAdmin,
    Flag: FlagAdmin,
    FlagOverride: FlagOverrideAdmin,
}
