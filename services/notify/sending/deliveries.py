"""The queue of mails that have to leave: rows beside the events, in the same transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args
from uuid import UUID

import asyncpg

from shared.addresses import comparable
from shared.contracts.envelope import Recorded
from shared.contracts.notify import NotificationChannel, NotificationRequested, OutgoingMail
from shared.database import Connection, Pool
from shared.eventstore.store import Store, recorded

LEASE_SECONDS = 60
CHANNELS: tuple[str, ...] = get_args(NotificationChannel)
"""Those by which this version sends; what asks for another one is left to the senders of tomorrow."""

SCHEDULE = """
INSERT INTO notify.deliveries (notification, ticket_id, version, domain, queue_id)
SELECT n, t, v, m, q FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::uuid[]) AS d(n, t, v, m, q) ORDER BY n
    ON CONFLICT DO NOTHING
"""
_EVENT = """e.stream_id, e.version, e.occurred_at, e.recorded_at, e.event_id, e.correlation_id, e.causation_id, e.type, e.actor_kind,
       e.actor_id, e.traceparent, e.data"""
LOOK = 1_000
"""Of the mails that are due, so many are looked at one by one for those that may leave."""
_FREE = """d.domain <> ALL($3::text[])
       AND (d.despite_pause OR NOT EXISTS (
               SELECT FROM notify.pauses p
                WHERE (p.queue_id IS NULL OR p.queue_id = d.queue_id) AND (p.domain IS NULL OR p.domain = d.domain)))"""
_BEYOND = "SELECT due_at FROM notify.deliveries WHERE due_at <= now() ORDER BY due_at OFFSET $4 LIMIT 1"
_CLAIMED = f"""claimed AS (
    UPDATE notify.deliveries d
       SET due_at = now() + $2, attempts = attempts + 1, last_error = '', on_its_way = true
      FROM due
     WHERE d.notification = due.notification
    RETURNING d.ticket_id, d.version, d.attempts, d.unreached, d.remaining, d.refused, d.domain, d.queue_id, d.despite_pause
)
SELECT {_EVENT}, c.attempts, c.unreached, c.remaining, c.refused, c.domain, c.queue_id, c.despite_pause
  FROM claimed c
  JOIN es.events e ON e.stream_id = c.ticket_id AND e.version = c.version"""
CLAIM = f"""
WITH due AS (
    SELECT d.notification
      FROM notify.deliveries d
     WHERE d.due_at <= coalesce(({_BEYOND}), now())
       AND {_FREE}
     ORDER BY d.due_at LIMIT $1 FOR UPDATE OF d SKIP LOCKED
), {_CLAIMED}
"""
# What is due may begin with a backlog that is paused or left alone. Where more is due than CLAIM looks at, the oldest mails behind it are
# found without reading it: from lane to lane (a domain's mails of one queue) by the index, the open lanes with the oldest mails, and theirs;
# and beside them the mails that may pass a pause. While everything is paused no lane is open.
_QUEUE = "coalesce(d.queue_id, '00000000-0000-0000-0000-000000000000'::uuid)"
CLAIM_BESIDE = f"""
WITH RECURSIVE lanes AS (
    (SELECT d.domain, {_QUEUE} AS queue_id, d.due_at
       FROM notify.deliveries d
      WHERE EXISTS ({_BEYOND})
        AND NOT EXISTS (SELECT FROM notify.pauses WHERE queue_id IS NULL AND domain IS NULL)
      ORDER BY d.domain, {_QUEUE}, d.due_at LIMIT 1)
    UNION ALL
    SELECT n.domain, n.queue_id, n.due_at
      FROM lanes l,
           LATERAL (SELECT d.domain, {_QUEUE} AS queue_id, d.due_at
                      FROM notify.deliveries d
                     WHERE (d.domain, {_QUEUE}) > (l.domain, l.queue_id)
                     ORDER BY d.domain, {_QUEUE}, d.due_at LIMIT 1) n
), open AS (
    SELECT d.domain, d.queue_id
      FROM (SELECT *, false AS despite_pause FROM lanes) d
     WHERE d.due_at <= now()
       AND {_FREE}
     ORDER BY d.due_at LIMIT $1
), oldest AS (
    SELECT n.notification, n.due_at
      FROM open o,
           LATERAL (SELECT d.notification, d.due_at
                      FROM notify.deliveries d
                     WHERE d.domain = o.domain AND {_QUEUE} = o.queue_id AND d.due_at <= now()
                     ORDER BY d.due_at LIMIT $1) n
    UNION
    SELECT d.notification, d.due_at
      FROM notify.deliveries d
     WHERE d.despite_pause AND d.due_at <= now() AND d.domain <> ALL($3::text[])
     ORDER BY due_at LIMIT $1
), due AS (
    SELECT d.notification
      FROM oldest
      JOIN notify.deliveries d USING (notification)
     WHERE d.due_at <= now()
       AND {_FREE}
       FOR UPDATE OF d SKIP LOCKED
), {_CLAIMED}
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
   SET due_at = now() + $3, remaining = $4, refused = $5, last_error = $6, domain = $7, unreached = unreached + $8, on_its_way = false,
       despite_pause = false, told_late = told_late OR $9
 WHERE notification = $1 AND attempts = $2
