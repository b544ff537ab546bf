"""What language models have cost an org: the ledger, the month's budget, and dollars in reais (PRODUCT 2).

Money is in US dollars, as the vendors charge it, at the price that held when it was spent. Everything here runs inside
the org; `record` in the transaction of what was bought.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from conversations.models import AgentVersion, ModelCall, Turn
from conversations.ports import ModelUse

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Spent:
    """The sum of some requests; thinking counts as output, as it is charged."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class Reais:
    """An amount in R$, rounded to the cent, at the rate of that day."""

    amount: Decimal
    rate: Decimal
    on: date


def record(turn: Turn | None, uses: Iterable[ModelUse], *, purpose: str = "", message_id: int | None = None) -> Spent:
    """Write a ledger row for each request, also for those that failed, and add them up on the turn, if it is for one.

    `purpose` holds for uses that name none of `ModelCall.Purpose`; `message_id` is what was transcribed. Not safe to
    repeat by itself: call it in the transaction that writes what the requests were for, behind that one's guard.
    """
    uses = list(uses)
    ModelCall.objects.bulk_create(
        ModelCall(
            turn=turn,
            message_id=message_id,
            purpose=use.purpose if use.purpose in ModelCall.Purpose.values else purpose or ModelCall.Purpose.REPLY,
            model=use.model[:60],
            response_id=use.response_id[:120],
            input_tokens=use.input_tokens,
            cached_tokens=use.cached_tokens,
            output_tokens=use.output_tokens,
            thought_tokens=use.thought_tokens,
            cost_usd=use.cost_usd,
            price_from=use.price_from,
            seconds=use.seconds,
            outcome=use.outcome[:40],
        )
        for use in uses
    )
    spent = total(uses)
    if turn is not None and uses:
        turn.input_tokens += spent.input_tokens
        turn.output_tokens += spent.output_tokens
        turn.cost_usd += spent.cost_usd
        turn.save(update_fields=["input_tokens", "output_tokens", "cost_usd"])
    return spent


def total(uses: Iterable[ModelUse]) -> Spent:
    """What the requests come to."""
    uses = list(uses)
    return Spent(
        input_tokens=sum(use.input_tokens for use in uses),
        output_tokens=sum(use.output_tokens + use.thought_tokens for use in uses),
        cost_usd=sum((use.cost_usd for use in uses), Decimal(0)),
    )


def spent_this_month(time_zone: str, *, now: datetime | None = None) -> Decimal:
    """Dollars the org has spent since the first of the month in that time zone, for whatever purpose."""
    local = (now or timezone.now()).astimezone(ZoneInfo(time_zone))
    begin = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    spent = ModelCall.objects.filter(created_at__gte=begin).aggregate(sum=Sum("cost_usd"))["sum"]
    return spent or Decimal(0)


def is_over_budget(agent: AgentVersion, *, now: datetime | None = None) -> bool:
    """Whether the month's money is spent; never where the agent names no budget.

    It is asked before a request, so what is on its way at that moment may go a few cents beyond.
    """
    if agent.monthly_budget_usd is None:
        return False
    return spent_this_month(agent.time_zone, now=now) >= agent.monthly_budget_usd


def in_reais(usd: Decimal) -> Reais | None:
    """Dollars in R$ at the rate of the settings (USD_BRL_RATE, USD_BRL_DATE); None where none is set."""
    rate, on = settings.USD_BRL_RATE, settings.USD_BRL_DATE
    if rate is None or on is None:
        return None
    return Reais((usd * rate).quantize(CENT, rounding=ROUND_HALF_UP), rate, on)
