"""Tickets as intake's rules look at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from services.intake import ticket
from services.intake.records.mails import Mail
from services.intake.ticket import Ticket
from shared.contracts.event import parse
from shared.database import Connection, Pool
from shared.eventstore.state_cache import Versioned

RESOLVE = """
SELECT t.ticket_id, t.queue_id, t.email IS NOT NULL AS renamed, coalesce(t.desk_customer, c.customer_id) AS customer_id, t.company,
       l.ticket_id AS living_id, l.queue_id AS living_queue_id, l.email IS NOT NULL AS living_renamed,
       coalesce(l.desk_customer, d.customer_id) AS living_customer_id, l.company AS living_company
  FROM intake.tickets t
  JOIN intake.tickets l ON l.ticket_id = intake.living(t.ticket_id)
  LEFT JOIN intake.customers c ON c.email = t.email
  LEFT JOIN intake.customers d ON d.email = l.email
 WHERE t.{column} = $1
"""
NEWEST = """
SELECT s.version AS stream_version, t.automatic, e.type, e.data, e.stream_id
  FROM unnest($1::uuid[]) AS k(stream)
  JOIN es.streams s ON s.stream_id = k.stream
  JOIN es.events e ON e.stream_id = k.stream AND e.version = 1
  JOIN intake.tickets t ON t.ticket_id = k.stream
"""
TAKING_PART = """
SELECT e.email
  FROM unnest($2::text[]) AS e(email)
  JOIN intake.tickets t ON t.ticket_id = $1
 WHERE e.email <> ALL (t.answers_to) AND intake.takes_part(t.ticket_id, e.email) IS NOT NULL
"""
NUMBERS = "SELECT ticket_id, number FROM intake.tickets WHERE ticket_id = ANY($1) ORDER BY ticket_id"
HIDDEN_COPIES = "SELECT queue_id, ticket_id FROM intake.hidden_copies WHERE mail_id = $1"

TicketByQueue = Mapping[UUID, UUID]
"""Queue -> the ticket that a mail has opened there."""


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket, and what the desk has changed since it was opened. `queue_id` is None if the desk has not moved it;
    `has_new_customer`: the desk has given it to another customer."""

    ticket_id: UUID
    queue_id: UUID | None
    has_new_customer: bool
    customer_id: UUID | None
    company: str | None


@dataclass(frozen=True, slots=True)
class ResolvedTicket:
    """The ticket that was named, and the ticket that takes its messages: itself, or the one into which it was
    merged."""

    named: TicketRow
    target: TicketRow


@dataclass(frozen=True, slots=True)
class Tickets:
    """The command runner reads the states of tickets here."""

    pool: Pool

    async def newest(
        self, streams: Sequence[UUID], *, connection: Connection | None = None
    ) -> dict[UUID, Versioned[Ticket]]:
        """The state of each ticket at its stream's version; tickets that intake has not opened are left out.

        The cost does not grow with the number of messages: only the first event is read, and a counter beside it.
        """
        found: dict[UUID, Versioned[Ticket]] = {}
        for row in await (connection or self.pool).fetch(NEWEST, list(streams)):
            opened = ticket.evolve(ticket.initial(), parse(row["type"], row["data"]))
            found[row["stream_id"]] = Versioned(replace(opened, automatic=row["automatic"]), row["stream_version"])
        return found

    def keep(self, stream: UUID, versioned: Versioned[Ticket]) -> None:
        """States are not cached: reading one costs a single row."""

    async def participants_among(self, ticket_id: UUID, emails: Sequence[str]) -> set[str]:
        """The addresses of people who take part in a ticket, except those at which its customer wanted replies."""
        return {row["email"] for row in await self.pool.fetch(TAKING_PART, ticket_id, emails)}

    async def numbers(self, tickets: Sequence[UUID]) -> dict[UUID, str]:
        """The number of each ticket."""
        return {row["ticket_id"]: row["number"] for row in await self.pool.fetch(NUMBERS, tickets)}

    async def opened_by(self, mail: Mail) -> TicketByQueue:
        """The tickets that a mail has opened so far."""
        assert mail.ticket_id is not None
        found = await self.pool.fetch(HIDDEN_COPIES, mail.id)
        by_queue: dict[UUID, UUID] = {row["queue_id"]: row["ticket_id"] for row in found}
        first = (await self.newest([mail.ticket_id]))[mail.ticket_id].state
        others = await self.newest([*first.also_opened])
        for stream, (state, _) in ((mail.ticket_id, Versioned(first, 1)), *others.items()):
            if state.opened_in is not None:
                by_queue[state.opened_in.id] = stream
        return by_queue

    async def resolve(self, *, number: str | None = None, ticket_id: UUID | None = None) -> ResolvedTicket | None:
        """The ticket with this number or id, and the ticket that takes its messages."""
        column: Literal["number", "ticket_id"] = "number" if number is not None else "ticket_id"
        row = await self.pool.fetchrow(RESOLVE.format(column=column), number if number is not None else ticket_id)
        if row is None:
            return None
        return ResolvedTicket(
            TicketRow(row["ticket_id"], row["queue_id"], row["renamed"], row["customer_id"], row["company"]),
            TicketRow(
                row["living_id"],
                row["living_queue_id"],
                row["living_renamed"],
                row["living_customer_id"],
                row["living_company"],
            ),
        )
