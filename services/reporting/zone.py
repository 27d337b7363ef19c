"""In which time zone somebody reads times."""

from zoneinfo import ZoneInfo

from shared.rules.access import Identity
from shared.rules.zones import zone_named


def zone_of(who: Identity, desk: ZoneInfo) -> ZoneInfo:
    """The zone that the person has chosen, else the desk's."""
    return zone_named(who.timezone, desk)
