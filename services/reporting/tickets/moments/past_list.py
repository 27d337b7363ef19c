"""`GET /tickets?as_of=`: a page of the list as it was at a moment, of the tickets that somebody may see today."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

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
    behind,
    conditions_of,
    count_statement,
    ordering,
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
        text, arguments = keys_statement(then, visible, filters, _known(reader, who), sort, after, limit)
        keys = await then.connection.fetch(text, *arguments)
        rows = await then.rows([key["id"] for key in keys])
        as_agent = {key["id"] for key in keys if visible.everything or key["queue_now"] in visible.queues}
        records = await then.records([row for row in rows.values() if row.id in as_agent], for_customers=False)
        own = await then.with_own_customers([row for row in rows.values() if row.id not in as_agent], visible)
        records |= await then.records(own, for_customers=True)
        page = [records[key["id"]] for key in keys]
        titles = await then.linked_titles(page)
    return page, await shown_then(reader, who, moment, page, titles, as_agent)


async def count_then(reader: TicketReader, who: Identity, moment: Moment, filters: Filters) -> int:
    """How many tickets the list had, of those that somebody may see today; at most one more than MOST_COUNTED."""
    visible = scope(who, reader.directory.queues)
    async with past(reader.pool, moment) as then:
        text, values = count_statement(visible, _unchanged(then, filters))
        same: int = await then.connection.fetchval(text, *values)
        arguments = Arguments()
        most = MOST_COUNTED + 1
        parts = (
            f"(SELECT FROM {part} LIMIT {most})"
            for part in _former(then, arguments, visible, filters, _known(reader, who))
        )
        found = f"SELECT count(*) FROM ({' UNION ALL '.join(parts)}) AS t"
        former: int = await then.connection.fetchval(found, *arguments.values)
    return min(same + former, most)


def keys_statement(
    then: Past,
    visible: Scope,
    filters: Filters,
    known: Collection[UUID] | None,
    sort: str,
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[str, list[Any]]:
    """The statement for the ids on a page, each with the queue in which the ticket is today; and its arguments.

    Tickets that have not changed since come from the live list, in the order of its indexes. All others come from their
    former rows.
    """
    order = ORDERS[sort]
    live, values = statement(visible, _unchanged(then, filters), sort, after, limit)
    arguments = Arguments(values)
    keys = ", ".join(f"t.{column}" for column in dict.fromkeys(("id", *(column for column, _ in order))))
    ordered = ordering(order)
    rest = f" AND {behind(arguments, order, after)}" if after is not None else ""
    parts = [
        f"SELECT {keys}, t.queue_id AS queue_now FROM ({live}) AS t",
        *(
            f"(SELECT {keys}, now.queue_id AS queue_now FROM {part}{rest} ORDER BY {ordered} LIMIT {int(limit)})"
            for part in _former(then, arguments, visible, filters, known)
        ),
    ]
    found = " UNION ALL ".join(parts)
    return f"SELECT t.id, t.queue_now FROM ({found}) AS t ORDER BY {ordered} LIMIT {int(limit)}", arguments.values


def _unchanged(then: Past, filters: Filters) -> Filters:
    """The filters for what the live list has of the moment."""
    return replace(filters, unchanged_since=then.moment.at, without=then.own.id if then.own is not None else None)


def _known(reader: TicketReader, who: Identity) -> Collection[UUID] | None:
    """The queues that an agent may know of; None: all."""
    return None if who.is_admin else reader.known_queues(who)


def _former(
    then: Past, arguments: Arguments, visible: Scope, filters: Filters, known: Collection[UUID] | None
) -> list[str]:
    """What follows FROM for all other rows `t`: those that an agent sees today, and those that a customer sees.

    A filter finds nothing by what is not shown: a queue that the agent may not know of, or another customer.
    """
    conditions = ["t.state_type <> 'removed'", *conditions_of(arguments, filters)]
    found: list[str] = []
    for role in _allowed_today(then, arguments, visible):
        where = [role.allowed, *conditions]
        if filters.queues is not None:
            hidden = role.as_agent and known is not None
            wanted = [queue for queue in filters.queues if not hidden or queue in (known or ())]
            where.append(f"t.queue_id = ANY({arguments.add(wanted, 'uuid[]')})")
        if not role.as_agent and (filters.customers or filters.addresses or filters.columns.company):
            where.append(_own(arguments, visible, "t"))
        found.append(f"({role.rows}) AS t JOIN desk.tickets now ON now.id = t.id WHERE {' AND '.join(where)}")
    return found


class _Role(NamedTuple):
    """A condition on a ticket's row `now` of today that allows somebody to see it, as an agent or as a customer, and
    the former rows that they then see."""

    allowed: str
    rows: str
    as_agent: bool


def _allowed_today(then: Past, arguments: Arguments, visible: Scope) -> list[_Role]:
    if visible.everything:
        return [_Role("true", then.all_former(arguments, COLUMNS), as_agent=True)]
    in_queues = f"now.queue_id = ANY({arguments.add(list(visible.queues), 'uuid[]')})"
    own = _own(arguments, visible, "now")
    kept = "now.state_type <> 'removed'"
    of_customers = then.former(arguments, COLUMNS, for_customers=True)
    found = [_Role(f"{kept} AND NOT {in_queues} AND {own}", of_customers, as_agent=False)]
    if visible.queues:
        found.append(_Role(f"{kept} AND {in_queues}", then.all_former(arguments, COLUMNS), as_agent=True))
    return found


def _own(arguments: Arguments, visible: Scope, row: str) -> str:
    """Whether a ticket's row is one of the person as a customer, or of their company."""
    own = f"{row}.customer_id = ANY({arguments.add(list(visible.customers), 'uuid[]')})"
    if visible.company is None:
        return own
    return f"({own} OR {row}.company = {arguments.add(visible.company, 'text')})"
