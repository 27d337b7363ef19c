"""Timers: reminders, automatic closing, the end of a forgotten lock, the warnings and breaches of clocks (requirements
A5.05, A5.07, A5.17, A6.06).

A timer is a row. It is written in the transaction of the event that starts it, and deleted in the transaction of the
events that it leads to. So it fires once, even if processes restart, and with any number of workers. A timer that
cannot fire is parked and does not delay others.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Never
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Histogram

from services.routing import former_agents, places, rows
from services.routing.conclusions import Conclusions
from services.routing.rows import DecisionRow
from services.routing.runner import runner
from services.routing.ticket import Command
from services.routing.ticket.clocks.commands import ClockIsDue, CountAnew
from services.routing.ticket.lifecycle import PendingIsOver
from services.routing.ticket.ownership import LockHolderLeft, LockIsOver
from shared.clocks import deadlines
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.routing import (
    AnyClock,
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
    MergeUndone,
    StateChanged,
    TicketLocked,
)
from shared.database import Connection, Pool
from shared.eventstore.store import Append, Appended, CommandId, Context, Store, conflict, utc_now
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

Timer = tuple[UUID, str, datetime]

UNSET = """
DELETE FROM routing.timers t
 USING unnest($1::uuid[], $2::text[]) AS d(ticket_id, kind)
 WHERE t.ticket_id = d.ticket_id AND t.kind = d.kind
