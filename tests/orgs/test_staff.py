"""The staff site: who gets in, what is to be seen there and what never is, and that every look and act is recorded."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Success
from djstripe.models import APIKey, WebhookEndpoint

from orgs import flags, staffing
from orgs.admin import ADMINS, count_rows
from orgs.context import in_org
from orgs.models import (
    AuditEntry,
    Due,
    Flag,
    FlagOverride,
    Heartbeat,
    Invitation,
    Mail,
    Membership,
    Org,
    Person,
    Role,
)
from orgs.models.people import hash_token
from orgs.staffing import StaffRole
from sdr import staff
from tests.cast import PASSWORD, make_person

FLAG = "FEATURE_ANALYTICS"


def prove(client: Client, person: Person, *, ago: timedelta = timedelta()) -> Client:
    """As if the person had shown their second step in this session, `ago`."""
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time()},
        {"method": "mfa", "type": "totp", "at": time.time() - ago.total_seconds()},
    ]
    session["account_authentication_methods_user"] = str(person.pk)
    session.save()
    return client


@pytest.fixture
def support(db: None) -> Person:
    person = make_person("sofia", is_staff=True)
    staffing.grant(person, StaffRole.SUPPORT)
    TOTP.activate(person, generate_totp_secret())
    return person


@pytest.fixture
def lead(db: None) -> Person:
    person = make_person("lucas", is_staff=True)
    staffing.grant(person, StaffRole.LEAD)
    TOTP.activate(person, generate_totp_secret())
    return person


@pytest.fixture
def as_support(support: Person, sign_in: Callable[[Person], Client]) -> Client:
    return prove(sign_in(support), support)


@pytest.fixture
def as_lead(lead: Person, sign_in: Callable[[Person], Client]) -> Client:
    return prove(sign_in(lead), lead)


# --- Who gets in


def test_strangers_are_sent_to_our_sign_in_page(db: None) -> None:
    for path in ("/staff/", "/staff/orgs/org/", "/staff/no/such/thing/", "/staff/login/"):
        response = Client().get(path)
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/accounts/login/?next=%2Fstaff%2F")


@pytest.mark.parametrize("name", ["ana", "carla"])
def test_customers_find_nothing_there(
    db: None, name: str, sign_in: Callable[[Person], Client], django_user_model: Any
) -> None:
    client = sign_in(django_user_model.objects.get(email=f"{name}@example.com"))
    for path in (
        "/staff/",
        "/staff/orgs/org/",
        f"/staff/orgs/org/{Org.objects.all()[0].pk}/change/",
        "/staff/nothing/",
    ):
        assert client.get(path).status_code == 404
        assert client.post(path).status_code == 404
    assert not AuditEntry.objects.exists()


def test_is_staff_without_a_role_opens_nothing(db: None, sign_in: Callable[[Person], Client]) -> None:
    person = make_person("sofia", is_staff=True)
    TOTP.activate(person, generate_totp_secret())
    assert prove(sign_in(person), person).get("/staff/").status_code == 404


def test_a_role_without_is_staff_opens_nothing(sign_in: Callable[[Person], Client], ana: Person) -> None:
    staffing.ensure_groups()
    ana.groups.add(Group.objects.get(name=StaffRole.LEAD))
    TOTP.activate(ana, generate_totp_secret())
    assert prove(sign_in(ana), ana).get("/staff/").status_code == 404


def test_staff_without_a_second_step_set_it_up_first(db: None, sign_in: Callable[[Person], Client]) -> None:
    person = make_person("sofia")
    staffing.grant(person, StaffRole.SUPPORT)
    response = sign_in(person).get("/staff/orgs/org/")
    assert (response.status_code, response.headers["Location"]) == (302, reverse("mfa_index"))


def test_staff_show_their_second_step_before_they_look(support: Person, sign_in: Callable[[Person], Client]) -> None:
    client = sign_in(support)
    asked = client.get("/staff/orgs/org/")
    assert asked.headers["Location"] == f"{reverse('mfa_reauthenticate')}?next=%2Fstaff%2Forgs%2Forg%2F"
    prove(client, support, ago=timedelta(hours=13))
    assert client.get("/staff/orgs/org/").status_code == 302
    prove(client, support, ago=timedelta(hours=11))
    assert client.get("/staff/orgs/org/").status_code == 200


def test_changes_need_a_fresh_second_step(lead: Person, acme: Org, sign_in: Callable[[Person], Client]) -> None:
    client = prove(sign_in(lead), lead, ago=timedelta(minutes=16))
    data = {"action": "suspend", "reason": "Abuse", "_selected_action": [acme.pk]}
    response = client.post("/staff/orgs/org/", data)
    assert response.headers["Location"].startswith(reverse("mfa_reauthenticate"))
    acme.refresh_from_db()
    assert acme.status == Org.Status.ACTIVE


def test_staff_sign_in_with_password_and_code(support: Person) -> None:
    secret = generate_totp_secret()
    Authenticator.objects.filter(user=support).delete()
    TOTP.activate(support, secret)
    client = Client()
    client.post(reverse("account_login"), {"login": support.email, "password": PASSWORD})
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    client.post(reverse("mfa_authenticate"), {"code": code})
    assert client.get("/staff/").status_code == 200


def test_django_admins_own_password_forms_are_gone(as_support: Client) -> None:
    assert as_support.get("/staff/login/").headers["Location"].startswith(reverse("account_login"))
    assert as_support.get("/staff/password_change/").headers["Location"] == reverse("account_change_password")
    assert as_support.post("/staff/logout/").headers["Location"] == reverse("account_logout")


# --- What is to be seen


def test_it_registers_our_classes_and_nothing_of_the_libraries() -> None:
    assert set(staff.site._registry) == set(ADMINS)
    assert {model._meta.app_label for model in staff.site._registry} == {"orgs"}


SECRETS = {
    "totp": "TOTPSECRETPLANTED",
    "recovery": "recovery-seed-planted",
    "token": "invitation-token-planted",
    "token_hash": hash_token("invitation-token-planted"),
    "mail_text": "mail-text-planted https://example.com/reset/xyz",
    "mail_html": "mail-html-planted",
    "mail_subject": "mail-subject-planted 123456",
    "mail_error": "mail-error-planted",
    "session": "planted0session0key0planted00001",
    "api_key": "sk_test_planted000000000000",
    "webhook": "whsec_planted00000000000",
    "task": "task-argument-planted",
    "guest": "guest-planted@example.com",
}


def plant(acme: Org, ana: Person) -> None:
    """One row of everything that staff pages could show, with secrets in every field that holds one."""
    Authenticator.objects.create(user=ana, type="totp", data={"secret": SECRETS["totp"]})
    Authenticator.objects.create(user=ana, type="recovery_codes", data={"seed": SECRETS["recovery"]})
    UserSession.objects.create(user=ana, ip="127.0.0.1", session_key=SECRETS["session"], user_agent="Browser")
    Invitation.objects.create(org=acme, email=SECRETS["guest"], token_hash=SECRETS["token_hash"], invited_by=ana)
    Mail.objects.create(
        to=SECRETS["guest"], subject=SECRETS["mail_subject"], text=SECRETS["mail_text"], html=SECRETS["mail_html"],
        language="en", kind="orgs/mail/invitation", org=acme, last_error=SECRETS["mail_error"],
    )  # fmt: skip
    APIKey.objects.create(id="ak_planted", type="secret", secret=SECRETS["api_key"], livemode=False)
    WebhookEndpoint.objects.create(
        id="we_planted", secret=SECRETS["webhook"], url="https://example.com/", status="enabled", api_version="x",
        enabled_events=["*"], livemode=False, metadata={},
    )  # fmt: skip
    now = timezone.now()
    for kind, success in ((Success, True), (Failure, False)):
        kind.objects.create(
            id=kind.__name__, name=kind.__name__, func="orgs.tasks.send_mail", args=(SECRETS["task"],), started=now,
            stopped=now, success=success,
        )  # fmt: skip
    OrmQ.objects.create(key="jobs", payload=SECRETS["task"], lock=now)
    Heartbeat.objects.create(name="worker@host:1", kind="worker", beat_at=now)
    flags.set_percentage(FLAG, 10)
    flags.set_override(FLAG, acme, is_on=True)
    Due.objects.want(acme.pk, "turn", 7)
    Due.objects.want(acme.pk, "remind", 7, at=now + timedelta(days=1))


def staff_paths() -> list[str]:
    """Every list, object, history and added page of the site, and the site's own pages."""
    paths = ["/staff/", "/staff/search/?s=a", "/staff/jsi18n/", "/staff/orgs/"]
    for model in staff.site._registry:
        base = f"/staff/{model._meta.app_label}/{model._meta.model_name}/"
        paths += [base, f"{base}?q=a", f"{base}?q=planted", f"{base}add/"]
        for pk in model._default_manager.values_list("pk", flat=True):
            quoted = str(pk).replace("_", "_5F").replace(":", "_3A").replace("@", "_40")
            paths += [f"{base}{quoted}/change/", f"{base}{quoted}/history/", f"{base}{quoted}/delete/"]
    paths.append(reverse("admin:orgs_due_overview"))
    paths += [reverse("admin:orgs_org_health", args=[org.pk]) for org in Org.objects.all()]
    return paths


