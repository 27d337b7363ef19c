"""Tickets as they were at a moment.

Few tickets that existed then have changed since: the others are read from the live tables. Of those that have changed,
`former_tickets` knows how many events they had, and by what lists and counts find them; what is shown of them is
folded from their events.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import asyncpg
import orjson

from services.reporting.tickets.moments.folding import folded
from services.reporting.tickets.moments.moment import Moment
from services.reporting.tickets.read_model import former_rows
from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, TicketRow
from services.reporting.tickets.ticket_list import Arguments
from services.reporting.visibility import Scope
from shared.database import Connection, Pool

COUNTS = """
SELECT id, event_count, article_count, public_article_count, true AS unchanged
  FROM desk.tickets
 WHERE id = ANY($1) AND updated_at <= $2
 UNION ALL
SELECT f.id, f.event_count, f.article_count, f.public_article_count, false
  FROM unnest($1::uuid[]) AS wanted(id)
 CROSS JOIN LATERAL (
        SELECT * FROM desk.former_tickets f WHERE f.id = wanted.id AND f.until > $2 ORDER BY f.until LIMIT 1) AS f
 WHERE f.updated_at <= $2
"""
# OFFSET keeps the planner from reading all tickets of the moment: it cannot know how few were merged into one.
MERGED = """
WITH RECURSIVE merged(id) AS (
    SELECT {ticket}
     UNION
    SELECT t.id FROM merged m CROSS JOIN LATERAL (SELECT id FROM {then} AS t WHERE t.merged_into_id = m.id OFFSET 0) AS t
)
SELECT id FROM merged
"""
"""A ticket and all tickets that were merged into it."""
UNCHANGED = "SELECT * FROM desk.tickets WHERE id = ANY($1)"
RECORDS = "SELECT {columns} FROM json_populate_recordset(NULL::desk.tickets, $1::text::json)"
FOR_CUSTOMERS = TICKETS_TABLE.for_customers()


CUSTOMER = ("customer_id", "customer_email", "customer_name", "company")


def _is_own(row: TicketRow, visible: Scope) -> bool:
    return row.customer_id in visible.customers or (row.company is not None and row.company == visible.company)


class Counted(NamedTuple):
    """How many events and articles a ticket had at a moment. `unchanged`: it has no event since."""

    events: int
    articles: int
    public_articles: int
    unchanged: bool


class Past:
    """Reads at one moment on one connection, in a transaction that sees the tables as they are at its beginning.

    Nothing else may be read from the pool meanwhile: if all its connections wait for another one, none is left.

    `own` is the row of the ticket whose event the moment is. No table has it if later events have the same time.
    """

    def __init__(self, connection: Connection, moment: Moment, own: TicketRow | None) -> None:
        self.connection, self.moment, self.own = connection, moment, own

    def source(self, arguments: Arguments, columns: Sequence[str]) -> str:
        """A subquery with these columns of every ticket as it was then, for joins by one of the indexed columns of
        `former_tickets`. Only columns of that table."""
        live = f"SELECT {', '.join(columns)} FROM desk.tickets WHERE {self.unchanged(arguments)}"
        return f"({live} UNION ALL {self.former(arguments, columns)})"

    def unchanged(self, arguments: Arguments) -> str:
        """The condition that a ticket's live row was its row then."""
        at = arguments.add(self.moment.at, "timestamptz")
        return f"updated_at <= {at} AND created_at <= {at}{self._others(arguments)}"

    def former(self, arguments: Arguments, columns: Sequence[str], *, for_customers: bool = False) -> str:
        """A SELECT of these columns of the tickets that have changed since, as they were then: for joins."""
        table = "desk.former_customer_tickets" if for_customers else "desk.former_tickets"
        at = arguments.add(self.moment.at, "timestamptz")
        newest = f"updated_at <= {at} AND until > {at}{self._others(arguments)}"
        found = f"SELECT {', '.join(columns)} FROM {table} WHERE {newest}"
        return found + self._own(arguments, columns, for_customers=for_customers)

    def all_former(self, arguments: Arguments, columns: Sequence[str]) -> str:
        """`former`, for reads of all of them: finds them by the index on how long rows lasted."""
        at = arguments.add(self.moment.at, "timestamptz")
        lengths, begun = zip(*former_rows.begun(self.moment.at), strict=True)
        classes = f"unnest({arguments.add(lengths, 'smallint[]')}, {arguments.add(begun, 'timestamptz[]')})"
        newest = f"f.updated_at > c.begun AND f.updated_at <= {at} AND f.until > {at}{self._others(arguments)}"
        # OFFSET keeps the planner from reading the whole table: it cannot know how few rows there are in each class.
        found = (
            f"SELECT {', '.join(columns)} FROM {classes} AS c(length, begun) CROSS JOIN LATERAL"
            f" (SELECT * FROM desk.former_tickets f WHERE f.lasted = c.length AND {newest} OFFSET 0) AS f"
        )
        return found + self._own(arguments, columns)

    def _own(self, arguments: Arguments, columns: Sequence[str], *, for_customers: bool = False) -> str:
        """If the moment is an event, the part of a UNION ALL with its own ticket as it was then."""
        if self.own is None:
            return ""
        values = zip(former_rows.COLUMNS, former_rows.former_values(self.own), strict=True)
        own = "SELECT " + ", ".join(
            f"{arguments.add(value, TICKETS_TABLE.columns[name].type)} AS {name}" for name, value in values
        )
        if for_customers:
            own = f"SELECT {former_rows.for_customers()} FROM ({own}) AS own WHERE state_type <> 'removed'"
        return f" UNION ALL SELECT {', '.join(columns)} FROM ({own}) AS own"

    def _others(self, arguments: Arguments) -> str:
        return "" if self.own is None else f" AND id <> {arguments.add(self.own.id, 'uuid')}"

    async def counts(self, tickets: Collection[UUID]) -> dict[UUID, Counted]:
        """Of those of these tickets that existed then."""
        found: dict[UUID, Counted] = {}
        if (own := self.own) is not None and own.id in tickets:
            found[own.id] = Counted(own.event_count, own.article_count, own.public_article_count, unchanged=False)
        if others := [ticket for ticket in tickets if ticket not in found]:
            rows = await self.connection.fetch(COUNTS, others, self.moment.at)
            found |= {row["id"]: Counted(*tuple(row)[1:]) for row in rows}
        return found

    async def with_merged(self, ticket: UUID) -> dict[UUID, Counted]:
        """A ticket, if it existed, and all tickets that were merged into it then."""
        arguments = Arguments()
        first = arguments.add(ticket, "uuid")
        statement = MERGED.format(ticket=first, then=self.source(arguments, ("id", "merged_into_id")))
        rows = await self.connection.fetch(statement, *arguments.values)
        return await self.counts([row["id"] for row in rows])

    async def rows(self, tickets: Collection[UUID]) -> dict[UUID, TicketRow]:
        """Those of these tickets that existed then, as they were."""
        rows = {self.own.id: self.own} if self.own is not None and self.own.id in tickets else {}
        found = await self.counts([ticket for ticket in tickets if ticket not in rows])
        unchanged = [ticket for ticket, counted in found.items() if counted.unchanged]
        changed = {ticket: counted.events for ticket, counted in found.items() if not counted.unchanged}
        rows |= await folded(self.connection, changed)
        for record in await self.connection.fetch(UNCHANGED, unchanged) if unchanged else ():
            rows[record["id"]] = TicketRow(**TICKETS_TABLE.fields(record), is_new=False)
        return rows

    async def linked_titles(self, rows: Collection[asyncpg.Record]) -> dict[UUID, str]:
        """The titles then of all tickets to which these are linked."""
        linked = {UUID(link["id"]) for row in rows for link in row["links"] or ()}
        return {row.id: row.title for row in (await self.rows(linked)).values()} if linked else {}

    async def with_own_customers(self, rows: Collection[TicketRow], visible: Scope) -> list[TicketRow]:
        """The rows for a customer. Where the ticket was then of somebody whose tickets they may not see, today's
        customer stands: nobody learns who had their ticket before them."""
        foreign = {row.id for row in rows if not _is_own(row, visible)}
        found = await self.connection.fetch(UNCHANGED, list(foreign)) if foreign else ()
        today = {row["id"]: {name: row[name] for name in CUSTOMER} for row in found}
        return [replace(row, **today.get(row.id, {})) for row in rows]

    async def records(self, rows: Collection[TicketRow], *, for_customers: bool) -> dict[UUID, asyncpg.Record]:
        """The rows as the tables would give them, or the view for customers: its expressions say what is hidden."""
        if not rows:
            return {}
        statement = RECORDS.format(columns=FOR_CUSTOMERS if for_customers else ", ".join(TICKETS_TABLE.columns))
        whole = [dict(zip(TICKETS_TABLE.columns, TICKETS_TABLE.values(row), strict=True)) for row in rows]
        text = orjson.dumps(whole, default=str).decode()  # asyncpg has a UUID class of its own
        return {record["id"]: record for record in await self.connection.fetch(statement, text)}


@asynccontextmanager
async def past(pool: Pool, moment: Moment) -> AsyncIterator[Past]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        own = None
        if moment.ticket is not None:
            own = (await folded(connection, {moment.ticket: moment.number})).get(moment.ticket)
        yield Past(connection, moment, own)
