"""The judge of `make chaos` finds each kind of violation in made-up evidence, and nothing in clean evidence.

And its failpoints are where they claim to be.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.chaos.bugs import BUGS
from tests.chaos.failpoints import IN_WEB, IN_WORKER, POINTS, Arms, Place, owner_of
from tests.chaos.truth import (
    BACK_WITHIN_SECONDS,
    INVARIANT,
    Evidence,
    Finding,
    Got,
    Kind,
    Move,
    Stored,
    Takeover,
    Verdict,
    judge,
)

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
        acknowledged={"IN1"}, said={"IN1": 90.0}, messages=[LEAD, REPLY], moves=[TURN], phones=[ON_PHONE],
        written=[(1, 5, "t1")], invariants={"queued_without_send": 0},
    )  # fmt: skip


def test_clean_evidence_is_good() -> None:
    verdict = judge(clean())
    assert verdict == Verdict(replies=1)
    assert verdict.is_good


def swallowed(evidence: Evidence, *, after: float) -> None:
    """A lead's second message, which nobody acknowledged; stored and answered `after` seconds later."""
    evidence.said["IN2"] = 200.0
    evidence.messages.append(replace(LEAD, id=3, seq=3, provider_id="IN2", created_at=200.0 + after))
    evidence.messages.append(replace(REPLY, id=4, seq=4, turn_id=6, provider_id="OUT2", text="re m2"))
    evidence.moves.append(replace(TURN, id=6, up_to=3))
    evidence.phones.append(replace(ON_PHONE, id="OUT2", text="re m2"))


def never_stored(evidence: Evidence) -> None:
    evidence.acknowledged.add("IN2")


def never_answered(evidence: Evidence) -> None:
    evidence.messages.append(replace(LEAD, id=3, seq=3, provider_id="IN2"))
    evidence.acknowledged.add("IN2")


def stored_twice(evidence: Evidence) -> None:
    evidence.messages.append(replace(LEAD, id=3, seq=1))


def never_back(evidence: Evidence) -> None:
    evidence.said["IN2"] = 200.0


def back_late(evidence: Evidence) -> None:
    swallowed(evidence, after=BACK_WITHIN_SECONDS + 1)


def back_but_never_answered(evidence: Evidence) -> None:
    evidence.said["IN2"] = 200.0
    evidence.messages.append(replace(LEAD, id=3, seq=3, provider_id="IN2", created_at=201.0))


def withdrawn_and_never_answered(evidence: Evidence) -> None:
    evidence.messages[1] = replace(REPLY, state="cancelled", failure="taken_over", provider_id=None)
    evidence.phones.clear()


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


def sent_though_a_takeover_withdrew_it(evidence: Evidence) -> None:
    evidence.withdrawn.add((CHAT[0], REPLY.id))


def still_queued(evidence: Evidence) -> None:
    evidence.messages[1] = replace(REPLY, state="queued", provider_id=None)
    evidence.phones.clear()


def still_due(evidence: Evidence) -> None:
    evidence.due.append("turn 10")


def invariant_broken(evidence: Evidence) -> None:
    evidence.invariants = {"queued_without_send": 1}


def found_in_a_turn_that_was_never_written(evidence: Evidence) -> None:
    evidence.findings.append(Finding(CHAT, "fact", "m1", LEAD.id, turn_id=6))


def found_where_nobody_said_it(evidence: Evidence) -> None:
    evidence.findings.append(Finding(CHAT, "fact", "m2", LEAD.id, TURN.id))


CASES: dict[Callable[[Evidence], None], str] = {
    never_stored: Kind.NEVER_STORED,
    never_answered: Kind.UNANSWERED,
    never_back: Kind.NOT_BACK,
    back_late: Kind.BACK_LATE,
    back_but_never_answered: Kind.UNANSWERED,
    withdrawn_and_never_answered: Kind.UNANSWERED,
    stored_twice: Kind.STORED_TWICE,
    answered_twice: Kind.ANSWERED_TWICE,
    sent_twice: Kind.TWICE_ON_PHONE,
    said_nothing: Kind.SAID_NOTHING,
    marked_sent_but_nowhere: Kind.SENT_TO_NOBODY,
    withdrawn_but_sent: Kind.SENT_UNNOTICED,
    given_up_but_sent: Kind.SENT_UNNOTICED,
    written_by_the_former_taker: Kind.WRITTEN_BY_FORMER_TAKER,
    claimed_after_a_takeover: Kind.CLAIMED_AFTER_TAKEOVER,
    sent_though_a_takeover_withdrew_it: Kind.CLAIMED_AFTER_TAKEOVER,
    found_in_a_turn_that_was_never_written: Kind.FOUND_WITHOUT_TURN,
    found_where_nobody_said_it: Kind.FOUND_NOWHERE,
    still_queued: Kind.STILL_UNDER_WAY,
    still_due: Kind.STILL_DUE,
    invariant_broken: f"{INVARIANT} queued_without_send",
}