@pytest.mark.parametrize("role", [StaffRole.SUPPORT, StaffRole.LEAD])
def test_no_page_shows_a_secret(
    acme: Org, ana: Person, support: Person, sign_in: Callable[[Person], Client], role: StaffRole
) -> None:
    plant(acme, ana)
    staffing.grant(support, role)
    client = prove(sign_in(support), support)
    shown = 0
    for path in staff_paths():
        response = client.get(path)
        assert response.status_code in {200, 302, 403}, path
        shown += response.status_code == 200
        body = unescape(response.content.decode())
        for name, secret in SECRETS.items():
            assert secret not in body.replace("?q=planted", ""), f"{path} shows {name}"
        for person in Person.objects.all():
            assert person.password not in body, f"{path} shows a password hash"
    assert shown > 60


def test_the_walk_covers_every_address_of_the_site(acme: Org, ana: Person) -> None:
    """A new page must be walked above, or be one of those known to show nothing of its own."""
    plant(acme, ana)
    silent = {
        "index", "search", "login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n",
        "view_on_site", "app_list", None, "orgs_org_health",
    }  # fmt: skip
    names = {pattern.name for pattern in staff.site.get_urls() if hasattr(pattern, "name")}
    assert names <= silent
    for admin in staff.site._registry.values():
        own = {pattern.name or "" for pattern in admin.get_urls()}
        assert {re.sub(r".*_", "", name) for name in own} <= {
            "changelist",
            "add",
            "history",
            "delete",
            "change",
            "health",
            "overview",
            "",
        }


