"""What happens by time: reminders, automatic closing, the end of a forgotten lock (requirements A5.05, A5.07, A6.06).

A timer is a row, written in the transaction of the event that starts it, and taken together with the events that it leads to: it fires
once, whatever restarts in between and however many workers run.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Never
from uuid import UUID

import asyncpg
from prometheus_client import Histogram

from services.routing import ticket
from services.routing.commands import Command, LockIsOver, PendingIsOver
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.routing import MergeUndone, StateChanged, TicketLocked
from shared.contracts.states import CLOSED_SUCCESSFUL
from shared.database import Connection
from shared.eventstore.errors import VersionConflict
from shared.eventstore.store import Append, Appended, CommandId, Context, NewEvent, Store, conflict, utc_now
from shared.messaging.restart import restarting
from shared.pulse import Pulse
from shared.testing.failpoints import hit
from shared.wakeup import woken

log = logging.getLogger(__name__)

LATENESS = Histogram(
    "ledgerdesk_timer_lateness_seconds",
    "How long after its time a timer fired",
    ["kind"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 30, 300, 3600),
)
POLL_SECONDS = 1.0
"""The longest that a timer of another process's is not known of: half of the two seconds that are promised."""
AT_ONCE = 100

Timer = tuple[UUID, str, datetime]

SET = """
INSERT INTO routing.timers (ticket_id, kind, due_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS t(ticket_id, kind, due_at) ORDER BY ticket_id, kind
    ON CONFLICT (ticket_id, kind) DO UPDATE SET due_at = excluded.due_at
"""
APPEND_AND_SET = """
WITH appended AS MATERIALIZED (
    SELECT * FROM es.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
), set AS (
    INSERT INTO routing.timers (ticket_id, kind, due_at)
    SELECT t.* FROM appended a, unnest($18::uuid[], $19::text[], $20::timestamptz[]) AS t(ticket_id, kind, due_at)
     WHERE a.status = 'appended'
     ORDER BY t.ticket_id, t.kind
        ON CONFLICT (ticket_id, kind) DO UPDATE SET due_at = excluded.due_at
)
SELECT * FROM appended
"""
NEXT = "SELECT min(due_at) FROM routing.timers"
DUE = """
SELECT ticket_id, kind, due_at
  FROM routing.timers
 WHERE due_at <= $1
 ORDER BY due_at
 LIMIT $2
   FOR UPDATE SKIP LOCKED
"""
TAKE = """
DELETE FROM routing.timers t
 USING unnest($1::uuid[], $2::text[]) AS d(ticket_id, kind)
 WHERE t.ticket_id = d.ticket_id AND t.kind = d.kind
"""


def started_by(events: Iterable[tuple[UUID, Event]]) -> list[Timer]:
    """The timers that events start; of several for one matter the last."""
    timers: dict[tuple[UUID, str], datetime] = {}
    for stream, event in events:
        match event:
            case StateChanged(pending_until=datetime() as due) | MergeUndone(pending_until=datetime() as due):
                timers[stream, "pending"] = due
            case TicketLocked(expires_at=datetime() as due):
                timers[stream, "lock"] = due
            case _:
                pass
    return [(stream, kind, due) for (stream, kind), due in timers.items()]


async def set_timers(connection: Connection, events: Sequence[Recorded]) -> None:
    """Writes the timers that recorded events start, in their transaction."""
    timers = started_by((event.stream, event.payload) for event in events)
    if timers:
        await connection.execute(SET, *_columns(timers))


class Recording:
    """Records what a person's command led to, with its timers, in one round trip."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        self.store, self.wake = store, wake

    async def __call__(self, appends: Sequence[Append], *, command: CommandId, answer: dict[str, Any]) -> Appended:
        timers = started_by((append.stream, new.payload) for append in appends for new in append.events)
        if not timers:
            return await self.store.append(appends, command=command, answer=answer)
        arguments = self.store.arguments(appends, command, answer)
        hit("append.before_commit")
        try:
            row = await self.store.pool.fetchrow(APPEND_AND_SET, *arguments, *_columns(timers))
        except asyncpg.PostgresError as error:
            raise conflict(error, appends) from error
        hit("append.after_commit")
        assert row is not None
        self.wake()
        return self.store.outcome(row, appends)


class Timers:
    """Fires what is due. Any number side by side."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._set = asyncio.Event()
        self.pulse = Pulse()

    def wake(self) -> None:
        """A timer was set in this process: it may be the next one."""
        self._set.set()

    async def run(self) -> Never:
        """Never ends by itself."""
        await restarting("timers", self._serve, self.pulse)

    async def _serve(self) -> None:
        while True:
            self._set.clear()
            while await self.fire(AT_ONCE) == AT_ONCE:
                self.pulse.beat()
            self.pulse.beat()
            due = await self.store.pool.fetchval(NEXT)
            wait = POLL_SECONDS if due is None else (due - utc_now()).total_seconds()
            if wait > 0:
                await woken(self._set, min(POLL_SECONDS, wait))

    async def fire(self, limit: int) -> int:
        """Fires at most so many timers that are due now; answers how many it took."""
        try:
            return await self._transaction(limit)
        except VersionConflict:
            if limit == 1:
                return 0  # a person was quicker on this ticket: it is looked at again in the next round
        taken = 0
        for _ in range(limit):
            taken += await self.fire(1)
        return taken

    async def _transaction(self, limit: int) -> int:
        now = utc_now()
        async with self.store.pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(DUE, now, limit)
            if not rows:
                return 0
            histories = await self.store.load_many([row["ticket_id"] for row in rows], connection=connection)
            appends: list[Append] = []
            for stream, history in histories.items():
                state, version = ticket.initial(), len(history)
                for past in history:
                    state = ticket.evolve(state, past.payload)
                for row in rows:
                    if row["ticket_id"] != stream or not history:
                        continue
                    events = ticket.decide(_command(row["kind"], row["due_at"], now), state)
                    for event in events:
                        state = ticket.evolve(state, event)
                    if events:
                        context = Context(actor=Actor("system", f"timer:{row['kind']}"), time=now)
                        appends.append(Append(stream, "ticket", version, tuple(map(NewEvent, events)), context))
                        version += len(events)
                        LATENESS.labels(row["kind"]).observe((now - row["due_at"]).total_seconds())
            if appends:
                await self.store.append(appends, connection=connection)
            await connection.execute(TAKE, [row["ticket_id"] for row in rows], [row["kind"] for row in rows])
            hit("timers.before_commit")
        hit("timers.after_commit")
        self.store.appended.set()
        return len(rows)


def _command(kind: str, due_at: datetime, now: datetime) -> Command:
    if kind == "lock":
        return LockIsOver(due_at, now)
    return PendingIsOver(due_at, now, CLOSED_SUCCESSFUL)


def _columns(timers: Sequence[Timer]) -> tuple[list[UUID], list[str], list[datetime]]:
    return [stream for stream, _, _ in timers], [kind for _, kind, _ in timers], [due for _, _, due in timers]
