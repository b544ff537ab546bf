"""Silent leads are written to again, by the ladder, within hours, never twice and never over a person (PRODUCT 2)."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conversations import erasure, follow_ups, intake, lifecycle, pause, tasks, turns
from conversations.follow_ups import Rung, Stop
from conversations.models import (
    AgentVersion,
    Contact,
    Conversation,
    Message,
    Number,
    OptOut,
    Qualification,
    Turn,
)
from orgs.context import in_org
from orgs.models import Due, Later, Org, Person
from orgs.models.queue import Claimed
from sdr.lib import jobs
from tests import fakes
from tests.conversations.conftest import arrive, incoming, make_number, ours, send, the_conversation, turn

ALWAYS = [["00:00", "24:00"]] * 7
NEVER: list[list[str]] = [[]] * 7
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
AGENT = AgentVersion(hours=[["09:00", "18:00"]] * 5 + [[], []], time_zone="America/Sao_Paulo")


@pytest.fixture(autouse=True)
def open_all_day(request: pytest.FixtureRequest) -> None:
    """The number's agent is open at any time, so that no test depends on when it runs."""
    if "number" in request.fixturenames:
        request.getfixturevalue("number")
        AgentVersion.objects.update(hours=ALWAYS, follow_ups=[{"after_minutes": 40}, {"after_minutes": 300}])


def answered(number: Number, *, said: str = "Como fazem isso hoje?", minutes_ago: float = 0) -> Conversation:
    """A conversation in which the AI has asked, and the lead is silent since."""
    fakes.FakeBrain.script = [said]
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    ago(minutes_ago)
    return the_conversation()


def ago(minutes: float) -> None:
    """All that was said so far was said so long ago."""
    for message in Message.objects.all():
        at = timezone.now() - timedelta(minutes=minutes)
        Message.objects.filter(pk=message.pk).update(sent_at=at, created_at=at)


def followed_up() -> list[tuple[str, str]]:
    found = Message.objects.filter(extra__sort="follow_up").order_by("seq")
    return [(message.state, message.failure) for message in found]


def wanted_at() -> datetime | None:
    key = {"kind": follow_ups.KIND, "ref": str(the_conversation().pk)}
    row = Due.objects.filter(**key).first() or Later.objects.filter(**key).first()
    return row.due_at if row is not None else None


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SAO_PAULO)


# --- When -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answered_at", "step", "last_at", "expected"),
    [
        ("2026-11-23T10:00", 0, None, "2026-11-23T10:40"),
        ("2026-11-23T17:30", 0, None, "2026-11-24T09:00"),  # we are closed then
        ("2026-11-27T22:00", 0, None, "2026-11-30T09:00"),  # a Friday evening
        ("2026-11-23T10:00", 1, "2026-11-23T10:40", "2026-11-24T09:30"),
        ("2026-11-23T10:00", 2, "2026-11-24T09:30", "2026-11-26T10:00"),
        ("2026-11-23T17:30", 1, "2026-11-24T09:00", "2026-11-25T09:30"),  # not half an hour after the first
        ("2026-11-27T10:00", 1, "2026-11-27T10:40", "2026-11-30T09:00"),  # a Saturday morning
        ("2026-11-23T10:00", 3, "2026-11-26T10:00", None),
    ],
)
def test_a_rung_is_due(answered_at: str, step: int, last_at: str | None, expected: str | None) -> None:
    found = follow_ups.due_at(
        follow_ups.ladder(AGENT), step, AGENT, answered_at=at(answered_at), last_at=at(last_at) if last_at else None
    )
    assert found == (at(expected) if expected else None)


def test_minutes_count_from_the_rung_before_when_that_was_late() -> None:
    rungs = [Rung(after=timedelta(minutes=40)), Rung(after=timedelta(minutes=100))]
    found = follow_ups.due_at(rungs, 1, AGENT, answered_at=at("2026-11-23T20:00"), last_at=at("2026-11-24T09:00"))
    assert found == at("2026-11-24T10:00")


def test_who_never_opens_never_follows_up() -> None:
    closed = AgentVersion(hours=NEVER, time_zone="America/Sao_Paulo")
    assert follow_ups.due_at(follow_ups.ladder(closed), 0, closed, answered_at=timezone.now(), last_at=None) is None


