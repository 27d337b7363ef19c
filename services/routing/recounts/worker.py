"""Counts the clocks of open tickets anew after a change of an SLA or calendar, in the background (A21.14).

A queue is worked through ticket by ticket, in small batches. A batch records its events and moves on in one
transaction; so a process that dies loses nothing, and nothing is done twice. Any number of processes may work: each
takes another queue. After each batch the worker rests twice as long as the batch took. So it takes at most a third of the
time of one process, and less when the desk is busy.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Never
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Gauge

from services.routing.conclusions import CLOCK, Conclusions
from services.routing.recording import write_rows
from services.routing.recounts.requests import FIRST
from services.routing.runner import runner
from services.routing.ticket.clocks.commands import CountAnew
from shared.database import Connection
from shared.directory.copy import DirectoryCopy
from shared.eventstore.store import Context, Store, utc_now
from shared.messaging.consuming.handlers import transient
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

log = logging.getLogger(__name__)

LEFT = Gauge("ledgerdesk_recount_tickets_left", "Open tickets whose clocks are still to be counted anew")
TOTAL = Gauge("ledgerdesk_recount_tickets", "Open tickets that the changes under way concern")
COUNTED = Counter("ledgerdesk_recounted_tickets_total", "Tickets whose clocks were counted anew")
PARKED = Counter("ledgerdesk_recount_parked_total", "Tickets whose clocks could not be counted anew, and were parked")
POLL_SECONDS = 1.0
RESTS = 2
"""After a batch the worker rests so many times as long as it took."""
LONGEST_REST_SECONDS = 5.0
AT_ONCE = 50
"""Tickets of a batch. An agent's command on one of them waits while it lasts, some 50 ms."""
LOOKED_THROUGH = 2_000
"""Tickets of a batch of round 3, of which few were written to."""
SETTLED = timedelta(seconds=5)
"""So long after a change, every process decides with it (`shared.directory.copy.POLL_SECONDS`)."""
MARGIN = timedelta(seconds=10)

# The advisory lock keeps a second worker away, and is the only one that is taken before the locks of streams.
TAKE = """
WITH due AS MATERIALIZED (
    SELECT queue_id
      FROM routing.recounts
     WHERE finished_at IS NULL AND (round < 3 OR requested_at < clock_timestamp() - $1::interval)
     ORDER BY requested_at, queue_id
)
SELECT queue_id FROM due WHERE pg_try_advisory_xact_lock(hashtextextended('recount ' || queue_id, 0)) LIMIT 1
"""
# A statement of its own, which sees what a worker has committed that had the queue until now.
JOB = "SELECT * FROM routing.recounts WHERE queue_id = $1 AND finished_at IS NULL"
NEXT = """
SELECT ticket_id
  FROM routing.places
 WHERE queue_id = $1 AND open AND ticket_id > $2
 ORDER BY ticket_id
 LIMIT $3
"""
WRITTEN_SINCE = """
SELECT t.ticket_id, e.recorded_at >= $4 AS written
  FROM (SELECT ticket_id
          FROM routing.places
         WHERE queue_id = $1 AND open AND ticket_id > $2
         ORDER BY ticket_id
         LIMIT $3) AS t
  JOIN es.streams s ON s.stream_id = t.ticket_id
  JOIN es.events e ON e.stream_id = s.stream_id AND e.version = s.version
 ORDER BY t.ticket_id
"""
# A newer change has set its own place meanwhile; what was counted here stays right.
MOVE_ON = """
UPDATE routing.recounts
   SET round = $3, after = $4, done = done + $5, changed = changed + $6, finished_at = CASE WHEN $7 THEN clock_timestamp() END
 WHERE queue_id = $1 AND requested_at = $2
"""
PARK = """
INSERT INTO routing.timers (ticket_id, kind, due_at, parked_at, reason)
VALUES ($1, 'recount', now(), now(), $2)
    ON CONFLICT (ticket_id, kind) DO UPDATE SET parked_at = now(), reason = excluded.reason
"""
PROGRESS = """
SELECT count(*) AS queues, coalesce(sum(total), 0)::integer AS total, coalesce(sum(greatest(total - done, 0)), 0)::integer AS left
  FROM routing.recounts
 WHERE finished_at IS NULL
"""


