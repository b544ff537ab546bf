"""Stage, score and qualification from evidence and the agent's rules (PRODUCT 2, SPIN): pure, values in, values out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """Where a conversation stands: the first stage that is not complete, or the goal."""

    SITUATION = "situation"
    PROBLEM = "problem"
    IMPLICATION = "implication"
    NEED_PAYOFF = "need_payoff"
    QUALIFIED = "qualified"


class SignalKey(StrEnum):
    """What makes a lead worth more than their answers alone."""

    BUDGET = "budget"
    URGENCY = "urgency"
    DECISION_MAKER = "decision_maker"


STAGES = (Stage.SITUATION, Stage.PROBLEM, Stage.IMPLICATION, Stage.NEED_PAYOFF)
ANSWERS_NEEDED = 2
STAGE_POINTS = 25
SIGNAL_POINTS = 5
THRESHOLD = 70
HIGHEST = 100


@dataclass(frozen=True)
class Disqualifier:
    """What takes points away, or rules a lead out: a fact that `test`s true against `value`.

    `test` is one of is, is_not, contains, below, above, known, unknown. `points` is what it costs; None rules the lead
    out whatever the score.
    """

    fact: str
    test: str
    value: str = ""
    points: int | None = None


@dataclass(frozen=True)
class Rules:
    """What an agent version asks of a lead. Stages left out of a mapping have PRODUCT 2's defaults."""

    needed: Mapping[str, int] = field(default_factory=dict)
    points: Mapping[str, int] = field(default_factory=dict)
    signal_points: Mapping[str, int] = field(default_factory=dict)
    threshold: int = THRESHOLD
    disqualifiers: tuple[Disqualifier, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What counts of a conversation's rows: ids of valid answers per stage, true signals with their ids, facts."""

    answers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    signals: Mapping[str, int] = field(default_factory=dict)  # key → id of the row that says so
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """Part of a score and where it comes from. `rows` are ids of answers (stage) or of the signal."""

    about: str  # a stage, a signal's key, or "disqualifier:<fact>"
    amount: Decimal
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """How a lead stands. `ruled_out_by` names the facts that rule the lead out whatever the score."""

    stage: Stage
    score: int
    qualified: bool
    complete: tuple[Stage, ...]
    points: tuple[Point, ...]
    ruled_out_by: tuple[str, ...] = ()


def judge(evidence: Evidence, rules: Rules) -> Verdict:
    """Score 0–100: a stage's points in proportion to its answers, signals, less disqualifiers, rounded half up once.

    Qualified when the score is GREATER than the threshold and nothing rules the lead out, whichever stages are
    complete; while it is not, the stage is the first incomplete one (the last when all are complete).
    """
    points: list[Point] = []
    complete: list[Stage] = []
    for stage in STAGES:
        needed = max(1, rules.needed.get(stage, ANSWERS_NEEDED))
        rows = evidence.answers.get(stage, ())
        share = Decimal(min(len(rows), needed)) / needed
        if len(rows) >= needed:
            complete.append(stage)
        if rows:
            points.append(Point(stage, rules.points.get(stage, STAGE_POINTS) * share, tuple(rows)))
    for key in SignalKey:
        if key in evidence.signals:
            amount = Decimal(rules.signal_points.get(key, SIGNAL_POINTS))
            points.append(Point(key, amount, (evidence.signals[key],)))
    ruled_out: list[str] = []
    for rule in rules.disqualifiers:
        if not applies(rule, evidence.facts):
            continue
        if rule.points is None:
            ruled_out.append(rule.fact)
        else:
            points.append(Point(f"disqualifier:{rule.fact}", Decimal(-abs(rule.points))))
    score = _bounded(sum((point.amount for point in points), Decimal(0)))
    qualified = score > rules.threshold and not ruled_out
    return Verdict(
        stage=Stage.QUALIFIED if qualified else _first_open(complete),
        score=score,
        qualified=qualified,
        complete=tuple(complete),
        points=tuple(points),
        ruled_out_by=tuple(ruled_out),
    )


def applies(rule: Disqualifier, facts: Mapping[str, Any]) -> bool:
    """Does what is known of the lead meet the rule? What is not known meets only `unknown`."""
    known = rule.fact in facts and facts[rule.fact] not in {None, ""}
    if rule.test in {"known", "unknown"}:
        return known == (rule.test == "known")
    if not known:
        return False
    value = _plain(facts[rule.fact])
    wanted = rule.value.strip().casefold()
    if rule.test in {"below", "above"}:
        have, limit = _number(value), _number(wanted)
        if have is None or limit is None:
            return False
        return have < limit if rule.test == "below" else have > limit
    return {"is": value == wanted, "is_not": value != wanted, "contains": wanted in value}[rule.test]


def _bounded(total: Decimal) -> int:
    return int(min(Decimal(HIGHEST), max(Decimal(0), total)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _first_open(complete: Iterable[Stage]) -> Stage:
    done = set(complete)
    return next((stage for stage in STAGES if stage not in done), STAGES[-1])


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip().casefold()


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except ArithmeticError:
        return None