"""
PUT_BACK = """
UPDATE notify.deliveries d
   SET due_at = now() + m.pause, attempts = d.attempts - 1, last_error = m.reason, on_its_way = false
  FROM unnest($1::uuid[], $2::integer[], $3::interval[], $4::text[]) AS m(notification, attempts, pause, reason)
 WHERE d.notification = m.notification AND d.attempts = m.attempts
"""
DONE = "DELETE FROM notify.deliveries WHERE notification = ANY($1)"
PAUSES = "SELECT queue_id, domain, by_name, reason FROM notify.pauses"
_LATE = "NOT d.told_late AND d.requested_at < now() - $1::interval AND NOT (d.on_its_way AND d.due_at > now())"
LATE_TICKETS = f"SELECT DISTINCT ticket_id FROM notify.deliveries d WHERE {_LATE} LIMIT 100"
LATE = f"""
SELECT {_EVENT}, d.attempts, d.unreached, d.remaining, d.refused, d.domain, d.queue_id, d.despite_pause, d.last_error
  FROM notify.deliveries d
  JOIN es.events e ON e.stream_id = d.ticket_id AND e.version = d.version
 WHERE {_LATE} AND d.ticket_id = ANY($2)
 ORDER BY d.requested_at
   FOR UPDATE OF d SKIP LOCKED
"""
TOLD_LATE = "UPDATE notify.deliveries SET told_late = true WHERE notification = ANY($1)"
COUNT = "SELECT count(*), extract(epoch FROM now() - min(requested_at))::float8 FROM notify.deliveries"


@dataclass(frozen=True, slots=True)
class Pause:
    """What an administrator keeps from leaving: mails of this queue, to this domain, or all (both None)."""

    queue: UUID | None
    domain: str | None
    by: str
    reason: str

    def holds(self, queue: UUID | None, domain: str) -> bool:
        return (self.queue is None or self.queue == queue) and (self.domain is None or self.domain == domain)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that this sender may try now; `event` holds a NotificationRequested. `attempts` are all, `unreached` those of them that said
    nothing about the mail; `domain` is where it goes, `queue` in whose name; `despite_pause`: an
    administrator wants this one attempt though it is paused."""

    event: Recorded
    request: NotificationRequested
    attempts: int
    remaining: tuple[str, ...] | None
    refused: str
    domain: str = ""
    queue: UUID | None = None
    unreached: int = 0
    despite_pause: bool = False

    @property
    def counted(self) -> int:
        """Attempts that count against the mail, this one included."""
        return self.attempts - self.unreached


