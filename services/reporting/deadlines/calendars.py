"""Every version of every calendar, kept for ever: what is left of a deadline is counted with the version that its event
names, so that no later change of a calendar changes what a ticket showed (decision 0114)."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from shared.clocks.deadlines import Deadline
from shared.clocks.working_time import ALWAYS, WorkingTime, working_time
from shared.contracts.directory import Calendar, CalendarRetired, CalendarSaved
from shared.contracts.parts import CalendarRef
from shared.database import Connection, Pool
from shared.directory.copy import DirectoryCopy
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.handlers import Handler

KEEP = """
INSERT INTO clocks.calendars (id, version, document)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[]::json[])
    ON CONFLICT DO NOTHING
"""
WANTED = """
SELECT c.id, c.version, c.document::text
  FROM unnest($1::uuid[], $2::integer[]) AS wanted(id, version)
  JOIN clocks.calendars c USING (id, version)
"""
MOST_CACHED = 1_024
Version = tuple[UUID, int]


class CalendarKeeping:
    """The handler of the directory topic that also keeps the calendars' versions, in the transaction of `handler`.

    Reading the topic again from its beginning gives the same rows. A record that cannot be read is parked by `handler`.
    """

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.producers = handler.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        put_aside = await self.handler.work(connection, deliveries, parked)
        versions = [
            (event.stream, event.version, event.payload.document.model_dump_json())
            for each in deliveries
            if (event := each.event) is not None and isinstance(event.payload, CalendarSaved | CalendarRetired)
        ]
        if versions:
            await connection.execute(KEEP, *(list(column) for column in zip(*versions, strict=True)))
        return put_aside

    def committed(self) -> None:
        self.handler.committed()


class Calendars:
    """Reads working time by calendars and their versions. A version never changes, so those in memory stay right."""

    def __init__(self, pool: Pool, directory: DirectoryCopy) -> None:
        self.pool, self.directory = pool, directory
        self._known: dict[Version, WorkingTime] = {}

    async def of(self, deadlines: Collection[Deadline]) -> Mapping[Version, WorkingTime]:
        """The working time of each of these deadlines that runs by a calendar, by the calendar's id and version."""
        wanted = {
            _version(each.calendar) for each in deadlines if each.calendar is not None and each.state == "running"
        }
        if missing := [each for each in wanted if each not in self._known]:
            if len(self._known) > MOST_CACHED:
                self._known = {}
            rows = await self.pool.fetch(WANTED, [each for each, _ in missing], [version for _, version in missing])
            for row in rows:
                found = Calendar.model_validate_json(row["document"])
                self._known[row["id"], row["version"]] = working_time(found)
        return {each: self._known.get(each) or self._newest(each) for each in wanted}

    def _newest(self, version: Version) -> WorkingTime:
        """For a version that has not arrived yet: the newest one of the calendar."""
        known = self.directory.configuration.calendars.values()
        return working_time(next((each for each in known if each.id == version[0]), None))


def of_deadline(deadline: Deadline, calendars: Mapping[Version, WorkingTime]) -> WorkingTime:
    """The working time of a deadline, from those of `Calendars.of`."""
    return ALWAYS if deadline.calendar is None else calendars.get(_version(deadline.calendar), ALWAYS)


def _version(calendar: CalendarRef) -> Version:
    return calendar.id, calendar.version
