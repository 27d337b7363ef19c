"""Searching tickets for one person: what the routes, exports and suggestions build on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg

from services.reporting.read_your_writes import SECONDS, TICKET_SERVICES
from services.reporting.search.index.file import Reader
from services.reporting.search.index.served import ServedIndex
from services.reporting.search.query.finder import Found, Position, Search, SearchSort, find
from services.reporting.search.query.naming import named
from services.reporting.search.query.question import Question, question
from services.reporting.search.shown.places import Place, places
from services.reporting.search.shown.spelling import proposals
from services.reporting.tickets.list_query import FilterQuery, filters
from services.reporting.tickets.ticket_list import COLUMNS
from services.reporting.tickets.ticket_reader import TicketReader
from services.reporting.tickets.tickets_api import show_other_tickets
from services.reporting.visibility import scope
from shared.http.consistency import LAG, Written
from shared.rules.access import Identity

STREAMED = 500
"""Tickets that are found at once for an export."""
MOST_PROPOSALS = 5
EVENTS = "SELECT id, event_count FROM desk.tickets WHERE id = ANY($1)"
FOR_AGENTS = f"SELECT {', '.join(COLUMNS)} FROM desk.tickets WHERE id = ANY($1)"
FOR_CUSTOMERS = f"SELECT {', '.join(COLUMNS)} FROM desk.customer_tickets WHERE id = ANY($1)"


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A ticket's row, as the person may see it; `as_agent` tells which articles they may read."""

    row: asyncpg.Record
    as_agent: bool


class TicketSearch:
    def __init__(self, reader: TicketReader, index: ServedIndex) -> None:
        self.reader, self.index = reader, index

    async def asked(self, q: str, query: FilterQuery, sort: SearchSort, who: Identity) -> Search:
        """The search that somebody asks for, with everything that it names looked up. Raises Problem 422.

        `who` is recognised (`DirectoryCopy.recognised`).
        """
        parsed = question(q)
        return Search(
            question=parsed,
            names=await named(self.reader, parsed, who),
            scope=scope(who, self.reader.directory.queues),
            filters=await filters(self.reader, query, who),
            sort=sort,
        )

    async def find(self, search: Search, after: Position | None, limit: int) -> Found:
        """The next hits and the number of all."""
        return await self.index.ask(lambda reader: find(reader, search, after, limit))

    async def every(self, search: Search) -> AsyncIterator[list[UUID]]:
        """The ids of all hits in their order, in parts: each ticket once, however many come in the meantime."""
        after: Position | None = None
        while True:
            found = await self.find(search, after, STREAMED)
            if found.hits:
                yield [hit.ticket for hit in found.hits]
            if len(found.hits) < STREAMED:
                return
            after = found.hits[-1].position

    async def rows(self, tickets: Sequence[UUID], who: Identity) -> dict[UUID, FoundRow]:
        """The rows of those tickets that the person may see now, by id."""
        shown: dict[UUID, FoundRow] = {}
        public: list[UUID] = []
        for row in await self.reader.pool.fetch(FOR_AGENTS, list(tickets)):
            if row["state_type"] == "removed" or not self.reader.may_see(who, row):
                continue
            if self.reader.is_agent_for(who, row):
                shown[row["id"]] = FoundRow(row, as_agent=True)
            else:
                public.append(row["id"])
        if public:
            for row in await self.reader.pool.fetch(FOR_CUSTOMERS, public):
                shown[row["id"]] = FoundRow(row, as_agent=False)
        return shown

    async def shown(self, search: Search, tickets: Sequence[UUID], who: Identity) -> list[dict[str, Any]]:
        """The items of a page: those of the tickets that the person may see now, with the places of the words."""
        rows = await self.rows(tickets, who)
        presenter = await self.reader.presenter(who, [each.row for each in rows.values()])
        items = {ticket: presenter.ticket(each.row) for ticket, each in rows.items()}
        await show_other_tickets(self.reader, who, [(rows[ticket].row, item) for ticket, item in items.items()])
        matches: dict[UUID, list[Place]] = {}
        for as_agent, articles in ((True, "desk.articles"), (False, "desk.public_articles")):
            part = {ticket: item for ticket, item in items.items() if rows[ticket].as_agent == as_agent}
            if part:
                matches |= await places(self.reader.pool, search.question, part, articles=articles)
        return [{"ticket": items[each], "matches": matches[each]} for each in tickets if each in items]

    async def did_you_mean(self, search: Search, q: str, who: Identity) -> str | None:
        """The question with one word in place of another, if that finds something for the person."""
        for term, meant, hit in (await self.index.ask(lambda reader: proposals(reader, search)))[:MOST_PROPOSALS]:
            question = Question(((meant,),), is_blank=False)
            for item in await self.shown(replace(search, question=question), [hit.ticket], who):
                hits = [part["text"] for place in item["matches"] for part in place["text"] if part["hit"]]
                if hits:
                    return q.replace(term.written, hits[0], 1)
        return None

    async def wait_until_shown(self, written: Sequence[Written]) -> dict[str, str]:
        """Waits until the index shows what a consistency token covers. Returns the headers of the response."""
        tickets = list({each.stream for each in written if each.service in TICKET_SERVICES})
        if not tickets:
            return {}
        end = asyncio.get_running_loop().time() + SECONDS
        headers = await self.reader.wait_until_shown(written)
        wanted = {row["id"].bytes: row["event_count"] for row in await self.reader.pool.fetch(EVENTS, tickets)}

        def are_indexed(reader: Reader) -> bool:
            places = ", ".join("?" * len(wanted))
            rows = dict(reader.rows(f"SELECT ticket, events FROM docs WHERE ticket IN ({places})", list(wanted)))
            return all(rows.get(ticket, 0) >= events for ticket, events in wanted.items())

        async def shown() -> bool:
            return await self.index.ask(are_indexed)

        in_time = await self.index.until(shown, max(0.05, end - asyncio.get_running_loop().time()))
        return headers if in_time else {LAG: "true"}
