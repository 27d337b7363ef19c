"""Reading one ticket: finding it, and what its reader may see of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import Path

from services.reporting.deadlines.calendars import Calendars
from services.reporting.deadlines.shown import DeadlinePresenter
from services.reporting.read_your_writes import wait_until_shown
from services.reporting.tickets.presentation import TicketPresenter, deadlines_in, links, people_named_in
from services.reporting.visibility import may_see, ticket_facts
from services.reporting.zone import zone_of
from shared.blobs.store import BlobStore
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.http import problems
from shared.http.headers.consistency import LAG, Written
from shared.languages.known import Language, language_of
from shared.languages.translator import Translator
from shared.rules.access import Access, Identity, may, rights
from shared.rules.subjects import number_in

YOUNG = timedelta(seconds=2)
"""So long after its opening a reader waits for a ticket to reach its queue."""
TicketReference = Annotated[str, Path(max_length=64, description="The id or number of the ticket.")]
FOR_AGENTS = "SELECT * FROM desk.tickets WHERE {} = $1"
FOR_CUSTOMERS = "SELECT * FROM desk.customer_tickets WHERE id = $1"
MERGED_TICKETS = """
WITH RECURSIVE merged(id) AS (
    SELECT $1::uuid UNION SELECT t.id FROM desk.tickets t JOIN merged m ON t.merged_into_id = m.id
)
"""
"""A ticket and all tickets that were merged into it."""
OTHERS = "SELECT id, number, title, queue_id, customer_id, company, state_type FROM desk.tickets WHERE id = ANY($1)"


@dataclass(frozen=True, slots=True)
class FoundTicket:
    """A ticket for one reader. Its customer gets the row of a view that holds only what customers may know."""

    row: asyncpg.Record
    as_agent: bool

    @property
    def articles(self) -> str:
        """The table or view with the articles that the reader may see."""
        return "desk.articles" if self.as_agent else "desk.public_articles"


@dataclass(frozen=True, slots=True)
class TicketReader:
    """What the routes need to read tickets. `zone` and `desk_language`: the desk's."""

    pool: Pool
    directory: DirectoryCopy
    blobs: BlobStore
    zone: ZoneInfo = ZoneInfo("UTC")
    desk_language: Language = "en"
    calendars: Calendars = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "calendars", Calendars(self.pool, self.directory))

    async def wait_until_shown(self, written: Sequence[Written]) -> dict[str, str]:
        """Waits for what a consistency token covers. Returns the headers of the response: one if it took too long."""
        return {} if not written or await wait_until_shown(self.pool, "desk.tickets", written) else {LAG: "true"}

    async def presenter(
        self, who: Identity, rows: Sequence[asyncpg.Record], at: datetime | None = None
    ) -> TicketPresenter:
        """Shows these tickets to somebody, with the names of today. `at`: the moment of the rows, if it is not now."""
        people = await self.directory.people(people_named_in(rows))
        deadlines, promises = deadlines_in(rows), DeadlinePresenter(at or datetime.now(UTC))
        if deadlines:
            say = Translator(await self.language(who), zone_of(who, self.zone))
            calendars = await self.calendars.of([each for some in deadlines.values() for each in some.values()])
            promises = DeadlinePresenter(promises.at, say, calendars)
        return TicketPresenter(who, self.directory.queues, self.directory.configuration, people, deadlines, promises)

    async def language(self, who: Identity) -> Language:
        """The language of a person's record; the desk's if it names none that there is."""
        someone = (await self.directory.people([who.person_id])).get(who.person_id)
        return language_of(someone.language if someone is not None else None, otherwise=self.desk_language)

    async def ticket(self, reference: str, who: Identity) -> FoundTicket:
        """A ticket that this person may see; Problem 404 for any other."""
        who = await self.directory.recognised(who)
        if (number := number_in(reference)) is not None:
            row = await self.pool.fetchrow(FOR_AGENTS.format("number"), number)
        else:
            try:
                row = await self.pool.fetchrow(FOR_AGENTS.format("id"), UUID(reference))
            except ValueError:
                row = None
        if row is None or not self.may_see(who, row):
            raise problems.not_found()
        if self.is_agent_for(who, row):
            return FoundTicket(row, as_agent=True)
        public = await self.pool.fetchrow(FOR_CUSTOMERS, row["id"])
        if public is None:
            raise problems.not_found()
        return FoundTicket(public, as_agent=False)

    async def queued_ticket(self, reference: str, who: Identity) -> FoundTicket:
        """As `ticket`. One that was opened a moment ago is shown as the desk has taken it up, with its deadlines."""
        found = await self.ticket(reference, who)
        row = found.row
        if "routing" in row["seen"] or datetime.now(UTC) - row["created_at"] > YOUNG:
            return found
        await wait_until_shown(self.pool, "desk.tickets", [Written("routing", row["id"], 1)])
        return await self.ticket(reference, who)

    def may_see(self, who: Identity, row: asyncpg.Record) -> bool:
        """Whether this person may read a ticket. Only administrators may read one that was removed."""
        return may_see(who, row, self.directory.queues)

    async def visible(self, who: Identity, wanted: Collection[UUID]) -> dict[UUID, asyncpg.Record]:
        """Those of these tickets that the person may see: id, number, title, and what decides who may see them."""
        rows = await self.pool.fetch(OTHERS, list(wanted)) if wanted else ()
        return {row["id"]: row for row in rows if self.may_see(who, row)}

    async def show_other_tickets(self, who: Identity, shown: Sequence[tuple[asyncpg.Record, dict[str, Any]]]) -> None:
        """Adds linked tickets that the person may see. Hides the ticket that it was merged into if they may not."""
        wanted = {UUID(link["id"]) for row, _ in shown for link in row["links"] or ()}
        wanted |= {row["merged_into_id"] for row, _ in shown if row["merged_into_id"] is not None}
        others = await self.visible(who, wanted)
        for row, item in shown:
            item["links"] = links(row, others)
            if row["merged_into_id"] not in others:
                item["merged_into"] = None

    def known_queues(self, who: Identity) -> set[UUID]:
        """The queues that an agent may know of: those in which they have any right."""
        return {queue.id for queue in self.directory.queues.by_id.values() if rights(who, queue.members)}

    def is_agent_for(self, who: Identity, row: asyncpg.Record) -> bool:
        """Whether somebody reads this ticket as an agent of its queue and not as its customer."""
        return may(who, "read", ticket_facts(row["queue_id"], None, None, self.directory.queues)) is Access.ALLOWED
