"""In which time zone somebody reads times: their own, else the desk's."""

from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.contracts.directory import Person

Zone = TypeVar("Zone")


def zone_named(name: str | None, desk: Zone) -> ZoneInfo | Zone:
    """The zone of this name; the desk's without a name, or if this machine does not know the zone."""
    if name is None:
        return desk
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return desk


def zone_of_person(person: Person, desk: Zone) -> ZoneInfo | Zone:
    """The zone in which times are written to this person."""
    return zone_named(person.timezone, desk)
