"""Events that Kafka refuses for good: the stream waits in the outbox until an operator lets the relay try again."""

from uuid import UUID

from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownError,
)
from prometheus_client import Counter

from shared.database import Connection, Pool
from shared.messaging.announcing import notify_relays
from shared.messaging.consuming.parking import ParkedStream

REFUSALS = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    CorruptRecordException,
    InvalidTimestampError,
    UnknownError,
)
"""Errors about a record itself. UnknownError stands for codes that aiokafka has no name for, such as INVALID_RECORD."""
REFUSED = Counter("ledgerdesk_relay_refused_total", "Streams that wait because Kafka refuses an event", ["service"])

HOLD = """
INSERT INTO es.refused (stream_id, version, reason) VALUES ($1, $2, $3) ON CONFLICT (stream_id) DO NOTHING
"""
LIST = """
SELECT r.stream_id AS stream, r.refused_at AS since, r.reason,
       (SELECT count(*) FROM es.outbox o WHERE o.stream_id = r.stream_id) AS events
  FROM es.refused r
 ORDER BY r.refused_at, r.stream_id
"""
RELEASE = "DELETE FROM es.refused WHERE stream_id = $1"


async def hold(connection: Connection, service: str, stream: UUID, version: int, reason: str) -> None:
    """From now on the relay skips the stream."""
    await connection.execute(HOLD, stream, version, reason[:2000])
    REFUSED.labels(service).inc()


class Refused:
    """What the relay has parked, for the commands `parked` and `replay`."""

    async def parked(self, pool: Pool) -> list[ParkedStream]:
        return [ParkedStream("relay", **row) for row in await pool.fetch(LIST)]

    async def replay(self, pool: Pool, stream: UUID) -> int:
        """Lets the relay send the stream's waiting events again, within seconds; returns how many wait."""
        async with pool.acquire() as connection:
            waiting: int = await connection.fetchval("SELECT count(*) FROM es.outbox WHERE stream_id = $1", stream)
            await connection.execute(RELEASE, stream)
            await notify_relays(connection)
        return waiting
