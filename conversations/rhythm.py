"""How often leads write to a number, hour by hour of the week, and from when on its silence is odd. Pure: values in,
values out.

The rule (DESIGN, "gap detective"): arrivals are taken for a Poisson process whose rate is what the same hour of earlier
weeks had; silence is odd once so many messages were to be expected in it that none at all is a chance of 1 in 1,000.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

HOURS = 7 * 24
HOUR = timedelta(hours=1)
ODD_CHANCE = 0.001
ODD_EXPECTED = -math.log(ODD_CHANCE)  # messages: a Poisson variable of this mean is 0 with that chance
NEWEST_WEIGHT = 0.3  # of this week against all before
SHORTEST_SILENCE = timedelta(minutes=2)
LONGEST_SILENCE = timedelta(hours=24)  # of a number that is hardly ever written to


@dataclass(frozen=True)
class Rhythm:
    """Messages per hour of the week, Monday 00:00 UTC first, None where nothing is known.

    `until`: up to when arrivals are counted; `count`: those of its hour so far.
    """

    rates: tuple[float | None, ...] = (None,) * HOURS
    until: datetime | None = None
    count: int = 0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Rhythm":
        """What `as_json` gave; the empty rhythm for anything else."""
        rates = data.get("rates")
        if not isinstance(rates, list) or len(rates) != HOURS:
            return cls()
        until = datetime.fromisoformat(data["until"]) if data.get("until") else None
        return cls(tuple(rates), until, int(data.get("count", 0)))

    def as_json(self) -> dict[str, Any]:
        rates = [rate if rate is None else round(rate, 3) for rate in self.rates]
        return {"rates": rates, "until": self.until.isoformat() if self.until else "", "count": self.count}

    def heard(self, moments: Iterable[datetime], *, now: datetime) -> "Rhythm":
        """Count messages that arrived at these `moments` (aware) up to `now`; those counted before are left out.

        An hour tells once it is over, also that nobody wrote in it.
        """
        found: dict[datetime, int] = {}
        for moment in moments:
            if moment <= now and (self.until is None or moment > self.until):
                found[start_of(moment)] = found.get(start_of(moment), 0) + 1
        current = start_of(now)
        counted = start_of(self.until) if self.until else min(found, default=current)
        hour = max(counted, current - HOUR * HOURS)
        rates = list(self.rates)
        while hour < current:
            count = found.get(hour, 0) + (self.count if hour == counted else 0)
            place = place_of(hour)
            before = rates[place]
            rates[place] = float(count) if before is None else before + NEWEST_WEIGHT * (count - before)
            hour += HOUR
        kept = self.count if counted == current else 0
        return Rhythm(tuple(rates), now, kept + found.get(current, 0))

    def odd_from(self, heard_at: datetime) -> datetime:
        """From when on it is odd to have heard nothing since `heard_at`; between 2 minutes and 24 hours after it."""
        expected, moment, end = 0.0, heard_at.astimezone(UTC), heard_at + LONGEST_SILENCE
        while moment < end:
            until = start_of(moment) + HOUR
            rate = self.rates[place_of(moment)] or 0.0
            missing = ODD_EXPECTED - expected
            share = (until - moment) / HOUR
            if rate * share >= missing:
                return max(moment + HOUR * (missing / rate), heard_at + SHORTEST_SILENCE)
            expected += rate * share
            moment = until
        return end


def start_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def place_of(moment: datetime) -> int:
    moment = moment.astimezone(UTC)
    return moment.weekday() * 24 + moment.hour
