"""`GET /tickets?as_of=`: a page of the list as it was at a moment, of the tickets that somebody may see today."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg

from services.reporting.tickets.list_query import ListQuery
from services.reporting.tickets.moments.moment import AsOf, Moment
from services.reporting.tickets.moments.past import Past, past
from services.reporting.tickets.moments.past_ticket import shown_then
from services.reporting.tickets.read_model.former_rows import COLUMNS
from services.reporting.tickets.ticket_list import (
    MOST_COUNTED,
    ORDERS,
    Arguments,
    Filters,
    conditions_of,
    count_statement,
    rows_behind,
    statement,
)
from services.reporting.tickets.ticket_reader import TicketReader
from services.reporting.visibility import Scope, scope
from shared.rules.access import Identity


class MomentListQuery(ListQuery):
    """The query parameters of the ticket list, with the moment."""

    as_of: AsOf = None


async def list_then(
    reader: TicketReader,
    who: Identity,
    moment: Moment,
    filters: Filters,
    sort: str,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[asyncpg.Record], list[dict[str, Any]]]:
    """The first `limit` tickets behind a position, as the list had them then: rows, and as the API shows them.

    Only these are folded.
    """
    visible = scope(who, reader.directory.queues)
    async with past(reader.pool, moment) as then:
        text, arguments = keys_statement(then, visible, filters, sort, after, limit)
        keys = await then.connection.fetch(text, *arguments)
        rows = await then.rows([key["id"] for key in keys])
        as_agent = {key["id"] for key in keys if visible.everything or key["queue_now"] in visible.queues}
        records = await then.records([row for row in rows.values() if row.id in as_agent], for_customers=False)
        records |= await then.records([row for row in rows.values() if row.id not in as_agent], for_customers=True)
        page = [records[key["id"]] for key in keys]
        titles = await then.linked_titles(page)
    return page, await shown_then(reader, who, page, titles)


async def count_then(reader: TicketReader, who: Identity, moment: Moment, filters: Filters) -> int:
    """How many tickets the list had, of those that somebody may see today; at most one more than MOST_COUNTED."""
    visible = scope(who, reader.directory.queues)
    async with past(reader.pool, moment) as then:
        text, values = count_statement(visible, _unchanged(then, filters))
        same: int = await then.connection.fetchval(text, *values)
        arguments = Arguments()
        most = MOST_COUNTED + 1
        parts = (f"(SELECT FROM {part} LIMIT {most})" for part in _former(then, arguments, visible, filters))
        found = f"SELECT count(*) FROM ({' UNION ALL '.join(parts)}) AS t"
        former: int = await then.connection.fetchval(found, *arguments.values)
    return min(same + former, most)


def keys_statement(
    then: Past, visible: Scope, filters: Filters, sort: str, after: Sequence[Any] | None, limit: int
) -> tuple[str, list[Any]]:
    """The statement for the ids on a page, each with the queue in which the ticket is today; and its arguments.

    Tickets that have not changed since come from the live list, in the order of its indexes. All others come from their
    former rows.
    """
    order = ORDERS[sort]
    live, values = statement(visible, _unchanged(then, filters), sort, after, limit)
    arguments = Arguments(values)
    keys = ", ".join(f"t.{column}" for column in dict.fromkeys(("id", *(column for column, _ in order))))
    ordered = ", ".join(f"t.{column} {direction}" for column, direction in order)
    behind = f" AND {rows_behind(arguments, order, after)}" if after is not None else ""
    parts = [
        f"SELECT {keys}, t.queue_id AS queue_now FROM ({live}) AS t",
        *(
            f"(SELECT {keys}, now.queue_id AS queue_now FROM {part}{behind} ORDER BY {ordered} LIMIT {int(limit)})"
            for part in _former(then, arguments, visible, filters)
        ),
    ]
    found = " UNION ALL ".join(parts)
    return f"SELECT t.id, t.queue_now FROM ({found}) AS t ORDER BY {ordered} LIMIT {int(limit)}", arguments.values


def _unchanged(then: Past, filters: Filters) -> Filters:
    """The filters for what the live list has of the moment."""
    return replace(filters, unchanged_since=then.moment.at, without=then.own.id if then.own is not None else None)


def _former(then: Past, arguments: Arguments, visible: Scope, filters: Filters) -> list[str]:
    """What follows FROM for all other rows `t`: those that an agent sees today, and those that a customer sees."""
    conditions = ["t.state_type <> 'removed'", *conditions_of(arguments, filters)]
    if filters.queues is not None:
        conditions.append(f"t.queue_id = ANY({arguments.add(list(filters.queues), 'uuid[]')})")
    return [
        f"({source}) AS t JOIN desk.tickets now ON now.id = t.id WHERE {' AND '.join([allowed, *conditions])}"
        for allowed, source in _allowed_today(then, arguments, visible)
    ]


def _allowed_today(then: Past, arguments: Arguments, visible: Scope) -> list[tuple[str, str]]:
    """Conditions on a ticket's row `now` of today that allow somebody to see it, as an agent and as a customer, each
    with the former rows that they then see."""
    if visible.everything:
        return [("true", then.all_former(arguments, COLUMNS))]
    in_queues = f"now.queue_id = ANY({arguments.add(list(visible.queues), 'uuid[]')})"
    own = f"now.customer_id = ANY({arguments.add(list(visible.customers), 'uuid[]')})"
    if visible.company is not None:
        own = f"({own} OR now.company = {arguments.add(visible.company, 'text')})"
    kept = "now.state_type <> 'removed'"
    of_customers = then.former(arguments, COLUMNS, for_customers=True)
    found = [(f"{kept} AND NOT {in_queues} AND {own}", of_customers)]
    if visible.queues:
        found.append((f"{kept} AND {in_queues}", then.all_former(arguments, COLUMNS)))
    return found