def test_looking_at_an_object_is_recorded(as_support: Client, support: Person, acme: Org, ana: Person) -> None:
    as_support.get(f"/staff/orgs/org/{acme.pk}/change/")
    as_support.get(f"/staff/orgs/person/{ana.pk}/change/")
    as_support.get(f"/staff/orgs/person/{ana.pk}/history/")
    as_support.get(reverse("admin:orgs_org_health", args=[acme.pk]))
    as_support.get("/staff/orgs/org/999999/change/")
    looked = AuditEntry.objects.filter(action="staff.looked").order_by("pk")
    assert list(looked.values_list("actor", "org_slug", "target")) == [
        (support.email, "acme", f"org:{acme.pk}"),
        (support.email, "", f"person:{ana.pk}"),
        (support.email, "", f"person:{ana.pk}"),
        (support.email, "acme", f"org_health:{acme.pk}"),
    ]


def test_an_org_is_found_by_a_members_address(as_support: Client) -> None:
    body = as_support.get("/staff/orgs/org/?q=carla@example.com").content.decode()
    assert "globex" in body
    assert "acme" not in body


def test_the_health_page_counts_rows_read_only_and_shows_no_content(as_support: Client, acme: Org) -> None:
    note = apps.get_model("rehearsal", "Note01")
    with in_org(acme):
        note.objects.create(title="title-planted", body="body-planted")
        before = note.objects.count()
    body = as_support.get(reverse("admin:orgs_org_health", args=[acme.pk])).content.decode()
    assert re.search(rf">{note._meta.db_table}</td>\s*<td[^>]*>{before}</td>", body)
    assert "planted" not in body
    assert acme.schema_name in body
    assert count_rows(acme)


