"""Reads invitations (iCalendar, RFC 5545), for mails that have no other text."""

import re
from dataclasses import dataclass

MOST_BYTES = 256 * 1024
LONGEST_WORDS = 1_000

_FOLD = re.compile(r"\r?\n[ \t]")
_PROPERTY = re.compile(r"^([A-Za-z-]{1,40})((?:;[^:\n\"]{0,200}(?:\"[^\"\n]{0,200}\")?){0,10}):(.*)$", re.MULTILINE)
_ESCAPE = re.compile(r"\\([\\;,nN])")


@dataclass(frozen=True, slots=True)
class Invitation:
    """The first event of a calendar. Times are as in the calendar, with their zone."""

    summary: str = ""
    start: str = ""
    end: str = ""
    location: str = ""
    organizer: str = ""
    description: str = ""

    @property
    def words(self) -> str:
        """What the event is about, when and where."""
        when = " - ".join(each for each in (_readable(self.start), _readable(self.end)) if each)
        return "\n".join(each for each in (self.summary, when, self.location, self.organizer, self.description) if each)


def read(text: str) -> Invitation | None:
    """The invitation in a calendar; None if it has no event."""
    unfolded = _FOLD.sub("", text[:MOST_BYTES]).replace("\r", "")
    head, found, rest = unfolded.partition("BEGIN:VEVENT")
    if not found:
        return None
    event = rest.partition("END:VEVENT")[0].partition("BEGIN:VALARM")[0]
    values: dict[str, str] = {}
    for match in _PROPERTY.finditer(f"{head}\n{event}"):
        name, parameters, value = match.group(1).upper(), match.group(2), match.group(3).strip()
        if name in ("DTSTART", "DTEND"):
            zone = re.search(r"TZID=\"?([^;:\"]{1,60})", parameters, re.IGNORECASE)
            value = f"{value} {zone.group(1)}" if zone else value
        values.setdefault(
            name, _ESCAPE.sub(lambda m: "\n" if m.group(1) in "nN" else m.group(1), value)[:LONGEST_WORDS]
        )
    return Invitation(
        summary=values.get("SUMMARY", ""),
        start=values.get("DTSTART", ""),
        end=values.get("DTEND", ""),
        location=values.get("LOCATION", ""),
        organizer=re.sub(r"^mailto:", "", values.get("ORGANIZER", ""), flags=re.IGNORECASE),
        description=values.get("DESCRIPTION", ""),
    )


def _readable(time: str) -> str:
    """`20261123T100000Z` as `2026-11-23 10:00 UTC`."""
    match = re.match(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d)?(Z)?(.*)", time)
    if match is None:
        return time
    year, month, day, hour, minute, utc, zone = match.groups()
    clock = f" {hour}:{minute}" if hour else ""
    return f"{year}-{month}-{day}{clock}{' UTC' if utc else zone}"