@pytest.mark.parametrize(("spoil", "kind"), CASES.items())
def test_it_finds(spoil: Callable[[Evidence], None], kind: str) -> None:
    evidence = clean()
    spoil(evidence)
    verdict = judge(evidence)
    assert not verdict.is_good
    assert kind in verdict.kinds
    assert verdict.lost + verdict.twice + verdict.untrue == len(verdict.violations)


def test_it_finds_every_kind_and_what_every_known_mistake_causes() -> None:
    found = set(CASES.values())
    assert found >= set(Kind)
    for name, bug in BUGS.items():
        assert bug.causes & found, name


def test_what_a_written_turn_understood_is_no_violation() -> None:
    evidence = clean()
    evidence.findings.append(Finding(CHAT, "fact", "m1", LEAD.id, TURN.id))
    verdict = judge(evidence)
    assert verdict.is_good
    assert verdict.understood == {"fact": 1}


def test_too_many_parked_replies_are_no_good_run() -> None:
    evidence = clean()
    for place in (3, 4):
        evidence.messages.append(replace(REPLY, id=place, state="unknown", provider_id=None, text=f"re m{place}"))
    verdict = judge(evidence)
    assert not verdict.is_good
    assert not verdict.violations


def test_what_was_swallowed_may_come_back_in_time() -> None:
    evidence = clean()
    swallowed(evidence, after=40.0)
    verdict = judge(evidence)
    assert verdict.is_good
    assert verdict.back_seconds == [40.0]


def test_what_was_swallowed_need_not_come_back_where_nobody_looks_for_it() -> None:
    evidence = clean()
    never_back(evidence)
    evidence.must_come_back = False
    assert judge(evidence).is_good


def test_what_was_withdrawn_may_be_answered_by_another_turn_or_need_none() -> None:
    evidence = clean()
    withdrawn_and_never_answered(evidence)
    evidence.moves.append(Move(6, CHAT, up_to=1, state="applied", token="t2"))
    evidence.messages.append(replace(REPLY, id=3, seq=3, turn_id=6))
    evidence.phones.append(ON_PHONE)
    assert judge(evidence).is_good
    evidence = clean()
    withdrawn_and_never_answered(evidence)
    evidence.moves.append(Move(6, CHAT, up_to=1, state="skipped", reason="opted_out"))
    assert judge(evidence).is_good


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


@pytest.mark.parametrize("place", [*IN_WORKER, *IN_WEB], ids=lambda place: place.name)
def test_every_failpoint_is_at_a_place_that_the_product_has(place: Place) -> None:
    assert callable(getattr(owner_of(place), place.attribute))


def test_an_armed_failpoint_ends_one_process_once(tmp_path: Path) -> None:
    arms = Arms(tmp_path / "arms")
    dice = random.Random(1)
    for _ in POINTS:
        arms.arm(dice)
    passing = (
        "import sys; from pathlib import Path; from tests.chaos.failpoints import *;"
        "Failpoints(Path(sys.argv[1]), Path(sys.argv[2])).hit(POINTS[0])"
    )
    command = [sys.executable, "-c", passing, str(tmp_path / "arms"), str(tmp_path / "journal")]
    first = subprocess.Popen(command)
    deadline = time.monotonic() + 20
    while first.poll() is None and psutil.Process(first.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert subprocess.run(command, check=False, timeout=20).returncode == 0
    first.kill()
    first.wait()
    assert (tmp_path / "journal").read_text() in {f"hit SIGKILL {POINTS[0]}\n", f"hit SIGSTOP {POINTS[0]}\n"}