@pytest.mark.parametrize(
    "written",
    [{}, {"after_minutes": 0}, {"after_minutes": "x"}, {"after_days": 1}, {"after_days": 1, "at": "9h"}, "40", None,
     {"after_days": -1, "at": "09:00"}],
)  # fmt: skip
def test_what_is_no_rung_is_left_out(written: Any) -> None:
    agent = AgentVersion(follow_ups=[written, {"after_minutes": 5, "text": " Oi {name} "}])
    assert follow_ups.ladder(agent) == [Rung(after=timedelta(minutes=5), text="Oi {name}")]


def test_a_ladder_has_an_end() -> None:
    assert len(follow_ups.ladder(AgentVersion(follow_ups=[{"after_minutes": 9}] * 50))) == follow_ups.RUNGS_AT_MOST


# --- The ladder -----------------------------------------------------------------------------------------------------
def test_a_silent_lead_is_written_to_rung_by_rung(number: Number) -> None:
    conversation = answered(number)
    planned = wanted_at()
    assert planned is not None
    assert abs(planned - timezone.now() - timedelta(minutes=40)) < timedelta(minutes=1)
    assert not follow_ups.look(conversation.pk)  # not yet
    assert followed_up() == []
    ago(41)
    for _ in range(3):
        follow_ups.look(conversation.pk)
    assert followed_up() == [("queued", "")]
    again = wanted_at()
    assert again is not None
    assert abs(again - timezone.now() - timedelta(minutes=260)) < timedelta(minutes=1)
    send(conversation)
    ago(301)
    for _ in range(3):
        follow_ups.look(conversation.pk)
    send(conversation)
    ago(3000)
    follow_ups.look(conversation.pk)
    assert followed_up() == [("sent", "")] * 2
    assert the_conversation().follow_up_step == 2
    texts = [text for _, text in fakes.phone.sent]
    assert len(set(texts)) == 3
    assert all("Maria" in text for text in texts[1:])


@pytest.mark.parametrize(("language", "words"), [("pt-br", "mensagem"), ("en", "message"), ("es", "mensaje")])
def test_it_is_in_the_leads_language(number: Number, language: str, words: str) -> None:
    conversation = answered(number, minutes_ago=41)
    Contact.objects.update(language=language)
    follow_ups.look(conversation.pk)
    assert words in Message.objects.get(extra__sort="follow_up").text


def test_an_orgs_own_words_are_used(number: Number) -> None:
    AgentVersion.objects.update(follow_ups=[{"after_minutes": 40, "text": "Oi {name}, conseguiu ver?"}])
    conversation = answered(number, minutes_ago=41)
    follow_ups.look(conversation.pk)
    assert Message.objects.get(extra__sort="follow_up").text == "Oi Maria, conseguiu ver?"