"""
SET = """
INSERT INTO routing.timers (ticket_id, kind, due_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS t(ticket_id, kind, due_at) ORDER BY ticket_id, kind
    ON CONFLICT (ticket_id, kind) DO UPDATE SET due_at = excluded.due_at, parked_at = NULL, reason = NULL
"""
APPEND_AND_SET = """
WITH appended AS MATERIALIZED (
    SELECT * FROM es.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
), set AS (
    INSERT INTO routing.timers (ticket_id, kind, due_at)
    SELECT t.* FROM appended a, unnest($18::uuid[], $19::text[], $20::timestamptz[]) AS t(ticket_id, kind, due_at)
     WHERE a.status = 'appended'
     ORDER BY t.ticket_id, t.kind
        ON CONFLICT (ticket_id, kind) DO UPDATE SET due_at = excluded.due_at, parked_at = NULL, reason = NULL
), unlocked AS (
    DELETE FROM routing.locks l USING appended a, unnest($21::uuid[]) AS t(ticket_id)
     WHERE a.status = 'appended' AND l.ticket_id = t.ticket_id
), locked AS (
    INSERT INTO routing.locks (ticket_id, person_id)
    SELECT t.* FROM appended a, unnest($22::uuid[], $23::uuid[]) AS t(ticket_id, person_id)
     WHERE a.status = 'appended'
     ORDER BY t.ticket_id
        ON CONFLICT (ticket_id) DO UPDATE SET person_id = excluded.person_id
), unset AS (
    DELETE FROM routing.timers w
     USING appended a, unnest($24::uuid[], $25::text[]) AS t(ticket_id, kind)
     WHERE a.status = 'appended' AND w.ticket_id = t.ticket_id AND w.kind = t.kind
), placed AS (
    UPDATE routing.places p
       SET queue_id = coalesce(t.queue_id, p.queue_id), open = coalesce(t.open, p.open)
      FROM appended a, unnest($26::uuid[], $27::uuid[], $28::boolean[]) AS t(ticket_id, queue_id, open)
     WHERE a.status = 'appended' AND p.ticket_id = t.ticket_id
), wrote AS MATERIALIZED (
    SELECT routing.write($29) FROM appended a WHERE a.status = 'appended' AND $29 IS NOT NULL
)
SELECT appended.* FROM appended LEFT JOIN wrote ON true
"""
UNLOCK = "DELETE FROM routing.locks WHERE ticket_id = ANY($1)"
LOCK = """
INSERT INTO routing.locks (ticket_id, person_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS t(ticket_id, person_id) ORDER BY ticket_id
    ON CONFLICT (ticket_id) DO UPDATE SET person_id = excluded.person_id
"""
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


def started_by(events: Iterable[tuple[UUID, Event]]) -> tuple[list[Timer], list[tuple[UUID, str]]]:
    """The timers that events start; of several of one kind for a ticket, the last. And those that events stop."""
    timers: dict[tuple[UUID, str], datetime | None] = {}
    for stream, event in events:
        match event:
            case DeadlinesChanged(state="running"):
                timers[stream, event.clock] = event.due_at if event.warned else event.warn_at or event.due_at
            case DeadlineWarned():
                timers[stream, event.clock] = event.due_at
            case DeadlinesChanged() | DeadlineBroken():
                timers[stream, event.clock] = None
            case StateChanged(pending_until=datetime() as due) | MergeUndone(pending_until=datetime() as due):
                timers[stream, "pending"] = due
            case TicketLocked(expires_at=datetime() as due):
                timers[stream, "lock"] = due
            case _:
                pass
    started = [(stream, kind, due) for (stream, kind), due in timers.items() if due is not None]
    return started, [key for key, due in timers.items() if due is None]


async def set_timers(connection: Connection, events: Sequence[Recorded], beside: Sequence[DecisionRow] = ()) -> None:
    """Writes the timers that recorded events start, who has the tickets locked, and where they stand, in the same
    transaction. `beside`: further rows of the decisions."""
    payloads = [(event.stream, event.payload) for event in events]
    timers, stopped = started_by(payloads)
    if timers:
        await connection.execute(SET, *_columns(timers))
    if stopped:
        await connection.execute(UNSET, *_keys(stopped))
    queued, placed = places.after(payloads)
    if queued.tickets:
        await connection.execute(places.SET, *queued)
    if placed.tickets:
        await connection.execute(places.MOVE, *placed)
    unlocked, locked, holders = _locks(payloads)
    if unlocked:
        await connection.execute(UNLOCK, unlocked)
    if locked:
        await connection.execute(LOCK, locked, holders)
    await rows.write(connection, beside)


class Recording:
    """Records the events of a command with their timers and locks in one round trip."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        self.store, self.wake = store, wake

    async def __call__(
        self, appends: Sequence[Append], *, command: CommandId | None, response: dict[str, Any] | None
    ) -> Appended:
        events = [(append.stream, new.payload) for append in appends for new in append.events]
        (timers, stopped), locks, (_, placed) = started_by(events), _locks(events), places.after(events)
        beside = rows.as_json(row for append in appends for row in append.rows)
        if not timers and not stopped and not placed.tickets and not any(locks) and beside is None:
            return await self.store.append(appends, command=command, response=response)
        arguments = self.store.arguments(appends, command, response)
        hit("append.before_commit")
        try:
            row = await self.store.pool.fetchrow(
                APPEND_AND_SET, *arguments, *_columns(timers), *locks, *_keys(stopped), *placed, beside
            )
        except asyncpg.PostgresError as error:
            raise conflict(error, appends) from error
        hit("append.after_commit")
        assert row is not None
        if timers or beside:
            self.wake()
        return self.store.outcome(row, appends)


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
            await set_timers(connection, (await unit.record()).events, unit.rows)
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


def _locks(events: Iterable[tuple[UUID, Event]]) -> tuple[list[UUID], list[UUID], list[UUID]]:
    """The tickets that are unlocked after these events; those that are locked, and to whom."""
    holders = former_agents.holders_after(events)
    locked = {stream: holder for stream, holder in holders.items() if holder is not None}
    return [stream for stream in holders if stream not in locked], list(locked), list(locked.values())


def _columns(timers: Sequence[Timer]) -> tuple[list[UUID], list[str], list[datetime]]:
    return [stream for stream, _, _ in timers], [kind for _, kind, _ in timers], [due for _, _, due in timers]


def _keys(timers: Sequence[tuple[UUID, str]]) -> tuple[list[UUID], list[str]]:
    return [stream for stream, _ in timers], [kind for _, kind in timers]
