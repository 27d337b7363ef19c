"""The queue of mails that have not left yet: one row for each, written in the same transactions as the events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notify.sending.claims import EVENT, Claimed, claimed_from
from shared.addresses import comparable
from shared.contracts.envelope import Recorded
from shared.contracts.notify import NotificationRequested, OutgoingMail
from shared.database import Connection, Pool
from shared.eventstore.store import Store

SCHEDULE = """
INSERT INTO notify.deliveries (notification, ticket_id, version, domain, queue_id)
SELECT n, t, v, m, q
  FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::uuid[]) AS d(n, t, v, m, q)
 ORDER BY n
    ON CONFLICT DO NOTHING
"""
POSTPONE = """
UPDATE notify.deliveries
   SET due_at = now() + $3, remaining = $4, refused = $5, last_error = $6, domain = $7, unreached = unreached + $8,
       on_its_way = false, despite_pause = false, told_late = told_late OR $9
 WHERE notification = $1 AND attempts = $2
"""
DONE = "DELETE FROM notify.deliveries WHERE notification = ANY($1)"
_LATE = "NOT d.told_late AND d.requested_at < now() - $1::interval AND NOT (d.on_its_way AND d.due_at > now())"
LATE_TICKETS = f"SELECT DISTINCT ticket_id FROM notify.deliveries d WHERE {_LATE} LIMIT 100"
LATE = f"""
SELECT {EVENT}, d.attempts, d.unreached, d.remaining, d.refused, d.domain, d.queue_id, d.despite_pause, d.last_error
  FROM notify.deliveries d
  JOIN es.events e ON e.stream_id = d.ticket_id AND e.version = d.version
 WHERE {_LATE} AND d.ticket_id = ANY($2)
 ORDER BY d.requested_at
   FOR UPDATE OF d SKIP LOCKED
"""
TOLD_LATE = "UPDATE notify.deliveries SET told_late = true WHERE notification = ANY($1)"
COUNT = "SELECT count(*), extract(epoch FROM now() - min(requested_at))::float8 FROM notify.deliveries"


@dataclass(frozen=True, slots=True)
class Postponed:
    """A failed attempt, for all or some (`remaining`) recipients. The next one is due in `delay` seconds.

    `unreached`: the reason does not lie in the mail, and the attempt does not count against it. `late`: the ticket is
    told that the mail is delayed.
    """

    claimed: Claimed
    delay: float
    error: str
    remaining: tuple[str, ...] | None
    refused: str
    at: datetime
    unreached: bool = False
    late: bool = False


async def schedule(connection: Connection, events: Sequence[Recorded]) -> None:
    """Queues the mails that were requested, in the transaction of their events."""
    requested = [(event.payload, event) for event in events if isinstance(event.payload, NotificationRequested)]
    if requested:
        await connection.execute(
            SCHEDULE,
            [p.notification for p, _ in requested],
            [e.stream for _, e in requested],
            [e.version for _, e in requested],
            [domain_of(p.mail) for p, _ in requested],
            [p.mail.queue for p, _ in requested],
        )


def domain_of(mail: OutgoingMail, remaining: Sequence[str] | None = None) -> str:
    """The domain of the first recipient who does not have the mail yet, as DNS knows it."""
    first = next(iter(remaining or [each.email for each in (*mail.to, *mail.cc, *mail.bcc)]), "")
    return comparable(first).rpartition("@")[2]


async def late(connection: Connection, store: Store, seconds: float) -> list[tuple[Claimed, str]]:
    """Mails that have waited for so long and whose tickets do not say so, each with its last error.

    Their tickets' streams and then their rows are locked until the transaction ends.
    """
    after = timedelta(seconds=seconds)
    tickets = [row["ticket_id"] for row in await connection.fetch(LATE_TICKETS, after)]
    rows = await connection.fetch(LATE, after, await store.lock(connection, tickets, wait=False))
    return [(found, row["last_error"]) for row in rows if (found := claimed_from(row, store.service)) is not None]


async def told_late(connection: Connection, notifications: Sequence[UUID]) -> None:
    """Remembers that the tickets of these mails say that they are delayed."""
    await connection.execute(TOLD_LATE, list(notifications))


async def waiting(pool: Pool) -> tuple[int, float]:
    """The number of mails that have not left, and the age of the oldest in seconds."""
    row = await pool.fetchrow(COUNT)
    return (row[0], max(0.0, row[1] or 0.0)) if row is not None else (0, 0.0)


async def postpone(connection: Connection, mails: Sequence[Postponed]) -> None:
    """Schedules the next attempts."""
    rows = [
        (
            each.claimed.request.notification,
            each.claimed.attempts,
            timedelta(seconds=each.delay),
            None if each.remaining is None else list(each.remaining),
            each.refused,
            each.error,
            domain_of(each.claimed.request.mail, each.remaining),
            int(each.unreached),
            each.late,
        )
        for each in mails
    ]
    if rows:
        await connection.executemany(POSTPONE, rows)


async def done(connection: Connection, notifications: Sequence[UUID]) -> None:
    """Removes mails from the queue. Their outcomes are events of the same transaction."""
    await connection.execute(DONE, list(notifications))
