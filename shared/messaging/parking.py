"""Parked tickets: list them, replay one after the fix, resume a halted consumer. `python -m services.<name> parked ...` uses it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.contracts.envelope import decode
from shared.database import Pool
from shared.messaging.delivery import Delivered
from shared.messaging.handlers import Handler
from shared.messaging.projection import Position

LIST = """
SELECT consumer, stream, count(*) AS events, min(parked_at) AS since,
       (array_agg(reason ORDER BY parked_at, "offset"))[1] AS reason
  FROM messaging.parked
 GROUP BY consumer, stream
 ORDER BY since, consumer, stream
"""
TAKE = """
SELECT topic, partition, "offset", value
  FROM messaging.parked
 WHERE consumer = $1 AND stream = $2
 ORDER BY topic, partition, "offset"
   FOR UPDATE
"""
RELEASE = "DELETE FROM messaging.parked WHERE consumer = $1 AND stream = $2"
RESUME = "DELETE FROM messaging.halted WHERE consumer = $1"


@dataclass(frozen=True, slots=True)
class ParkedTicket:
    """One stream that a consumer has put aside: how many of its events wait, since when, and the first reason."""

    consumer: str
    stream: UUID
    events: int
    since: datetime
    reason: str


class StillBroken(Exception):
    """The replay failed like before; the ticket stays parked as it was."""


async def parked(pool: Pool) -> list[ParkedTicket]:
    """What is parked in this service, oldest first."""
    return [ParkedTicket(**row) for row in await pool.fetch(LIST)]


async def replay(pool: Pool, consumer: str, handler: Handler, stream: UUID) -> int:
    """Works through a parked ticket's events in one transaction, as if nothing had happened; answers how many.

    The live consumer waits for it when it meets the same ticket. Raises StillBroken; then nothing has changed.
    """
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(TAKE, consumer, stream)
        deliveries: Sequence[Delivered] = [
            Delivered(
                Position(row["topic"], row["partition"], row["offset"]), stream, row["value"], decode(row["value"])
            )
            for row in rows
        ]
        try:
            aside = await handler.work(connection, deliveries, set())
        except Exception as error:
            raise StillBroken(f"{type(error).__name__}: {error}") from error
        if aside:
            raise StillBroken(aside[0].reason)
        await connection.execute(RELEASE, consumer, stream)
    handler.committed()
    return len(rows)


async def resume(pool: Pool, consumer: str) -> bool:
    """Lets a halted consumer go on; False if it was not halted."""
    return (await pool.execute(RESUME, consumer)).endswith(" 1")
