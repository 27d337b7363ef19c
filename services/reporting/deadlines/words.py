"""What a deadline promises, in the words and on the clock of its reader."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from babel.core import Locale
from babel.dates import format_skeleton, get_day_names

from shared.clocks.deadlines import Deadline
from shared.languages.known import LOCALES, Language
from shared.languages.translator import N_, Translator

CLOCKS = {"first_answer": "first answer", "update": "update", "solution": "solution"}
"""How the history calls them."""
PROMISES: Mapping[tuple[str, str], str] = {
    ("first_answer", "running"): N_("first answer by {due}"),
    ("update", "running"): N_("update by {due}"),
    ("solution", "running"): N_("solution by {due}"),
    ("first_answer", "paused"): N_("first answer paused since {since}: {state}, {left} left"),
    ("update", "paused"): N_("update paused since {since}: {state}, {left} left"),
    ("solution", "paused"): N_("solution paused since {since}: {state}, {left} left"),
    ("first_answer", "kept"): N_("first answer kept {ended}"),
    ("update", "kept"): N_("update kept {ended}"),
    ("solution", "kept"): N_("solution kept {ended}"),
    ("first_answer", "broken"): N_("first answer broken since {due}"),
    ("update", "broken"): N_("update broken since {due}"),
    ("solution", "broken"): N_("solution broken since {due}"),
    ("first_answer", "late"): N_("first answer broken: was due {due}, ended {ended}"),
    ("update", "late"): N_("update broken: was due {due}, ended {ended}"),
    ("solution", "late"): N_("solution broken: was due {due}, ended {ended}"),
}
"""By clock and state; `late`: broken, and over."""
NEAR_DAYS = 6
"""So many days before and after a day, the name of a weekday says which one is meant."""


def promise(deadline: Deadline, now: datetime, left: float, state: str, say: Translator) -> str:
    """Such as "first answer by Monday 10:20". `left`: minutes of working time; `state`: the name of the ticket's state."""
    late = deadline.state == "broken" and deadline.ended_at is not None
    text = PROMISES.get((deadline.clock, "late" if late else deadline.state))
    if text is None:  # of a later version
        return f"{CLOCKS.get(deadline.clock, deadline.clock)}: {deadline.state}"
    if deadline.state == "paused":
        since = moment(deadline.at, say, beside=now)
        return say.gettext(text, since=since, state=state, left=duration(left, say))
    # Only the times that the text names: lists have many deadlines.
    times = {"due": deadline.due_at, "ended": deadline.ended_at}
    named = {name: moment(at, say, beside=now) for name, at in times.items() if f"{{{name}}}" in text}
    return say.gettext(text, **named)


def duration(minutes: float, say: Translator) -> str:
    """Such as "1 h 25 min": whole minutes, rounded down."""
    hours, rest = divmod(int(minutes), 60)
    if hours and rest:
        return say.gettext(N_("{hours} h {minutes} min"), hours=hours, minutes=rest)
    return say.gettext(N_("{hours} h"), hours=hours) if hours else say.gettext(N_("{minutes} min"), minutes=rest)


def amount(number: float) -> str:
    """A number of minutes in a sum, with at most two decimals."""
    return f"{round(number, 2):.2f}".rstrip("0").rstrip(".")


def moment(at: datetime | None, say: Translator, *, beside: datetime | None = None) -> str:
    """A time on the reader's clock, with as much of its date as it needs beside another time."""
    if at is None:
        return "-"
    local = at.astimezone(say.zone)
    clock = f"{local.hour:02}:{local.minute:02}"
    if beside is None:
        return f"{_date(local, say.language, with_year=True)} {clock}"
    other = beside.astimezone(say.zone)
    days = (local.date() - other.date()).days
    if days == 0:
        return clock
    if abs(days) <= NEAR_DAYS:
        return f"{_weekdays(say.language)[local.weekday()]} {clock}"
    return f"{_date(local, say.language, with_year=local.year != other.year)} {clock}"


def _date(local: datetime, language: Language, *, with_year: bool) -> str:
    written = format_skeleton("yMMMMd" if with_year else "MMMMd", local, locale=_locale(language))
    return " ".join(written.split())


@lru_cache(maxsize=16)
def _locale(language: Language) -> Locale:
    return Locale.parse(LOCALES[language])


@lru_cache(maxsize=16)
def _weekdays(language: Language) -> tuple[str, ...]:
    names = get_day_names("wide", "format", _locale(language))
    return tuple(names[day] for day in range(7))
