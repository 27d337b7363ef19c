"""How a command names a ticket by its number."""

from collections.abc import Sequence
from uuid import UUID

from shared.contracts.envelope import Recorded
from shared.contracts.routing import TicketQueued
from shared.database import Connection

REMEMBER = """
INSERT INTO routing.tickets (number, ticket_id)
SELECT * FROM unnest($1::text[], $2::uuid[]) ORDER BY 1
    ON CONFLICT DO NOTHING
"""
FIND = "SELECT ticket_id FROM routing.tickets WHERE number = $1"


async def remember(connection: Connection, events: Sequence[Recorded]) -> None:
    """Writes the numbers of newly queued tickets, in the transaction of their events."""
    queued = [(event.payload.number, event.stream) for event in events if isinstance(event.payload, TicketQueued)]
    if queued:
        await connection.execute(REMEMBER, [number for number, _ in queued], [ticket for _, ticket in queued])


async def find(connection: Connection, number: str) -> UUID | None:
    ticket: UUID | None = await connection.fetchval(FIND, number)
    return ticket
