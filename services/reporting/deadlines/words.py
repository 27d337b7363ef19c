"""What a deadline promises, in words, on the clock of its reader. English for now."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_skeleton, get_day_names

from shared.clocks.deadlines import Deadline

CLOCKS = {"first_answer": "first answer", "update": "update", "solution": "solution"}
NEAR_DAYS = 6
"""So many days before and after a day, the name of a weekday says which one is meant."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How somebody reads times: their zone and their language."""

    zone: ZoneInfo = ZoneInfo("UTC")
    language: str = "en"


def promise(deadline: Deadline, now: datetime, left: float, state: str, reading: Reading) -> str:
    """Such as "first answer by Monday 10:20". `left`: minutes of working time; `state`: the name of the ticket's state."""
    clock = CLOCKS.get(deadline.clock, deadline.clock)
    due = moment(deadline.due_at, reading, beside=now)
    match deadline.state:
        case "running":
            return f"{clock} by {due}"
        case "paused":
            since = moment(deadline.at, reading, beside=now)
            return f"{clock} paused since {since}: {state}, {minutes(left)} left"
        case "kept":
            return f"{clock} kept {moment(deadline.ended_at, reading, beside=now)}"
        case "broken" if deadline.ended_at is not None:
            return f"{clock} broken: was due {due}, ended {moment(deadline.ended_at, reading, beside=now)}"
        case "broken":
            return f"{clock} broken since {due}"
        case unknown:  # of a later version
            return f"{clock} {unknown}"


def minutes(number: float) -> str:
    """Such as "1 h 25 min": whole minutes, rounded down."""
    hours, rest = divmod(int(number), 60)
    return f"{hours} h {rest} min" if hours and rest else f"{hours} h" if hours else f"{rest} min"


def amount(number: float) -> str:
    """A number of minutes in a sum, with at most two decimals."""
    return f"{round(number, 2):.2f}".rstrip("0").rstrip(".")


def moment(at: datetime | None, reading: Reading, *, beside: datetime | None = None) -> str:
    """A time on the reader's clock, with as much of its date as it needs beside another time."""
    if at is None:
        return "some time"
    local = at.astimezone(reading.zone)
    clock = f"{local:%H:%M}"
    if beside is None:
        return f"{_date(local, reading.language, with_year=True)} {clock}"
    other = beside.astimezone(reading.zone)
    days = (local.date() - other.date()).days
    if days == 0:
        return clock
    if abs(days) <= NEAR_DAYS:
        return f"{_weekdays(reading.language)[local.weekday()]} {clock}"
    return f"{_date(local, reading.language, with_year=local.year != other.year)} {clock}"


def _date(local: datetime, language: str, *, with_year: bool) -> str:
    return format_skeleton("yMMMMd" if with_year else "MMMMd", local, tzinfo=local.tzinfo, locale=_locale(language))


@lru_cache(maxsize=16)
def _locale(language: str) -> Locale:
    return Locale.parse("en_GB" if language == "en" else language)


@lru_cache(maxsize=16)
def _weekdays(language: str) -> tuple[str, ...]:
    names = get_day_names("wide", "format", _locale(language))
    return tuple(names[day] for day in range(7))
