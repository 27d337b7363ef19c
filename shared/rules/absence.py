"""Whether a person is away (requirement A21.01): one rule for notices, assignments and what is shown of people."""

from datetime import datetime, tzinfo

from shared.contracts.directory import Absence, Person
from shared.rules.zones import zone_of_person


def absence_of(person: Person, at: datetime, desk: tzinfo) -> Absence | None:
    """The person's absence if they are away at that time, else None.

    Both days of an absence belong to it. Days are counted in the time zone of the person (`zone_of`).
    """
    absence = person.absence
    if absence is None or not absence.active:
        return None
    today = at.astimezone(zone_of_person(person, desk)).date()
    return absence if absence.first_day <= today <= absence.last_day else None


def is_away(person: Person, at: datetime, desk: tzinfo) -> bool:
    """Whether the person is away at that time. See `absence_of`."""
    return absence_of(person, at, desk) is not None
