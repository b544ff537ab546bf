"""What models cost an org: every request is in the books, and the month's budget is the month's."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from conversations import costs
from conversations.models import AgentVersion, Conversation, ModelCall, Number, Turn
from conversations.ports import ModelUse
from orgs.context import in_org
from tests.conversations.conftest import arrive, incoming, the_conversation

USE = ModelUse(
    purpose="reply", model="model-1", response_id="r1", input_tokens=1000, cached_tokens=200, output_tokens=50,
    thought_tokens=30, seconds=1.5, cost_usd=Decimal("0.001234"), price_from=date(2026, 9, 2),
)  # fmt: skip
FAILED = ModelUse(purpose="reply", model="model-1", outcome="unavailable")


@pytest.fixture
def a_turn(number: Number) -> Turn:
    arrive(number, incoming())
    conversation: Conversation = the_conversation()
    return Turn.objects.create(conversation=conversation, up_to_seq=1, epoch=0)


def test_every_request_is_written_and_added_up(a_turn: Turn) -> None:
    spent = costs.record(a_turn, [FAILED, USE])
    assert spent == costs.Spent(1000, 80, Decimal("0.001234"))
    failed, call = ModelCall.objects.order_by("pk")
    assert (failed.outcome, failed.cost_usd, failed.price_from) == ("unavailable", Decimal(0), None)
    assert (call.turn, call.purpose, call.model, call.response_id) == (a_turn, "reply", "model-1", "r1")
    assert (call.input_tokens, call.cached_tokens, call.output_tokens, call.thought_tokens) == (1000, 200, 50, 30)
    assert (call.cost_usd, call.price_from, call.seconds) == (Decimal("0.001234"), date(2026, 9, 2), 1.5)
    a_turn.refresh_from_db()
    assert (a_turn.input_tokens, a_turn.output_tokens, a_turn.cost_usd) == (1000, 80, Decimal("0.001234"))
    costs.record(a_turn, [USE])
    a_turn.refresh_from_db()
    assert a_turn.cost_usd == Decimal("0.002468"), "a turn may be thought over more than once"


def test_nothing_asked_is_nothing_written(a_turn: Turn) -> None:
    assert costs.record(a_turn, []) == costs.Spent()
    assert not ModelCall.objects.exists()


def test_what_belongs_to_no_turn_names_its_message(in_acme: Any) -> None:
    costs.record(None, [ModelUse("hearing", "model-2", cost_usd=Decimal("0.1"))], purpose="transcribe", message_id=7)
    call = ModelCall.objects.get()
    assert (call.turn, call.message_id, call.purpose) == (None, 7, "transcribe")


@pytest.mark.parametrize(
    ("spent_at", "counts"),
    [
        (datetime(2026, 11, 1, 2, 59, tzinfo=UTC), False),  # still October in São Paulo
        (datetime(2026, 11, 1, 3, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 30, 23, 0, tzinfo=UTC), True),
    ],
)
def test_a_month_begins_where_the_agent_is(in_acme: Any, spent_at: datetime, counts: bool) -> None:
    ModelCall.objects.create(purpose="reply", model="m", cost_usd=Decimal("2.5"), created_at=spent_at)
    now = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    assert costs.spent_this_month("America/Sao_Paulo", now=now) == (Decimal("2.5") if counts else 0)


@pytest.mark.parametrize(
    ("budget", "over"),
    [(None, False), ("2.51", False), ("2.50", True), ("0", True)],
    ids=["none", "left", "spent", "0"],
)
def test_a_budget_is_over_when_it_is_spent(in_acme: Any, budget: str | None, over: bool) -> None:
    ModelCall.objects.create(purpose="transcribe", model="m", cost_usd=Decimal("2.5"))
    agent = AgentVersion(monthly_budget_usd=None if budget is None else Decimal(budget))
    assert costs.is_over_budget(agent) == over


def test_one_orgs_money_is_not_anothers(in_acme: Any, globex: Any) -> None:
    ModelCall.objects.create(purpose="reply", model="m", cost_usd=Decimal(9))
    with in_org(globex):
        assert costs.spent_this_month("UTC") == 0


def test_dollars_are_shown_in_reais_at_a_dated_rate(settings: Any) -> None:
    settings.USD_BRL_RATE, settings.USD_BRL_DATE = None, None
    assert costs.in_reais(Decimal(1)) is None
    settings.USD_BRL_RATE, settings.USD_BRL_DATE = Decimal("5.4250"), date(2026, 11, 20)
    assert costs.in_reais(Decimal("0.10")) == costs.Reais(Decimal("0.54"), Decimal("5.4250"), date(2026, 11, 20))
    assert costs.in_reais(Decimal("0.1017")) == costs.Reais(Decimal("0.55"), Decimal("5.4250"), date(2026, 11, 20))
