"""The time of a report, and its intervals: days, weeks or months of somebody's time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Interval = Literal["day", "week", "month"]
EARLIEST, LATEST = date(1900, 1, 1), date(9000, 1, 1)
MOST_INTERVALS = 12_000
"""More than thirty years of days."""
DEFAULT_DAYS = 30


class BadPeriod(Exception):
    """A parameter that means no time. The message says why, for the caller."""

    def __init__(self, parameter: str, why: str) -> None:
        super().__init__(why)
        self.parameter, self.why = parameter, why


@dataclass(frozen=True, slots=True)
class Period:
    """`edges`: the moments between which the intervals lie, one more than there are intervals; the first is inclusive,
    the last exclusive. `firsts`: the first day of each interval; None if the report has one row for the whole time.
    """

    edges: tuple[datetime, ...]
    firsts: tuple[date, ...] | None

    @property
    def start(self) -> datetime:
        return self.edges[0]

    @property
    def end(self) -> datetime:
        return self.edges[-1]

    @property
    def count(self) -> int:
        return len(self.edges) - 1


def period(start: str | None, end: str | None, interval: Interval | None, zone: ZoneInfo, now: datetime) -> Period:
    """The time from `start` to `end`: dates in the zone, or times of RFC 3339. By default the last 30 days with today.

    Raises BadPeriod.
    """
    today = now.astimezone(zone).date()
    first_day = today - timedelta(days=DEFAULT_DAYS - 1)
    until = _moment("to", end, zone) if end is not None else midnight(today + timedelta(days=1), zone)
    since = _moment("from", start, zone) if start is not None else min(until, midnight(first_day, zone))
    if since > until:
        raise BadPeriod("from", "Must not be after `to`.")
    if interval is None:
        return Period((since, until), None)
    edges, firsts, first = [since], [], _first_day(since.astimezone(zone).date(), interval)
    while edges[-1] < until:
        firsts.append(first)
        if len(firsts) > MOST_INTERVALS:
            raise BadPeriod("interval", f"At most {MOST_INTERVALS} intervals: ask for longer ones or a shorter time.")
        first = _next(first, interval)
        edges.append(min(until, midnight(first, zone)))
    return Period(tuple(edges), tuple(firsts)) if firsts else Period((since, until), (first,))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day, in UTC. Where the clock leaves midnight out, it is the moment of the change."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _moment(parameter: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        if len(text) == len("2026-11-29"):
            day = date.fromisoformat(text)
            moment = midnight(day, zone) if EARLIEST <= day <= LATEST else None
        else:
            # A `+` that a client did not encode arrives as a space.
            moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise BadPeriod(parameter, "Must be a date (2026-11-29) or a time of RFC 3339.") from None
    if moment is None or not EARLIEST.year <= moment.year <= LATEST.year:
        raise BadPeriod(parameter, "Must be between the years 1900 and 9000.")
    if moment.tzinfo is None:
        raise BadPeriod(parameter, "A time needs its offset, such as Z or +01:00.")
    return moment.astimezone(UTC)


def _first_day(day: date, interval: Interval) -> date:
    match interval:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)


def _next(first: date, interval: Interval) -> date:
    match interval:
        case "day":
            return first + timedelta(days=1)
        case "week":
            return first + timedelta(days=7)
        case "month":
            return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


def cumulated(changes: Sequence[int]) -> list[int]:
    """The sums of the first one, two, three ... changes."""
    sums, total = [], 0
    for change in changes:
        total += change
        sums.append(total)
    return sums
