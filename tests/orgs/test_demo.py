"""The demo's story: complete, coherent, and told once."""

from datetime import timedelta
from io import StringIO

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from orgs import demo
from orgs.models import AuditEntry, Invitation, Mail, Membership, Org, Person, Role


@pytest.fixture
def aurora(db: None) -> Org:
    assert demo.seed() is True
    org: Org = Org.objects.get(slug="aurora")
    return org


def test_it_tells_of_two_orgs_and_their_people(aurora: Org) -> None:
    roles = {row.person.email: row.role for row in aurora.memberships.select_related("person")}
    assert roles == {
        "marina@aurora.example": "owner",
        "rafael@aurora.example": "admin",
        "julia@aurora.example": "sdr",
        "tiago@aurora.example": "sdr",
        "helena@aurora.example": "viewer",
    }
    marina = Person.objects.get(email=demo.DEMO_EMAIL)
    assert [org.slug for org in Org.objects.of(marina)] == ["aurora", "duarte-consultoria"]
    states = {row.email: row.problem for row in aurora.invitations.open()}
    assert states == {"bruno@aurora.example": "", "paula@contabil.example": "expired"}


def test_its_history_is_in_order_and_agrees_with_the_rows(aurora: Org) -> None:
    entries = list(AuditEntry.objects.filter(org_id=aurora.pk).order_by("at"))
    assert entries[0].action == "org.created"
    assert entries[-1].at < timezone.now()
    joined = {entry.target: entry.at for entry in entries if entry.action == "invitation.accepted"}
    members = aurora.memberships.exclude(role=Role.OWNER)
    assert joined == {f"membership:{row.pk}": row.created_at for row in members}
    for entry in entries:
        assert Membership.objects.get(org=aurora, person__email=entry.actor).created_at <= entry.at
    accepted = Invitation.objects.filter(org=aurora, accepted_at__isnull=False)
    in_time = accepted.filter(accepted_at__gt=F("sent_at"), accepted_at__lt=F("expires_at"))
    assert in_time.count() == accepted.count() == 4
    assert not Mail.objects.exists()


def test_it_is_told_once(aurora: Org) -> None:
    before = [model.objects.count() for model in (Org, Person, Membership, Invitation, AuditEntry, EmailAddress)]
    assert demo.seed() is False
    assert [
        model.objects.count() for model in (Org, Person, Membership, Invitation, AuditEntry, EmailAddress)
    ] == before


def test_next_week_an_invitation_still_waits(aurora: Org) -> None:
    demo.seed(timezone.now() + timedelta(days=7))
    invitation = aurora.invitations.get(email="bruno@aurora.example")
    assert invitation.expires_at > timezone.now() + timedelta(days=11)


def test_everybody_signs_in_with_what_is_printed(db: None) -> None:
    told = StringIO()
    call_command("seed_demo", stdout=told)
    assert demo.DEMO_PASSWORD in told.getvalue()
    for person in Person.objects.filter(email__endswith="@aurora.example"):
        assert person.email in told.getvalue()
        browser = Client()
        browser.post("/accounts/login/", {"login": person.email, "password": demo.DEMO_PASSWORD})
        assert browser.get("/o/aurora/").status_code == 200


def test_the_staff_account_is_support_and_no_member(aurora: Org) -> None:
    staff = Person.objects.get(email=demo.STAFF_EMAIL)
    assert staff.is_staff
    assert not staff.memberships.exists()


def test_it_refuses_in_production(db: None, settings: Settings) -> None:
    settings.IS_LOCAL = False
    with pytest.raises(CommandError):
        call_command("seed_demo")
    assert not Person.objects.filter(email=demo.DEMO_EMAIL).exists()
