"""Leads are given to people in turn, by rules, once; to somebody else after silence; and seen by whom they are."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from conversations import assignment, intake, notices, streams
from conversations.models import Assignment, Contact, Conversation, Message, Number
from orgs.context import in_org
from orgs.models import AuditEntry, Due, Later, Membership, Org, Person, Refused, Role
from tests.conversations.conftest import arrive, incoming, make_number, the_conversation, told


def switch_on(**fields: Any) -> None:
    Assignment.objects.update_or_create(pk=1, defaults={"is_on": True} | fields)


def rule(*people: Person, number: Number | None = None, source: str = "", hours: str = "") -> dict[str, Any]:
    return {
        "number": number.pk if number else None,
        "source": source,
        "hours": hours,
        "people": [person.pk for person in people],
    }


def lead(number: Number, n: int = 1, **contact: Any) -> Conversation:
    made = Contact.objects.create(name=f"Lead {n}", **contact)
    return Conversation.objects.create(contact=made, number=number, reply_jid=f"{made.pk}@s.whatsapp.net")


def hand_off(conversation: Conversation) -> Conversation:
    with transaction.atomic():
        notices.handed_off(intake.locked(conversation.pk), "lead_asked")
    conversation.refresh_from_db()
    return conversation


def look_now(conversation: Conversation) -> bool:
    row = Due.objects.filter(kind="reassign").first() or Later.objects.get(kind="reassign")
    return assignment.look(conversation.pk, row.context)


def test_each_gets_as_many_as_the_others(number: Number) -> None:
    switch_on()
    given = Counter(hand_off(lead(number, n)).assignee_id for n in range(7))
    assert len(given) == 3  # not the viewer
    assert set(given.values()) <= {2, 3}


def test_only_whose_lead_it_is_is_told(number: Number) -> None:
    switch_on()
    first = hand_off(lead(number))
    [(kind, email)] = told()
    assert (kind, email) == ("handoff", Person.objects.get(pk=first.assignee_id or 0).email)


def test_without_it_everybody_is_told_and_nobody_gets_it(number: Number) -> None:
    assert hand_off(lead(number)).assignee_id is None
    switch_on(is_on=False)
    assert hand_off(lead(number, 2)).assignee_id is None
    assert len(told()) == 6


def test_a_lead_stays_with_whose_it_is(number: Number) -> None:
    switch_on()
    first = hand_off(lead(number))
    before = (first.assignee_id, first.assigned_at)
    Conversation.objects.update(needs_person_since=None)
    assert (hand_off(first).assignee_id, first.assigned_at) == before
    assert Assignment.objects.get().given == 1


def test_a_test_lead_is_given_to_nobody(number: Number) -> None:
    switch_on()
    assert hand_off(lead(number, is_test=True)).assignee_id is None
    assert told() == []


def test_the_first_rule_that_fits_decides(number: Number, ana: Person, beto: Person, davi: Person) -> None:
    other = make_number(name="Suporte", phone="5511988880001")
    switch_on(rules=[rule(beto, number=other), rule(davi, source="ad"), rule(ana, source="direct", hours="")])
    assert hand_off(lead(other, referral={"title": "Ad"})).assignee_id == beto.pk
    assert hand_off(lead(number, 2, referral={"title": "Ad"})).assignee_id == davi.pk
    assert hand_off(lead(number, 3)).assignee_id == ana.pk


@pytest.mark.parametrize(
    ("wanted", "number", "is_ad", "is_open", "expected"),
    [
        ({"number": None, "source": "", "hours": ""}, 1, False, False, True),
        ({"number": 2, "source": "", "hours": ""}, 1, False, False, False),
        ({"number": 1, "source": "ad", "hours": ""}, 1, False, True, False),
        ({"number": 1, "source": "direct", "hours": "open"}, 1, False, True, True),
        ({"number": None, "source": "", "hours": "closed"}, 1, True, True, False),
        ({"number": None, "source": "ad", "hours": "closed"}, 1, True, False, True),
    ],
)
def test_a_rule_fits(wanted: dict[str, Any], number: int, is_ad: bool, is_open: bool, expected: bool) -> None:
    assert assignment.fits(wanted, number=number, is_ad=is_ad, is_open=is_open) == expected


def test_who_left_or_was_demoted_is_passed_over(number: Number, ana: Person, beto: Person, davi: Person) -> None:
    switch_on(rules=[rule(beto, davi)])
    Membership.objects.filter(person=beto).update(role=Role.VIEWER)
    assert {hand_off(lead(number, n)).assignee_id for n in range(3)} == {davi.pk}
    Membership.objects.filter(person=davi).delete()
    assert hand_off(lead(number, 9)).assignee_id is None
    switch_on(rules=[])
    Conversation.objects.update(needs_person_since=None)
    orphan = Conversation.objects.filter(assignee_id=davi.pk).first()
    assert orphan is not None
    assert hand_off(orphan).assignee_id == ana.pk  # nobody answers for who is gone


def test_a_lead_stays_whose_it_is_when_two_contacts_become_one(number: Number, beto: Person) -> None:
    keep, other = lead(number), lead(number, 2)
    Conversation.objects.filter(pk=other.pk).update(assignee_id=beto.pk, assigned_at=timezone.now())
    with transaction.atomic():
        intake.merge(keep.contact, other.contact)
    assert Conversation.objects.get().assignee_id == beto.pk


# --- Silence --------------------------------------------------------------------------------------------------------
def test_a_silent_persons_lead_goes_to_the_next_until_all_had_it(number: Number) -> None:
    switch_on(silent_minutes=10)
    one = hand_off(lead(number))
    had = [one.assignee_id]
    for _ in range(2):
        assert look_now(one)
        one.refresh_from_db()
        had.append(one.assignee_id)
    assert len(set(had)) == 3
    assert not look_now(one)
    assert [kind for kind, _ in told()].count("assigned") == 2


def test_a_look_that_comes_twice_or_late_changes_nothing(number: Number) -> None:
    switch_on(silent_minutes=10)
    one = hand_off(lead(number))
    context = Due.objects.get(kind="reassign").context
    assert assignment.look(one.pk, context)
    assert not assignment.look(one.pk, context)
    assert Assignment.objects.get().given == 2


@pytest.mark.parametrize("how", ["answered", "taken over", "not needed any more"])
def test_who_has_done_something_keeps_the_lead(number: Number, how: str) -> None:
    switch_on(silent_minutes=10)
    one = hand_off(lead(number))
    with transaction.atomic():
        ours = intake.locked(one.pk)
        if how == "answered":
            Message.objects.create(conversation=ours, number=number, author="person", state="sent", seq=1, text="Oi")
        elif how == "taken over":
            intake.take_over(ours, person_id=one.assignee_id, source="inbox")
        else:
            Conversation.objects.filter(pk=one.pk).update(needs_person_since=None)
    assert not look_now(one)
    assert Conversation.objects.get().assignee_id == one.assignee_id


def test_it_is_looked_at_when_the_minutes_are_over(number: Number) -> None:
    switch_on(silent_minutes=10)
    hand_off(lead(number))
    wait = Due.objects.get(kind="reassign").due_at - timezone.now()
    assert timedelta(minutes=9) < wait <= timedelta(minutes=10)


# --- By hand --------------------------------------------------------------------------------------------------------
def test_a_person_gives_it_away_and_the_other_is_told_once(number: Number, ana: Person, beto: Person) -> None:
    one = lead(number)
    for _ in range(2):
        assignment.assign(one, beto, by=ana)
    assignment.assign(lead(number, 2), ana, by=ana)
    assert told() == [("assigned", beto.email)]
    assert AuditEntry.objects.filter(action="conversation.assigned").count() == 2


def test_nobody_from_elsewhere_gets_a_lead(number: Number, ana: Person, carla: Person, vera: Person) -> None:
    one = lead(number)
    for stranger in (carla, vera):
        with pytest.raises(Refused):
            assignment.assign(one, stranger, by=ana)
    one.refresh_from_db()
    assert (one.assignee_id, told()) == (None, [])
    assert not AuditEntry.objects.filter(action="conversation.assigned").exists()


# --- Who sees what --------------------------------------------------------------------------------------------------
def test_an_sdr_sees_only_theirs_where_the_org_wants_it(
    number: Number, acme: Org, beto: Person, davi: Person, sign_in: Callable[[Person], Client]
) -> None:
    arrive(number, incoming("Segredo abacaxi"))
    other = the_conversation()
    mine = lead(number, 2)
    Conversation.objects.filter(pk=mine.pk).update(assignee_id=beto.pk)
    Conversation.objects.filter(pk=other.pk).update(needs_person_since=timezone.now(), needs_reason="lead_asked")
    browser, boss = sign_in(beto), sign_in(davi)
    assert browser.get(f"/o/acme/inbox/{other.pk}/").status_code == 200
    Org.objects.filter(pk=acme.pk).update(sdrs_see_only_theirs=True)
    message = Message.objects.get()
    for path in (f"{other.pk}/", f"{other.pk}/messages/{message.pk}/media/", f"{other.pk}/menu/"):
        assert browser.get(f"/o/acme/inbox/{path}").status_code == 404, path
    assert browser.post(f"/o/acme/inbox/{other.pk}/takeover/").status_code == 404
    assert browser.get(f"/o/acme/inbox/{mine.pk}/").status_code == 200
    for path in ("", "?q=abacaxi", "?q=99999000", "?q=segre", "lookup/?q=Maria", "?show=needs"):
        assert "Maria" not in browser.get(f"/o/acme/inbox/{path}").content.decode(), path
        assert "Segredo" not in browser.get(f"/o/acme/inbox/{path}").content.decode(), path
    assert "Maria" in boss.get("/o/acme/inbox/").content.decode()
    other.refresh_from_db()
    assert other.owner == "ai"


def test_a_stream_tells_nothing_of_anothers_lead(number: Number, acme: Org, beto: Person, davi: Person) -> None:
    one = lead(number)
    listeners = [
        streams.Listener(acme.pk, person.pk, Membership.objects.get(person=person).pk, "x") for person in (beto, davi)
    ]
    assert [streams.may_watch(listener, one.pk) for listener in listeners] == [True, True]
    Org.objects.filter(pk=acme.pk).update(sdrs_see_only_theirs=True)
    assert [streams.may_watch(listener, one.pk) for listener in listeners] == [False, True]
    Conversation.objects.update(assignee_id=beto.pk)
    assert [streams.may_watch(listener, one.pk) for listener in listeners] == [True, True]


# --- The page -------------------------------------------------------------------------------------------------------
def body(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    given = {"rule-TOTAL_FORMS": str(len(rules)), "rule-INITIAL_FORMS": "0"} | fields
    for n, one in enumerate(rules):
        given |= {f"rule-{n}-{name}": value for name, value in one.items() if value is not None}
    return given


def test_rules_are_kept_shown_and_removed(
    number: Number, davi: Person, beto: Person, sign_in: Callable[[Person], Client]
) -> None:
    browser = sign_in(davi)
    first = {"number": str(number.pk), "source": "ad", "hours": "", "people": [str(beto.pk)]}
    given = body(first, {"source": ""}, is_on="on", silent_minutes="15", sdrs_see_only_theirs="on")
    assert browser.post("/o/acme/settings/assignment/", given).status_code == 302
    kept = Assignment.objects.get()
    assert (kept.is_on, kept.silent_minutes, kept.rules) == (True, 15, [rule(beto, number=number, source="ad")])
    assert Org.objects.get(slug="acme").sdrs_see_only_theirs
    assert AuditEntry.objects.filter(action="assignment.changed").count() == 1
    page = browser.get("/o/acme/settings/assignment/").content.decode()
    assert page.count('class="rule"') == 2
    again = body(first | {"DELETE": "on"}, is_on="on") | {"rule-INITIAL_FORMS": "1"}
    assert browser.post("/o/acme/settings/assignment/", again).status_code == 302
    assert Assignment.objects.get().rules == []
    assert not Org.objects.get(slug="acme").sdrs_see_only_theirs


@pytest.mark.parametrize(
    "wrong",
    [{"silent_minutes": "2"}, {"silent_minutes": "x"}, {"rule-0-number": "999"}, {"rule-0-people": "999"},
     {"rule-0-source": "moon"}, {"rule-0-hours": "never"}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    number: Number, davi: Person, sign_in: Callable[[Person], Client], wrong: dict[str, str]
) -> None:
    answer = sign_in(davi).post("/o/acme/settings/assignment/", body({"source": ""}, is_on="on") | wrong)
    assert answer.status_code == 422
    assert not Assignment.objects.filter(is_on=True).exists()
    assert not AuditEntry.objects.filter(action="assignment.changed").exists()


def test_only_administrators_change_it(
    in_acme: Org, beto: Person, vera: Person, sign_in: Callable[[Person], Client]
) -> None:
    for person in (beto, vera):
        assert sign_in(person).post("/o/acme/settings/assignment/", body(is_on="on")).status_code == 403
    assert not Assignment.objects.exists()


# --- Crowds ---------------------------------------------------------------------------------------------------------
def test_fifty_leads_at_once_are_given_away_fairly(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        number = make_number()
        switch_on()
        leads = [lead(number, n).pk for n in range(50)]
    start = threading.Barrier(10)

    def work(some: list[int]) -> None:
        try:
            with in_org(acme):
                start.wait(30)
                for pk in some:
                    with transaction.atomic():
                        notices.handed_off(intake.locked(pk), "lead_asked")
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(work, [leads[n::10] for n in range(10)]))
    with in_org(acme):
        given = Counter(Conversation.objects.values_list("assignee_id", flat=True))
    assert sorted(given.values()) == [16, 17, 17]
    assert len(told()) == 50
