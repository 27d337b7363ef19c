"""Reading tickets over HTTP: lists, a ticket, its articles and its history."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime

from services.reporting import showing
from services.reporting.people import facts, scope
from services.reporting.ticket_list import ORDERS, Filters, Sort, query
from services.reporting.waiting import shown
from shared.blobs.store import BlobStore
from shared.contracts.access import Access, Identity, may
from shared.contracts.parts import StateType
from shared.contracts.states import STANDARD
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.http import problems
from shared.http.consistency import LAG, Awaited, Written
from shared.http.etag import etag
from shared.http.identity import Caller
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.routes import router as strict

Ref = Annotated[str, Path(max_length=64, description="the ticket's id or number")]
Many = Annotated[list[Annotated[str, Query(max_length=320)]], Query(max_length=50)]
NUMBER = re.compile(r"^\d{16,20}$")

ONE = "SELECT * FROM desk.tickets WHERE id = $1"
BY_NUMBER = "SELECT * FROM desk.tickets WHERE number = $1"
ARTICLES = "SELECT * FROM desk.{table} WHERE ticket_id = $1 AND number > $2 ORDER BY number LIMIT $3"
HISTORY = """
SELECT h.*, a.text AS article_text, a.new_text AS article_new_text, a.html AS article_html
  FROM desk.history h
  LEFT JOIN desk.articles a ON a.ticket_id = h.ticket_id AND a.number = h.article
 WHERE h.ticket_id = $1 AND h.number > $2
 ORDER BY h.number
 LIMIT $3
