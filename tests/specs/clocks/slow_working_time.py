"""Working time, worked out minute by minute: slow, and plain enough to be believed."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.clocks.public_holidays import public_holidays
from shared.contracts.directory import Calendar

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE = timedelta(minutes=1)


class SlowWorkingTime:
    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.zone = ZoneInfo(calendar.timezone)

    def contains(self, at: datetime) -> bool:
        """Whether a span of this day, or of a day beside it, holds the moment."""
        day = at.astimezone(self.zone).date()
        beside = (day + timedelta(days=n) for n in (-1, 0, 1))
        return any(begin <= at < end for each in beside for begin, end in self.spans(each))

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        calendar = self.calendar
        holiday = calendar.holidays is not None and day in public_holidays(calendar.holidays, day.year)
        if (holiday or day in calendar.days_off) and day not in calendar.days_on:
            return []
        hours = calendar.hours.get(DAYS[day.weekday()], ())
        return [(self.moment(day, begin), self.moment(day, end)) for begin, end in hours]

    def moment(self, day: date, wall: str) -> datetime:
        if wall == "24:00":
            return self.moment(day + timedelta(days=1), "00:00")
        return datetime.combine(day, time.fromisoformat(wall), self.zone).astimezone(UTC)

    def between(self, start: datetime, end: datetime) -> timedelta:
        worked = timedelta(0)
        while start < end:
            worked += MINUTE if self.contains(start) else timedelta(0)
            start += MINUTE
        return worked

    def after(self, start: datetime, worked: timedelta) -> datetime:
        while worked > timedelta(0):
            worked -= MINUTE if self.contains(start) else timedelta(0)
            start += MINUTE
        return start
