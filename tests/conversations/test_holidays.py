"""Brazil's holidays come every year, those around Easter on another date each time."""

from datetime import date, timedelta

import pytest

from conversations import holidays


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [(1961, 4, 2), (2000, 4, 23), (2008, 3, 23), (2011, 4, 24), (2024, 3, 31), (2025, 4, 20), (2026, 4, 5),
     (2027, 3, 28), (2038, 4, 25), (2049, 4, 18), (2076, 4, 19)],
)  # fmt: skip
def test_it_knows_when_easter_is(year: int, month: int, day: int) -> None:
    assert holidays.easter(year) == date(year, month, day)


def test_easter_is_a_sunday_in_its_weeks_of_every_year() -> None:
    days = [holidays.easter(year) for year in holidays.YEARS]
    assert {day.weekday() for day in days} == {6}
    assert all(date(day.year, 3, 22) <= day <= date(day.year, 4, 25) for day in days)


def test_it_has_the_days_around_easter_of_2026() -> None:
    on = {holiday.key: holiday.on(2026) for holiday in holidays.BRAZIL if holiday.after_easter is not None}
    assert on == {
        "carnival_monday": date(2026, 2, 16), "carnival_tuesday": date(2026, 2, 17),
        "good_friday": date(2026, 4, 3), "corpus_christi": date(2026, 6, 4),
    }  # fmt: skip


def test_the_next_one_is_today_or_later() -> None:
    assert holidays.next_on("christmas", date(2026, 12, 25)) == date(2026, 12, 25)
    assert holidays.next_on("christmas", date(2026, 12, 26)) == date(2027, 12, 25)
    assert holidays.next_on("good_friday", date(2026, 4, 4)) == date(2027, 3, 26)


def test_it_joins_the_years_and_ones_own_days() -> None:
    closed = holidays.closed_days(["christmas", "no_such_day"], ["2026-11-23"])
    assert len(closed) == len(holidays.YEARS) + 1
    assert {"2026-12-25", "2031-12-25", "2026-11-23"} <= set(closed)
    assert (date(2026, 11, 23) + timedelta(days=1)).isoformat() not in closed
    assert holidays.closed_days([], []) == frozenset()