@dataclass(frozen=True, slots=True)
class Postponed:
    """An attempt that came to nothing at this time, for all or some (`remaining`) recipients; the next one in `pause` seconds. `unreached`:
    it said nothing about the mail and does not count; `late`: its ticket is told that it waits."""

    claimed: Claimed
    pause: float
    error: str
    remaining: tuple[str, ...] | None
    refused: str
    at: datetime
    unreached: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class PutBack:
    """No attempt was made: the mail's turn has not come (`reason`), and it may be claimed again in `pause` seconds."""

    claimed: Claimed
    pause: float
    reason: str


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
    """Where a mail goes: the domain of the first recipient that does not have it yet, as DNS knows it."""
    first = next(iter(remaining or [each.email for each in (*mail.to, *mail.cc, *mail.bcc)]), "")
    return comparable(first).rpartition("@")[2]


async def pauses(pool: Pool) -> list[Pause]:
    """What is paused now."""
    return [Pause(row["queue_id"], row["domain"], row["by_name"], row["reason"]) for row in await pool.fetch(PAUSES)]


async def claim(pool: Pool, service: str, most: int, full: Sequence[str] = ()) -> list[Claimed]:
    """Takes up to so many due mails for the length of a lease, none of those domains and none that is paused; two senders never get the
    same one."""
    lease = timedelta(seconds=LEASE_SECONDS)
    rows = await pool.fetch(CLAIM, most, lease, list(full), LOOK)
    if len(rows) < most:
        rows += await pool.fetch(CLAIM_BESIDE, most - len(rows), lease, list(full), LOOK)
    return [claimed for row in rows if (claimed := _claimed(row, service)) is not None]


def _claimed(row: asyncpg.Record, service: str) -> Claimed | None:
    event = recorded(row, service)
    if not isinstance(event.payload, NotificationRequested) or event.payload.channel not in CHANNELS:
        return None
    remaining = None if row["remaining"] is None else tuple(row["remaining"])
    return Claimed(
        event,
        event.payload,
        row["attempts"],
        remaining,
        row["refused"],
        row["domain"],
        row["queue_id"],
        row["unreached"],
        row["despite_pause"],
    )


async def late(connection: Connection, store: Store, seconds: float) -> list[tuple[Claimed, str]]:
    """Mails that have waited for so long without their tickets saying so, and why they wait; locked, after their tickets' streams, until
    the transaction ends."""
    after = timedelta(seconds=seconds)
    tickets = [row["ticket_id"] for row in await connection.fetch(LATE_TICKETS, after)]
    rows = await connection.fetch(LATE, after, await store.lock(connection, tickets, wait=False))
    return [(found, row["last_error"]) for row in rows if (found := _claimed(row, store.service)) is not None]


async def told_late(connection: Connection, notifications: Sequence[UUID]) -> None:
    """The tickets of these mails say that they wait."""
    await connection.execute(TOLD_LATE, list(notifications))


async def waiting(pool: Pool) -> tuple[int, float]:
    """How many mails have not left, and the age of the oldest in seconds."""
    row = await pool.fetchrow(COUNT)
    return (row[0], max(0.0, row[1] or 0.0)) if row is not None else (0, 0.0)


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
            domain_of(each.claimed.request.mail, each.remaining),
            int(each.unreached),
            each.late,
        )
        for each in those
    ]
    if rows:
        await connection.executemany(POSTPONE, rows)


async def put_back(connection: Connection, those: Sequence[PutBack]) -> None:
    """Gives back mails that were not tried, as if they had not been claimed."""
    if those:
        await connection.execute(
            PUT_BACK,
            [each.claimed.request.notification for each in those],
            [each.claimed.attempts for each in those],
            [timedelta(seconds=each.pause) for each in those],
            [each.reason for each in those],
        )


async def done(connection: Connection, notifications: Sequence[UUID]) -> None:
    """Takes mails from the queue whose outcome is an event of the same transaction."""
    await connection.execute(DONE, list(notifications))
