"""`GET /tickets/{ref}?as_of=` and its history: one ticket as it was at a moment."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.reporting.tickets.moments.moment import Moment
from services.reporting.tickets.moments.past import Past, past
from services.reporting.tickets.read_model.ticket_row import TicketRow
from services.reporting.tickets.ticket_list import Arguments
from services.reporting.tickets.ticket_reader import FoundTicket, TicketReader
from services.reporting.visibility import Scope, scope
from shared.http import problems
from shared.rules.access import Identity

OPEN_TICKETS = """
SELECT count(*)
  FROM (SELECT 1
          FROM {then} AS t
          JOIN desk.tickets now ON now.id = t.id
         WHERE t.customer_id = ANY({customer})
           AND t.state_type IN ('new', 'open', 'pending_reminder', 'pending_auto_close')
           AND ({everything}
                OR (now.state_type <> 'removed'
                    AND (now.queue_id = ANY({queues}) OR now.customer_id = ANY({own}) OR now.company = {company})))
         LIMIT 1000) AS waiting
"""


async def ticket_then(reader: TicketReader, who: Identity, found: FoundTicket, moment: Moment) -> dict[str, Any]:
    """A ticket as the API showed it then; `found` is the ticket of today. Problem 404 if it did not exist yet."""
    visible = scope(who, reader.directory.queues)
    customer = found.row["customer_id"]
    known_as = await reader.directory.known_as(customer)
    async with past(reader.pool, moment) as then:
        rows: Collection[TicketRow] = (await then.rows([found.row["id"]])).values()
        if not found.as_agent:
            rows = await then.with_own_customers(rows, visible)
        records = await then.records(rows, for_customers=not found.as_agent)
        row = records.get(found.row["id"])
        if row is None or (not found.as_agent and row["state_type"] == "removed"):
            raise problems.not_found()
        merged = (await then.with_merged(row["id"])).values()
        titles = await then.linked_titles([row])
        open_tickets = await _open_tickets(then, known_as, visible)
    if row["customer_id"] != customer:
        known_as = await reader.directory.known_as(row["customer_id"])
        async with past(reader.pool, moment) as then:
            open_tickets = await _open_tickets(then, known_as, visible)
    (shown,) = await shown_then(reader, who, moment, [row], titles, {row["id"]} if found.as_agent else ())
    shown["article_count"] = sum(each.articles if found.as_agent else each.public_articles for each in merged)
    shown["customer"]["open_tickets"] = open_tickets
    return shown


async def shown_then(
    reader: TicketReader,
    who: Identity,
    moment: Moment,
    rows: Sequence[asyncpg.Record],
    titles: Mapping[UUID, str],
    as_agent: Collection[UUID],
) -> list[dict[str, Any]]:
    """Tickets of a moment as the API shows them: with the people, queues and states of today, and with nothing that
    could be done. `titles`: those that linked tickets had.

    `as_agent`: the tickets that the person reads as an agent. Where one of these was in a queue that they may not know
    of, it has none. A customer may know where their ticket was.
    """
    known = reader.known_queues(who)
    presenter = await reader.presenter(who, rows, moment.at)
    items = [presenter.ticket(row) | {"allowed": []} for row in rows]
    await reader.show_other_tickets(who, list(zip(rows, items, strict=True)))
    for row, item in zip(rows, items, strict=True):
        if not who.is_admin and row["id"] in as_agent and row["queue_id"] not in known:
            item["queue"] = None
    for ticket in (link["ticket"] for item in items for link in item["links"]):
        ticket["title"] = titles.get(UUID(ticket["id"]), ticket["title"])
    return items


async def events_then(reader: TicketReader, ticket: UUID, moment: Moment) -> int:
    """How many events a ticket had. Raises Problem 404 if it did not exist yet."""
    async with past(reader.pool, moment) as then:
        counted = (await then.counts([ticket])).get(ticket)
    if counted is None:
        raise problems.not_found()
    return counted.events


async def _open_tickets(then: Past, customer: Sequence[UUID], visible: Scope) -> int:
    """How many open tickets a customer had, of those that somebody may see today."""
    arguments = Arguments()
    statement = OPEN_TICKETS.format(
        then=then.source(arguments, ("id", "customer_id", "state_type")),
        customer=arguments.add(list(customer), "uuid[]"),
        everything=arguments.add(visible.everything, "boolean"),
        queues=arguments.add(list(visible.queues), "uuid[]"),
        own=arguments.add(list(visible.customers), "uuid[]"),
        company=arguments.add(visible.company, "text"),
    )
    count: int = await then.connection.fetchval(statement, *arguments.values)
    return count
