"""The counts of the streams: read once a second for all of them, and only if the numbers have moved."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from services.reporting.live.sight import Sight
from services.reporting.stats.api import COUNTS
from shared.database import Pool
from shared.directory.copy import Queues

MOVED = """
SELECT g.generation, coalesce(sum(c.next_offset), 0)::bigint AS reached
  FROM projections.generations g
  LEFT JOIN messaging.checkpoints c ON c.consumer = 'reporting.stats_v' || g.generation
 WHERE g.name = 'stats' AND g.state = 'live'
 GROUP BY g.generation
"""
QUEUES = "SELECT queue_id, new, open, pending, closed, locked FROM stats.queues"
PEOPLE = "SELECT person_id, queue_id, locked, owned FROM stats.people WHERE person_id = ANY($1)"
Numbers = tuple[int, int, int, int, int, int, int]
"""In the order of COUNTS."""
NOTHING: Numbers = (0, 0, 0, 0, 0, 0, 0)


class QueueCounts:
    """The numbers of all queues as the read model shows them, with those of the people who listen."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._queues: dict[UUID, tuple[int, int, int, int, int]] = {}
        self._people: dict[UUID, dict[UUID, tuple[int, int]]] = {}
        self._reached: tuple[int, int] | None = None

    async def refresh(self, people: Collection[UUID]) -> bool:
        """Reads the numbers if they have moved, or if there are other people. Returns whether it has."""
        row = await self.pool.fetchrow(MOVED)
        reached = (row["generation"], row["reached"]) if row is not None else (0, 0)
        if reached == self._reached and self._people.keys() >= set(people):
            return False
        queues = await self.pool.fetch(QUEUES)
        rows = await self.pool.fetch(PEOPLE, list(people))
        self._queues = {
            each["queue_id"]: (each["new"], each["open"], each["pending"], each["closed"], each["locked"])
            for each in queues
        }
        self._people = {person: {} for person in people}
        for each in rows:
            self._people[each["person_id"]][each["queue_id"]] = each["locked"], each["owned"]
        self._reached = reached
        return True

    def has(self, queue: UUID) -> bool:
        """Whether a queue has tickets that are counted."""
        return queue in self._queues

    def of(self, queue: UUID, person: UUID) -> Numbers:
        """The numbers of a queue for a person."""
        new, opened, pending, closed, locked = self._queues.get(queue, (0, 0, 0, 0, 0))
        own_locked, owned = self._people.get(person, {}).get(queue, (0, 0))
        return new, opened, pending, closed, new + opened + pending - locked + own_locked, own_locked, owned


class ToldCounts:
    """What one sign-in has been told of the counts."""

    def __init__(self) -> None:
        self._rows: dict[UUID, tuple[Mapping[str, Any], Numbers]] = {}
        self._mine: Numbers = NOTHING

    def changes(
        self, counts: QueueCounts, queues: Queues, sight: Sight, person: UUID, follows: Collection[UUID]
    ) -> str | None:
        """The message about what has changed since the last call; None for nothing."""
        before, mine_before = self._rows, self._mine
        self._rows = {
            queue: (_reference(queues, queue), counts.of(queue, person))
            for queue in sight.queues
            if queue not in queues.retired or counts.has(queue)
        }
        own = [numbers for queue, (_, numbers) in self._rows.items() if queue in follows]
        self._mine = _sum(own)
        changed = [queue for queue, row in self._rows.items() if before.get(queue) != row]
        if not changed and self._mine == mine_before:
            return None
        return self._message(changed, queues, mine=self._mine != mine_before)

    def whole(self, queues: Queues) -> str | None:
        """The message with all rows, for a stream that has just begun; None if there are none."""
        return self._message(self._rows, queues, mine=True) if self._rows else None

    def _message(self, wanted: Iterable[UUID], queues: Queues, *, mine: bool) -> str:
        order = sorted(wanted, key=lambda queue: (queue in queues.retired, queues.by_id[queue].slug))
        rows = [{"queue": self._rows[queue][0], **_named(self._rows[queue][1])} for queue in order]
        return orjson.dumps({"queues": rows, "mine": _named(self._mine) if mine else None}).decode()


def _reference(queues: Queues, queue: UUID) -> Mapping[str, Any]:
    known = queues.by_id[queue]
    found: dict[str, Any] = {"id": str(queue), "slug": known.slug, "name": known.name}
    return {**found, "retired": True} if queue in queues.retired else found


def _named(numbers: Numbers) -> dict[str, int]:
    return dict(zip(COUNTS, numbers, strict=True))


def _sum(rows: Sequence[Numbers]) -> Numbers:
    new, opened, pending, closed, available, locked, owned = (sum(row[n] for row in rows) for n in range(len(COUNTS)))
    return new, opened, pending, closed, available, locked, owned
