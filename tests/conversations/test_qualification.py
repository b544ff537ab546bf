"""Stage, score and qualification are functions of evidence and rules (PRODUCT 2; evals/README, "expect.score")."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.qualification import STAGES, Disqualifier, Evidence, Rules, SignalKey, Stage, applies, judge

counts = st.fixed_dictionaries({stage: st.integers(0, 4) for stage in STAGES})
signals = st.sets(st.sampled_from(list(SignalKey)))


def evidence(
    answers: Mapping[Any, int] | None = None, signals: Iterable[str] = (), facts: Mapping[str, Any] | None = None
) -> Evidence:
    rows = iter(range(1, 99))
    return Evidence(
        answers={stage: tuple(next(rows) for _ in range(n)) for stage, n in (answers or {}).items()},
        signals={key: next(rows) for key in signals},
        facts=facts or {},
    )


@given(counts=counts, signals=signals)
def test_it_scores_as_the_labels_do(counts: Any, signals: Any) -> None:
    raw = sum(25 if n >= 2 else 12.5 if n == 1 else 0 for n in counts.values()) + 5 * len(signals)
    verdict = judge(evidence(counts, signals), Rules())
    assert verdict.score == min(100, int(raw + 0.5))
    assert verdict.qualified == (verdict.score > 70)


def test_it_needs_more_than_the_threshold() -> None:
    three = dict.fromkeys(STAGES[:3], 2)
    assert judge(evidence(three), Rules()).score == 75
    assert not judge(evidence(three), Rules(threshold=75)).qualified
    assert judge(evidence(three), Rules(threshold=74)).qualified


def test_the_stage_is_the_first_incomplete_one_whatever_came_first() -> None:
    verdict = judge(evidence({Stage.PROBLEM: 2, Stage.NEED_PAYOFF: 1}), Rules())
    assert verdict.stage is Stage.SITUATION
    assert verdict.complete == (Stage.PROBLEM,)


def test_all_stages_complete_without_qualifying_stays_at_the_last_stage() -> None:
    rules = Rules(disqualifiers=(Disqualifier("person_type", "is", "PF"),))
    verdict = judge(evidence(dict.fromkeys(STAGES, 2), facts={"person_type": "PF"}), rules)
    assert (verdict.stage, verdict.qualified, verdict.score) == (Stage.NEED_PAYOFF, False, 100)
    assert verdict.ruled_out_by == ("person_type",)


def test_every_point_says_where_it_comes_from() -> None:
    verdict = judge(evidence({Stage.SITUATION: 1}, [SignalKey.BUDGET]), Rules())
    assert [(point.about, point.amount, point.rows) for point in verdict.points] == [
        ("situation", Decimal("12.5"), (1,)),
        ("budget", Decimal(5), (2,)),
    ]
    assert verdict.score == 18


@given(counts=counts, signals=signals, cost=st.integers(0, 200))
def test_a_score_is_the_bounded_sum_of_its_points(counts: Any, signals: Any, cost: Any) -> None:
    rules = Rules(disqualifiers=(Disqualifier("team_size", "below", "3", points=cost),))
    verdict = judge(evidence(counts, signals, {"team_size": 2}), rules)
    total = sum((point.amount for point in verdict.points), Decimal(0))
    assert 0 <= verdict.score <= 100
    assert abs(verdict.score - min(Decimal(100), max(Decimal(0), total))) <= Decimal("0.5")


@pytest.mark.parametrize(
    ("rule", "facts", "met"),
    [
        (Disqualifier("person_type", "is", "pf"), {"person_type": "PF"}, True),
        (Disqualifier("person_type", "is", "PF"), {}, False),
        (Disqualifier("segment", "contains", "Saúde"), {"segment": "clínica de saúde"}, True),
        (Disqualifier("team_size", "below", "3"), {"team_size": 2}, True),
        (Disqualifier("team_size", "below", "3"), {"team_size": "umas dez"}, False),
        (Disqualifier("decision_maker", "is", "false"), {"decision_maker": False}, True),
        (Disqualifier("email", "unknown"), {}, True),
        (Disqualifier("email", "unknown"), {"email": "a@b.co"}, False),
    ],
)
def test_it_reads_what_rules_a_lead_out(rule: Any, facts: Any, met: Any) -> None:
    assert applies(rule, facts) is met
