"""What is spent is counted at the price of its day."""

from datetime import date
from decimal import Decimal

import pytest

from integrations.gemini.prices import PRICES, Tokens, cost, price_of

AUTUMN, NEW_YEAR = date(2026, 11, 22), date(2027, 1, 1)


@pytest.mark.parametrize(
    ("model", "on", "dollars_in", "dollars_out"),
    [
        ("gemini-3.8-flash", date(2026, 12, 31), "0.75", "3.75"),
        ("gemini-3.8-flash", NEW_YEAR, "1.50", "7.50"),
        ("models/gemini-3.8-flash-001", AUTUMN, "0.75", "3.75"),
        ("gemini-3.5-flash-lite", AUTUMN, "0.30", "2.50"),
        ("gemini-3.5-flash-lite-002", AUTUMN, "0.30", "2.50"),
        ("gemini-4-argon", date(2026, 11, 30), "2", "10"),
        ("gemini-4-argon", date(2026, 12, 1), "4", "20"),
    ],
)
def test_a_price_holds_from_its_day(model: str, on: date, dollars_in: str, dollars_out: str) -> None:
    price = price_of(model, on)
    assert price is not None
    assert (price.input, price.output) == (Decimal(dollars_in), Decimal(dollars_out))


@pytest.mark.parametrize("model", ["gemini-9", "gemini-3.8-flashy", "", "gemini-3.8-flash-image"])
def test_an_unknown_model_has_no_price(model: str) -> None:
    assert price_of(model, AUTUMN) is None


def test_nothing_cost_anything_before_its_price_began() -> None:
    assert price_of("gemini-3.8-flash", date(2026, 9, 1)) is None


def test_cached_words_cost_less_and_thinking_is_output() -> None:
    price = price_of("gemini-3.8-flash", AUTUMN)
    assert price is not None
    tokens = Tokens(prompt=10_000, cached=4_000, tools=1_000, output=200, thoughts=300)
    assert cost(price, tokens) == Decimal("0.007425")  # 7,000 × 0.75 + 4,000 × 0.075 + 500 × 3.75, per million


def test_sound_has_its_own_price_where_it_has_one() -> None:
    price = price_of("gemini-2.5-flash", AUTUMN)
    assert price is not None
    assert cost(price, Tokens(prompt=2_000, audio=1_900)) == Decimal("0.001930")


def test_the_prices_of_a_model_stand_in_their_order() -> None:
    for prices in PRICES.values():
        assert [price.since for price in prices] == sorted({price.since for price in prices})
