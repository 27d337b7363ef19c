"""Events that come into the read model behind places which readers have passed already.

There are two causes: the replay of a parked ticket, and the promotion of a generation that has what the former one had
parked. If the promoted generation has not reached those events yet, they are late when it applies them.

Each writes a range into `projections.late`. Readers get the ranges that are newer than their place. The numbers of
ranges commit in order, because whoever writes one first locks the only row of `projections.feed`.
"""

from collections.abc import Sequence
from uuid import UUID

from shared.contracts.topics import TICKETS
from shared.database import Connection
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.handlers import Handler

LOCK = "SELECT FROM projections.feed FOR UPDATE"
NOTIFY = "SELECT pg_notify('desk', '')"
IS_LIVE = (
    "SELECT EXISTS (SELECT FROM projections.generations WHERE name = 'desk' AND generation = $1 AND state = 'live')"
)
# A batch of the former generation that would park another ticket ends before, or is not seen by readers any more.
LOCK_CHECKPOINTS = """
SELECT FROM messaging.checkpoints WHERE consumer = ANY($1) ORDER BY consumer, topic, partition FOR UPDATE
"""
RECORD = """
WITH numbered AS (
    SELECT r.*, row_number() OVER (ORDER BY r.first_offset, r.partition) + f.late AS number
      FROM ({ranges}) AS r, projections.feed f
), counted AS (
    UPDATE projections.feed SET late = late + (SELECT count(*) FROM numbered)
)
INSERT INTO projections.late (number, ticket_id, partition, first_offset, last_offset)
SELECT number, ticket_id, partition, first_offset, last_offset FROM numbered
"""
NUMBERED = RECORD.format(
    ranges="SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[])"
    " AS n(ticket_id, partition, first_offset, last_offset)"
)
AWAITED = RECORD.format(
    ranges="""
    SELECT w.ticket_id, w.partition, greatest(w.first_offset, b.first_offset) AS first_offset,
           least(w.last_offset, b.next_offset - 1) AS last_offset
      FROM projections.late_awaited w
      JOIN unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS b(partition, first_offset, next_offset) USING (partition)
     WHERE w.first_offset < b.next_offset AND w.last_offset >= b.first_offset"""
)
AWAITED_NO_LONGER = """
DELETE FROM projections.late_awaited w
 USING unnest($1::smallint[], $2::bigint[]) AS b(partition, next_offset)
 WHERE w.partition = b.partition AND w.last_offset < b.next_offset
"""
# What nobody could be told while the former generation was live: what it had parked, and what was awaited of it.
UNTOLD = f"""
WITH untold AS (
    SELECT stream AS ticket_id, partition::smallint, min("offset") AS first_offset, max("offset") AS last_offset
      FROM messaging.parked
     WHERE consumer = $1 AND topic = '{TICKETS}'
     GROUP BY stream, partition
     UNION ALL
    SELECT ticket_id, partition, first_offset, last_offset FROM projections.late_awaited
)
SELECT u.*, coalesce(c.next_offset, 0) AS next_offset
  FROM untold u
  LEFT JOIN messaging.checkpoints c
    ON c.consumer = $2 AND c.topic = '{TICKETS}' AND c.partition = u.partition
"""
AWAIT = (
    "INSERT INTO projections.late_awaited SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[])"
)

Range = tuple[UUID, int, int, int]
"""Ticket, partition, first and last offset."""


class ReplayHandler:
    """Handles the events of parked tickets again, and records them as late if the generation is the live one."""

    def __init__(self, handler: Handler, generation: int) -> None:
        self.handler, self.generation = handler, generation
        self.producers = handler.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        put_aside = await self.handler.work(connection, deliveries, parked)
        if deliveries and not put_aside:
            await connection.execute(LOCK)
            if await connection.fetchval(IS_LIVE, self.generation):
                await _write(connection, NUMBERED, _ranges(deliveries))
        return put_aside

    def committed(self) -> None:
        self.handler.committed()


async def record_awaited(connection: Connection, deliveries: Sequence[Delivered]) -> None:
    """Records as late what was awaited and is applied by this batch, in its transaction."""
    spans: dict[int, list[int]] = {}
    for delivery in deliveries:
        spans.setdefault(delivery.position.partition, []).append(delivery.position.offset)
    partitions, after = list(spans), [max(offsets) + 1 for offsets in spans.values()]
    await connection.execute(LOCK)
    await connection.execute(AWAITED, partitions, [min(offsets) for offsets in spans.values()], after)
    await connection.execute(AWAITED_NO_LONGER, partitions, after)


async def record_promotion(connection: Connection, former: str, promoted: str) -> None:
    """Records as late what a generation's consumer has parked, in the transaction that promotes another generation.

    `former` and `promoted` are the consumers of the two. Takes its locks in the order in which batches and replays take
    them.
    """
    await connection.execute(LOCK_CHECKPOINTS, [former, promoted])
    await connection.execute(LOCK)
    applied: list[Range] = []
    awaited: list[Range] = []
    for ticket, partition, first, last, following in await connection.fetch(UNTOLD, former, promoted):
        if first < following:
            applied.append((ticket, partition, first, min(last, following - 1)))
        if last >= following:
            awaited.append((ticket, partition, max(first, following), last))
    await connection.execute("DELETE FROM projections.late_awaited")
    await _write(connection, NUMBERED, applied)
    await _write(connection, AWAIT, awaited)
    await connection.execute(NOTIFY)


async def _write(connection: Connection, statement: str, ranges: Sequence[Range]) -> None:
    if ranges:
        await connection.execute(statement, *(list(column) for column in zip(*ranges, strict=True)))


def _ranges(deliveries: Sequence[Delivered]) -> list[Range]:
    offsets: dict[tuple[UUID, int], list[int]] = {}
    for delivery in deliveries:
        offsets.setdefault((delivery.key, delivery.position.partition), []).append(delivery.position.offset)
    return [(ticket, partition, min(found), max(found)) for (ticket, partition), found in offsets.items()]
