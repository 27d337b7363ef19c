"""Reads what has changed since a place, from the history of the live generation (decision record 0099)."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import asyncpg

from services.reporting.feed.merging import Change, Merging, Part
from services.reporting.feed.place import Place, UnknownPlace
from shared.contracts.routing import DeadlineBroken, DeadlinesChanged, DeadlineWarned
from shared.contracts.topics import PARTITIONS, TICKETS
from shared.database import Pool

CHANGE = "h.position, h.id, h.ticket_id, h.number, h.at, h.type, h.source, h.version, h.actor_kind, h.actor_id, h.cause"
LIVE = "SELECT generation FROM projections.generations WHERE name = 'desk' AND state = 'live'"
# Partitions that have not moved since the place cost nothing. A cause is looked up one by one: joined as a whole, the
# planner might read the whole history for it.
CHANGES = f"""
SELECT f.incarnation, f.late, ({LIVE}) AS generation, p.partition, p.reached, p.applied, k.*, c.cause_partition, c.cause_position
  FROM projections.feed f
 CROSS JOIN (SELECT a.after, (a.n - 1)::smallint AS partition, coalesce(o.applied, 0) AS applied,
                    coalesce(o.reached, 0) AS reached
               FROM unnest($1::bigint[]) WITH ORDINALITY AS a(after, n)
               LEFT JOIN (SELECT o.partition, max(o.next_offset) FILTER (WHERE g.state = 'live') AS applied,
                                 max(o.next_offset) FILTER (WHERE g.state <> 'building') AS reached
                            FROM projections.generations g
                            JOIN messaging.checkpoints o
                              ON o.consumer = 'reporting.desk_v' || g.generation AND o.topic = '{TICKETS}'
                           WHERE g.name = 'desk'
                           GROUP BY o.partition) o
                 ON o.partition = a.n - 1) p
  LEFT JOIN LATERAL (SELECT {CHANGE}
                       FROM desk.history h
                      WHERE h.partition = p.partition AND h.position >= p.after AND h.position < p.applied
                      ORDER BY h.position
                      LIMIT $2) k ON p.applied > p.after
  LEFT JOIN LATERAL (SELECT h.partition AS cause_partition, h.position AS cause_position
                       FROM desk.history h
                      WHERE h.id = k.cause
                      LIMIT 1) c ON k.cause IS NOT NULL
 ORDER BY p.partition, k.position
"""
# An event that was late twice (parked again, or in a generation that was promoted) belongs to the later range.
LATE = f"""
SELECT l.number AS late, h.*
  FROM projections.late l
 CROSS JOIN LATERAL (SELECT {CHANGE}, h.partition
                       FROM desk.history h
                      WHERE h.ticket_id = l.ticket_id AND h.partition = l.partition
                        AND h.position BETWEEN l.first_offset AND l.last_offset
                        AND h.position >= CASE WHEN l.number = $1 + 1 THEN $2 ELSE 0 END
                        AND h.position < ($3::bigint[])[l.partition + 1]
                        AND NOT EXISTS (SELECT FROM projections.late n
                                         WHERE n.ticket_id = l.ticket_id AND n.partition = l.partition
                                           AND n.number > l.number AND n.number <= $4
                                           AND h.position BETWEEN n.first_offset AND n.last_offset)
                      ORDER BY h.position
                      LIMIT $5) h
 WHERE l.number > $1 AND l.number <= $4
 ORDER BY l.number, h.position
 LIMIT $5