def test_the_counting_transaction_cannot_write(acme: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = connection.ops.quote_name

    def spy(name: str) -> str:
        if name.startswith("rehearsal_"):  # a table is about to be counted
            with connection.cursor() as cursor:
                cursor.execute("SHOW transaction_read_only")
                seen.append(cursor.fetchone()[0])
        return real(name)

    monkeypatch.setattr(connection.ops, "quote_name", spy)
    count_rows(acme)
    assert set(seen) == {"on"}


# --- What may be done


def test_support_may_only_look(as_support: Client, acme: Org, ana: Person) -> None:
    Heartbeat.objects.create(name="w", kind="worker", beat_at=timezone.now())
    before = AuditEntry.objects.count()
    for path, action in [
        ("/staff/orgs/org/", "suspend"),
        ("/staff/orgs/person/", "deactivate"),
        ("/staff/orgs/person/", "end_sessions"),
        ("/staff/orgs/person/", "reset_second_step"),
        ("/staff/orgs/org/", "delete_selected"),
    ]:
        target = acme.pk if "/org/" in path else ana.pk
        as_support.post(path, {"action": action, "reason": "x", "_selected_action": [target]})
    for path in (
        f"/staff/orgs/org/{acme.pk}/change/", f"/staff/orgs/org/{acme.pk}/delete/", "/staff/orgs/org/add/",
        "/staff/orgs/flag/add/", "/staff/orgs/person/add/", f"/staff/orgs/person/{ana.pk}/change/",
        f"/staff/orgs/person/{ana.pk}/password/",
    ):  # fmt: skip
        assert as_support.post(path, {"name": FLAG, "percentage": 50, "post": "yes"}).status_code in {403, 404, 302}
    acme.refresh_from_db()
    ana.refresh_from_db()
    assert (acme.status, acme.name, ana.is_active, ana.name) == ("active", "Acme", True, "Ana")
    assert not Flag.objects.exists()
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("name", ["auditentry", "membership", "mail", "invitation", "person", "org"])
def test_even_leads_change_and_delete_nothing_by_hand(as_lead: Client, acme: Org, ana: Person, name: str) -> None:
    plant(acme, ana)
    model = next(model for model in staff.site._registry if model._meta.model_name == name)
    pk = model._default_manager.values_list("pk", flat=True)[0]
    rows = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
    assert as_lead.post(f"/staff/orgs/{name}/{pk}/change/", {"actor": "x", "role": "owner"}).status_code == 403
    assert as_lead.post(f"/staff/orgs/{name}/{pk}/delete/", {"post": "yes"}).status_code == 403
    as_lead.post(f"/staff/orgs/{name}/", {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert list(model._default_manager.order_by("pk").values_list("pk", flat=True))[-len(rows) :] == rows


def test_a_lead_suspends_with_a_reason_and_ends_it(as_lead: Client, lead: Person, acme: Org) -> None:
    as_lead.post("/staff/orgs/org/", {"action": "suspend", "reason": "  ", "_selected_action": [acme.pk]})
    acme.refresh_from_db()
    assert acme.status == Org.Status.ACTIVE
    as_lead.post("/staff/orgs/org/", {"action": "suspend", "reason": "Unpaid bill", "_selected_action": [acme.pk]})
    acme.refresh_from_db()
    assert (acme.status, acme.suspended_reason) == (Org.Status.SUSPENDED, "Unpaid bill")
    as_lead.post("/staff/orgs/org/", {"action": "unsuspend", "_selected_action": [acme.pk]})
    acme.refresh_from_db()
    assert acme.status == Org.Status.ACTIVE
    entries = AuditEntry.objects.filter(org_id=acme.pk).order_by("pk").values_list("action", "actor", "data")
    assert list(entries) == [
        ("org.suspended", lead.email, {"reason": "Unpaid bill"}),
        ("org.unsuspended", lead.email, {}),
    ]


def act(client: Client, action: str, person: Person) -> None:
    client.post("/staff/orgs/person/", {"action": action, "_selected_action": [person.pk]})


def test_a_lead_deactivates_somebody_and_their_sessions_end(
    as_lead: Client, lead: Person, beto: Person, sign_in: Callable[[Person], Client]
) -> None:
    browser = sign_in(beto)
    assert browser.get("/o/acme/").status_code == 200
    act(as_lead, "deactivate", beto)
    beto.refresh_from_db()
    assert not beto.is_active
    assert browser.get("/o/acme/").status_code == 302
    assert not UserSession.objects.filter(user=beto).exists()
    act(as_lead, "reactivate", beto)
    assert Person.objects.filter(pk=beto.pk, is_active=True).exists()
    entries = AuditEntry.objects.filter(target=f"person:{beto.pk}").order_by("pk").values_list("action", "actor")
    assert list(entries) == [("person.deactivated", lead.email), ("person.reactivated", lead.email)]


def test_a_lead_does_not_bring_a_superuser_back(as_lead: Client, beto: Person) -> None:
    Person.objects.filter(pk=beto.pk).update(is_active=False, is_staff=True, is_superuser=True)
    act(as_lead, "reactivate", beto)
    assert not Person.objects.filter(pk=beto.pk, is_active=True).exists()
    assert not AuditEntry.objects.filter(action="person.reactivated").exists()


def test_a_lead_signs_somebody_out_everywhere(
    as_lead: Client, beto: Person, sign_in: Callable[[Person], Client]
) -> None:
    browsers = [sign_in(beto), sign_in(beto)]
    for browser in browsers:
        assert browser.get("/o/acme/").status_code == 200
    act(as_lead, "end_sessions", beto)
    assert [browser.get("/o/acme/").status_code for browser in browsers] == [302, 302]
    entry = AuditEntry.objects.get(action="person.sessions_ended")
    assert (entry.target, entry.data) == (f"person:{beto.pk}", {"sessions": 2})


def test_a_lead_resets_a_lost_second_step_and_the_person_is_told(as_lead: Client, beto: Person) -> None:
    TOTP.activate(beto, generate_totp_secret())
    act(as_lead, "reset_second_step", beto)
    assert not Authenticator.objects.filter(user=beto).exists()
    assert AuditEntry.objects.get(action="mfa.reset").target == f"person:{beto.pk}"
    assert [(mail.to, mail.kind, mail.language) for mail in Mail.objects.all()] == [
        (beto.email, "orgs/mail/mfa_reset", beto.language)
    ]
    assert "/accounts/2fa/" in Mail.objects.get().text


def test_leads_cannot_act_on_themselves_on_superusers_or_on_second_steps_of_staff(
    as_lead: Client, lead: Person, support: Person
) -> None:
    root = make_person("root", is_staff=True, is_superuser=True)
    TOTP.activate(root, generate_totp_secret())
    before = AuditEntry.objects.count()
    for person in (lead, root):
        for action in ("deactivate", "end_sessions", "reset_second_step"):
            act(as_lead, action, person)
    act(as_lead, "reset_second_step", support)
    assert Person.objects.filter(is_active=True, pk__in=[lead.pk, root.pk]).count() == 2
    assert Authenticator.objects.filter(user__in=[lead, root, support]).count() == 3
    assert AuditEntry.objects.count() == before
    assert not Mail.objects.exists()


def test_leads_change_flags_and_each_change_is_audited(as_lead: Client, lead: Person, acme: Org) -> None:
    assert as_lead.post("/staff/orgs/flag/add/", {"name": FLAG, "percentage": "30"}).status_code == 302
    assert as_lead.post(f"/staff/orgs/flag/{FLAG.replace('_', '_5F')}/change/", {"percentage": "40"}).status_code == 302
    add = {"name": FLAG, "org": acme.pk, "is_on": "on"}
    assert as_lead.post("/staff/orgs/flagoverride/add/", add).status_code == 302
    override = FlagOverride.objects.get()
    assert override.is_on
    assert as_lead.post(f"/staff/orgs/flagoverride/{override.pk}/delete/", {"post": "yes"}).status_code == 302
    action = {"action": "delete_selected", "_selected_action": [FLAG], "post": "yes"}
    assert as_lead.post("/staff/orgs/flag/", action).status_code == 302
    assert not Flag.objects.exists()
    entries = AuditEntry.objects.filter(target=f"flag:{FLAG}").order_by("pk").values_list("action", "actor", "data")
    assert list(entries) == [
        ("flag.changed", lead.email, {"percentage": [None, 30]}),
        ("flag.changed", lead.email, {"percentage": [30, 40]}),
        ("flag.overridden", lead.email, {"is_on": [None, True]}),
        ("flag.override_cleared", lead.email, {"is_on": [True, None]}),
        ("flag.changed", lead.email, {"percentage": [40, None]}),
    ]


@pytest.mark.parametrize("data", [{"name": "FEATURE_NONE", "percentage": "5"}, {"name": FLAG, "percentage": "101"}])
def test_flags_refuse_unknown_names_and_percentages(as_lead: Client, data: dict[str, str]) -> None:
    assert as_lead.post("/staff/orgs/flag/add/", data).status_code == 200
    assert not Flag.objects.exists()


def test_the_command_grants_and_revokes(ana: Person, sign_in: Callable[[Person], Client]) -> None:
    browser = sign_in(ana)
    browser.get("/o/acme/")
    call_command("staff", "grant", "ANA@example.com", "lead")
    person = Person.objects.get(pk=ana.pk)
    assert staffing.is_lead(person)
    call_command("staff", "grant", "ana@example.com", "support")
    person = Person.objects.get(pk=ana.pk)
    assert staffing.is_support(person)
    assert not staffing.is_lead(person)
    call_command("staff", "revoke", "ana@example.com")
    assert not staffing.is_support(Person.objects.get(pk=ana.pk))
    assert browser.get("/o/acme/").status_code == 302
    assert AuditEntry.objects.filter(action="staff.changed", target=f"person:{ana.pk}").count() == 3
    with pytest.raises(CommandError):
        call_command("staff", "grant", "nobody@example.com", "lead")


# --- Its policy for scripts


def test_what_the_staff_pages_need_is_allowed_there_and_nowhere_else(as_support: Client) -> None:
    staff_policy = as_support.get("/staff/").headers["Content-Security-Policy"]
    assert "'unsafe-eval'" in staff_policy
    assert "nonce-" not in staff_policy
    for path in ("/", "/accounts/login/", "/accounts/2fa/"):
        policy = as_support.get(path).headers["Content-Security-Policy"]
        assert "unsafe" not in policy, path


def test_staff_without_an_org_land_on_their_pages(as_support: Client, support: Person, acme: Org) -> None:
    assert as_support.get("/").headers["Location"] == "/staff/"
    Membership.objects.create(org=acme, person=support, role=Role.VIEWER)
    assert as_support.get("/").headers["Location"] == "/o/acme/"
