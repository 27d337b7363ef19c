"""Calendars and service level agreements (A21.14)."""

from services.gateway.documents.kind import agents, kind
from shared.clocks.public_holidays import countries
from shared.clocks.working_time import minutes_of_day
from shared.contracts.directory import Calendar, Sla
from shared.database import Connection
from shared.http import story
from shared.http.problems import FieldError


async def check_calendar(calendar: Calendar, _was: Calendar | None, _: Connection) -> list[FieldError]:
    errors = [error for day, spans in calendar.hours.items() for error in _faults(f"/hours/{day}", spans)]
    if not any(calendar.hours.values()):
        errors.append(FieldError("/hours", "At least one day needs hours: without any, no time would ever be over."))
    if calendar.holidays is not None and calendar.holidays not in countries():
        errors.append(FieldError("/holidays", "Must be the code of a country (ISO 3166-1), such as NO."))
    return errors


def _faults(at: str, spans: tuple[tuple[str, str], ...]) -> list[FieldError]:
    """What is wrong with the hours of a day. They may be in any order."""
    errors: list[FieldError] = []
    minutes = [(minutes_of_day(begin), minutes_of_day(end)) for begin, end in spans]
    for n, (begin, end) in enumerate(minutes):
        if end <= begin:
            errors.append(FieldError(f"{at}/{n}", "Hours must end after they begin."))
        elif any(begin < other_end and other_begin < end for other_begin, other_end in minutes[:n]):
            errors.append(FieldError(f"{at}/{n}", "These hours overlap with others of the day."))
    return errors


CALENDAR = kind(
    Calendar,
    "calendars",
    agents,
    check=check_calendar,
    example={
        "slug": "office-hours",
        "name": "Office hours",
        "timezone": "Europe/Oslo",
        "hours": {"mon": [["08:00", "16:00"]], "fri": [["08:00", "12:00"], ["13:00", "15:30"]]},
        "holidays": "NO",
        "days_off": ["2026-12-24"],
        "days_on": [],
    },
)
SLA = kind(
    Sla,
    "slas",
    agents,
    example={
        "slug": "standard",
        "name": "Standard",
        "calendar": "office-hours",
        "order": 10,
        "queues": [story.QUEUE["slug"]],
        "first_answer_minutes": 240.0,
        "update_minutes": 480.0,
        "solution_minutes": 2400.0,
        "warn_percent": 80.0,
        "pauses_in": ["pending-reminder"],
    },
)