def test_the_leads_word_ends_it_and_begins_it_anew(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    follow_ups.look(conversation.pk)
    arrive(number, incoming("voltei"))
    assert followed_up() == [("cancelled", "lead_wrote")]
    assert the_conversation().follow_up_step == 0
    assert not follow_ups.look(conversation.pk)
    send(the_conversation())
    assert len(fakes.phone.sent) == 1
    fakes.FakeBrain.script = ["E o que mais incomoda?"]
    turn(the_conversation())
    send(the_conversation())
    ago(41)
    assert follow_ups.look(conversation.pk)


def test_it_counts_for_the_loop_guard(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    before = conversation.ai_in_a_row
    follow_ups.look(conversation.pk)
    assert the_conversation().ai_in_a_row == before + 1
    send(the_conversation())
    ago(301)
    Conversation.objects.update(ai_in_a_row=12)
    assert not follow_ups.look(conversation.pk)


def test_drafts_wait_for_approval(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    Number.objects.update(mode=Number.Mode.DRAFTS)
    follow_ups.look(conversation.pk)
    assert followed_up() == [("draft", "")]
    assert the_conversation().needs_reason == "draft_waits"
    arrive(number, incoming("voltei"))
    assert followed_up() == [("cancelled", "lead_wrote")]
    assert the_conversation().needs_person_since is None


def test_what_waited_for_the_number_leaves_in_hours(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    follow_ups.look(conversation.pk)
    closed_now = [["00:00", "00:01"]] * 7
    AgentVersion.objects.update(hours=closed_now, time_zone=zone_far_from_midnight())
    send(conversation)
    assert followed_up() == [("queued", "waits_for_hours")]
    AgentVersion.objects.update(hours=ALWAYS)
    send(conversation)
    assert followed_up() == [("sent", "")]


def zone_far_from_midnight() -> str:
    """A zone in which it is about noon."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}" if datetime.now(UTC).hour != 12 else "UTC"


# --- Never ----------------------------------------------------------------------------------------------------------
def opts_out() -> None:
    arrive(Number.objects.get(), incoming("pare"))


def is_opted_out_by_hand() -> None:
    with transaction.atomic():
        intake.opt_out(Contact.objects.select_for_update().get(), None, person_id=1)


def is_taken_over() -> None:
    with transaction.atomic():
        intake.take_over(intake.locked(the_conversation().pk), person_id=1, source="inbox")


def is_answered_from_the_phone() -> None:
    arrive(Number.objects.get(), incoming("deixa comigo", from_us=True))


def needs_somebody() -> None:
    with transaction.atomic():
        intake.need(intake.locked(the_conversation().pk), "lead_asked")


def is_qualified() -> None:
    Qualification.objects.create(conversation=the_conversation(), is_qualified=True)


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (is_opted_out_by_hand, Stop.SILENCED),
        (is_taken_over, Stop.OWNED),
        (is_answered_from_the_phone, Stop.OWNED),
        (needs_somebody, Stop.HANDED_OFF),
        (is_qualified, Stop.QUALIFIED),
        (lambda: Contact.objects.update(blocked_at=timezone.now()), Stop.SILENCED),
        (lambda: Contact.objects.update(ignored_as="customer"), Stop.SILENCED),
        (lambda: Number.objects.update(mode="off"), Stop.OFF),
        (lambda: Turn.objects.update(intent="not_interested"), Stop.ENDED),
        (lambda: Conversation.objects.update(lifecycle="closed"), Stop.NOT_WAITING),
        (lambda: Conversation.objects.update(lifecycle="snoozed"), Stop.NOT_WAITING),
        (lambda: arrive(Number.objects.get(), incoming("oi?")), Stop.NOT_WAITING),
        (lambda: AgentVersion.objects.update(follow_ups=[]), Stop.USED_UP),
        (lambda: Message.objects.filter(author="ai").update(text="Obrigado."), Stop.ENDED),
        (lambda: Message.objects.filter(author="ai").update(state="unknown"), Stop.ENDED),
    ],
    ids=lambda value: str(value) if isinstance(value, Stop) else getattr(value, "__name__", ""),
)
def test_nothing_is_written_after(number: Number, happens: Callable[[], object], why: Stop) -> None:
    conversation = answered(number, minutes_ago=41)
    happens()
    fresh = the_conversation()
    seen = follow_ups.why_not(fresh, fresh.contact, fresh.number, AgentVersion.objects.get(), is_paused=False)
    assert seen == why
    assert not follow_ups.look(conversation.pk)
    assert followed_up() == []
    assert the_conversation().follow_up_step == 0


@pytest.mark.parametrize("happens", [is_opted_out_by_hand, is_taken_over, is_answered_from_the_phone])
def test_what_was_queued_does_not_leave_after(number: Number, happens: Callable[[], object]) -> None:
    conversation = answered(number, minutes_ago=41)
    follow_ups.look(conversation.pk)
    happens()
    send(conversation)
    assert [state for state, _ in followed_up()] == ["cancelled"]
    assert len(fakes.phone.sent) == 1


def test_a_lead_who_asks_to_be_left_alone_gets_the_confirmation_and_nothing_more(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    follow_ups.look(conversation.pk)
    opts_out()
    send(conversation)
    ago(3000)
    assert not follow_ups.look(conversation.pk)
    assert [state for state, _ in followed_up()] == ["cancelled"]
    assert OptOut.objects.count() == 1
    assert len(fakes.phone.sent) == 2


def test_the_red_switch_puts_it_off(number: Number, ana: Person) -> None:
    conversation = answered(number, minutes_ago=41)
    pause.pause_all(ana)
    assert not follow_ups.look(conversation.pk)
    assert followed_up() == []
    later = wanted_at()
    assert later is not None
    assert later > timezone.now() + timedelta(minutes=50)
    pause.resume(ana)
    assert follow_ups.look(conversation.pk)


def test_what_is_too_late_is_not_written(number: Number) -> None:
    conversation = answered(number, minutes_ago=11 * 24 * 60)
    AgentVersion.objects.update(follow_ups=[{"after_days": 12, "at": "09:00"}])
    assert not follow_ups.look(conversation.pk)
    assert wanted_at() is not None  # of the first plan, which finds nothing to do
    assert followed_up() == []


def test_a_person_skips_what_is_left(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    agent = AgentVersion.objects.get()
    assert follow_ups.upcoming(conversation, conversation.contact, number, agent) is not None
    follow_ups.look(conversation.pk)
    for wanted in (True, False):
        with transaction.atomic():
            assert follow_ups.skip(intake.locked(conversation.pk)) is wanted
    assert [state for state, _ in followed_up()] == ["cancelled"]
    assert follow_ups.upcoming(the_conversation(), conversation.contact, number, agent) is None
    ago(3000)
    assert not follow_ups.look(conversation.pk)


def test_a_conversation_that_is_gone_is_written_to_by_nobody(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    erasure.erase(conversation.contact)
    assert not follow_ups.look(conversation.pk)
    assert not Message.objects.exists()


def test_closing_withdraws_it(number: Number, beto: Person) -> None:
    conversation = answered(number, minutes_ago=41)
    follow_ups.look(conversation.pk)
    lifecycle.close(the_conversation(), beto, reason=Conversation.Closing.SPAM)
    send(conversation)
    assert [state for state, _ in followed_up()] == ["cancelled"]


def test_another_orgs_look_alike_is_left_alone(number: Number, globex: Org) -> None:
    conversation = answered(number, minutes_ago=41)
    with in_org(globex):
        contact = Contact.objects.create(pk=conversation.contact_id)
        Conversation.objects.create(
            pk=conversation.pk, contact=contact, number=make_number(), reply_jid="x@y", lifecycle="waiting_lead"
        )
        assert not follow_ups.look(conversation.pk)
        assert not Message.objects.exists()
    assert follow_ups.look(conversation.pk)
    with in_org(globex):
        assert not Message.objects.exists()
        assert Conversation.objects.get().follow_up_step == 0


def test_late_work_looks_after_them(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    tasks.follow_up(jobs.Work(row_of(follow_ups.KIND, conversation.pk), nobody, nobody))
    assert followed_up() == [("queued", "")]
    assert follow_ups.KIND in jobs.registry.kinds


def row_of(kind: str, ref: int) -> Claimed:
    now = timezone.now()
    return Claimed(1, 1, kind, str(ref), uuid4(), 1, 1, now, now, {})


async def nobody(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("a plain kind asks for no thread")


# --- At once --------------------------------------------------------------------------------------------------------
def in_threads(org: Org, jobs: list[Callable[[], object]]) -> None:
    """Each job on a thread and a connection of its own, all let go at once."""
    start = threading.Barrier(len(jobs))

    def work(job: Callable[[], object]) -> None:
        try:
            with in_org(org):
                start.wait(20)
                job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(work, jobs))


def test_many_who_look_at_once_write_once(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        number = make_number()
        AgentVersion.objects.update(hours=ALWAYS, follow_ups=[{"after_minutes": 40}, {"after_minutes": 300}])
        pk = answered(number, minutes_ago=41).pk
    in_threads(acme, [lambda: follow_ups.look(pk)] * 5)
    with in_org(acme):
        assert followed_up() == [("queued", "")]
        assert the_conversation().follow_up_step == 1


def test_a_takeover_at_the_same_moment_wins_or_comes_after(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        number = make_number()
        AgentVersion.objects.update(hours=ALWAYS, follow_ups=[{"after_minutes": 40}])
        pk = answered(number, minutes_ago=41).pk
    in_threads(acme, [lambda: follow_ups.look(pk), is_taken_over])
    with in_org(acme):
        assert [state for state, _ in followed_up()] in ([], ["cancelled"])
        send(the_conversation())
        assert len(fakes.phone.sent) == 1


def test_an_open_turn_is_not_disturbed(number: Number) -> None:
    conversation = answered(number, minutes_ago=41)
    arrive(number, incoming("voltei"))
    opened = turns.open_turn(conversation.pk)
    assert opened is not None
    assert not follow_ups.look(conversation.pk)
    assert [state for state, _ in ours()] == ["sent"]
