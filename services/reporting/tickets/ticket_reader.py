"""What every read of one ticket begins with: finding it, and what its reader may see of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
from fastapi import Path, Response

from services.reporting.read_your_writes import shown
from services.reporting.tickets.presentation import Showing, named_in
from services.reporting.visibility import facts
from shared.blobs.store import BlobStore
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.http import problems
from shared.http.consistency import LAG, Written
from shared.rules.access import Access, Identity, may, rights
from shared.rules.subjects import number_in

Ref = Annotated[str, Path(max_length=64, description="the ticket's id or number")]
DESK = "SELECT * FROM desk.tickets WHERE {} = $1"
OTHERS = "SELECT id, number, title, queue_id, customer_id, company, state_type FROM desk.tickets WHERE id = ANY($1)"
AS_CUSTOMER = "SELECT * FROM desk.customer_tickets WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Found:
    """A ticket for one person. Who reads it as its customer gets what customers may know, from views that lack the rest."""

    row: asyncpg.Record
    at_the_desk: bool

    @property
    def articles(self) -> str:
        """The articles that may be read."""
        return "desk.articles" if self.at_the_desk else "desk.public_articles"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the read routes need."""

    pool: Pool
    directory: DirectoryCopy
    blobs: BlobStore

    async def fresh(self, written: Sequence[Written]) -> dict[str, str]:
        """Waits for what a consistency token covers; answers the header that says so when it took too long."""
        return {} if not written or await shown(self.pool, "desk.tickets", written) else {LAG: "true"}

    async def showing(self, who: Identity, rows: Sequence[asyncpg.Record]) -> Showing:
        """What shows these tickets, by the names that everything in them has now."""
        people = await self.directory.people(named_in(rows))
        return Showing(who, self.directory.queues, self.directory.configuration, people)

    async def ticket(self, reference: str, who: Identity) -> Found:
        """A ticket that this person may see; 404 for any other."""
        who = await self.directory.recognised(who)
        if (number := number_in(reference)) is not None:
            row = await self.pool.fetchrow(DESK.format("number"), number)
        else:
            try:
                row = await self.pool.fetchrow(DESK.format("id"), UUID(reference))
            except ValueError:
                row = None
        if row is None or not self.may_see(who, row):
            raise problems.not_found()
        if self.at_the_desk(who, row):
            return Found(row, at_the_desk=True)
        public = await self.pool.fetchrow(AS_CUSTOMER, row["id"])
        if public is None:
            raise problems.not_found()
        return Found(public, at_the_desk=False)

    def may_see(self, who: Identity, row: asyncpg.Record) -> bool:
        """Whether this person may read a ticket; one that was removed is the administrators' alone."""
        about = facts(row["queue_id"], row["customer_id"], row["company"], self.directory.queues)
        return may(who, "read", about) is Access.ALLOWED and (row["state_type"] != "removed" or who.is_admin)

    async def visible(self, who: Identity, wanted: Collection[UUID]) -> dict[UUID, asyncpg.Record]:
        """Those of these tickets that the person may see: id, number, title and what decides about it."""
        rows = await self.pool.fetch(OTHERS, list(wanted)) if wanted else ()
        return {row["id"]: row for row in rows if self.may_see(who, row)}

    def known_queues(self, who: Identity) -> set[UUID]:
        """The queues that an agent may know of: those in which they have any right."""
        return {queue.id for queue in self.directory.queues.by_id.values() if rights(who, queue.members)}

    def at_the_desk(self, who: Identity, row: asyncpg.Record) -> bool:
        """Whether somebody reads this ticket as an agent of its queue, not as its customer."""
        return may(who, "read", facts(row["queue_id"], None, None, self.directory.queues)) is Access.ALLOWED


def answer(content: Any, headers: dict[str, str]) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), media_type="application/json", headers=headers)