class Recounts:
    """The background worker. `copy` is brought up to date for each batch."""

    def __init__(self, store: Store, conclude: Conclusions, copy: DirectoryCopy) -> None:
        self.store, self.conclude, self.copy = store, conclude, copy
        # A runner of its own: the states of the tickets that it goes through do not push those that agents work on
        # out of the cache of the process.
        self.runner = runner(store, conclude)
        self._requested = asyncio.Event()
        self.heartbeat = Heartbeat()

    def wake(self) -> None:
        """A recount was asked for in this process."""
        self._requested.set()

    async def run(self) -> Never:
        """Never ends by itself."""
        await supervise("recounts", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            self._requested.clear()
            self.heartbeat.beat()
            started = time.monotonic()
            if await self._show() and await self.work():
                await asyncio.sleep(min(RESTS * (time.monotonic() - started), LONGEST_REST_SECONDS))
            else:
                await set_within(self._requested, POLL_SECONDS)

    async def work(self) -> bool:
        """Does one batch. Returns whether there was one.

        If it fails, its tickets are counted one by one, and one that cannot be counted is parked with the timers.
        """
        try:
            return await self._batch(AT_ONCE)
        except Exception as error:
            if transient(error):
                raise
            log.warning("a batch of a recount failed; its tickets are counted one by one: %s", error)
        for _ in range(AT_ONCE):
            try:
                await self._batch(1)
            except Exception as error:
                if transient(error):
                    raise
                await self._park(f"{type(error).__name__}: {error}"[:2000])
        return True

    async def _batch(self, limit: int) -> bool:
        async with self.runner.transaction() as (connection, unit):
            job = await _job(connection)
            if job is None:
                return False
            await self.copy.load()  # after the job, so that it has the change that the job is about
            chosen, looked_at = await _tickets(connection, job, limit)
            locked = await self.store.lock(connection, chosen) if chosen else []
            hit("recounts.locked")
            await unit.load(*locked)
            context = Context(actor=CLOCK, causation_id=job["cause"], time=utc_now())
            changed = sum(
                bool(unit.decide(each, CountAnew(self.conclude.slas, context.time), context)) for each in locked
            )
            await write_rows(connection, (await unit.record()).events, unit.rows)
            await _move_on(connection, job, looked_at, changed)
            hit("recounts.before_commit")
        COUNTED.inc(len(chosen))
        hit("recounts.after_commit")
        return True

    async def _park(self, reason: str) -> None:
        """Parks the next ticket, which cannot be counted, and goes on behind it."""
        async with self.store.pool.acquire() as connection, connection.transaction():
            job = await _job(connection)
            if job is None:
                return
            chosen, looked_at = await _tickets(connection, job, 1)
            for ticket in await self.store.lock(connection, chosen):
                log.error("the clocks of a ticket cannot be counted anew; it is parked", extra={"ticket": str(ticket)})
                await connection.execute(PARK, ticket, reason)
                PARKED.inc()
            await _move_on(connection, job, looked_at, 0)

    async def _show(self) -> bool:
        """Shows the progress. Returns whether a recount is under way."""
        row = await self.store.pool.fetchrow(PROGRESS)
        assert row is not None
        LEFT.set(row["left"])
        TOTAL.set(row["total"])
        return bool(row["queues"])


async def _job(connection: Connection) -> asyncpg.Record | None:
    """A queue that no other worker has now; None: there is none."""
    queue = await connection.fetchval(TAKE, SETTLED)
    return None if queue is None else await connection.fetchrow(JOB, queue)


async def _tickets(connection: Connection, job: asyncpg.Record, limit: int) -> tuple[list[UUID], list[UUID]]:
    """The next tickets to count, and all that were looked at for them; none: the round is over."""
    if job["round"] == 3:
        since = job["requested_at"] - MARGIN
        many = LOOKED_THROUGH if limit > 1 else limit
        rows = await connection.fetch(WRITTEN_SINCE, job["queue_id"], job["after"], many, since)
        written = [row["ticket_id"] for row in rows if row["written"]]
        chosen, last = written[:limit], written[limit - 1 : limit]
        looked_at = [row["ticket_id"] for row in rows]
        return chosen, [each for each in looked_at if each <= last[0]] if last and len(written) > limit else looked_at
    rows = await connection.fetch(NEXT, job["queue_id"], job["after"], limit)
    found = [row["ticket_id"] for row in rows]
    chosen = found if job["round"] == 1 else [each for each in found if each <= job["until"]]
    return chosen, chosen


async def _move_on(connection: Connection, job: asyncpg.Record, looked_at: Sequence[UUID], changed: int) -> None:
    if looked_at:
        done = len(looked_at) if job["round"] < 3 else 0
        place = (job["round"], looked_at[-1], done, changed, False)
    elif job["round"] == 1 and job["until"] != FIRST:
        place = (2, FIRST, 0, 0, False)
    elif job["round"] < 3:
        place = (3, FIRST, 0, 0, False)
    else:
        place = (3, job["after"], 0, 0, True)
    await connection.execute(MOVE_ON, job["queue_id"], job["requested_at"], *place)
