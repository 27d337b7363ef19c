"""The intervals of reports: days, weeks and months of a zone, also where the clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.reports.intervals import MOST_INTERVALS, BadPeriod, Interval, period

OSLO, BEIRUT = ZoneInfo("Europe/Oslo"), ZoneInfo("Asia/Beirut")
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Europe/Oslo", "Asia/Beirut", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu"])


def hours(start: str, end: str, zone: ZoneInfo) -> list[float]:
    made = period(start, end, "day", zone, NOW)
    return [(b - a) / timedelta(hours=1) for a, b in zip(made.edges, made.edges[1:], strict=False)]


def test_a_day_on_which_the_clocks_change_has_another_length() -> None:
    assert hours("2026-03-28", "2026-03-31", OSLO) == [24, 23, 24]
    assert hours("2026-10-24", "2026-10-27", OSLO) == [24, 25, 24]
    assert hours("2026-03-28", "2026-03-31", BEIRUT) == [24, 23, 24]  # where midnight itself is left out


def test_weeks_begin_on_monday_and_are_cut_off_at_the_ends() -> None:
    made = period("2026-11-25", "2026-12-09", "week", OSLO, NOW)
    assert made.firsts == (date(2026, 11, 23), date(2026, 11, 30), date(2026, 12, 7))
    assert (made.start, made.end) == (datetime(2026, 11, 24, 23, tzinfo=UTC), datetime(2026, 12, 8, 23, tzinfo=UTC))


def test_by_default_it_is_the_last_thirty_days_with_today() -> None:
    made = period(None, None, None, OSLO, NOW)
    assert (made.start, made.end) == (datetime(2026, 10, 30, 23, tzinfo=UTC), datetime(2026, 11, 29, 23, tzinfo=UTC))


def test_an_empty_time_has_one_interval() -> None:
    made = period("2026-11-25", "2026-11-25", "month", OSLO, NOW)
    assert (made.firsts, made.count) == ((date(2026, 11, 1),), 1)


@pytest.mark.parametrize("text", ["2026-11-29T10:00:00+01:00", "2026-11-29T10:00:00 01:00", "2026-11-29T09:00:00Z"])
def test_times_have_their_own_offset(text: str) -> None:
    assert period(text, None, None, OSLO, NOW).start == datetime(2026, 11, 29, 9, tzinfo=UTC)


@given(
    st.dates(date(1970, 1, 1), date(2040, 1, 1)), st.integers(0, 800), st.sampled_from(["day", "week", "month"]), ZONES
)
def test_intervals_follow_each_other_without_gaps(first: date, days: int, interval: Interval, name: str) -> None:
    zone = ZoneInfo(name)
    made = period(first.isoformat(), (first + timedelta(days=days)).isoformat(), interval, zone, NOW)
    assert list(made.edges) == sorted(made.edges)
    assert made.firsts is not None
    assert len(made.firsts) == made.count
    assert list(made.firsts) == sorted(set(made.firsts))
    for start, day in zip(made.edges[1:-1], made.firsts[1:], strict=True):
        assert start.astimezone(zone).date() in (day, day + timedelta(days=1))  # a day can be missing in a zone


def test_too_many_intervals_are_refused() -> None:
    with pytest.raises(BadPeriod, match=str(MOST_INTERVALS)):
        period("1950-01-01", "2040-01-01", "day", OSLO, NOW)