"""
HOLD_SECONDS = 20.0
"""How long an effect waits for a cause that is not applied yet. Twice as long as Kafka needs to give the partitions of
a lost replica to another one. A cause that is parked, or missing after a restore, costs this delay once."""
CAUSED_BY_DOCUMENTS = {DeadlinesChanged.TYPE, DeadlineWarned.TYPE, DeadlineBroken.TYPE}
"""Types whose cause may be the change of a document, such as a calendar, which no ticket ever shows. If their cause is
an event of their ticket, it is before them in the partition. So they never wait: a recount would hold every reader."""
SAMPLE_SECONDS = 1.0
LEAST_ROWS = 10


@dataclass(frozen=True, slots=True)
class Page:
    """Changes, each with the place after it, and the place after all.

    `at_end`: there were no more. `place` may be further than that of the last change. `generation`: the one that shows
    the changes. Another one may be live when more is read about them: it may not have reached them yet, and then this
    page must be read again.
    """

    changes: Sequence[tuple[Change, Place]]
    place: Place
    at_end: bool
    generation: int | None


class Feed:
    """The feed of one process. It keeps nothing but where the read model was in the last seconds."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self.pool, self._clock = pool, clock
        self._applied: deque[tuple[float, tuple[int, ...]]] = deque()

    async def first(self) -> Place:
        """The place before the first event."""
        row = await self.pool.fetchrow("SELECT incarnation, late FROM projections.feed")
        assert row is not None, "the migration makes this row"
        return Place.first(row["incarnation"], row["late"])

    async def end(self) -> Place:
        """The place after everything that the read model shows now."""
        # No position is that high: the statement reads checkpoints only.
        rows = await self.pool.fetch(CHANGES, [2**62] * PARTITIONS, 1)
        return Place(rows[0]["incarnation"], tuple(row["applied"] for row in rows), rows[0]["late"])

    async def changes(self, after: Place, limit: int) -> Page:
        """At most `limit` changes after a place, in one or two statements.

        A page may be shorter although there are more changes: `at_end` tells. Raises UnknownPlace for a place of
        another incarnation, or one that the read model has never reached.
        """
        rows_each = max(LEAST_ROWS, limit // 4)
        rows = await self.pool.fetch(CHANGES, after.offsets, rows_each)
        by_partition: list[list[asyncpg.Record]] = [[] for _ in range(PARTITIONS)]
        for row in rows:
            by_partition[row["partition"]].append(row)
        known = rows[0]
        reached = [part[0]["reached"] for part in by_partition]
        if after.incarnation != known["incarnation"] or after.late > known["late"]:
            raise UnknownPlace
        if any(offset > most for offset, most in zip(after.offsets, reached, strict=True)):
            raise UnknownPlace
        if after.late < known["late"]:
            page = await self._late_changes(after, known["late"], limit, known["generation"])
            if page is None:
                return await self.changes(after, limit)
            if page.changes:
                return page
            after = page.place
        applied = tuple(part[0]["applied"] for part in by_partition)
        parts = [
            Part(
                n, [_change(row) for row in found if row["id"] is not None], found[0]["applied"], len(found) < rows_each
            )
            for n, found in enumerate(by_partition)
        ]
        recent = self._recent(applied)
        merging = Merging(after.offsets, parts, lambda change: _may_wait(change, recent))
        changes = [(change, after.moved(offsets)) for change, offsets in merging.run(limit)]
        return Page(changes, after.moved(merging.offsets), merging.at_end, known["generation"])

    async def _late_changes(self, after: Place, known: int, limit: int, generation: int) -> Page | None:
        """None if another generation has become live in between."""
        rows = await self.pool.fetch(LATE, after.late, after.within, after.offsets, known, limit)
        changes = [(_change(row), replace(after, late=row["late"] - 1, within=row["position"] + 1)) for row in rows]
        place = changes[-1][1] if len(rows) == limit else replace(after, late=known, within=0)
        if await self.pool.fetchval(LIVE) != generation:
            return None
        return Page(changes, place, at_end=False, generation=generation)

    def _recent(self, applied: tuple[int, ...]) -> tuple[int, ...]:
        """The offsets up to which this process has seen the read model HOLD_SECONDS ago. Later events are recent."""
        now = self._clock()
        if not self._applied or now - self._applied[-1][0] >= SAMPLE_SECONDS:
            self._applied.append((now, applied))
        while len(self._applied) > 1 and now - self._applied[1][0] >= HOLD_SECONDS:
            self._applied.popleft()
        at, offsets = self._applied[0]
        return offsets if now - at >= HOLD_SECONDS else (0,) * PARTITIONS


def _may_wait(change: Change, recent: Sequence[int]) -> bool:
    """Whether a cause that is not there may still come."""
    return change.position >= recent[change.partition] and change.type not in CAUSED_BY_DOCUMENTS


def _change(row: asyncpg.Record) -> Change:
    found = row.get("cause_partition")
    return Change(
        row["partition"],
        row["position"],
        row["id"],
        row["ticket_id"],
        row["number"],
        row["at"],
        row["type"],
        row["source"],
        row["version"],
        row["actor_kind"],
        row["actor_id"],
        row["cause"],
        (found, row["cause_position"]) if found is not None else None,
    )
