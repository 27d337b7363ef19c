"""Reading tickets over HTTP: lists, a ticket and its history."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.reporting.tickets import presentation
from services.reporting.tickets.hidden_references import tickets_named, without_hidden
from services.reporting.tickets.read_model.deduplication import COLUMNS
from services.reporting.tickets.read_model.ticket_row import ColumnFilters, Texts
from services.reporting.tickets.ticket_list import ORDERS, Filters, Sort, column_types, statement
from services.reporting.tickets.ticket_reader import Reading, Ref, answer
from services.reporting.visibility import followed_queues, scope
from shared.addresses import canonical
from shared.contracts.parts import StateType
from shared.directory.copy import Queues
from shared.http import problems
from shared.http.consistency import Awaited
from shared.http.etag import etag
from shared.http.identity import Caller
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.serving.routes import router as strict
from shared.rules.access import Identity
from shared.rules.states import STANDARD

Reference = Annotated[str | None, Field(max_length=320)]
ABOUT = """
WITH RECURSIVE merged(id) AS (
    SELECT $1::uuid UNION SELECT t.id FROM desk.tickets t JOIN merged m ON t.merged_into_id = m.id
)
SELECT (SELECT sum(t.{articles}) FROM desk.tickets t JOIN merged m USING (id)) AS article_count,
       (SELECT count(*)
          FROM (SELECT 1
                  FROM desk.tickets t
                 WHERE t.customer_id = ANY($2) AND t.state_type IN ('new', 'open', 'pending_reminder', 'pending_auto_close')
                   AND ($3 OR t.queue_id = ANY($4) OR t.customer_id = ANY($5) OR t.company = $6)
                 LIMIT 1000) AS waiting) AS open_tickets
"""
"""How many articles a ticket has with those that were merged into it, and how many open tickets of its customer the reader may see."""
HISTORY = f"""
SELECT h.*, {", ".join(f"a.{column} AS article_{column}" for column in COLUMNS)}
  FROM desk.history h
  LEFT JOIN desk.articles a ON a.ticket_id = h.ticket_id AND a.number = h.article
 WHERE h.ticket_id = $1 AND h.number > $2
 ORDER BY h.number
 LIMIT $3
