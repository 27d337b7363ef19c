"""The public holidays of countries, as the package `holidays` has them.

Public ones only: no bank, school or half holidays. If a country gives another day off for a holiday that falls on a
weekend, that day is one too (`observed`). Ordinary Sundays are not holidays. The package ends in 2100, and for some
countries with the years that their government has announced; after that a country has no holidays.
"""

from datetime import date
from functools import cache, lru_cache

import holidays
from holidays.utils import list_supported_countries


@cache
def countries() -> frozenset[str]:
    """The codes (ISO 3166-1 alpha-2) of the countries whose holidays are known."""
    return frozenset(list_supported_countries(include_aliases=False))


@lru_cache(maxsize=4_096)
def public_holidays(country: str, year: int) -> frozenset[date]:
    """The public holidays of a country in a year; none if the country is unknown."""
    if country not in countries():
        return frozenset()
    found = holidays.country_holidays(country, years=year, expand=False)
    return frozenset(day for day in found if day.year == year)
