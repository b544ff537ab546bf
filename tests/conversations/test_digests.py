"""Summaries of a day and a week: at each member's own hour, of their own day, once, and not when nothing happened."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from conversations import digests
from conversations.digests import Period
from conversations.models import Contact, Conversation, Message, Number, Qualification
from orgs.context import in_org
from orgs.models import Due, Mail, Membership, Notification, NotificationSettings, Org, Person
from tests.conversations.conftest import make_number

TUESDAY = datetime(2026, 11, 24, tzinfo=UTC)
Talk = Callable[..., Conversation]


def member(person: Person, **fields: Any) -> Membership:
    """Their membership, of long ago, with settings."""
    Membership.objects.filter(person=person).update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
    found = Membership.objects.select_related("org", "person").get(person=person)
    NotificationSettings.objects.update_or_create(membership=found, defaults={"weekly_digest": False} | fields)
    return found


def talk(number: Number, at: datetime, **fields: Any) -> Conversation:
    """A lead who got an answer at that time."""
    contact = Contact.objects.create(name="Mirtes")
    conversation = Conversation.objects.create(
        contact=contact, number=number, reply_jid=f"{contact.pk}@s.whatsapp.net", last_message_at=at, seq=1, **fields
    )
    Message.objects.create(
        conversation=conversation, number=number, author="ai", state="sent", seq=1, text="Oi", sent_at=at
    )
    return conversation


def letters() -> list[tuple[str, str]]:
    return [(mail.to.partition("@")[0], mail.kind.rpartition("_")[2]) for mail in Mail.objects.order_by("pk")]


@pytest.mark.parametrize(("zone", "hours"), [("America/Sao_Paulo", 11), ("Asia/Tokyo", -1), ("", 11)])
def test_it_comes_at_the_members_own_hour(in_acme: Org, ana: Person, zone: str, hours: int) -> None:
    found = member(ana, time_zone=zone, digest_at=time(8))
    at = TUESDAY + timedelta(hours=hours)  # eight in the morning there
    ref = str(found.pk)
    for now, is_due in [(at - timedelta(minutes=1), False), (at, True), (at + timedelta(hours=9), True)]:
        Due.objects.all().delete()
        digests.call(now)
        assert Due.objects.filter(kind="digest", ref=ref).exists() == is_due
        causes = [period.cause for period in digests.periods(NotificationSettings.objects.get(pk=found.pk), now)]
        assert causes == (["day/2026-11-24"] if is_due else [])


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("America/Sao_Paulo", (2026, 11, 23), (2026, 11, 23, 3), 24),
        ("Asia/Tokyo", (2026, 11, 23), (2026, 11, 22, 15), 24),
        ("America/New_York", (2026, 3, 8), (2026, 3, 8, 5), 23),  # the clocks go forward
        ("America/New_York", (2026, 11, 1), (2026, 11, 1, 4), 25),  # and back
    ],
)
def test_a_day_is_as_long_as_it_is_there(
    zone: str, day: tuple[int, int, int], begins: tuple[int, int, int, int], hours: int
) -> None:
    first = datetime(*day).date()
    start, end = Period("day", "day/x", first, first + timedelta(days=1)).bounds(ZoneInfo(zone))
    assert start.astimezone(UTC) == datetime(*begins, tzinfo=UTC)
    assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=hours)


def test_two_members_of_one_org_read_of_their_own_days(number: Number, ana: Person, davi: Person) -> None:
    talk(number, TUESDAY - timedelta(hours=10))  # Monday in Sao Paulo, and Monday 23:00 in Tokyo
    talk(number, TUESDAY - timedelta(hours=8))  # Monday in Sao Paulo, Tuesday in Tokyo
    here, there = member(ana, time_zone="America/Sao_Paulo"), member(davi, time_zone="Asia/Tokyo")
    noon = TUESDAY + timedelta(hours=12)
    assert digests.send(here.pk, noon) == digests.send(there.pk, noon) == ["day/2026-11-24"]
    counted = {row.membership_id: row.data["answered"] for row in Notification.objects.all()}
    assert counted == {here.pk: 2, there.pk: 1}


def test_it_says_who_was_answered_qualified_and_who_needs_somebody(number: Number, ana: Person) -> None:
    found = member(ana, time_zone="UTC")
    Person.objects.filter(pk=ana.pk).update(language="en")
    yesterday = TUESDAY - timedelta(hours=5)
    for n in range(7):
        one = talk(number, yesterday, needs_person_since=yesterday + timedelta(minutes=n), needs_reason="lead_asked")
        Qualification.objects.create(
            conversation=one, score=80, is_qualified=n < 2, told_at=yesterday if n < 2 else None
        )
    tester = talk(number, yesterday, needs_person_since=yesterday, needs_reason="lead_asked")
    Contact.objects.filter(pk=tester.contact_id).update(is_test=True)
    assert digests.send(found.pk, TUESDAY + timedelta(hours=12)) == ["day/2026-11-24"]
    mail = Mail.objects.get()
    text = str(mail.text)
    assert mail.subject == "Your summary of Nov. 23, 2026"
    assert "7 leads got an answer. 2 became qualified." in text
    assert "7 need a person now, longest waiting first:" in text
    assert text.count("The lead asks for a person") == digests.LISTED
    assert "Mirtes" not in f"{text} {mail.html}"


def test_it_is_sent_once_and_the_next_day_again(number: Number, ana: Person) -> None:
    found = member(ana, time_zone="UTC")
    talk(number, TUESDAY - timedelta(hours=5), needs_person_since=TUESDAY, needs_reason="lead_asked")
    for hours in (9, 9, 15, 23):
        digests.send(found.pk, TUESDAY + timedelta(hours=hours))
    digests.send(found.pk, TUESDAY + timedelta(hours=33))
    assert letters() == [("ana", "day")] * 2
    digests.call(TUESDAY + timedelta(hours=34))
    assert not Due.objects.filter(kind="digest", ref=str(found.pk)).exists()


def test_an_empty_one_is_not_sent_nor_asked_for_again(number: Number, ana: Person) -> None:
    found = member(ana, time_zone="UTC")
    talk(number, TUESDAY + timedelta(hours=1))  # today: of the next summary
    assert digests.send(found.pk, TUESDAY + timedelta(hours=9)) == []
    assert (letters(), Notification.objects.get().cause) == ([], "day/2026-11-24")
    Due.objects.all().delete()
    digests.call(TUESDAY + timedelta(hours=10))
    assert not Due.objects.filter(kind="digest", ref=str(found.pk)).exists()


def test_a_week_is_told_on_monday_or_as_soon_as_we_are_back(number: Number, ana: Person) -> None:
    found = member(ana, time_zone="UTC", daily_digest=False, weekly_digest=True)
    talk(number, TUESDAY - timedelta(days=3))
    monday = TUESDAY - timedelta(days=1)
    assert digests.send(found.pk, monday + timedelta(hours=7)) == []
    assert digests.send(found.pk, TUESDAY + timedelta(hours=1)) == ["week/2026-W48"]
    assert letters() == [("ana", "week")]


def test_who_does_not_want_it_is_muted_gone_or_has_just_come_gets_none(
    number: Number, ana: Person, beto: Person, davi: Person, vera: Person
) -> None:
    talk(number, TUESDAY - timedelta(hours=5))
    people = [
        member(ana, time_zone="UTC", daily_digest=False),
        member(beto, time_zone="UTC", is_muted=True),
        member(davi, time_zone="UTC"),
        member(vera, time_zone="UTC"),
    ]
    Membership.objects.filter(person=davi).update(created_at=TUESDAY)
    digests.call(TUESDAY + timedelta(hours=12))
    assert not Due.objects.filter(kind="digest", ref__in=[str(one.pk) for one in people]).exists()
    for one in people:
        assert digests.send(one.pk, TUESDAY + timedelta(hours=12)) == []
    assert (letters(), Notification.objects.count()) == ([], 0)


def test_an_sdr_who_sees_only_theirs_reads_of_theirs(number: Number, acme: Org, beto: Person) -> None:
    Org.objects.filter(pk=acme.pk).update(sdrs_see_only_theirs=True)
    found = member(beto, time_zone="UTC")
    yesterday = TUESDAY - timedelta(hours=5)
    talk(number, yesterday, assignee_id=beto.pk)
    talk(number, yesterday)
    digests.send(found.pk, TUESDAY + timedelta(hours=12))
    assert Notification.objects.get().data["answered"] == 1


def test_another_orgs_member_gets_nothing_here(in_acme: Org, carla: Person) -> None:
    talk(make_number(), TUESDAY - timedelta(hours=5))
    assert digests.send(member(carla, time_zone="UTC").pk, TUESDAY + timedelta(hours=12)) == []
    assert letters() == []


def test_quiet_hours_put_it_off(number: Number, ana: Person) -> None:
    found = member(ana, time_zone="UTC", quiet_from=time(22), quiet_until=time(10))
    talk(number, TUESDAY - timedelta(hours=5))
    assert digests.send(found.pk, TUESDAY + timedelta(hours=9)) == []
    assert digests.send(found.pk, TUESDAY + timedelta(hours=10)) == ["day/2026-11-24"]


def test_of_many_who_send_it_one_does(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        found = member(Person.objects.get(email="ana@example.com"), time_zone="UTC")
        talk(make_number(), TUESDAY - timedelta(hours=5))
    start = threading.Barrier(4)

    def send(_: int) -> list[str]:
        try:
            with in_org(acme):
                start.wait(20)
                return digests.send(found.pk, TUESDAY + timedelta(hours=12))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [[], [], [], ["day/2026-11-24"]]
    assert letters() == [("ana", "day")]
