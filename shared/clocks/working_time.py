"""Working time: how many working minutes lie between two moments, and when so many of them are over (A21.14).

Minutes are real ones: a day on which the clock is put forward or back has an hour less or more, if its hours contain
that change. Days and hours are those of the calendar's time zone. A wall time that does not exist, or that exists
twice, is read with the offset from before the change (PEP 495, `fold=0`), and no minute counts twice.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.clocks.public_holidays import public_holidays
from shared.contracts.directory import Calendar

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON_YEARS = 100
"""`after` looks no further."""
MOST_CALENDARS = 128
MOST_YEARS = 64
"""Years of one calendar that are kept in memory."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTE = 60_000_000
DAY = timedelta(days=1)
DAY_MINUTES = 24 * 60
LAST_YEAR = 9_998

Span = tuple[int, int]
"""From and to: in microseconds since 1970 (UTC); of the hours of a weekday, in minutes since midnight."""


class WorkingTime(Protocol):
    """The working time of a calendar."""

    def contains(self, at: datetime) -> bool:
        """Whether this moment is working time. The end of a span is not part of it."""
        ...

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`; nothing if the end is not after the start."""
        ...

    def after(self, start: datetime, worked: timedelta) -> datetime | None:
        """The first moment, not before `start`, at which so much has been worked since `start`.

        In UTC. The start itself if nothing is to be worked. None: it does not come within 100 years.
        """
        ...


class Always:
    """Every minute is working time."""

    def contains(self, at: datetime) -> bool:
        return True

    def between(self, start: datetime, end: datetime) -> timedelta:
        return MICROSECOND * max(_number(end) - _number(start), 0)

    def after(self, start: datetime, worked: timedelta) -> datetime | None:
        try:
            return start.astimezone(UTC) + max(worked, timedelta(0))
        except OverflowError:
            return None


ALWAYS: WorkingTime = Always()


def working_time(calendar: Calendar | None) -> WorkingTime:
    """The working time of a calendar; without one, every minute is working time."""
    if calendar is None:
        return ALWAYS
    hours = tuple(tuple(sorted(_span(each) for each in calendar.hours.get(day, ()))) for day in WEEKDAYS)
    return _counted(calendar.timezone, hours, calendar.holidays, calendar.days_off, calendar.days_on)


def minutes_of_day(text: str) -> int:
    """The minutes since midnight of a wall time such as `08:00`; `24:00` is the end of the day."""
    return int(text[:2]) * 60 + int(text[3:5])


@dataclass(frozen=True, slots=True)
class _Year:
    """The working time of one year, in order and without overlaps: starts, ends, and what was worked before each start."""

    starts: Sequence[int]
    ends: Sequence[int]
    worked_before: Sequence[int]
    total: int

    def worked(self, at: int) -> int:
        """What was worked from the beginning of the year to a moment."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        return self.worked_before[index] + min(at, self.ends[index]) - self.starts[index]

    def when(self, worked: int) -> int:
        """The first moment at which more than nothing, and so much, was worked since the beginning of the year."""
        index = bisect_right(self.worked_before, worked - 1) - 1
        return self.starts[index] + worked - self.worked_before[index]

    def contains(self, at: int) -> bool:
        index = bisect_right(self.starts, at) - 1
        return index >= 0 and at < self.ends[index]


class _Counted:
    """Working time by calendar. A year's spans are worked out once, when they are first needed."""

    def __init__(
        self,
        zone: ZoneInfo,
        hours: Sequence[Sequence[Span]],
        country: str | None,
        days_off: frozenset[date],
        days_on: frozenset[date],
    ) -> None:
        self._zone, self._hours, self._country = zone, hours, country
        self._days_off, self._days_on = days_off, days_on
        self._years: dict[int, _Year] = {}

    def contains(self, at: datetime) -> bool:
        return self._year(self._year_of(at)).contains(_number(at))

    def between(self, start: datetime, end: datetime) -> timedelta:
        if _number(end) <= _number(start) or not any(self._hours):
            return timedelta(0)
        first, last = self._year_of(start), self._year_of(end)
        worked = self._year(last).worked(_number(end)) - self._year(first).worked(_number(start))
        return MICROSECOND * (worked + sum(self._year(year).total for year in range(first, last)))

    def after(self, start: datetime, worked: timedelta) -> datetime | None:
        if worked <= timedelta(0):
            return start.astimezone(UTC)
        if not any(self._hours):
            return None
        year = self._year_of(start)
        left = worked // MICROSECOND + self._year(year).worked(_number(start))
        for each in range(year, min(year + HORIZON_YEARS, LAST_YEAR) + 1):
            spans = self._year(each)
            if left <= spans.total:
                return EPOCH + MICROSECOND * spans.when(left)
            left -= spans.total
        return None

    def _year_of(self, at: datetime) -> int:
        return min(at.astimezone(self._zone).year, LAST_YEAR)

    def _year(self, year: int) -> _Year:
        known = self._years.get(year)
        if known is None:
            if len(self._years) >= MOST_YEARS:
                self._years.clear()
            known = self._years[year] = self._worked_out(year)
        return known

    def _worked_out(self, year: int) -> _Year:
        holidays = public_holidays(self._country, year) if self._country else frozenset[date]()
        off = (holidays | self._days_off) - self._days_on
        day, end_of_year = date(year, 1, 1), date(year + 1, 1, 1)
        spans: list[Span] = []
        midnight = self._at(day, 0)
        while day < end_of_year:
            next_midnight = self._at(day, DAY_MINUTES)
            hours = () if day in off else self._hours[day.weekday()]
            if next_midnight - midnight == DAY_MINUTES * MINUTE:
                spans.extend((midnight + begin * MINUTE, midnight + end * MINUTE) for begin, end in hours)
            else:
                spans.extend((self._at(day, begin), self._at(day, end)) for begin, end in hours)
            day, midnight = day + DAY, next_midnight
        return _indexed(_merged(spans, midnight))

    def _at(self, day: date, minutes: int) -> int:
        days, rest = divmod(minutes, DAY_MINUTES)
        return _number(datetime.combine(day + days * DAY, time(rest // 60, rest % 60), self._zone))


def _merged(spans: list[Span], limit: int) -> list[Span]:
    """The spans in order, without overlaps, and cut off at the limit.

    They are out of order or overlap where a zone skips an hour or a day; a span can then also end before it begins.
    """
    merged: list[Span] = []
    for begin, end in sorted(spans):
        end = min(end, limit)
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > begin:
            merged.append((begin, end))
    return merged


def _indexed(spans: Sequence[Span]) -> _Year:
    before, total = array("q"), 0
    for begin, end in spans:
        before.append(total)
        total += end - begin
    return _Year(array("q", (begin for begin, _ in spans)), array("q", (end for _, end in spans)), before, total)


@lru_cache(maxsize=MOST_CALENDARS)
def _counted(
    zone: str, hours: tuple[tuple[Span, ...], ...], country: str | None, off: tuple[date, ...], on: tuple[date, ...]
) -> WorkingTime:
    return _Counted(ZoneInfo(zone), hours, country, frozenset(off), frozenset(on))


def _span(hours: Sequence[str]) -> Span:
    return minutes_of_day(hours[0]), minutes_of_day(hours[1])


def _number(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND
