"""Opening hours: what the clock, a holiday and a change of clocks make of them, and what a lead is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations import agents, pause, policy
from conversations.models import AgentVersion, Contact, Conversation, Message, Number, Turn
from conversations.policy import Silence
from orgs.models import Due, Later, Person
from tests import fakes
from tests.conversations.conftest import arrive, incoming, ours, send, the_conversation, turn

WEEK = [["09:00", "12:00", "13:00", "18:00"]] * 5 + [[], []]
SAO_PAULO = "America/Sao_Paulo"
FRIDAY_EVENING = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)  # 20:00 there
NIGHT = [["22:00", "02:00"]] * 7
ALWAYS = [["00:00", "24:00"]] * 7
NEVER: list[list[str]] = [[]] * 7


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("hours", "now", "expected"),
    [
        (WEEK, "2026-11-20T09:00-03:00", True),
        (WEEK, "2026-11-20T12:00-03:00", False),
        (WEEK, "2026-11-20T17:59-03:00", True),
        (WEEK, "2026-11-20T18:00-03:00", False),
        (WEEK, "2026-11-21T10:00-03:00", False),
        (NIGHT, "2026-11-20T23:30-03:00", True),
        (NIGHT, "2026-11-21T01:59-03:00", True),
        (NIGHT, "2026-11-21T02:00-03:00", False),
        (ALWAYS, "2026-11-21T23:59-03:00", True),
    ],
)
def test_open_or_closed(hours: list[list[str]], now: str, expected: bool) -> None:
    assert policy.is_open(hours, SAO_PAULO, at(now)) is expected


def test_the_next_opening_passes_by_weekends_and_holidays() -> None:
    monday = at("2026-11-23T09:00-03:00")
    assert policy.next_opening(WEEK, SAO_PAULO, FRIDAY_EVENING) == monday
    assert policy.next_opening(WEEK, SAO_PAULO, FRIDAY_EVENING, holidays=["2026-11-23"]) == monday + timedelta(days=1)
    assert not policy.is_open(WEEK, SAO_PAULO, monday, holidays=["2026-11-23"])
    assert policy.next_opening(WEEK, SAO_PAULO, at("2026-11-20T12:30-03:00")) == at("2026-11-20T13:00-03:00")
    assert policy.next_opening(NEVER, SAO_PAULO, FRIDAY_EVENING) is None


def test_the_next_closing_takes_spans_that_touch_together() -> None:
    touching = [["09:00", "12:00", "12:00", "18:00"]] * 7
    assert policy.next_closing(touching, SAO_PAULO, at("2026-11-20T10:00-03:00")) == at("2026-11-20T18:00-03:00")
    assert policy.next_closing(ALWAYS, SAO_PAULO, FRIDAY_EVENING) is None


def test_a_change_of_clocks_moves_the_opening_with_them() -> None:
    """In New York the clocks went back on 1 November 2026: 09:00 is 13:00 UTC before, 14:00 after."""
    opening = policy.next_opening(ALWAYS_NINE, "America/New_York", at("2026-10-31T20:00-04:00"))
    assert opening == at("2026-11-01T14:00+00:00")


ALWAYS_NINE = [["09:00", "18:00"]] * 7


def closed_until_tomorrow() -> dict[str, Any]:
    """Hours, in UTC, that are over for today and begin tomorrow at noon."""
    tomorrow = (timezone.now() + timedelta(days=1)).weekday()
    hours: list[list[str]] = [[] for _ in range(7)]
    hours[tomorrow] = ["12:00", "18:00"]
    return {"hours": hours, "time_zone": "UTC"}


def opening() -> datetime:
    return (timezone.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)


def due_turn() -> datetime:
    found = Due.objects.filter(kind="turn").first() or Later.objects.get(kind="turn")
    at: datetime = found.due_at
    return at


@pytest.mark.parametrize(
    ("language", "words"),
    [("pt-br", "12:00 e respondemos"), ("en-US", "We are back on"), ("es-ES", "y te respondemos")],
)
def test_outside_hours_the_lead_is_told_once_when_we_are_back(number: Number, language: str, words: str) -> None:
    AgentVersion.objects.update(outside_hours="say_when", language=language, **closed_until_tomorrow())
    for text in ("Oi", "quanto custa?"):
        arrive(number, incoming(text))
        turn(the_conversation())
        send(the_conversation())
    ((_, said),) = fakes.phone.sent
    assert words in said
    assert "12:00" in said
    conversation = the_conversation()
    assert (conversation.ai_in_a_row, conversation.watermark, conversation.needs_person_since) == (0, 0, None)
    assert due_turn() == opening()
    assert Message.objects.get(author="system").turn_id is None


def test_in_the_contacts_language_and_the_orgs_own_words(number: Number) -> None:
    AgentVersion.objects.update(outside_hours="say_when", away_text="Closed! Back {when}.", **closed_until_tomorrow())
    arrive(number, incoming("Hi"))
    Contact.objects.update(language="en")
    turn(the_conversation())
    ((_, said),) = ours()
    assert said.startswith("Closed! Back ")
    assert said.endswith("12:00.")
    assert opening().strftime("%A") in said


@pytest.mark.parametrize("mode", ["say_when", "silent"])
def test_at_the_opening_the_ai_answers_however_long_it_has_waited(
    number: Number, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    AgentVersion.objects.update(outside_hours=mode, **closed_until_tomorrow())
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    assert Turn.objects.get().state == Turn.State.SKIPPED
    Message.objects.update(created_at=timezone.now() - timedelta(hours=60))
    monkeypatch.setattr(policy, "is_open", lambda *_, **__: True)
    turn(the_conversation())
    assert ours()[-1] == ("queued", "ok")
    assert the_conversation().needs_person_since is None


def test_a_new_closed_period_is_told_of_again(number: Number) -> None:
    AgentVersion.objects.update(outside_hours="say_when", **closed_until_tomorrow())
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    Conversation.objects.update(away_until=timezone.now() - timedelta(hours=1))
    arrive(number, incoming("e hoje?"))
    turn(the_conversation())
    assert len(ours()) == 2


def test_only_outside_hours_the_team_answers_and_the_ai_takes_what_is_left(number: Number) -> None:
    AgentVersion.objects.update(outside_hours="only_outside", hours=open_two_days(), time_zone="UTC")
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    assert (ours(), the_conversation().needs_reason) == ([], Silence.TEAM_HOURS)
    closes = policy.next_closing(open_two_days(), "UTC", timezone.now())
    assert due_turn() == closes
    AgentVersion.objects.update(hours=NEVER)
    turn(the_conversation())
    assert ours() == [("queued", "ok")]
    assert the_conversation().needs_person_since is None


def open_two_days() -> list[list[str]]:
    """Open today and tomorrow, all day."""
    today = timezone.now().weekday()
    return [["00:00", "24:00"] if (day - today) % 7 < 2 else [] for day in range(7)]


def test_without_any_opening_a_person_is_called(number: Number) -> None:
    AgentVersion.objects.update(outside_hours="silent", hours=NEVER)
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    assert the_conversation().needs_reason == Silence.HOURS


def test_the_away_text_is_withdrawn_by_a_takeover_and_a_pause(number: Number, beto: Person) -> None:
    AgentVersion.objects.update(outside_hours="say_when", **closed_until_tomorrow())
    arrive(number, incoming("Oi"))
    turn(the_conversation())

    assert pause.pause_all(beto) == 1
    send(the_conversation())
    assert fakes.phone.sent == []


def test_while_drafts_need_approval_the_away_text_does_too(number: Number) -> None:
    Number.objects.update(mode=Number.Mode.DRAFTS)
    AgentVersion.objects.update(outside_hours="say_when", **closed_until_tomorrow())
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    send(the_conversation())
    assert ([state for state, _ in ours()], fakes.phone.sent) == (["draft"], [])
    assert the_conversation().needs_reason == "draft_waits"


def test_other_hours_hold_from_their_publishing_on(number: Number, beto: Person) -> None:
    AgentVersion.objects.update(outside_hours="silent", **closed_until_tomorrow())
    arrive(number, incoming("Oi"))
    turn(the_conversation())
    draft = agents.draft(None)
    draft.hours, draft.cooldown_seconds = open_two_days(), 1
    draft.save()
    agents.publish(None, person_id=beto.pk)
    assert due_turn() <= timezone.now()
    turn(the_conversation())
    assert ours() == [("queued", "ok")]
