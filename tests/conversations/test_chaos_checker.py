"""The judge of `make chaos` finds each sort of violation in made-up evidence, and nothing in clean evidence."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.truth import Evidence, Got, Move, Stored, Takeover, Verdict, judge

CHAT = (1, 10)
LEAD = Stored(
    id=1, chat=CHAT, seq=1, author="lead", state="received", text="m1", instance="i", phone="55", provider_id="IN1"
)
REPLY = Stored(
    id=2, chat=CHAT, seq=2, author="ai", state="sent", text="re m1", instance="i", phone="55", provider_id="OUT1",
    turn_id=5, claimed_at=100.0,
)  # fmt: skip
TURN = Move(5, CHAT, up_to=1, state="applied", token="t1")
ON_PHONE = Got("OUT1", "i", "55", "re m1")


def clean() -> Evidence:
    return Evidence(
        acknowledged={"IN1"}, messages=[LEAD, REPLY], moves=[TURN], phones=[ON_PHONE], written=[(1, 5, "t1")],
        invariants={"queued_without_send": 0},
    )  # fmt: skip


def test_clean_evidence_is_good() -> None:
    verdict = judge(clean())
    assert verdict == Verdict(replies=1)
    assert verdict.is_good


def never_stored(evidence: Evidence) -> None:
    evidence.acknowledged.add("IN2")


def never_answered(evidence: Evidence) -> None:
    evidence.messages.append(replace(LEAD, id=3, seq=3, provider_id="IN2"))
    evidence.acknowledged.add("IN2")


def stored_twice(evidence: Evidence) -> None:
    evidence.messages.append(replace(LEAD, id=3, seq=1))


def answered_twice(evidence: Evidence) -> None:
    evidence.moves.append(replace(TURN, id=6, up_to=2))
    evidence.messages.append(replace(REPLY, id=3, seq=3, turn_id=6, provider_id="OUT2", text="once more"))
    evidence.phones.append(replace(ON_PHONE, id="OUT2", text="once more"))


def sent_twice(evidence: Evidence) -> None:
    evidence.phones.append(replace(ON_PHONE, id="OUT2"))


def said_nothing(evidence: Evidence) -> None:
    evidence.messages.remove(REPLY)
    evidence.phones.clear()


def marked_sent_but_nowhere(evidence: Evidence) -> None:
    evidence.phones.clear()


def withdrawn_but_sent(evidence: Evidence) -> None:
    evidence.messages[1] = replace(REPLY, state="cancelled", provider_id=None)


def given_up_but_sent(evidence: Evidence) -> None:
    evidence.messages[1] = replace(REPLY, state="failed", provider_id=None)


def written_by_the_former_taker(evidence: Evidence) -> None:
    evidence.written = [(1, 5, "t0")]


def claimed_after_a_takeover(evidence: Evidence) -> None:
    evidence.takeovers.append(Takeover(CHAT, epoch=1, at=99.0))


def still_queued(evidence: Evidence) -> None:
    evidence.messages[1] = replace(REPLY, state="queued", provider_id=None)
    evidence.phones.clear()


def still_due(evidence: Evidence) -> None:
    evidence.due.append("turn 10")


def invariant_broken(evidence: Evidence) -> None:
    evidence.invariants = {"queued_without_send": 1}


def too_many_parked(evidence: Evidence) -> None:
    for place in (3, 4):
        evidence.messages.append(replace(REPLY, id=place, state="unknown", provider_id=None, text=f"re m{place}"))


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (never_stored, "lost"),
        (never_answered, "lost"),
        (stored_twice, "twice"),
        (answered_twice, "twice"),
        (sent_twice, "twice"),
        (said_nothing, "untrue"),
        (marked_sent_but_nowhere, "untrue"),
        (withdrawn_but_sent, "untrue"),
        (given_up_but_sent, "untrue"),
        (written_by_the_former_taker, "untrue"),
        (claimed_after_a_takeover, "untrue"),
        (still_queued, "left"),
        (still_due, "left"),
        (invariant_broken, "left"),
        (too_many_parked, "parked"),
    ],
)
def test_it_finds(spoil: Callable[[Evidence], None], found: str) -> None:
    evidence = clean()
    spoil(evidence)
    verdict = judge(evidence)
    assert not verdict.is_good
    assert getattr(verdict, found)


def test_a_recorded_reason_is_as_good_as_an_answer() -> None:
    evidence = clean()
    evidence.messages.append(replace(LEAD, id=3, seq=3, provider_id="IN2", is_backlog=True))
    evidence.messages.append(replace(LEAD, id=4, seq=4, provider_id="IN3"))
    evidence.moves.append(Move(6, CHAT, up_to=4, state="skipped", reason="loop"))
    evidence.acknowledged |= {"IN2", "IN3"}
    verdict = judge(evidence)
    assert verdict.is_good
    assert verdict.explained == {"backlog": 1, "loop": 1}


def test_one_parked_of_many_and_one_claimed_before_a_takeover_are_no_violations() -> None:
    evidence = clean()
    evidence.messages.append(replace(REPLY, id=3, state="unknown", provider_id=None, text="re m3"))
    evidence.takeovers.append(Takeover(CHAT, epoch=1, at=101.0))
    verdict = judge(evidence)
    assert verdict.is_good
    assert len(verdict.parked) == 1
