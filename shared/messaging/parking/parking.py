"""Parked tickets: list them, replay one after the fix, resume a halted consumer. `python -m services.<name> parked ...` uses it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.database import Pool
from shared.eventstore.errors import Raced
from shared.eventstore.runner import until_recorded
from shared.messaging.delivery import read
from shared.messaging.handlers import Handler
from shared.messaging.projection import Position
from shared.testing.failpoints import hit

LIST = """
SELECT consumer AS by, stream, count(*) AS events, min(parked_at) AS since,
       (array_agg(reason ORDER BY parked_at, "offset"))[1] AS reason
  FROM messaging.parked
 GROUP BY consumer, stream
 ORDER BY since, consumer, stream
"""
# While these rows are locked no batch of the consumer adds to them, for it locks them first (PARKED_STREAMS). One that was quicker has
# committed when the lock is there, but its rows are seen by the next statement only.
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
RESUME = "DELETE FROM messaging.halted WHERE consumer = $1"

CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class ParkedStream:
    """One stream that waits for an operator: who has put it aside, how many of its events wait, since when, and the first reason."""

    by: str
    stream: UUID
    events: int
    since: datetime
    reason: str


class StillBroken(Exception):
    """The replay failed like before; the ticket stays parked as it was."""


async def parked(pool: Pool) -> list[ParkedStream]:
    """What this service's consumers have parked, oldest first."""
    return [ParkedStream(**row) for row in await pool.fetch(LIST)]


async def replay(pool: Pool, consumer: str, handler: Handler, stream: UUID) -> int:
    """Works through a parked ticket's events in one transaction, as if nothing had happened; answers how many.

    The live consumer waits for it when it meets the same ticket, and so does another replay. Raises StillBroken; then nothing has changed.
    """
    # A person's command on the same ticket may come in between: then it is decided again on the newer state.
    return await until_recorded(lambda: _replay(pool, consumer, handler, stream), CONFLICTS)


async def _replay(pool: Pool, consumer: str, handler: Handler, stream: UUID) -> int:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(LOCK, consumer, stream)
        rows = await connection.fetch(TAKE, consumer, stream)
        places = sorted((Position(row["topic"], row["partition"], row["offset"]), row["value"]) for row in rows)
        deliveries = [read(position, stream, value, handler.producers) for position, value in places]
        try:
            aside = await handler.work(connection, deliveries, set())
        except Raced:
            raise
        except Exception as error:
            raise StillBroken(f"{type(error).__name__}: {error}") from error
        if aside:
            raise StillBroken(aside[0].reason)
        hit("parking.before_commit")
    handler.committed()
    return len(rows)


async def resume(pool: Pool, consumer: str) -> bool:
    """Lets a halted consumer go on; False if it was not halted."""
    return (await pool.execute(RESUME, consumer)).endswith(" 1")
