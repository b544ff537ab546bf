"""What Gemini costs, with the day each price begins (contract gemini.md 5): US dollars per million tokens, paid tier.

A price is never changed here, only followed by a newer one, so that what was spent before keeps its price.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

MILLION = Decimal(1_000_000)
SMALLEST = Decimal("0.000001")  # dollars, as the ledger keeps them


@dataclass(frozen=True)
class Price:
    """`cached` and `audio` are what such input costs, None when it costs like any other; thinking is output."""

    since: date
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    audio: Decimal | None = None


@dataclass(frozen=True)
class Tokens:
    """As the vendor counts them: `cached` and `audio` are part of `prompt`; `thoughts` are not part of `output`."""

    prompt: int = 0
    cached: int = 0
    audio: int = 0
    tools: int = 0  # what built-in tools put into the prompt
    output: int = 0
    thoughts: int = 0


def _price(
    since: str, dollars_in: str, dollars_out: str, *, cached: str | None = None, audio: str | None = None
) -> Price:
    return Price(
        date.fromisoformat(since),
        Decimal(dollars_in),
        Decimal(dollars_out),
        Decimal(cached) if cached else None,
        Decimal(audio) if audio else None,
    )


PRICES: Mapping[str, tuple[Price, ...]] = {
    "gemini-3.8-flash": (
        _price("2026-09-02", "0.75", "3.75", cached="0.075"),
        _price("2027-01-01", "1.50", "7.50", cached="0.15"),
    ),
    # Sources differ whether its introduction ends with 2026 or 2027: until one is right, the dearer.
    "gemini-3.7-flash": (_price("2026-01-01", "0.75", "3.75"), _price("2027-01-01", "1.50", "7.50")),
    "gemini-3.6-flash": (_price("2026-01-01", "1.50", "7.50", cached="0.15"),),
    "gemini-3.5-flash": (_price("2026-01-01", "1.50", "9.00", cached="0.15"),),
    "gemini-3.5-flash-lite": (_price("2026-07-21", "0.30", "2.50", cached="0.03"),),
    "gemini-3.1-flash-lite": (_price("2026-01-01", "0.25", "1.50"),),
    "gemini-3.1-pro-preview": (_price("2026-01-01", "2.00", "12.00"),),  # below 200,000 tokens; we stay far below
    "gemini-4-argon": (
        _price("2026-01-01", "2", "10", cached="0.10"),
        _price("2026-12-01", "4", "20", cached="0.20"),
    ),
    "gemini-2.5-pro": (_price("2026-12-01", "0.75", "3.75", cached="0.075"),),  # answered by 3.8-flash since then
    "gemini-2.5-flash": (
        _price("2026-01-01", "0.30", "2.50", audio="1.00"),
        _price("2026-12-01", "0.30", "2.50", cached="0.03"),  # answered by 3.5-flash-lite since then
    ),
    "gemini-2.5-flash-lite": (_price("2026-01-01", "0.10", "0.40"),),
}


def price_of(model: str, on: date) -> Price | None:
    """The price that holds that day; None when none is known.

    A version such as "gemini-3.8-flash-001" has the price of the model whose name it begins with, the longest one.
    """
    name = model.removeprefix("models/")
    known = max((key for key in PRICES if name == key or name.startswith(f"{key}-0")), key=len, default="")
    holding = [price for price in PRICES.get(known, ()) if price.since <= on]
    return max(holding, key=lambda price: price.since, default=None)


def cost(price: Price, tokens: Tokens) -> Decimal:
    """Dollars, to the millionth."""
    cached = min(tokens.cached, tokens.prompt)
    audio = min(tokens.audio, tokens.prompt - cached)
    plain = tokens.prompt - cached - audio + tokens.tools
    total = (
        plain * price.input
        + cached * (price.input if price.cached is None else price.cached)
        + audio * (price.input if price.audio is None else price.audio)
        + (tokens.output + tokens.thoughts) * price.output
    )
    return (total / MILLION).quantize(SMALLEST)
