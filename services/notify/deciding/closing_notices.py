"""The notice to the customer that the ticket is closed, which is decided a few seconds after the closing.

A message that was on its way when the ticket closed reopens it, and a message that comes meanwhile gets a reply of its
own. In both cases the customer is not told about the closing (A5.07, A5.14; decision 0091).
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Never
from uuid import UUID

from services.notify.deciding.customer_notices import CustomerNotices
from services.notify.read_models import ticket_facts
from services.notify.read_models.people import find
from services.notify.ticket import Ticket
from services.notify.ticket.commands import Command
from shared.contracts.envelope import Recorded, decode, encode
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.routing import StateChanged
from shared.database import Connection
from shared.eventstore.errors import VersionConflict
from shared.eventstore.store import Store
from shared.messaging.consuming.policy_handler import PolicyHandler
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

WAIT = timedelta(seconds=5)
"""A message takes less than a second through the log, unless a service is down."""
POLL_SECONDS = 1.0
BATCH = 100

SAVE = """
INSERT INTO notify.closings AS c (ticket_id, version, closed_at, event, tell_at)
SELECT t, v, a, e, now() + $5
  FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::bytea[]) AS n(t, v, a, e)
 ORDER BY t
    ON CONFLICT (ticket_id) DO UPDATE
   SET version = excluded.version, closed_at = excluded.closed_at, event = excluded.event, tell_at = excluded.tell_at
 WHERE excluded.version > c.version
"""
DELETE_OLDER = """
DELETE FROM notify.closings c
 USING unnest($1::uuid[], $2::integer[]) AS n(ticket_id, version)
 WHERE c.ticket_id = n.ticket_id AND c.version < n.version
"""
DELETE_ANSWERED = """
DELETE FROM notify.closings c
 USING unnest($1::uuid[], $2::timestamptz[]) AS n(ticket_id, at)
 WHERE c.ticket_id = n.ticket_id AND c.closed_at < n.at
"""
DUE = """
SELECT ticket_id, event FROM notify.closings WHERE tell_at <= now() ORDER BY tell_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
DELETE = "DELETE FROM notify.closings WHERE ticket_id = ANY($1)"


async def save(connection: Connection, events: Sequence[Recorded]) -> None:
    """Saves the closings that a customer may have to be told about. A later change of state replaces a closing."""
    newest: dict[UUID, Recorded] = {}
    for event in events:
        if isinstance(event.payload, StateChanged) and (
            event.stream not in newest or event.version > newest[event.stream].version
        ):
            newest[event.stream] = event
    if newest:
        await connection.execute(DELETE_OLDER, list(newest), [event.version for event in newest.values()])
    closed = [
        event
        for event in newest.values()
        if isinstance(event.payload, StateChanged) and event.payload.to.type == "closed"
    ]
    if closed:
        columns = [[e.stream for e in closed], [e.version for e in closed], [e.time for e in closed]]
        await connection.execute(SAVE, *columns, [encode(e) for e in closed], WAIT)
    messages = [event for event in events if _is_customers_message(event)]
    if messages:
        await connection.execute(
            DELETE_ANSWERED, [event.stream for event in messages], [event.time for event in messages]
        )


def _is_customers_message(event: Recorded) -> bool:
    received = event.payload
    return isinstance(received, CustomerMessageReceived) and received.standing == "participant" and not received.closes


class ClosingNotices:
    """Tells customers about closings that still hold. Several may run side by side."""

    def __init__(self, store: Store, handler: PolicyHandler[Command, Ticket], notices: CustomerNotices) -> None:
        self.store, self.handler, self.notices = store, handler, notices
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        await supervise("closings", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            while await self.decide_due(BATCH) == BATCH:
                self.heartbeat.beat()
            self.heartbeat.beat()
            await asyncio.sleep(POLL_SECONDS)

    async def decide_due(self, most: int) -> int:
        """Decides on at most so many closings that are due. Returns how many there were."""
        try:
            async with self.store.pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(DUE, most)
                if not rows:
                    return 0
                await self._decide(connection, [decode(row["event"]) for row in rows])
                await connection.execute(DELETE, [row["ticket_id"] for row in rows])
        except VersionConflict:
            return 0  # something else was recorded for one of the tickets: try again in the next round
        self.handler.committed()
        return len(rows)

    async def _decide(self, connection: Connection, closings: Sequence[Recorded]) -> None:
        inputs = self.notices.inputs
        inputs.clear()
        inputs.tickets.update(await ticket_facts.load(connection, [event.stream for event in closings]))
        customers = {ticket.customer.id for ticket in inputs.tickets.values() if ticket.customer is not None}
        inputs.people.update(await find(connection, customers))
        await self.handler.carry_out(
            connection,
            [
                (event, self.notices.a_closing_is_told(event.payload, event))
                for event in closings
                if isinstance(event.payload, StateChanged)
                and event.stream in inputs.tickets
                and inputs.tickets[event.stream].state == "closed"
            ],
        )
