"""The queue of mails that have to leave: rows beside the events, in the same transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.contracts.envelope import Recorded
from shared.contracts.notify import NotificationRequested
from shared.database import Connection, Pool
from shared.eventstore.store import recorded

LEASE_SECONDS = 60

SCHEDULE = """
INSERT INTO notify.deliveries (notification, ticket_id, version)
SELECT n, t, v FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS d(n, t, v) ORDER BY n
    ON CONFLICT DO NOTHING
"""
CLAIM = """
WITH due AS (
    SELECT notification FROM notify.deliveries WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE notify.deliveries d
       SET due_at = now() + $2, attempts = attempts + 1, last_error = ''
      FROM due
     WHERE d.notification = due.notification
    RETURNING d.ticket_id, d.version, d.attempts, d.remaining, d.refused
)
SELECT e.stream_id, e.version, e.occurred_at, e.recorded_at, e.event_id, e.correlation_id, e.causation_id, e.type, e.actor_kind,
       e.actor_id, e.traceparent, e.data, c.attempts, c.remaining, c.refused
  FROM claimed c
  JOIN es.events e ON e.stream_id = c.ticket_id AND e.version = c.version
"""
# An attempt is the sender's own only while nobody has claimed the row after it: `attempts` tells.
RENEW = """
UPDATE notify.deliveries d
   SET due_at = now() + $3
  FROM unnest($1::uuid[], $2::integer[]) AS m(notification, attempts)
 WHERE d.notification = m.notification AND d.attempts = m.attempts
"""
POSTPONE = """
UPDATE notify.deliveries
   SET due_at = now() + $3, remaining = $4, refused = $5, last_error = $6
 WHERE notification = $1 AND attempts = $2
"""
DONE = "DELETE FROM notify.deliveries WHERE notification = ANY($1)"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that this sender may try now; `event` holds a NotificationRequested."""

    event: Recorded
    request: NotificationRequested
    attempts: int
    remaining: tuple[str, ...] | None
    refused: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """An attempt that came to nothing at this time, for all or some (`remaining`) recipients; the next one in `pause` seconds."""

    claimed: Claimed
    pause: float
    error: str
    remaining: tuple[str, ...] | None
    refused: str
    at: datetime


async def schedule(connection: Connection, events: Sequence[Recorded]) -> None:
    """Queues the mails that were requested, in the transaction of their events."""
    requested = [
        (event.payload.notification, event) for event in events if isinstance(event.payload, NotificationRequested)
    ]
    if requested:
        await connection.execute(
            SCHEDULE, [n for n, _ in requested], [e.stream for _, e in requested], [e.version for _, e in requested]
        )


async def claim(pool: Pool, service: str, most: int) -> list[Claimed]:
    """Takes up to so many due mails for the length of a lease; two senders never get the same one."""
    claimed: list[Claimed] = []
    for row in await pool.fetch(CLAIM, most, timedelta(seconds=LEASE_SECONDS)):
        event = recorded(row, service)
        if isinstance(event.payload, NotificationRequested):
            remaining = None if row["remaining"] is None else tuple(row["remaining"])
            claimed.append(Claimed(event, event.payload, row["attempts"], remaining, row["refused"]))
    return claimed


async def renew(pool: Pool, held: Sequence[Claimed]) -> None:
    """Prolongs the leases of mails that are on their way."""
    if held:
        await pool.execute(
            RENEW, [c.request.notification for c in held], [c.attempts for c in held], timedelta(seconds=LEASE_SECONDS)
        )


async def postpone(connection: Connection, those: Sequence[Postponed]) -> None:
    """Puts mails back for a later attempt."""
    rows = [
        (
            each.claimed.request.notification,
            each.claimed.attempts,
            timedelta(seconds=each.pause),
            None if each.remaining is None else list(each.remaining),
            each.refused,
            each.error,
        )
        for each in those
    ]
    if rows:
        await connection.executemany(POSTPONE, rows)


async def done(connection: Connection, notifications: Sequence[UUID]) -> None:
    """Takes mails from the queue whose outcome is an event of the same transaction."""
    await connection.execute(DONE, list(notifications))
