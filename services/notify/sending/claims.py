"""Claims: a sender takes due mails for the length of a lease, so that two senders never try the same mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import get_args
from uuid import UUID

import asyncpg

from shared.contracts.envelope import Recorded
from shared.contracts.notify import NotificationChannel, NotificationRequested
from shared.database import Connection, Pool
from shared.eventstore.store import recorded

LEASE_SECONDS = 60
CHANNELS: tuple[str, ...] = get_args(NotificationChannel)
"""Those by which this version sends. Mails for other channels are left to newer versions."""
LOOK = 1_000
"""Of the mails that are due, so many are checked one by one whether they may leave."""

EVENT = """e.stream_id, e.version, e.occurred_at, e.recorded_at, e.event_id, e.correlation_id, e.causation_id, e.type,
       e.actor_kind, e.actor_id, e.traceparent, e.data"""
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
    RETURNING d.ticket_id, d.version, d.attempts, d.unreached, d.remaining, d.refused, d.domain, d.queue_id,
              d.despite_pause
)
SELECT {EVENT}, c.attempts, c.unreached, c.remaining, c.refused, c.domain, c.queue_id, c.despite_pause
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
# The mails that are due first may be a backlog that is paused or whose domain is closed. If more mails are due than
# CLAIM checks, this statement finds the oldest mails behind the backlog without reading it: an index leads from
# subqueue to subqueue (the mails of one queue to one domain), and to the oldest mail of each open one. Mails that may
# pass a pause are found beside them. While everything is paused, no subqueue is open.
_QUEUE = "coalesce(d.queue_id, '00000000-0000-0000-0000-000000000000'::uuid)"
CLAIM_BESIDE = f"""
WITH RECURSIVE subqueues AS (
    (SELECT d.domain, {_QUEUE} AS queue_id, d.due_at
       FROM notify.deliveries d
      WHERE EXISTS ({_BEYOND})
        AND NOT EXISTS (SELECT FROM notify.pauses WHERE queue_id IS NULL AND domain IS NULL)
      ORDER BY d.domain, {_QUEUE}, d.due_at LIMIT 1)
    UNION ALL
    SELECT n.domain, n.queue_id, n.due_at
      FROM subqueues s,
           LATERAL (SELECT d.domain, {_QUEUE} AS queue_id, d.due_at
                      FROM notify.deliveries d
                     WHERE (d.domain, {_QUEUE}) > (s.domain, s.queue_id)
                     ORDER BY d.domain, {_QUEUE}, d.due_at LIMIT 1) n
), open AS (
    SELECT d.domain, d.queue_id
      FROM (SELECT *, false AS despite_pause FROM subqueues) d
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
# Only the newest claim of a row may change it: `attempts` tells which one that is.
RENEW = """
UPDATE notify.deliveries d
   SET due_at = now() + $3
  FROM unnest($1::uuid[], $2::integer[]) AS m(notification, attempts)
 WHERE d.notification = m.notification AND d.attempts = m.attempts
"""
PUT_BACK = """
UPDATE notify.deliveries d
   SET due_at = now() + m.pause, attempts = d.attempts - 1, last_error = m.reason, on_its_way = false
  FROM unnest($1::uuid[], $2::integer[], $3::interval[], $4::text[]) AS m(notification, attempts, pause, reason)
 WHERE d.notification = m.notification AND d.attempts = m.attempts
"""
PAUSES = "SELECT queue_id, domain, by_name, reason FROM notify.pauses"


@dataclass(frozen=True, slots=True)
class Pause:
    """An administrator's pause of outgoing mail: of a queue, to a domain, or (both None) all of it."""

    queue: UUID | None
    domain: str | None
    by: str
    reason: str

    def holds(self, queue: UUID | None, domain: str) -> bool:
        return (self.queue is None or self.queue == queue) and (self.domain is None or self.domain == domain)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that this sender may try now; `event` holds `request`.

    `attempts` counts all claims, this one included; `unreached` those of them that failed for a reason that does not
    lie in the mail. `remaining`: the recipients who do not have the mail yet (None: all); `refused`: what servers said
    about recipients whom they refused for good. `domain`: of the first remaining recipient; `queue`: in whose name the
    mail leaves. `despite_pause`: an administrator wants this attempt although the mail is paused.
    """

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
class PutBack:
    """A claimed mail that was not tried, and why. It may be claimed again after `delay` seconds."""

    claimed: Claimed
    delay: float
    reason: str


async def pauses(pool: Pool) -> list[Pause]:
    return [Pause(row["queue_id"], row["domain"], row["by_name"], row["reason"]) for row in await pool.fetch(PAUSES)]


async def claim(pool: Pool, service: str, most: int, closed: Sequence[str] = ()) -> list[Claimed]:
    """Claims up to `most` of the oldest due mails that are not paused and do not go to one of the `closed` domains."""
    lease = timedelta(seconds=LEASE_SECONDS)
    rows = await pool.fetch(CLAIM, most, lease, list(closed), LOOK)
    if len(rows) < most:
        rows += await pool.fetch(CLAIM_BESIDE, most - len(rows), lease, list(closed), LOOK)
    return [claimed for row in rows if (claimed := claimed_from(row, service)) is not None]


def claimed_from(row: asyncpg.Record, service: str) -> Claimed | None:
    """None for a mail that this version cannot send."""
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


async def renew(pool: Pool, held: Sequence[Claimed]) -> None:
    """Prolongs the leases of these mails."""
    if held:
        await pool.execute(
            RENEW, [c.request.notification for c in held], [c.attempts for c in held], timedelta(seconds=LEASE_SECONDS)
        )


async def put_back(connection: Connection, mails: Sequence[PutBack]) -> None:
    """Gives back mails as if they had not been claimed."""
    if mails:
        await connection.execute(
            PUT_BACK,
            [each.claimed.request.notification for each in mails],
            [each.claimed.attempts for each in mails],
            [timedelta(seconds=each.delay) for each in mails],
            [each.reason for each in mails],
        )


def paused(claimed: Claimed, pauses: Sequence[Pause]) -> str | None:
    """Who has paused this mail, and why; None if nobody has."""
    for pause in pauses:
        if pause.holds(claimed.queue, claimed.domain):
            return f"outgoing mail is paused by {pause.by}: {pause.reason}"
    return None
