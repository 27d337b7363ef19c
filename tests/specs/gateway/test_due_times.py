"""When report schedules are due, and which days they cover (A10.13)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.due_times import covered, latest_due, next_due
from shared.contracts.directory import ReportSchedule
from tests.specs.requirement import requirement


def schedule(every: str, at: str = "07:00", timezone: str = "Europe/Oslo") -> ReportSchedule:
    return ReportSchedule(
        id=UUID(int=1), slug="s", name="S", report="volume", every=every, at=at, timezone=timezone, to=("a@b.example",)
    )


def local(text: str, zone: str = "Europe/Oslo") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@requirement("A10.13")
@pytest.mark.parametrize(
    ("every", "now", "due"),
    [
        ("day", "2026-11-29T06:59", "2026-11-29T07:00"),
        ("day", "2026-11-29T07:00", "2026-11-30T07:00"),
        ("week", "2026-11-29T12:00", "2026-11-30T07:00"),  # a Sunday; the next day is a Monday
        ("week", "2026-11-30T07:00", "2026-12-07T07:00"),
        ("month", "2026-01-31T12:00", "2026-02-01T07:00"),
        ("month", "2026-02-01T07:00", "2026-03-01T07:00"),
        ("month", "2026-12-24T12:00", "2027-01-01T07:00"),
    ],
)
def test_it_is_due_each_day_each_monday_and_on_each_first(every: str, now: str, due: str) -> None:
    assert next_due(schedule(every), local(now)) == local(due)


@pytest.mark.parametrize(
    ("every", "due", "start", "end"),
    [
        ("day", "2026-03-01T07:00", "2026-02-28", "2026-03-01"),
        ("week", "2026-11-30T07:00", "2026-11-23", "2026-11-30"),
        ("week", "2026-12-03T12:00", "2026-11-23", "2026-11-30"),  # sent by hand on a Thursday
        ("month", "2026-03-01T07:00", "2026-02-01", "2026-03-01"),
        ("month", "2027-01-15T07:00", "2026-12-01", "2027-01-01"),
    ],
)
def test_it_covers_the_last_whole_interval(every: str, due: str, start: str, end: str) -> None:
    period = covered(schedule(every), local(due))
    assert (period.starts_at, period.ends_at) == (local(start), local(end))


def test_a_day_on_which_clocks_change_has_23_or_25_hours() -> None:
    daily = schedule("day")
    spring, autumn = covered(daily, local("2026-03-30T07:00")), covered(daily, local("2026-10-26T07:00"))
    assert spring.ends_at - spring.starts_at == timedelta(hours=23)
    assert autumn.ends_at - autumn.starts_at == timedelta(hours=25)


def test_a_time_that_clocks_skip_comes_an_hour_later_and_one_that_they_show_twice_comes_once() -> None:
    nightly = schedule("day", at="02:30")
    assert next_due(nightly, local("2026-03-29T00:00")) == local("2026-03-29T03:30")
    first = next_due(nightly, local("2026-10-25T00:00"))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next_due(nightly, first) == local("2026-10-26T02:30")


def test_of_several_due_times_of_a_stop_the_latest_counts() -> None:
    assert latest_due(schedule("day"), local("2026-11-29T12:00")) == local("2026-11-29T07:00")
    assert latest_due(schedule("week"), local("2026-11-29T12:00")) == local("2026-11-23T07:00")
    assert latest_due(schedule("month"), local("2026-11-29T12:00")) == local("2026-11-01T07:00")


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
ZONES = ["UTC", "Europe/Oslo", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns"]
SCHEDULES = st.builds(
    schedule,
    st.sampled_from(["day", "week", "month"]),
    st.times().map(lambda at: at.strftime("%H:%M")),
    st.sampled_from(ZONES),
)


@given(SCHEDULES, MOMENTS)
def test_due_times_follow_each_other_without_a_gap(plan: ReportSchedule, moment: datetime) -> None:
    due, latest = next_due(plan, moment), latest_due(plan, moment)
    assert latest <= moment < due
    assert next_due(plan, latest) == due
    assert latest_due(plan, due) == due
    assert latest_due(plan, due - timedelta(microseconds=1)) == latest


@given(SCHEDULES, MOMENTS)
def test_what_is_covered_ends_before_it_is_due_and_two_runs_meet(plan: ReportSchedule, moment: datetime) -> None:
    due = next_due(plan, moment)
    period, following = covered(plan, due), covered(plan, next_due(plan, due))
    assert period.starts_at < period.ends_at <= due
    assert following.starts_at == period.ends_at
