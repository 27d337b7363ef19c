"""Reading tickets over HTTP: lists, a ticket and its history."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.reporting.actors import rule_names
from services.reporting.tickets import presentation
from services.reporting.tickets.article_bodies import HistoryPage
from services.reporting.tickets.bodies import TicketDetails, TicketPage
from services.reporting.tickets.hidden_references import tickets_named, without_hidden
from services.reporting.tickets.list_query import filters
from services.reporting.tickets.moments.moment import AsOf, moment_of
from services.reporting.tickets.moments.past_list import MomentListQuery, count_then, list_then
from services.reporting.tickets.moments.past_ticket import events_then, ticket_then
from services.reporting.tickets.read_model.deduplication import ARTICLE_COLUMNS
from services.reporting.tickets.ticket_list import (
    MOST_COUNTED,
    ORDERS,
    Filters,
    column_types,
    count_statement,
    statement,
)
from services.reporting.tickets.ticket_reader import MERGED_TICKETS, TicketReader, TicketReference
from services.reporting.visibility import Scope, scope
from services.reporting.zone import zone_of
from shared.http import problems
from shared.http.headers.consistency import Awaited
from shared.http.headers.etag import etag
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.routes import router as strict
from shared.languages.translator import Translator

ABOUT = (
    MERGED_TICKETS
    + """
SELECT (SELECT sum(t.{articles}) FROM desk.tickets t JOIN merged m USING (id)) AS article_count,
       (SELECT count(*)
          FROM (SELECT 1
                  FROM desk.tickets t
                 WHERE t.customer_id = ANY($2)
                   AND t.state_type IN ('new', 'open', 'pending_reminder', 'pending_auto_close')
                   AND ($3 OR t.queue_id = ANY($4) OR t.customer_id = ANY($5) OR t.company = $6)
                 LIMIT 1000) AS waiting) AS open_tickets
"""
)
"""How many articles a ticket has, with those merged into it, and its customer's open tickets that somebody may see."""
HISTORY = f"""
SELECT h.*, {", ".join(f"a.{column} AS article_{column}" for column in ARTICLE_COLUMNS)}
  FROM desk.history h
  LEFT JOIN desk.articles a ON a.ticket_id = h.ticket_id AND a.number = h.article
 WHERE h.ticket_id = $1 AND h.number > $2 AND h.number <= $4
 ORDER BY h.number
 LIMIT $3
"""
LONGEST_PAGE = 200


