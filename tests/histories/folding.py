"""Folds a history through the real projections into generations of their sets, without Kafka."""

from collections.abc import Iterable
from itertools import chain, islice
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting.generations.projection_sets import projection_sets
from shared.contracts.envelope import Recorded
from shared.contracts.topics import TICKETS
from shared.database import Pool
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.projections.sets import ProjectionSet, live
from tests.histories.desk import Desk
from tests.histories.history import cases

PARTITIONS = 12
CHECKPOINTS = """
INSERT INTO messaging.checkpoints (consumer, topic, partition, next_offset)
SELECT $1, $2, p, o FROM unnest($3::integer[], $4::bigint[]) AS n(p, o)
    ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""


def partition_of(ticket: UUID) -> int:
    return ticket.int % PARTITIONS


class Folding:
    """Hands events to the handlers of generations, in batches, as if they came from the topic.

    The records have no content, because a handler reads it only to park one. With `checkpoints` these follow, for what
    looks at them. Not on a running system: its consumers would find themselves behind the end of their topic.
    """

    def __init__(
        self, pool: Pool, generations: Iterable[tuple[ProjectionSet, int]], *, checkpoints: bool = False
    ) -> None:
        self.pool, self.checkpoints = pool, checkpoints
        self.offsets = dict.fromkeys(range(PARTITIONS), 0)
        self.targets = [(which.consumer(n), which.handlers(n)[TICKETS]) for which, n in generations]

    async def fold(self, events: Iterable[Recorded], *, size: int = 4_000) -> int:
        """Folds events, each ticket's in the order of the log. Returns their number."""
        count = 0
        rest = iter(events)
        while batch := list(islice(rest, size)):
            deliveries = [Delivered(self._position(event), event.stream, b"", event) for event in batch]
            for consumer, handler in self.targets:
                async with self.pool.acquire() as connection, connection.transaction():
                    parked = await handler.work(connection, deliveries, set())
                    assert not parked, f"{consumer} parked {parked[0].reason}"
                    if self.checkpoints:
                        await connection.execute(
                            CHECKPOINTS, consumer, TICKETS, list(self.offsets), list(self.offsets.values())
                        )
            count += len(deliveries)
        return count

    def _position(self, event: Recorded) -> Position:
        partition = partition_of(event.stream)
        offset = self.offsets[partition]
        self.offsets[partition] += 1
        return Position(TICKETS, partition, offset)


async def fill_live(
    pool: Pool, count: int, *, seed: int = 1, desk: Desk | None = None, names: Iterable[str] = ()
) -> int:
    """Folds a year of `count` cases into the live generations of these sets, by default of all. Returns the events.

    It needs the live tables empty, or a seed that was not used in them. Analyses the tables at the end.
    """
    known = projection_sets(ZoneInfo("UTC"))
    chosen = [known[name] for name in names or known]
    async with pool.acquire() as connection:
        generations = [(which, await live(connection, which.name) or 1) for which in chosen]
    folded = await Folding(pool, generations).fold(chain.from_iterable(cases(seed, count, desk)))
    for which, generation in generations:
        for table in which.tables:
            # Views have no statistics; only the owner may analyse, so this is left out where it is refused.
            await pool.execute(f"ANALYZE {which.schema(generation)}.{table}")
    return folded
