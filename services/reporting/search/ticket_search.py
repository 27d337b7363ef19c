"""Searching tickets for one person: what the routes, exports and suggestions build on."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.reporting.read_your_writes import SECONDS, TICKET_SERVICES
from services.reporting.search.index.file import Reader
from services.reporting.search.index.served import ServedIndex
from services.reporting.search.query import beginnings
from services.reporting.search.query.finder import Found, Position, Search, SearchSort, find
from services.reporting.search.query.naming import named
from services.reporting.search.query.question import Question, for_large_index, question
from services.reporting.search.shown.places import Place, places
from services.reporting.search.shown.spelling import proposals
from services.reporting.tickets.list_query import FilterQuery, filters
from services.reporting.tickets.ticket_list import COLUMNS
from services.reporting.tickets.ticket_reader import TicketReader
from services.reporting.visibility import scope
from shared.addresses import shown
from shared.http.headers.consistency import LAG, Written
from shared.rules.access import Identity
from shared.timestamps import timestamp

STREAMED = 500
"""Tickets that are found at once for an export."""
LARGE = 100_000
"""Tickets. Two letters take 0.2 s to be found in the texts of so many, and 4 s in ten times as many."""
MOST_PROPOSALS = 5
MOST_READS = 3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
        if any(term.begins_short for clause in parsed.clauses for term in clause):
            tickets = await self.index.ask(lambda reader: reader.rows("SELECT coalesce(max(doc), 0) FROM docs")[0][0])
            if tickets > LARGE:
                parsed = for_large_index(parsed)
        return Search(
            question=parsed,
            names=await named(self.reader, parsed, who),
            scope=scope(who, self.reader.directory.queues),
            filters=await filters(self.reader, query, who),
            sort=sort,
            person=who.person_id,
        )

    async def find(self, search: Search, after: Position | None, limit: int) -> Found:
        """The next hits and the number of all."""
        return await self.index.ask(lambda reader: find(reader, search, after, limit), search.person)

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
        agent_for: dict[UUID, bool] = {}
        for row in await self.reader.pool.fetch(FOR_AGENTS, list(tickets)):
            if row["state_type"] == "removed":
                continue
            queue = row["queue_id"]
            if queue not in agent_for:
                agent_for[queue] = self.reader.is_agent_for(who, row)
            if agent_for[queue]:
                shown[row["id"]] = FoundRow(row, as_agent=True)
            elif self.reader.may_see(who, row):
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
        await self.reader.show_other_tickets(who, [(rows[ticket].row, item) for ticket, item in items.items()])
        matches: dict[UUID, list[Place]] = {}
        for as_agent, articles in ((True, "desk.articles"), (False, "desk.public_articles")):
            part = {ticket: item for ticket, item in items.items() if rows[ticket].as_agent == as_agent}
            if part:
                matches |= await places(
                    self.reader.pool, search.question, part, articles=articles, company_names=search.names.company_names
                )
        return [{"ticket": items[each], "matches": matches[each]} for each in tickets if each in items]

    async def did_you_mean(self, search: Search, q: str, who: Identity) -> str | None:
        """The question with one word in place of another, if that finds something for the person."""
        found = await self.index.ask(lambda reader: proposals(reader, search), search.person)
        for term, meant, hit in found[:MOST_PROPOSALS]:
            question = Question(((meant,),), is_blank=False)
            for item in await self.shown(replace(search, question=question), [hit.ticket], who):
                hits = [part["text"] for place in item["matches"] for part in place["text"] if part["hit"]]
                if hits:
                    return q.replace(term.written, hits[0], 1)
        return None

    async def suggestions(self, text: str, kinds: Collection[str], limit: int, who: Identity) -> list[dict[str, str]]:
        """Tickets, and for agents tags and customers' addresses, that begin as somebody types.

        Each has `kind`, `id`, `label` and `detail`.
        """
        visible = scope(who, self.reader.directory.queues)

        def look(reader: Reader) -> tuple[list[UUID], list[str], list[str]]:
            return (
                beginnings.tickets(reader, visible, text, limit) if "ticket" in kinds else [],
                beginnings.tags(reader, visible, text, limit) if "tag" in kinds else [],
                beginnings.addresses(reader, visible, text, limit) if "address" in kinds else [],
            )

        tickets, tags, addresses = await self.index.ask(look, who.person_id)
        rows = await self.rows(tickets, who) if tickets else {}
        found = [(rows[each].row["title"], rows[each].row["number"], each) for each in tickets if each in rows]
        return [
            *({"kind": "ticket", "id": str(each), "label": title, "detail": number} for title, number, each in found),
            *({"kind": "tag", "id": tag, "label": tag, "detail": ""} for tag in tags),
            *({"kind": "address", "id": each, "label": shown(each), "detail": ""} for each in addresses),
        ]

    async def find_as_shown(
        self, search: Search, after: Position | None, limit: int, who: Identity
    ) -> tuple[Found, list[dict[str, Any]]]:
        """The next hits and the items of all but the last of them, if there are `limit`.

        If tickets were changed after they were indexed, their times would not be in order. Then it is read again, a few
        times at most.
        """
        reads = 1
        while True:
            found = await self.find(search, after, limit)
            items = await self.shown(search, [hit.ticket for hit in found.hits[: limit - 1]], who)
            if not search.sort.endswith("updated_at") or reads == MOST_READS:
                return found, items
            times = {str(hit.ticket): shown_time(hit.position[1]) for hit in found.hits}
            tickets = [item["ticket"] for item in items]
            newer = [UUID(each["id"]) for each in tickets if each["updated_at"] != times[each["id"]]]
            if not newer or not await self._indexed(newer, SECONDS / MOST_READS):
                return found, items
            reads += 1

    async def wait_until_shown(self, written: Sequence[Written]) -> dict[str, str]:
        """Waits until the index shows what a consistency token covers. Returns the headers of the response."""
        tickets = list({each.stream for each in written if each.service in TICKET_SERVICES})
        if not tickets:
            return {}
        end = asyncio.get_running_loop().time() + SECONDS
        headers = await self.reader.wait_until_shown(written)
        left = max(0.05, end - asyncio.get_running_loop().time())
        return headers if await self._indexed(tickets, left) else {LAG: "true"}

    async def _indexed(self, tickets: Sequence[UUID], seconds: float) -> bool:
        """Waits until the index has all events of these tickets that the lists show now."""
        wanted = {row["id"].bytes: row["event_count"] for row in await self.reader.pool.fetch(EVENTS, list(tickets))}

        def are_indexed(reader: Reader) -> bool:
            places = ", ".join("?" * len(wanted))
            rows = dict(reader.rows(f"SELECT ticket, events FROM docs WHERE ticket IN ({places})", list(wanted)))
            return all(rows.get(ticket, 0) >= events for ticket, events in wanted.items())

        async def shown() -> bool:
            return await self.index.ask(are_indexed)

        return await self.index.until(shown, seconds)


def shown_time(microseconds: int) -> str | None:
    """A time of the index as the API shows it."""
    return timestamp(EPOCH + timedelta(microseconds=microseconds))
