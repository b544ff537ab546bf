"""Holidays that come every year, and on which dates: fixed days, and those counted from Easter. Pure.

An agent keeps the keys it is closed on (`AgentVersion.yearly_holidays`), so that a preset chosen once holds every year.
The national ones are those of Brazil's federal law (Leis 662/1949, 6.802/1980, 9.093/1995, 10.607/2002, 14.759/2023);
carnival and Corpus Christi are "ponto facultativo": closed for most companies, by no federal law.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

YEARS = range(2020, 2101)  # known at once; nobody asks for another


@dataclass(frozen=True)
class Holiday:
    """`month` and `day`, or `after_easter` days (negative: before). `is_national`: by federal law."""

    key: str
    name: Promise
    month: int = 0
    day: int = 0
    after_easter: int | None = None
    is_national: bool = True

    def on(self, year: int) -> date:
        """Its date in a year."""
        if self.after_easter is not None:
            return easter(year) + timedelta(days=self.after_easter)
        return date(year, self.month, self.day)


BRAZIL = (
    Holiday("new_year", _("New Year’s Day"), 1, 1),
    Holiday("carnival_monday", _("Carnival Monday"), after_easter=-48, is_national=False),
    Holiday("carnival_tuesday", _("Carnival Tuesday"), after_easter=-47, is_national=False),
    Holiday("good_friday", _("Good Friday"), after_easter=-2),
    Holiday("tiradentes", _("Tiradentes"), 4, 21),
    Holiday("labour_day", _("Labour Day"), 5, 1),
    Holiday("corpus_christi", _("Corpus Christi"), after_easter=60, is_national=False),
    Holiday("independence", _("Independence Day"), 9, 7),
    Holiday("our_lady", _("Our Lady of Aparecida"), 10, 12),
    Holiday("all_souls", _("All Souls’ Day"), 11, 2),
    Holiday("republic", _("Proclamation of the Republic"), 11, 15),
    Holiday("black_awareness", _("Black Awareness Day"), 11, 20),
    Holiday("christmas", _("Christmas Day"), 12, 25),
)
BY_KEY = {holiday.key: holiday for holiday in BRAZIL}


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876, Meeus/Jones/Butcher)."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    skipped, moon = century // 4, (century - (century + 8) // 25 + 1) // 3
    full = (19 * golden + century - skipped - moon + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - full - rest % 4) % 7
    late = (golden + 11 * full + 22 * weekday) // 451
    month, day = divmod(full + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def next_on(key: str, today: date) -> date:
    """The next date of a holiday, `today` included. Raises KeyError for a key that is none."""
    holiday = BY_KEY[key]
    this_year = holiday.on(today.year)
    return this_year if this_year >= today else holiday.on(today.year + 1)


def closed_days(yearly: Iterable[str], own: Iterable[str]) -> Collection[str]:
    """All days one is closed on, as YYYY-MM-DD: the holidays of these keys in YEARS, and one's own days.

    A key that is no holiday's is left out.
    """
    every_year = _of_years(tuple(key for key in yearly if key in BY_KEY))
    extra = set(own)
    return every_year | extra if extra else every_year


@lru_cache(maxsize=256)
def _of_years(keys: tuple[str, ...]) -> frozenset[str]:
    return frozenset(BY_KEY[key].on(year).isoformat() for key in keys for year in YEARS)
