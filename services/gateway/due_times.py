"""When a schedule is due, and which days it covers; all in its own time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.contracts.directory import ReportSchedule

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of a zone: `starts_at` is inclusive, `ends_at` exclusive. Both in UTC."""

    starts_at: datetime
    ends_at: datetime


def next_due(schedule: ReportSchedule, after: datetime) -> datetime:
    """The first due time after a moment, in UTC."""
    return next(due for due in _upwards(schedule, after) if due > after)


def latest_due(schedule: ReportSchedule, until: datetime) -> datetime:
    """The last due time that is not after a moment, in UTC."""
    latest = None
    for due in _upwards(schedule, until):
        if due > until:
            break
        latest = due
    assert latest is not None, "the first due time is one interval before the moment's own"
    return latest


def covered(schedule: ReportSchedule, due: datetime) -> Period:
    """The last whole day, week or month before a moment. Weeks begin on Monday."""
    end = _first_day(schedule.every, _local(schedule, due).date())
    start = _first_day(schedule.every, end - DAY)
    return Period(_instant(schedule, start, time()), _instant(schedule, end, time()))


def _upwards(schedule: ReportSchedule, around: datetime) -> Iterator[datetime]:
    """Due times in their order, from two intervals before a moment."""
    hour, _, minute = schedule.at.partition(":")
    at = time(int(hour), int(minute))
    day = _first_day(schedule.every, _local(schedule, around).date())
    for _ in range(2):
        day = _first_day(schedule.every, day - DAY)
    while True:
        yield _instant(schedule, day, at)
        day = _following(schedule.every, day)


def _first_day(every: str, day: date) -> date:
    """The first day of the interval that a day is in. Each unknown interval of a later version is a day."""
    match every:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case _:
            return day


def _following(every: str, first: date) -> date:
    """The first day of the interval after the one that begins on a day."""
    longest = {"week": 7, "month": 31}.get(every, 1)
    return _first_day(every, first + timedelta(days=longest))


def _local(schedule: ReportSchedule, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(schedule.timezone))


def _instant(schedule: ReportSchedule, day: date, at: time) -> datetime:
    """A local time in UTC.

    If clocks show it twice, the first time counts. If they skip it, it is as long after the last time before the gap as
    it would have been without one.
    """
    return datetime.combine(day, at, ZoneInfo(schedule.timezone)).astimezone(UTC)
