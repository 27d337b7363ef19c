"""Parked tickets of a service's consumers: park, list, and replay after the fix (`python -m services.<name> parked`)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.database import Connection, Pool
from shared.eventstore.errors import Raced
from shared.eventstore.runner import until_recorded
from shared.messaging.consuming.delivery import Parked, read
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.projection import Position
from shared.runtime.failpoints import hit

log = logging.getLogger(__name__)

PARK = """
INSERT INTO messaging.parked (consumer, stream, topic, partition, "offset", value, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT DO NOTHING
"""
# FOR UPDATE: an operator's replay of a ticket and a batch with the same ticket take turns.
STREAMS = """
SELECT stream
  FROM messaging.parked
 WHERE consumer = $1 AND stream = ANY($2)
 ORDER BY stream, topic, partition, "offset"
   FOR UPDATE
"""
LIST = """
SELECT consumer AS by, stream, count(*) AS events, min(parked_at) AS since,
       (array_agg(reason ORDER BY parked_at, "offset"))[1] AS reason
  FROM messaging.parked
 GROUP BY consumer, stream
 ORDER BY since, consumer, stream
"""
# While these rows are locked, no batch of the consumer adds to them, because a batch locks them first (STREAMS). A
# batch that was quicker has committed when the lock is granted; only the next statement sees its rows.
LOCK = """
SELECT FROM messaging.parked
 WHERE consumer = $1 AND stream = $2
 ORDER BY topic, partition, "offset"
   FOR UPDATE
"""
TAKE = """
DELETE FROM messaging.parked
 WHERE consumer = $1 AND stream = $2
RETURNING topic, partition, "offset", value
"""

CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class ParkedStream:
    """A stream that waits for an operator.

    `by`: who parked it. `events`: how many wait. `reason`: of the first one.
    """

    by: str
    stream: UUID
    events: int
    since: datetime
    reason: str


class StillBroken(Exception):
    """The replay failed again; the ticket stays parked as it was."""


async def park(connection: Connection, consumer: str, parked: Sequence[Parked]) -> None:
    for delivery, reason, new in parked:
        topic, partition, offset = delivery.position
        if new:
            log.error(
                "consumer %s parks ticket %s: %s", consumer, delivery.key, reason, extra={"ticket": str(delivery.key)}
            )
        await connection.execute(PARK, consumer, delivery.key, topic, partition, offset, delivery.value, reason)


async def parked_streams(connection: Connection, consumer: str, streams: Sequence[UUID]) -> set[UUID]:
    """Those of the streams that the consumer has parked; their rows are locked."""
    return {row["stream"] for row in await connection.fetch(STREAMS, consumer, streams)}


async def parked(pool: Pool) -> list[ParkedStream]:
    """What this service's consumers have parked, oldest first."""
    return [ParkedStream(**row) for row in await pool.fetch(LIST)]


async def replay(pool: Pool, consumer: str, handler: Handler, stream: UUID) -> int:
    """Works through a parked ticket's events in one transaction; returns how many.

    The live consumer waits for it when it meets the same ticket, and so does another replay. Raises StillBroken; then
    nothing has changed.
    """
    # An agent's command on the same ticket may come in between; then everything is decided again on the newer state.
    return await until_recorded(lambda: _replay(pool, consumer, handler, stream), CONFLICTS)


async def _replay(pool: Pool, consumer: str, handler: Handler, stream: UUID) -> int:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(LOCK, consumer, stream)
        rows = await connection.fetch(TAKE, consumer, stream)
        records = sorted((Position(row["topic"], row["partition"], row["offset"]), row["value"]) for row in rows)
        deliveries = [read(position, stream, value, handler.producers) for position, value in records]
        try:
            still_parked = await handler.work(connection, deliveries, set())
        except Raced:
            raise
        except Exception as error:
            raise StillBroken(f"{type(error).__name__}: {error}") from error
        if still_parked:
            raise StillBroken(still_parked[0].reason)
        hit("parking.before_commit")
    handler.committed()
    return len(rows)
