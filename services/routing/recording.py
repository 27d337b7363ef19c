"""Records decisions of the desk with the rows that belong to their events, in one transaction: timers, locks, places,
and the rows of `services.routing.rows`.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.routing import former_agents, places, rows
from services.routing.rows import DecisionRow
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.routing import (
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
    MergeUndone,
    StateChanged,
    TicketLocked,
)
from shared.database import Connection
from shared.eventstore.store import Append, Appended, CommandId, Store, conflict
from shared.runtime.failpoints import hit

Timer = tuple[UUID, str, datetime]
"""The ticket, the kind of the timer, and when it is due."""

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


async def write_rows(connection: Connection, events: Sequence[Recorded], beside: Sequence[DecisionRow] = ()) -> None:
    """Writes the rows that belong to recorded events, in their transaction. `beside`: further rows of the decisions."""
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
    """Records the events of a command with the rows that belong to them, in one round trip. `wake` wakes the workers."""

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


def _locks(events: Iterable[tuple[UUID, Event]]) -> tuple[list[UUID], list[UUID], list[UUID]]:
    """The tickets that are unlocked after these events; those that are locked, and to whom."""
    holders = former_agents.holders_after(events)
    locked = {stream: holder for stream, holder in holders.items() if holder is not None}
    return [stream for stream in holders if stream not in locked], list(locked), list(locked.values())


def _columns(timers: Sequence[Timer]) -> tuple[list[UUID], list[str], list[datetime]]:
    return [stream for stream, _, _ in timers], [kind for _, kind, _ in timers], [due for _, _, due in timers]


def _keys(timers: Sequence[tuple[UUID, str]]) -> tuple[list[UUID], list[str]]:
    return [stream for stream, _ in timers], [kind for _, kind in timers]