"""
LONGEST_PAGE = 200
NOBODY = UUID(int=0)


class ListQuery(ColumnFilters):
    """The query parameters of the ticket list."""

    limit: Limit = 50
    cursor: CursorText = None
    sort: Sort = "default"
    queue: Texts = []  # noqa: RUF012
    state: Texts = []  # noqa: RUF012
    state_type: Annotated[list[StateType], Field(max_length=10)] = []  # noqa: RUF012
    owner: Reference = None
    responsible: Reference = None
    locked_by: Reference = None
    customer: Texts = []  # noqa: RUF012
    available: bool | None = None
    mine: bool | None = None


def router(reading: Reading) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["reading"])

    @routes.get("", operation_id="listTickets", summary="Tickets that you may see")
    async def list_tickets(
        request: Request, who: Caller, written: Awaited, query: Annotated[ListQuery, Query()]
    ) -> Response:
        who = await reading.directory.recognised(who)
        visible = scope(who, reading.directory.queues)
        wanted = await _filters(reading, query, who)
        cursors: Cursors = request.app.state.cursors
        asked = sorted(
            (name, value) for name, value in request.query_params.multi_items() if name not in ("limit", "cursor")
        )
        after = cursors.decode(who, asked, query.cursor)
        headers = await reading.fresh(written)
        position = _position(after, query.sort) if after is not None else None
        text, arguments = statement(visible, wanted, query.sort, position, query.limit + 1)
        rows = await reading.pool.fetch(text, *arguments)
        shown = await reading.showing(who, rows)
        items = [shown.ticket(row) for row in rows[: query.limit]]
        await _show_others(reading, who, list(zip(rows, items, strict=False)))
        following = None
        if len(rows) > query.limit:
            last = rows[query.limit - 1]
            following = cursors.encode(who, asked, [_plain(last[column]) for column, _ in ORDERS[query.sort]])
        return answer(page(items, following), headers)

    @routes.get("/{ref}", operation_id="getTicket", summary="One ticket")
    async def get_ticket(ref: Ref, who: Caller, written: Awaited) -> Response:
        headers = await reading.fresh(written)
        who = await reading.directory.recognised(who)
        found = await reading.ticket(ref, who)
        row, queues = found.row, reading.directory.queues
        shown = (await reading.showing(who, [row])).ticket(row)
        await _show_others(reading, who, [(row, shown)])
        visible = scope(who, queues)
        counted = await reading.pool.fetchrow(
            ABOUT.format(articles="article_count" if found.at_the_desk else "public_article_count"),
            row["id"], await reading.directory.known_as(row["customer_id"]), visible.everything, list(visible.queues), list(visible.customers), visible.company,
        )  # fmt: skip
        if counted is not None:
            shown["article_count"] = counted["article_count"]
            shown["customer"]["open_tickets"] = counted["open_tickets"]
        version = row["seen"].get("routing", (0, ""))[0]
        return answer(shown, headers | {"ETag": etag(version)})

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
        found = await reading.ticket(ref, who)
        if not found.at_the_desk:
            raise problems.forbidden("The history is the desk's own.")
        row = found.row
        cursors: Cursors = request.app.state.cursors
        asked = [str(row["id"]), "history"]
        after = cursors.decode(who, asked, cursor)
        rows = await reading.pool.fetch(HISTORY, row["id"], int(after[0]) if after else 0, limit + 1)
        following = cursors.encode(who, asked, [rows[limit - 1]["number"]]) if len(rows) > limit else None
        told = [presentation.event_data(each) for each in rows[:limit]]
        named = {ticket for data in told for ticket in tickets_named(data)}
        tickets, queues = {row["id"], *await reading.visible(who, named)}, reading.known_queues(who)
        items = [
            presentation.history_entry(each, without_hidden(data, tickets, queues))
            for each, data in zip(rows, told, strict=False)
        ]
        return answer(page(items, following), headers)

    return routes


async def _show_others(reading: Reading, who: Identity, shown: list[tuple[asyncpg.Record, dict[str, Any]]]) -> None:
    """Names the linked tickets that the person may see, and leaves out one that a ticket went into and that they may not."""
    wanted = {UUID(link["id"]) for row, _ in shown for link in row["links"] or ()}
    wanted |= {row["merged_into_id"] for row, _ in shown if row["merged_into_id"] is not None}
    others = await reading.visible(who, wanted)
    for row, item in shown:
        item["links"] = presentation.links(row, others)
        if row["merged_into_id"] not in others:
            item["merged_into"] = None


async def _filters(reading: Reading, query: ListQuery, who: Identity) -> Filters:
    """The filters that were asked for, with everything that they name looked up."""
    for name, value in query:
        if isinstance(value, datetime) and not 1900 <= value.year <= 9000:
            raise problems.invalid(f"/query/{name}", "must be a date between the years 1900 and 9000")
    queues = reading.directory.queues
    customers, addresses = await _customers(reading, query.customer)
    types = _types(reading, query.state, query.state_type)
    chosen: set[UUID] | None = {_queue(queues, name) for name in query.queue} if query.queue else None
    if query.mine:
        followed = await followed_queues(reading.directory, who)
        chosen = followed if chosen is None else chosen & followed
    return Filters(
        columns=query,
        queues=tuple(sorted(chosen)) if chosen is not None else None,
        states=tuple(query.state),
        state_types=types,
        owner=await _person(reading, query.owner, who),
        responsible=await _person(reading, query.responsible, who),
        locked_by=await _person(reading, query.locked_by, who),
        not_locked_by_others=who.person_id if query.available else None,
        customers=customers,
        addresses=addresses,
    )


def _types(reading: Reading, states: Sequence[str], state_types: Sequence[str]) -> tuple[str, ...]:
    """The types of state that the list can hold: its index is by type."""
    known: dict[str, str] = {slug: each.type for slug, each in STANDARD.items()}
    known |= {slug: each.type for slug, each in reading.directory.configuration.all_states.items()}
    for slug in states:
        if slug not in known:
            raise problems.invalid("/query/state", f"{slug!r} is no state")
    if not states:
        return tuple(sorted(set(state_types)))
    types = {known[slug] for slug in states}
    if state_types:
        # No ticket matches if none of the states is of one of the types.
        types = types & set(state_types) or {"none"}
    return tuple(sorted(types))


def _queue(queues: Queues, name: str) -> UUID:
    found = queues.ever_named(name)
    # An unknown queue gives an empty list, as a hidden one does: a list tells nobody which queues exist.
    return found.id if found is not None else NOBODY


async def _person(reading: Reading, reference: str | None, who: Identity) -> UUID | None:
    if reference is None:
        return None
    if reference == "me":
        return who.person_id
    found = await reading.directory.ever_named(reference)
    return found.id if found is not None else NOBODY


async def _customers(reading: Reading, references: Sequence[str]) -> tuple[tuple[UUID, ...], tuple[str, ...]]:
    """The customers that a filter names by id, login or address, and the addresses among them that nobody has.

    An address that somebody has now means that person with all their tickets, and nobody who had it before. An address
    that nobody has means everybody who asked from it.
    """
    customers: list[UUID] = []
    addresses: list[str] = []
    for reference in references:
        person = await reading.directory.ever_named(reference)
        if person is not None:
            customers += await reading.directory.known_as(person.id)
        elif (address := canonical(reference)) is not None:
            addresses.append(address)
        else:
            customers += await reading.directory.known_as(_id(reference) or NOBODY)
    return tuple(dict.fromkeys(customers)), tuple(addresses)


def _id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value


def _position(after: Sequence[Any], sort: str) -> list[Any]:
    kinds: dict[str, Callable[[Any], Any]] = {"timestamptz": datetime.fromisoformat, "uuid": UUID, "smallint": int}
    return [kinds[kind](value) for value, kind in zip(after, column_types(ORDERS[sort]), strict=True)]