def router(reader: TicketReader) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["reading"])

    @routes.get("", operation_id="listTickets", response_model=TicketPage, summary="Tickets that you may see")
    async def list_tickets(
        request: Request, who: Caller, written: Awaited, query: Annotated[MomentListQuery, Query()]
    ) -> Response:
        moment = await moment_of(reader.pool, reader.directory, who, query.as_of, written)
        who = await reader.directory.recognised(who)
        visible = scope(who, reader.directory.queues)
        wanted = await filters(reader, query, who)
        cursors: Cursors = request.app.state.cursors
        asked = sorted(
            (name, value)
            for name, value in request.query_params.multi_items()
            if name not in ("limit", "cursor", "count")
        )
        after = cursors.decode(who, asked, query.cursor)
        headers = await reader.wait_until_shown(written)
        position = _position(after, query.sort) if after is not None else None
        if moment is not None:
            rows, items = await list_then(reader, who, moment, wanted, query.sort, position, query.limit + 1)
            del items[query.limit :]
        else:
            text, arguments = statement(visible, wanted, query.sort, position, query.limit + 1)
            rows = await reader.pool.fetch(text, *arguments)
            shown = await reader.presenter(who, rows)
            items = [shown.ticket(row) for row in rows[: query.limit]]
            await reader.show_other_tickets(who, list(zip(rows, items, strict=False)))
        next_cursor = None
        if len(rows) > query.limit:
            last = rows[query.limit - 1]
            next_cursor = cursors.encode(who, asked, [_plain(last[column]) for column, _ in ORDERS[query.sort]])
        counted = {}
        if query.count:
            there = await (
                count_then(reader, who, moment, wanted) if moment is not None else _count(reader, visible, wanted)
            )
            counted = {"count": {"value": min(there, MOST_COUNTED), "exact": there <= MOST_COUNTED}}
        return json_response(page(items, next_cursor) | counted, headers=headers)

    @routes.get("/{ref}", operation_id="getTicket", response_model=TicketDetails, summary="One ticket")
    async def get_ticket(ref: TicketReference, who: Caller, written: Awaited, as_of: AsOf = None) -> Response:
        headers = await reader.wait_until_shown(written)
        who = await reader.directory.recognised(who)
        found = await reader.queued_ticket(ref, who)
        moment = await moment_of(reader.pool, reader.directory, who, as_of, written)
        if moment is not None:
            return json_response(await ticket_then(reader, who, found, moment))
        row, queues = found.row, reader.directory.queues
        shown = (await reader.presenter(who, [row])).ticket(row)
        await reader.show_other_tickets(who, [(row, shown)])
        visible = scope(who, queues)
        counted = await reader.pool.fetchrow(
            ABOUT.format(articles="article_count" if found.as_agent else "public_article_count"),
            row["id"],
            await reader.directory.known_as(row["customer_id"]),
            visible.everything,
            list(visible.queues),
            list(visible.customers),
            visible.company,
        )
        if counted is not None:
            shown["article_count"] = counted["article_count"]
            shown["customer"]["open_tickets"] = counted["open_tickets"]
        version = row["seen"].get("routing", (0, ""))[0]
        return json_response(shown, headers=headers | {"ETag": etag(version)})

    @routes.get(
        "/{ref}/history",
        operation_id="listHistory",
        response_model=HistoryPage,
        summary="Every event of a ticket, in log order",
    )
    async def list_history(
        request: Request,
        ref: TicketReference,
        who: Caller,
        written: Awaited,
        limit: Limit = LONGEST_PAGE,
        cursor: CursorText = None,
        as_of: AsOf = None,
    ) -> Response:
        headers = await reader.wait_until_shown(written)
        found = await reader.ticket(ref, who)
        moment = await moment_of(reader.pool, reader.directory, who, as_of, written)
        if not found.as_agent:
            raise problems.forbidden("Only agents of the ticket's queue may read its history.")
        row = found.row
        cursors: Cursors = request.app.state.cursors
        asked = [str(row["id"]), "history", as_of]
        after = cursors.decode(who, asked, cursor)
        last = await events_then(reader, row["id"], moment) if moment is not None else row["event_count"]
        rows = await reader.pool.fetch(HISTORY, row["id"], int(after[0]) if after else 0, limit + 1, last)
        next_cursor = cursors.encode(who, asked, [rows[limit - 1]["number"]]) if len(rows) > limit else None
        whole = [presentation.event_data(each) for each in rows[:limit]]
        named = {ticket for data in whole for ticket in tickets_named(data)}
        tickets, queues = {row["id"], *await reader.visible(who, named)}, reader.known_queues(who)
        rules = await rule_names(reader.pool, [(each["actor_kind"], each["actor_id"]) for each in rows[:limit]])
        say = Translator(zone=zone_of(who, reader.zone))  # the history is in English
        items = [
            presentation.history_entry(each, without_hidden(data, tickets, queues), say, rules)
            for each, data in zip(rows, whole, strict=False)
        ]
        return json_response(page(items, next_cursor), headers=headers)

    return routes


async def _count(reader: TicketReader, visible: Scope, wanted: Filters) -> int:
    """How many tickets a list has, at most one more than MOST_COUNTED."""
    text, arguments = count_statement(visible, wanted)
    found: int = await reader.pool.fetchval(text, *arguments)
    return found


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value


def _position(after: Sequence[Any], sort: str) -> list[Any]:
    kinds: dict[str, Callable[[Any], Any]] = {"timestamptz": datetime.fromisoformat, "uuid": UUID, "smallint": int}
    types = column_types(ORDERS[sort])
    return [kinds[kind](value) if value is not None else None for value, kind in zip(after, types, strict=True)]
