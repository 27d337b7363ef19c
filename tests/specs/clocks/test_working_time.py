"""Working time over nights, weekends, holidays and changes of the clock (A21.14)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.clocks.public_holidays import countries, public_holidays
from shared.clocks.working_time import ALWAYS, WEEKDAYS, working_time
from shared.contracts.directory import Calendar
from tests.specs.clocks.slow_working_time import SlowWorkingTime
from tests.specs.requirement import requirement

OFFICE = dict.fromkeys(WEEKDAYS[:5], (("08:00", "16:00"),))
OSLO = ZoneInfo("Europe/Oslo")


def calendar(hours: dict[str, Any], timezone: str = "Europe/Oslo", **more: Any) -> Calendar:
    return Calendar(id=uuid4(), slug="c", name="c", timezone=timezone, hours=hours, **more)


def oslo(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=OSLO)  # type: ignore[misc, arg-type]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@requirement("A21.14")
def test_nights_and_weekends_do_not_count() -> None:
    office = working_time(calendar(OFFICE))
    friday = oslo(2026, 11, 27, 15, 30)
    assert office.after(friday, minutes(60)) == oslo(2026, 11, 30, 8, 30)
    assert office.between(friday, oslo(2026, 11, 30, 8, 30)) == minutes(60)
    assert office.between(oslo(2026, 11, 28, 0), oslo(2026, 11, 29, 23)) == minutes(0)


def test_what_ends_with_the_day_ends_at_its_end_and_not_the_next_morning() -> None:
    office = working_time(calendar(OFFICE))
    assert office.after(oslo(2026, 11, 27, 15), minutes(60)) == oslo(2026, 11, 27, 16)
    assert office.after(oslo(2026, 11, 27, 17), minutes(0)) == oslo(2026, 11, 27, 17)


def test_a_span_has_its_start_and_not_its_end() -> None:
    office = working_time(calendar(OFFICE))
    assert office.contains(oslo(2026, 11, 27, 8))
    assert office.contains(oslo(2026, 11, 27, 15, 59, 59))
    assert not office.contains(oslo(2026, 11, 27, 16))
    assert not office.contains(oslo(2026, 11, 27, 7, 59, 59))


@requirement("A21.14")
def test_holidays_and_days_off_do_not_count_and_days_on_win() -> None:
    every_day = dict.fromkeys(WEEKDAYS, (("08:00", "16:00"),))
    off = working_time(calendar(every_day, holidays="NO", days_off=(date(2026, 12, 24),)))
    assert off.after(oslo(2026, 12, 23, 16), minutes(1)) == oslo(2026, 12, 27, 8, 1)
    on = working_time(
        calendar(
            every_day, holidays="NO", days_off=(date(2026, 12, 24),), days_on=(date(2026, 12, 24), date(2026, 12, 25))
        )
    )
    assert on.after(oslo(2026, 12, 23, 16), minutes(8 * 60 + 1)) == oslo(2026, 12, 25, 8, 1)


def test_a_day_on_has_the_hours_of_its_weekday() -> None:
    office = working_time(calendar(OFFICE, days_on=(date(2026, 11, 28),)))
    assert office.between(oslo(2026, 11, 28, 0), oslo(2026, 11, 29, 0)) == minutes(0)  # a Saturday


def test_sundays_are_no_holidays_and_follow_the_hours() -> None:
    for country in ("NO", "SE", "NL", "GB", "RU"):
        sundays = working_time(calendar({"sun": (("10:00", "12:00"),)}, holidays=country))
        assert sundays.contains(oslo(2026, 11, 29, 11)), country


def test_observed_days_are_holidays() -> None:
    assert date(2027, 12, 27) in public_holidays("GB", 2027)  # Christmas Day is a Saturday
    assert date(2027, 12, 31) in public_holidays("US", 2027)  # for the New Year's Day of 2028


def test_countries_are_known_by_two_letters() -> None:
    assert {"NO", "SE", "NL", "GB", "US", "RU"} <= countries()
    assert not {"XX", "no", "NOR", "Norway", ""} & countries()
    assert public_holidays("XX", 2026) == frozenset()


@requirement("A21.14")
def test_hours_are_real_ones_when_the_clock_changes() -> None:
    nights = working_time(calendar({"sun": (("01:00", "04:00"),)}))
    spring, autumn = oslo(2026, 3, 29, 0), oslo(2026, 10, 25, 0)
    assert nights.between(spring, spring + timedelta(days=1)) == minutes(120)
    assert nights.between(autumn, autumn + timedelta(days=1)) == minutes(240)
    assert nights.after(spring, minutes(61)) == oslo(2026, 3, 29, 3, 1)


def test_a_wall_time_that_does_not_exist_is_read_with_the_offset_of_before() -> None:
    skipped = working_time(calendar({"sun": (("01:45", "02:30"), ("03:00", "03:15"))}))
    day = oslo(2026, 3, 29, 0)
    # 02:30 is 03:30 of the new time, so that the second span lies in the first.
    assert skipped.between(day, day + timedelta(days=1)) == minutes(45)
    backwards = working_time(calendar({"sun": (("02:30", "03:05"),)}))
    assert backwards.between(day, day + timedelta(days=1)) == minutes(0)


def test_24_00_ends_a_day() -> None:
    whole = working_time(calendar(dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),))))
    start = oslo(2026, 3, 1).astimezone(UTC)
    assert whole.between(start, start + timedelta(days=400)) == timedelta(days=400)
    assert whole.after(start, timedelta(days=40)) == start + timedelta(days=40)
    evening = working_time(calendar({"mon": (("22:00", "24:00"),), "tue": (("00:00", "02:00"),)}))
    assert evening.after(oslo(2026, 11, 30, 23), minutes(120)) == oslo(2026, 12, 1, 1)


def test_zones_with_half_hours_and_clocks_that_change_at_midnight() -> None:
    kolkata = working_time(calendar({"mon": (("09:30", "17:00"),)}, "Asia/Kolkata"))
    assert kolkata.after(datetime(2026, 11, 30, 4, 0, tzinfo=UTC), minutes(1)) == datetime(
        2026, 11, 30, 4, 1, tzinfo=UTC
    )
    assert not kolkata.contains(datetime(2026, 11, 30, 3, 59, tzinfo=UTC))
    # In Santiago, 2026-09-06 begins at 01:00.
    santiago = working_time(calendar({"sun": (("00:00", "02:00"),)}, "America/Santiago"))
    first = datetime(2026, 9, 6, 4, 0, tzinfo=UTC)
    assert santiago.between(first - timedelta(hours=2), first + timedelta(hours=6)) == minutes(60)


@pytest.mark.parametrize(
    "hours",
    [{}, {"mon": ()}, {"sun": (("02:30", "03:00"),)}],
)
def test_what_never_comes(hours: dict[str, Any]) -> None:
    never = working_time(calendar(hours, days_on=(date(2026, 12, 1),)))
    assert never.after(oslo(2026, 11, 29, 12), timedelta(days=4000)) is None


def test_never_is_also_the_end_of_dates() -> None:
    office = working_time(calendar(OFFICE))
    assert office.after(datetime(9998, 12, 1, tzinfo=UTC), timedelta(days=300)) is None
    assert ALWAYS.after(datetime(9998, 12, 1, tzinfo=UTC), timedelta(days=3000)) is None


def test_without_a_calendar_every_minute_counts() -> None:
    always = working_time(None)
    at = oslo(2026, 11, 29, 3)
    assert always is ALWAYS
    assert always.contains(at)
    assert always.after(at, minutes(5)) == at + minutes(5)
    assert always.between(at, at + minutes(5)) == minutes(5)
    assert always.between(at + minutes(5), at) == minutes(0)


def test_equal_calendars_share_what_was_worked_out() -> None:
    assert working_time(calendar(OFFICE)) is working_time(calendar(OFFICE))


WALLS = st.sampled_from(
    [
        "00:00",
        "00:30",
        "01:00",
        "01:45",
        "02:00",
        "02:30",
        "02:59",
        "03:00",
        "03:05",
        "08:00",
        "12:15",
        "16:00",
        "23:30",
        "24:00",
    ]
)


@st.composite
def hours(draw: st.DrawFn) -> tuple[tuple[str, str], ...]:
    walls = sorted(draw(st.sets(WALLS, max_size=6)))
    return tuple((walls[n], walls[n + 1]) for n in range(0, len(walls) - 1, 2))


MOMENTS = (
    datetime(2026, 3, 29, tzinfo=UTC),  # Oslo puts the clock forward
    datetime(2026, 10, 25, tzinfo=UTC),  # and back
    datetime(2026, 9, 6, tzinfo=UTC),  # Santiago, at midnight
    datetime(2026, 4, 5, tzinfo=UTC),  # Santiago, Lord Howe (by half an hour)
    datetime(2026, 10, 4, tzinfo=UTC),
    datetime(2026, 12, 31, tzinfo=UTC),
    datetime(2027, 5, 16, tzinfo=UTC),
)
CALENDARS = st.builds(
    calendar,
    st.dictionaries(st.sampled_from(WEEKDAYS), hours(), min_size=1),
    st.sampled_from(
        [
            "Europe/Oslo",
            "UTC",
            "Asia/Kolkata",
            "America/Santiago",
            "Australia/Lord_Howe",
            "Pacific/Chatham",
            "Asia/Kathmandu",
        ]
    ),
    holidays=st.sampled_from([None, "NO", "US"]),
    days_off=st.lists(st.sampled_from([each.date() for each in MOMENTS]), max_size=3).map(tuple),
    days_on=st.lists(st.sampled_from([each.date() for each in MOMENTS]), max_size=3).map(tuple),
)
AROUND = st.builds(lambda at, n: at + minutes(n), st.sampled_from(MOMENTS), st.integers(-2_000, 2_000))


@requirement("A21.14")
@settings(max_examples=150, deadline=None)
@given(CALENDARS, AROUND, st.integers(0, 3_000))
def test_it_agrees_with_counting_minute_by_minute(document: Calendar, start: datetime, length: int) -> None:
    end = start + minutes(length)
    fast, slow = working_time(document), SlowWorkingTime(document)
    assert fast.contains(start) == slow.contains(start)
    assert fast.between(start, end) == slow.between(start, end)


@settings(max_examples=150, deadline=None)
@given(CALENDARS, AROUND, st.integers(1, 600))
def test_the_due_time_agrees_too(document: Calendar, start: datetime, worked: int) -> None:
    fast, slow = working_time(document), SlowWorkingTime(document)
    due = fast.after(start, minutes(worked))
    assume(due is not None)
    assert due is not None
    if due - start < timedelta(days=5):
        assert due == slow.after(start, minutes(worked))


@settings(max_examples=300, deadline=None)
@given(CALENDARS, AROUND, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=900)))
def test_what_was_worked_until_the_due_time_is_what_was_asked_for(
    document: Calendar, start: datetime, worked: timedelta
) -> None:
    found = working_time(document)
    due = found.after(start, worked)
    if due is None:
        assert found.between(start, start + timedelta(days=36_000)) < worked
    else:
        assert found.between(start, due) == worked
        assert worked == timedelta(0) or found.between(start, due - timedelta(microseconds=1)) < worked


@settings(max_examples=200, deadline=None)
@given(
    CALENDARS,
    st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC)), min_size=3, max_size=3),
)
def test_parts_add_up(document: Calendar, moments: list[datetime]) -> None:
    first, middle, last = sorted(moments)
    found = working_time(document)
    assert found.between(first, middle) + found.between(middle, last) == found.between(first, last)


def test_ten_years_are_not_read_minute_by_minute() -> None:
    office = working_time(calendar(OFFICE, holidays="NO"))
    start = oslo(2026, 1, 1)
    for worked in range(1_000_000, 1_300_000, 30):
        due = office.after(start, minutes(worked))
        assert due is not None
        assert office.between(start, due) == minutes(worked)
