"""What members are told: in the app, by e-mail, once, only who wants it and may see it, and not in quiet hours."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from conversations import intake, links, news, notes, notices
from conversations.models import Contact, Conversation, Number
from orgs import bell, notifications
from orgs.context import in_org
from orgs.models import (
    Due,
    Mail,
    Membership,
    Notification,
    NotificationDelivery,
    NotificationSettings,
    Org,
    Person,
    Role,
)
from tests.conversations.conftest import arrive, deliver_news, incoming, make_number, the_conversation, told

ZONES = [("America/Sao_Paulo", 3), ("Asia/Tokyo", -9)]  # hours behind UTC


def member(person: Person) -> Membership:
    return Membership.objects.select_related("org", "person").get(person=person)


def choose(person: Person, **fields: Any) -> None:
    NotificationSettings.objects.update_or_create(membership=member(person), defaults=fields)


def hand_off() -> None:
    with transaction.atomic():
        notices.handed_off(intake.locked(the_conversation().pk), "lead_asked")


@pytest.fixture
def lead(number: Number) -> Conversation:
    arrive(number, incoming("quero falar com uma pessoa"))
    return the_conversation()


def letters() -> list[str]:
    deliver_news()
    return sorted(Mail.objects.values_list("to", flat=True))


def test_one_cause_is_told_once_to_each(acme: Org, ana: Person, beto: Person) -> None:
    to = [member(ana), member(beto)]
    assert notifications.notify("handoff", "7/x", to=to) == to
    assert notifications.notify("handoff", "7/x", to=[*to, member(ana)]) == []
    assert notifications.notify("hot", "7/x", to=to[:1]) == to[:1]
    assert told() == [("handoff", ana.email), ("handoff", beto.email), ("hot", ana.email)]
    assert NotificationDelivery.objects.filter(channel="email").count() == 3


def test_who_is_muted_or_wants_nothing_of_the_kind_gets_nothing(
    lead: Conversation, ana: Person, beto: Person, davi: Person
) -> None:
    choose(ana, is_muted=True)
    choose(beto, channels={"handoff": []})
    choose(davi, channels={"handoff": ["in_app"]})
    hand_off()
    assert told() == [("handoff", davi.email)]
    assert letters() == []
    choose(beto, channels={"handoff": ["email"]})
    Conversation.objects.update(needs_person_since=None)
    hand_off()
    assert letters() == [beto.email]
    assert not Notification.objects.get(membership__person=beto).in_app


def test_who_was_muted_or_demoted_or_has_read_it_before_it_left_gets_no_mail(
    lead: Conversation, ana: Person, beto: Person, davi: Person
) -> None:
    hand_off()
    choose(ana, is_muted=True)
    Membership.objects.filter(person=beto).update(role=Role.VIEWER)
    notifications.mark_read(member(davi))
    assert letters() == []
    assert set(NotificationDelivery.objects.values_list("state", flat=True)) == {"dropped"}


def test_who_left_or_may_not_sign_in_gets_nothing(lead: Conversation, ana: Person, beto: Person, davi: Person) -> None:
    hand_off()
    member(beto).delete()
    Person.objects.filter(pk=davi.pk).update(is_active=False)
    assert letters() == [ana.email]
    assert told() == [("handoff", ana.email), ("handoff", davi.email)]


def test_an_sdr_who_sees_only_theirs_is_not_told_of_others(
    lead: Conversation, acme: Org, ana: Person, beto: Person, davi: Person
) -> None:
    hand_off()
    Org.objects.filter(pk=acme.pk).update(sdrs_see_only_theirs=True)
    assert letters() == [ana.email, davi.email]  # it was on its way when the org changed its mind
    Conversation.objects.update(needs_person_since=None)
    hand_off()
    assert told().count(("handoff", beto.email)) == 1
    [gone] = news.of(list(Notification.objects.filter(membership__person=beto)), member(beto), may_name=True)
    assert (gone.path, "Maria" in gone.title) == ("", False)


def test_what_was_settled_is_not_mailed(lead: Conversation) -> None:
    hand_off()
    Conversation.objects.update(needs_person_since=None)
    assert letters() == []


def test_the_app_names_the_lead_and_a_mail_does_not(lead: Conversation, ana: Person) -> None:
    hand_off()
    row = Notification.objects.get(membership__person=ana)
    [inside], [outside] = (news.of([row], member(ana), may_name=named) for named in (True, False))
    assert inside.title.startswith("Maria")
    assert "Maria" not in outside.title + outside.detail
    assert inside.path == outside.path == f"/o/acme/inbox/{lead.pk}/"
    letters()
    assert not any("Maria" in f"{mail.subject}{mail.text}{mail.html}" for mail in Mail.objects.all())
    assert all("/notifications/settings/" in str(mail.text) for mail in Mail.objects.all())


def test_an_erased_lead_leaves_no_name(lead: Conversation, ana: Person) -> None:
    from conversations import erasure

    hand_off()
    erasure.erase(Contact.objects.get())
    [gone] = news.of(list(Notification.objects.filter(membership__person=ana)), member(ana), may_name=True)
    assert gone.path == ""
    assert letters() == []


# --- Quiet hours ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("zone", "behind"), ZONES)
def test_quiet_hours_are_the_persons(ana: Person, zone: str, behind: int) -> None:
    own = NotificationSettings(membership=member(ana), time_zone=zone, quiet_from=time(22), quiet_until=time(7))
    midnight = datetime(2026, 3, 10, tzinfo=UTC) + timedelta(hours=behind)  # in the zone
    for hours, ends in [(21.9, None), (22, 31), (23.5, 31), (24 + 6.9, 31), (31, None), (36, None)]:
        over = own.quiet_over(midnight + timedelta(hours=hours))
        assert over == (None if ends is None else midnight + timedelta(hours=ends)), hours


def test_quiet_hours_follow_the_clock_when_it_changes(ana: Person) -> None:
    own = NotificationSettings(
        membership=member(ana), time_zone="America/New_York", quiet_from=time(22), quiet_until=time(7)
    )
    before, after = datetime(2026, 3, 8, 4, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)  # 23:00 and 00:00 there
    assert own.quiet_over(before) == datetime(2026, 3, 8, 11, tzinfo=UTC)  # 07:00 EDT: an hour less to wait
    assert own.quiet_over(after) == datetime(2026, 11, 1, 12, tzinfo=UTC)  # 07:00 EST


def test_in_quiet_hours_nothing_leaves_until_they_are_over(lead: Conversation, beto: Person) -> None:
    now = timezone.now().astimezone(UTC)
    start, end = (now - timedelta(hours=1)).time(), (now + timedelta(hours=2)).time()
    choose(beto, quiet_from=start, quiet_until=end, time_zone="UTC")
    hand_off()
    ref = f"{member(beto).pk}/email"
    assert beto.email not in letters()
    due = Due.objects.filter(kind="notify", ref=ref).first()
    assert due is None or due.due_at > now + timedelta(hours=1)  # far ones wait in Later
    assert ("handoff", beto.email) in told()
    choose(beto, quiet_from=None, quiet_until=None)
    news.deliver(ref)
    assert beto.email in letters()


# --- Pages ----------------------------------------------------------------------------------------------------------
def test_the_bell_counts_what_is_unread_and_the_list_shows_it(
    lead: Conversation, beto: Person, sign_in: Callable[[Person], Client]
) -> None:
    hand_off()
    browser = sign_in(beto)
    assert "bell__count" in browser.get("/o/acme/notifications/bell/").content.decode()
    page = browser.get("/o/acme/notifications/").content.decode()
    assert "Maria" in page
    assert page.count("notices__item--unread") == 1
    row = Notification.objects.get(membership__person=beto)
    opened = browser.get(f"/o/acme/notifications/{row.pk}/")
    assert (opened.status_code, opened.headers["Location"]) == (302, f"/o/acme/inbox/{lead.pk}/")
    assert "bell__count" not in browser.get("/o/acme/notifications/bell/").content.decode()


def test_all_are_marked_as_read_at_once_and_nobody_elses(
    lead: Conversation, beto: Person, sign_in: Callable[[Person], Client]
) -> None:
    hand_off()
    sign_in(beto).post("/o/acme/notifications/reading/")
    unread = Notification.objects.filter(read_at=None).values_list("membership__person__email", flat=True)
    assert sorted(unread) == ["ana@example.com", "davi@example.com"]


def test_anothers_notification_is_not_found(
    lead: Conversation, ana: Person, beto: Person, sign_in: Callable[[Person], Client]
) -> None:
    hand_off()
    row = Notification.objects.get(membership__person=ana)
    assert sign_in(beto).get(f"/o/acme/notifications/{row.pk}/").status_code == 404
    row.refresh_from_db()
    assert row.read_at is None


def test_what_to_tell_is_chosen_per_kind_and_channel(
    in_acme: Org, beto: Person, sign_in: Callable[[Person], Client]
) -> None:
    browser = sign_in(beto)
    page = browser.get("/o/acme/notifications/settings/").content.decode()
    assert "handoff-email" in page
    assert "number-email" not in page  # not for an SDR
    chosen = {"handoff-in_app": "on", "digest_at": "07:30", "time_zone": "asia/tokyo", "weekly_digest": "on"}
    assert browser.post("/o/acme/notifications/settings/", chosen).status_code == 302
    own = NotificationSettings.objects.get(membership__person=beto)
    assert (own.channels_of("handoff"), own.channels_of("hot")) == (frozenset({"in_app"}), frozenset())
    assert own.channels_of("number") == {"in_app", "email", "push"}  # untouched: they could not see it
    assert (own.time_zone, own.digest_at, own.daily_digest, own.weekly_digest) == (
        "Asia/Tokyo",
        time(7, 30),
        False,
        True,
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"digest_at": "x"}, "digest_at"),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(
    in_acme: Org, beto: Person, sign_in: Callable[[Person], Client], wrong: dict[str, str], field: str
) -> None:
    answer = sign_in(beto).post("/o/acme/notifications/settings/", {"digest_at": "08:00", **wrong})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not NotificationSettings.objects.exists()


# --- Crowds ---------------------------------------------------------------------------------------------------------
def test_of_many_senders_one_sends(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        arrive(make_number(), incoming("quero falar com uma pessoa"))
        hand_off()
    ref = f"{Membership.objects.get(person__email='beto@example.com').pk}/email"
    start = threading.Barrier(4)

    def send(_: int) -> int:
        try:
            with in_org(acme):
                start.wait(20)
                return news.deliver(ref)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [0, 0, 0, 1]
    assert Mail.objects.filter(to="beto@example.com").count() == 1


def test_only_their_own_pages_are_told(in_acme: Org, ana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[int, int]] = []
    monkeypatch.setattr(bell, "tell", lambda org_id, ref: rung.append((org_id, ref)))
    notifications.notify("handoff", "1/x", to=[member(ana)])
    assert rung == [(in_acme.pk, -member(ana).pk)]


# --- Mentions -------------------------------------------------------------------------------------------------------
def test_who_is_called_in_a_note_is_told_once_and_only_who_may_see_it(
    number: Number, acme: Org, ana: Person, beto: Person, vera: Person
) -> None:
    arrive(number, incoming("Oi"))
    note = notes.write(the_conversation(), ana, text="@Beto @Vera @Ana vejam")
    notices.mentioned(note, [beto.pk, vera.pk])
    assert told() == [("mention", beto.email), ("mention", vera.email)]
    Org.objects.filter(pk=acme.pk).update(sdrs_see_only_theirs=True)
    notes.write(the_conversation(), ana, text="@Beto @Vera de novo")
    assert told() == [("mention", beto.email), ("mention", vera.email), ("mention", vera.email)]
    assert letters() == [vera.email]
    assert "vejam" not in "".join(f"{mail.text}{mail.html}" for mail in Mail.objects.all())


def test_the_limit_of_the_day_is_told_once_a_day_to_who_steers(number: Number, ana: Person, davi: Person) -> None:
    for day in (1, 1, 2):
        number.sent_on = timezone.now().date().replace(day=day)
        links.tell_limit(number)
    assert told() == sorted([("limit", ana.email), ("limit", davi.email)] * 2)