"""
LONGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """What the read routes need."""

    pool: Pool
    directory: DirectoryCopy
    blobs: BlobStore

    async def fresh(self, written: Sequence[Written]) -> dict[str, str]:
        """Waits for what a consistency token covers; answers the header that says so when it took too long."""
        return {} if not written or await shown(self.pool, "desk.tickets", written) else {LAG: "true"}

    async def ticket(self, reference: str, who: Identity) -> asyncpg.Record:
        """The row of a ticket that this person may see; 404 for any other."""
        if NUMBER.match(reference):
            row = await self.pool.fetchrow(BY_NUMBER, reference)
        else:
            try:
                row = await self.pool.fetchrow(ONE, UUID(reference))
            except ValueError:
                row = None
        if row is None:
            raise problems.not_found()
        about = facts(row["queue_id"], row["customer_email"], row["company"], self.directory.queues)
        if may(who, "read", about) is not Access.ALLOWED:
            raise problems.not_found()
        return row


def router(reading: Reading) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["reading"])

    @routes.get("", operation_id="listTickets", summary="Tickets that you may see")
    async def list_tickets(
        request: Request,
        who: Caller,
        written: Awaited,
        limit: Limit = 50,
        cursor: CursorText = None,
        sort: Sort = "default",
        queue: Many = [],  # noqa: B006
        state: Many = [],  # noqa: B006
        state_type: Annotated[list[StateType], Query(max_length=10)] = [],  # noqa: B006
        owner: Annotated[str | None, Query(max_length=320)] = None,
        locked: bool | None = None,
        locked_by: Annotated[str | None, Query(max_length=320)] = None,
        customer: Many = [],  # noqa: B006
        company: Many = [],  # noqa: B006
        priority: Annotated[list[Annotated[int, Query(ge=1, le=5)]], Query(max_length=5)] = [],  # noqa: B006
        tag: Many = [],  # noqa: B006
        created_from: AwareDatetime | None = None,
        created_to: AwareDatetime | None = None,
        updated_from: AwareDatetime | None = None,
        available: bool | None = None,
        reminder_due: bool | None = None,
        mine: bool | None = None,
    ) -> Response:
        queues = reading.directory.queues
        may_see = scope(who, queues)
        for slug in state:
            if slug not in STANDARD:
                raise problems.invalid("/query/state", f"{slug!r} is no state")
        chosen: set[UUID] | None = {_queue(queues, name) for name in queue} if queue else None
        if mine:
            followed = {q.id for q in queues.live if any(member.person == who.person_id for member in q.members)}
            chosen = followed if chosen is None else chosen & followed
        wanted = Filters(
            queues=tuple(sorted(chosen)) if chosen is not None else None,
            states=tuple(state),
            state_types=tuple(state_type),
            owner=await _person(reading, "owner", owner, who),
            locked=locked,
            locked_by=await _person(reading, "locked_by", locked_by, who),
            not_locked_by_others=who.person_id if available else None,
            customers=tuple(address.lower() for address in customer),
            companies=tuple(company),
            priorities=tuple(priority),
            tags=tuple(tag),
            created_from=_within(created_from, "created_from"),
            created_to=_within(created_to, "created_to"),
            updated_from=_within(updated_from, "updated_from"),
            reminder_due=reminder_due,
        )
        cursors: Cursors = request.app.state.cursors
        asked = sorted(
            (name, value) for name, value in request.query_params.multi_items() if name not in ("limit", "cursor")
        )
        after = cursors.decode(who, asked, cursor)
        headers = await reading.fresh(written)
        position = _position(after, sort) if after is not None else None
        text, arguments = query(may_see, wanted, sort, position, limit + 1)
        rows = await reading.pool.fetch(text, *arguments)
        items = [showing.ticket(row, who, queues) for row in rows[:limit]]
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = cursors.encode(who, asked, [_plain(last[column]) for column, _, _ in ORDERS[sort]])
        return _json(page(items, following), headers)

    @routes.get("/{ref}", operation_id="getTicket", summary="One ticket")
    async def get_ticket(ref: Ref, who: Caller, written: Awaited) -> Response:
        headers = await reading.fresh(written)
        row = await reading.ticket(ref, who)
        version = row["seen"].get("routing", (0, ""))[0]
        return _json(showing.ticket(row, who, reading.directory.queues), headers | {"ETag": etag(version)})

    @routes.get(
        "/{ref}/articles", operation_id="listArticles", summary="Every message, note and call of a ticket, in order"
    )
    async def list_articles(
        request: Request, ref: Ref, who: Caller, written: Awaited, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        headers = await reading.fresh(written)
        row = await reading.ticket(ref, who)
        about = facts(row["queue_id"], row["customer_email"], row["company"], reading.directory.queues)
        table = (
            "articles"
            if may(who, "note", about) is Access.ALLOWED or _reads_the_desk(who, row, reading)
            else "public_articles"
        )
        cursors: Cursors = request.app.state.cursors
        asked = [str(row["id"]), "articles"]
        after = cursors.decode(who, asked, cursor)
        rows = await reading.pool.fetch(
            ARTICLES.format(table=table), row["id"], int(after[0]) if after else 0, limit + 1
        )
        items = [showing.article(each, await _whole_text(reading, each)) for each in rows[:limit]]
        following = cursors.encode(who, asked, [rows[limit - 1]["number"]]) if len(rows) > limit else None
        return _json(page(items, following), headers)

    @routes.get("/{ref}/history", operation_id="listHistory", summary="Every event of a ticket, in log order")
    async def list_history(
        request: Request,
        ref: Ref,
        who: Caller,
        written: Awaited,
        limit: Limit = LONGEST_PAGE,
        cursor: CursorText = None,
    ) -> Response:
        headers = await reading.fresh(written)
        row = await reading.ticket(ref, who)
        if not _reads_the_desk(who, row, reading):
            raise problems.forbidden("The history is the desk's own.")
        cursors: Cursors = request.app.state.cursors
        asked = [str(row["id"]), "history"]
        after = cursors.decode(who, asked, cursor)
        rows = await reading.pool.fetch(HISTORY, row["id"], int(after[0]) if after else 0, limit + 1)
        following = cursors.encode(who, asked, [rows[limit - 1]["number"]]) if len(rows) > limit else None
        return _json(page([showing.history_entry(each) for each in rows[:limit]], following), headers)

    return routes


def _reads_the_desk(who: Identity, row: asyncpg.Record, reading: Reading) -> bool:
    """Whether somebody reads this ticket as an agent of its queue, not as its customer."""
    about = facts(row["queue_id"], "", None, reading.directory.queues)
    return may(who, "read", about) is Access.ALLOWED


def _queue(queues: Any, name: str) -> UUID:
    found = queues.named(name)
    # A queue that is not there filters everything out, as one that may not be seen: a list tells nobody which queues exist.
    return found.id if found is not None else UUID(int=0)


async def _person(reading: Reading, name: str, reference: str | None, who: Identity) -> UUID | None:
    if reference is None:
        return None
    if reference == "me":
        return who.person_id
    found = await reading.directory.person_named(reference)
    return found.id if found is not None else UUID(int=0)


def _within(value: datetime | None, name: str) -> datetime | None:
    if value is not None and not 1900 <= value.year <= 9000:
        raise problems.invalid(f"/query/{name}", "must be a date between the years 1900 and 9000")
    return value


async def _whole_text(reading: Reading, row: asyncpg.Record) -> str | None:
    if row["text_blob"] is None:
        return None
    return (await reading.blobs.get(row["text_blob"]["sha256"])).decode("utf-8", "replace")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value


def _position(after: Sequence[Any], sort: str) -> list[Any]:
    kinds: dict[str, Callable[[Any], Any]] = {"timestamptz": datetime.fromisoformat, "uuid": UUID, "smallint": int}
    return [kinds[kind](value) for value, (_, _, kind) in zip(after, ORDERS[sort], strict=True)]


def _json(content: Any, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json", headers=headers)
