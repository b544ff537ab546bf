"""How often leads write, and from when on silence is odd."""

from datetime import UTC, datetime, timedelta

import pytest

from conversations.rhythm import HOURS, LONGEST_SILENCE, SHORTEST_SILENCE, Rhythm, place_of

MONDAY = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def spread(start: datetime, count: int) -> list[datetime]:
    return [start + HOUR * (n + 0.5) / count for n in range(count)]


def test_it_knows_nothing_at_first() -> None:
    assert Rhythm().odd_from(MONDAY) == MONDAY + LONGEST_SILENCE


def test_it_learns_an_hour_once_it_is_over() -> None:
    half = Rhythm().heard(spread(MONDAY, 60)[:30], now=MONDAY + HOUR / 2)
    assert half.rates[place_of(MONDAY)] is None
    whole = half.heard(spread(MONDAY, 60), now=MONDAY + HOUR)
    assert whole.rates[place_of(MONDAY)] == 60


def test_it_counts_nothing_twice() -> None:
    moments = spread(MONDAY, 60)
    rhythm = Rhythm()
    for minute in range(1, 62):
        rhythm = rhythm.heard(moments, now=MONDAY + timedelta(minutes=minute))
    assert rhythm.rates[place_of(MONDAY)] == 60


def test_an_hour_without_messages_tells_too() -> None:
    rhythm = Rhythm().heard(spread(MONDAY, 10), now=MONDAY + 3 * HOUR)
    assert [rhythm.rates[place_of(MONDAY) + n] for n in range(4)] == [10, 0, 0, None]


def test_newer_weeks_count_more_and_older_ones_fade() -> None:
    rhythm = Rhythm().heard(spread(MONDAY, 100), now=MONDAY + HOUR)
    week = timedelta(days=7)
    for weeks in (1, 2, 3):
        rhythm = rhythm.heard(spread(MONDAY + weeks * week, 10), now=MONDAY + weeks * week + HOUR)
    assert rhythm.rates[place_of(MONDAY)] == pytest.approx(10 + 90 * 0.7**3)


def test_silence_is_odd_soon_where_many_write() -> None:
    busy = Rhythm(tuple([60.0] * HOURS))
    # With one message a minute, seven minutes of silence are a chance of about 1 in 1,000.
    assert busy.odd_from(MONDAY) - MONDAY == pytest.approx(timedelta(minutes=6.9), abs=timedelta(seconds=2))
    assert Rhythm(tuple([10_000.0] * HOURS)).odd_from(MONDAY) == MONDAY + SHORTEST_SILENCE


def test_a_quiet_night_is_not_odd_but_a_quiet_morning_is() -> None:
    night_then_day = [0.0] * HOURS
    for hour in range(9, 18):
        night_then_day[place_of(MONDAY.replace(hour=hour))] = 30.0
    rhythm = Rhythm(tuple(night_then_day))
    midnight = MONDAY.replace(hour=0)
    odd = rhythm.odd_from(midnight)
    assert odd - MONDAY == pytest.approx(timedelta(minutes=13.8), abs=timedelta(seconds=5))


def test_it_survives_being_stored_and_refuses_what_is_not_a_rhythm() -> None:
    rhythm = Rhythm().heard(spread(MONDAY, 10), now=MONDAY + 1.5 * HOUR)
    assert Rhythm.from_json(rhythm.as_json()) == rhythm
    assert Rhythm.from_json({}) == Rhythm()
    assert Rhythm.from_json({"rates": [1, 2, 3]}) == Rhythm()
