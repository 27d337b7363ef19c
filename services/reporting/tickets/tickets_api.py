"""Reading tickets over HTTP: lists, a ticket and its history."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from services.reporting.tickets import presentation
from services.reporting.tickets.hidden_references import tickets_named, without_hidden
from services.reporting.tickets.read_model.deduplication import COLUMNS
from services.reporting.tickets.ticket_list import ORDERS, Filters, Sort, query
from services.reporting.tickets.ticket_reader import Reading, Ref, answer
from services.reporting.visibility import followed_queues, scope
from shared.addresses import canonical
from shared.contracts.parts import StateType
from shared.http import problems
from shared.http.consistency import Awaited
from shared.http.etag import etag
from shared.http.identity import Caller
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.serving.routes import router as strict
from shared.rules.access import Identity
from shared.rules.states import STANDARD

Many = Annotated[list[Annotated[str, Query(max_length=320)]], Query(max_length=50)]
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
        responsible: Annotated[str | None, Query(max_length=320)] = None,
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
        who = await reading.directory.recognised(who)
        queues = reading.directory.queues
        may_see = scope(who, queues)
        customers, addresses = await _customers(reading, customer)
        types = _types(reading, state, state_type)
        chosen: set[UUID] | None = {_queue(queues, name) for name in queue} if queue else None
        if mine:
            followed = await followed_queues(reading.directory, who)
            chosen = followed if chosen is None else chosen & followed
        wanted = Filters(
            queues=tuple(sorted(chosen)) if chosen is not None else None,
            states=tuple(state),
            state_types=types,
            owner=await _person(reading, "owner", owner, who),
            responsible=await _person(reading, "responsible", responsible, who),
            locked=locked,
            locked_by=await _person(reading, "locked_by", locked_by, who),
            not_locked_by_others=who.person_id if available else None,
            customers=customers,
            addresses=addresses,
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
        shown = await reading.showing(who, rows)
        items = [shown.ticket(row) for row in rows[:limit]]
        await _show_others(reading, who, list(zip(rows, items, strict=False)))
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = cursors.encode(who, asked, [_plain(last[column]) for column, _, _ in ORDERS[sort]])
        return answer(page(items, following), headers)

    @routes.get("/{ref}", operation_id="getTicket", summary="One ticket")
    async def get_ticket(ref: Ref, who: Caller, written: Awaited) -> Response:
        headers = await reading.fresh(written)
        who = await reading.directory.recognised(who)
        found = await reading.ticket(ref, who)
        row, queues = found.row, reading.directory.queues
        shown = (await reading.showing(who, [row])).ticket(row)
        await _show_others(reading, who, [(row, shown)])
        may_see = scope(who, queues)
        counted = await reading.pool.fetchrow(
            ABOUT.format(articles="article_count" if found.at_the_desk else "public_article_count"),
            row["id"], await reading.directory.known_as(row["customer_id"]), may_see.everything, list(may_see.queues), list(may_see.customers), may_see.company,
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


def _types(reading: Reading, state: Sequence[str], state_type: Sequence[str]) -> tuple[str, ...]:
    """The types that the states of a list have: its index is by type."""
    known: dict[str, str] = {slug: each.type for slug, each in STANDARD.items()}
    known |= {slug: each.type for slug, each in reading.directory.configuration.all_states.items()}
    for slug in state:
        if slug not in known:
            raise problems.invalid("/query/state", f"{slug!r} is no state")
    types = {known[slug] for slug in state} if state else set(state_type)
    # States that are of none of the types asked for: nothing is of both.
    return tuple(sorted(types & set(state_type) or {"none"} if state_type and state else types))


def _queue(queues: Any, name: str) -> UUID:
    found = queues.ever_named(name)
    # A queue that is not there filters everything out, as one that may not be seen: a list tells nobody which queues exist.
    return found.id if found is not None else NOBODY


async def _person(reading: Reading, name: str, reference: str | None, who: Identity) -> UUID | None:
    if reference is None:
        return None
    if reference == "me":
        return who.person_id
    found = await reading.directory.ever_named(reference)
    return found.id if found is not None else NOBODY


async def _customers(reading: Reading, references: Sequence[str]) -> tuple[tuple[UUID, ...], tuple[str, ...]]:
    """The customers that a filter names by id, login or address, and the addresses among them that nobody has a record with: those mean whoever
    asked from there. An address that somebody has now means that person, with all tickets that are theirs, and nobody who had it before."""
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


def _within(value: datetime | None, name: str) -> datetime | None:
    if value is not None and not 1900 <= value.year <= 9000:
        raise problems.invalid(f"/query/{name}", "must be a date between the years 1900 and 9000")
    return value


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value


def _position(after: Sequence[Any], sort: str) -> list[Any]:
    kinds: dict[str, Callable[[Any], Any]] = {"timestamptz": datetime.fromisoformat, "uuid": UUID, "smallint": int}
    return [kinds[kind](value) for value, (_, _, kind) in zip(after, ORDERS[sort], strict=True)]
