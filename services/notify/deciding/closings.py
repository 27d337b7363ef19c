"""Word of a closing, which is decided a moment after it: an answer that was on its way when the ticket closed opens it again, and to one that
comes meanwhile there is another answer. Then the customer is not told of the closing (A5.07, A5.14; decision 0091)."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Never
from uuid import UUID

from services.notify.deciding import remembering
from services.notify.deciding.people import find
from services.notify.policies import Policies
from services.notify.ticket import Ticket
from services.notify.ticket.commands import Command
from shared.contracts.envelope import Recorded, decode, encode
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.routing import StateChanged
from shared.database import Connection
from shared.eventstore.errors import VersionConflict
from shared.eventstore.store import Store
from shared.messaging.policy_handler import PolicyHandler
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

WAIT = timedelta(seconds=5)
"""An answer is on its way through the log for less than a second, unless a service stands still."""
POLL_SECONDS = 1.0
AT_ONCE = 100

KEEP = """
INSERT INTO notify.closings AS c (ticket_id, version, closed_at, event, tell_at)
SELECT t, v, a, e, now() + $5 FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::bytea[]) AS n(t, v, a, e) ORDER BY t
    ON CONFLICT (ticket_id) DO UPDATE
   SET version = excluded.version, closed_at = excluded.closed_at, event = excluded.event, tell_at = excluded.tell_at
 WHERE excluded.version > c.version
"""
FORGET = """
DELETE FROM notify.closings c
 USING unnest($1::uuid[], $2::integer[]) AS n(ticket_id, version)
 WHERE c.ticket_id = n.ticket_id AND c.version < n.version
"""
ANSWERED = """
DELETE FROM notify.closings c
 USING unnest($1::uuid[], $2::timestamptz[]) AS n(ticket_id, at)
 WHERE c.ticket_id = n.ticket_id AND c.closed_at < n.at
"""
DUE = """
SELECT ticket_id, event FROM notify.closings WHERE tell_at <= now() ORDER BY tell_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
DONE = "DELETE FROM notify.closings WHERE ticket_id = ANY($1)"


async def keep(connection: Connection, events: Sequence[Recorded]) -> None:
    """Keeps the closings that a customer may have to be told of, until their moment; another state takes its place."""
    newest: dict[UUID, Recorded] = {}
    for event in events:
        if isinstance(event.payload, StateChanged) and (
            event.stream not in newest or event.version > newest[event.stream].version
        ):
            newest[event.stream] = event
    if newest:
        await connection.execute(FORGET, list(newest), [event.version for event in newest.values()])
    closed = [
        event
        for event in newest.values()
        if isinstance(event.payload, StateChanged) and event.payload.to.type == "closed"
    ]
    if closed:
        columns = [[e.stream for e in closed], [e.version for e in closed], [e.time for e in closed]]
        await connection.execute(KEEP, *columns, [encode(e) for e in closed], WAIT)
    answers = [event for event in events if _is_an_answer(event)]
    if answers:
        await connection.execute(ANSWERED, [event.stream for event in answers], [event.time for event in answers])


def _is_an_answer(event: Recorded) -> bool:
    received = event.payload
    return isinstance(received, CustomerMessageReceived) and received.standing == "participant" and not received.closes


class Closings:
    """Tells customers of the closings that still stand. Any number side by side."""

    def __init__(self, store: Store, reacting: PolicyHandler[Command, Ticket], policies: Policies) -> None:
        self.store, self.reacting, self.policies = store, reacting, policies
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Never ends by itself."""
        await supervise("closings", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            while await self.tell(AT_ONCE) == AT_ONCE:
                self.heartbeat.beat()
            self.heartbeat.beat()
            await asyncio.sleep(POLL_SECONDS)

    async def tell(self, most: int) -> int:
        """Decides on at most so many closings whose moment has come; answers how many there were."""
        try:
            async with self.store.pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(DUE, most)
                if not rows:
                    return 0
                await self._decide(connection, [decode(row["event"]) for row in rows])
                await connection.execute(DONE, [row["ticket_id"] for row in rows])
        except VersionConflict:
            return 0  # something else was recorded of one of the tickets: in the next round
        self.reacting.committed()
        return len(rows)

    async def _decide(self, connection: Connection, closings: Sequence[Recorded]) -> None:
        known, people = self.policies.known.tickets, self.policies.known.people
        known.clear()
        people.clear()
        known.update(await remembering.recall(connection, [event.stream for event in closings]))
        customers = {ticket.customer.id for ticket in known.values() if ticket.customer is not None}
        people.update(await find(connection, customers))
        await self.reacting.carry_out(
            connection,
            [
                (event, self.policies.a_closing_is_told(event.payload, event))
                for event in closings
                if isinstance(event.payload, StateChanged)
                and event.stream in known
                and known[event.stream].state == "closed"
            ],
        )
