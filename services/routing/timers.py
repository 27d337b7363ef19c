"""Timers: reminders, automatic closing, the end of a forgotten lock, the warnings and breaches of clocks (requirements
A5.05, A5.07, A5.17, A6.06).

A timer is a row. It is written in the transaction of the event that starts it, and deleted in the transaction of the
events that it leads to. So it fires once, even if processes restart, and with any number of workers. A timer that
cannot fire is parked and does not delay others.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Never
from uuid import UUID

from prometheus_client import Counter, Histogram

from services.routing import former_agents
from services.routing.conclusions import Conclusions
from services.routing.recording import UNSET, write_rows
from services.routing.runner import runner
from services.routing.ticket import Command
from services.routing.ticket.clocks.commands import ClockIsDue, CountAnew
from services.routing.ticket.lifecycle import PendingIsOver
from services.routing.ticket.ownership import LockHolderLeft, LockIsOver
from shared.clocks import deadlines
from shared.contracts.envelope import Actor
from shared.contracts.routing import (
    AnyClock,
)
from shared.database import Pool
from shared.eventstore.store import Context, Store, utc_now
from shared.messaging.consuming.handlers import transient
from shared.messaging.consuming.parking import ParkedStream
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

log = logging.getLogger(__name__)

LATENESS = Histogram(
    "ledgerdesk_timer_lateness_seconds",
    "How long after its time a timer fired",
    ["kind"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 30, 300, 3600),
)
PARKED_TIMERS = Counter("ledgerdesk_timers_parked_total", "Tickets whose timers were parked")
POLL_SECONDS = 1.0
"""After so long a timer of another process is noticed: half of the two seconds that are promised."""
BUSY_SECONDS = 0.05
AT_ONCE = 100

CLOCKS: dict[str, AnyClock] = {clock: clock for clock in deadlines.CLOCKS}
"""The kinds of timers that are clocks of tickets."""

NEXT = "SELECT min(due_at) FROM routing.timers WHERE parked_at IS NULL"
DUE = """
SELECT ticket_id
  FROM routing.timers
 WHERE due_at <= $1 AND parked_at IS NULL
 ORDER BY due_at
 LIMIT $2
"""
# The streams of these tickets are locked, so nobody else writes timers for them at the same time.
OF_TICKETS = """
SELECT ticket_id, kind, due_at
  FROM routing.timers
 WHERE ticket_id = ANY($1) AND due_at <= $2 AND parked_at IS NULL
 ORDER BY due_at
"""
PARK = """
UPDATE routing.timers SET parked_at = now(), reason = $2
 WHERE ticket_id = $1 AND due_at <= $3 AND parked_at IS NULL
"""
PARKED = """
SELECT ticket_id AS stream, count(*) AS events, min(parked_at) AS since, min(reason) AS reason
  FROM routing.timers
 WHERE parked_at IS NOT NULL
 GROUP BY ticket_id
 ORDER BY since, ticket_id
"""
UNPARK = "UPDATE routing.timers SET parked_at = NULL, reason = NULL WHERE ticket_id = $1 AND parked_at IS NOT NULL"


class Timers:
    """Fires the timers that are due. Any number of processes may do so at the same time."""

    def __init__(self, store: Store, conclude: Conclusions) -> None:
        self.store, self.conclude = store, conclude
        self.runner = runner(store, conclude)
        self._set = asyncio.Event()
        self.heartbeat = Heartbeat()

    def wake(self) -> None:
        """A timer was set in this process. It may be the next one that is due."""
        self._set.set()

    async def run(self) -> Never:
        """Never ends by itself."""
        await supervise("timers", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            self._set.clear()
            while await self.fire(AT_ONCE) >= AT_ONCE:
                self.heartbeat.beat()
            self.heartbeat.beat()
            due = await self.store.pool.fetchval(NEXT)
            wait = POLL_SECONDS if due is None else (due - utc_now()).total_seconds()
            # Timers that are still due belong to tickets that somebody is writing to. They are free a moment later.
            await set_within(self._set, min(POLL_SECONDS, max(wait, BUSY_SECONDS)))

    async def fire(self, limit: int) -> int:
        """Fires due timers: those of the tickets of the first `limit` ones. Returns their number.

        If a timer cannot fire, the due timers of its ticket are parked.
        """
        now = utc_now()
        due = [row["ticket_id"] for row in await self.store.pool.fetch(DUE, now, limit)]
        tickets = list(dict.fromkeys(due))
        if not tickets:
            return 0
        try:
            return await self._transaction(tickets, now)
        except Exception as error:
            if transient(error):
                raise
        return sum([await self._alone(each, now) for each in tickets])

    async def _alone(self, stream: UUID, now: datetime) -> int:
        try:
            return await self._transaction([stream], now)
        except Exception as error:
            if transient(error):
                raise
            log.exception("a timer cannot fire and is parked", extra={"ticket": str(stream)})
            reason = f"{type(error).__name__}: {error}"[:2000]
            async with self.store.pool.acquire() as connection, connection.transaction():
                await self.store.lock(connection, [stream])
                await connection.execute(PARK, stream, reason, now)
            PARKED_TIMERS.inc()
            return 0

    async def _transaction(self, tickets: Sequence[UUID], now: datetime) -> int:
        """Fires the due timers of those of these tickets that nobody else is writing to. Returns their number."""
        async with self.runner.transaction() as (connection, unit):
            free = await self.store.lock(connection, tickets, wait=False)
            hit("timers.locked")
            due = await connection.fetch(OF_TICKETS, free, now)
            if not due:
                return 0
            await unit.load(*(row["ticket_id"] for row in due))
            gone = await former_agents.former_holders(
                connection, [row["ticket_id"] for row in due if row["kind"] == "left"]
            )
            for row in due:
                context = Context(actor=Actor("system", f"timer:{row['kind']}"), time=now)
                if unit.decide(row["ticket_id"], self._command(row["kind"], row["due_at"], now, gone), context):
                    LATENESS.labels(row["kind"]).observe((now - row["due_at"]).total_seconds())
            # First taken, then set: a clock that has warned is set to the time at which it is over.
            await connection.execute(UNSET, [row["ticket_id"] for row in due], [row["kind"] for row in due])
            await write_rows(connection, (await unit.record()).events, unit.rows)
            hit("timers.before_commit")
        hit("timers.after_commit")
        return len(due)

    def _command(self, kind: str, due_at: datetime, now: datetime, gone: frozenset[UUID]) -> Command:
        match kind:
            case "left":
                return LockHolderLeft(gone)
            case "lock":
                return LockIsOver(due_at, now)
            case "recount":
                return CountAnew(self.conclude.slas, now)
            case _ if kind in CLOCKS:
                return ClockIsDue(CLOCKS[kind], now)
            case _:
                return PendingIsOver(due_at, now)


class Parked:
    """The timers' part of `parked` and `replay`, under the name `timers`."""

    async def parked(self, pool: Pool) -> list[ParkedStream]:
        return [ParkedStream("timers", **row) for row in await pool.fetch(PARKED)]

    async def replay(self, pool: Pool, stream: UUID) -> int:
        """Lets the ticket's timers fire again, which a worker does within a second. Returns their number."""
        return int((await pool.execute(UNPARK, stream)).rpartition(" ")[2])
