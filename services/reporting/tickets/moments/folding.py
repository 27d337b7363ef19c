"""Rows of tickets after a number of their events, folded from the history by the code that folds them live."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast
from uuid import UUID

import asyncpg

from services.reporting.tickets.events.fold import fold_columns
from services.reporting.tickets.read_model.deduplication import ARTICLE_COLUMNS, with_article
from services.reporting.tickets.read_model.former_rows import SNAPSHOT_EVENTS
from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, TicketRow
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event, Unknown, registered
from shared.database import Connection

PREFETCHED = 100
"""Events in memory at a time: one may have 700 kB."""
SNAPSHOTS = """
SELECT s.*
  FROM unnest($1::uuid[], $2::integer[]) AS wanted(id, events)
 CROSS JOIN LATERAL (
        SELECT *
          FROM desk.snapshots s
         WHERE s.id = wanted.id AND s.event_count <= wanted.events
         ORDER BY s.event_count DESC
         LIMIT 1) AS s
"""
# Of texts only the first letter: nothing in a ticket's row is made from them, and those of a page would be much.
EVENTS = """
SELECT h.ticket_id, h.id, h.cause, h.at, h.version, h.source, h.type, h.actor_kind, h.actor_id, h.data,
       a.id AS article_id, a.channel, a.people, a.written_at, a.reading_notes, a.subject,
       left(a.text, 1) AS text, left(a.new_text, 1) AS new_text, left(a.html, 1) AS html
  FROM unnest($1::uuid[], $2::integer[], $3::integer[]) AS wanted(id, after, events)
  JOIN desk.history h ON h.ticket_id = wanted.id AND h.number > wanted.after AND h.number <= wanted.events
  LEFT JOIN desk.articles a ON a.ticket_id = h.ticket_id AND a.number = h.article
 WHERE {condition}
 ORDER BY h.ticket_id, h.number
"""


async def folded(connection: Connection, counts: Mapping[UUID, int]) -> dict[UUID, TicketRow]:
    """The row of each of these tickets after so many of its events. Needs a transaction.

    Each fold starts at the ticket's last snapshot, so that it is short however long the history is.
    """
    rows: dict[UUID, TicketRow] = {}
    long = {ticket: count for ticket, count in counts.items() if count >= SNAPSHOT_EVENTS}
    if long:
        for record in await connection.fetch(SNAPSHOTS, list(long), list(long.values())):
            rows[record["id"]] = TicketRow(**TICKETS_TABLE.fields(record), is_new=False)
    after = {ticket: row.event_count for ticket, row in rows.items()}
    async for event in recorded(connection, counts, after):
        row, _ = fold_columns(rows.get(event.stream), event)
        row.seen[event.producer] = (event.version, event.id)
        rows[event.stream] = row
    return rows


async def recorded(
    connection: Connection, counts: Mapping[UUID, int], after: Mapping[UUID, int], condition: str = "true"
) -> AsyncIterator[Recorded]:
    """The events of tickets up to these numbers, with the first letters of their articles' texts. Needs a transaction.

    `after`: leaves out a ticket's events up to this number. `condition`: SQL about the history's row `h`.
    """
    if not counts:
        return
    statement = EVENTS.format(condition=condition)
    first = [after.get(ticket, 0) for ticket in counts]
    arguments = list(counts), first, list(counts.values())
    if sum(arguments[2]) - sum(first) <= PREFETCHED:
        for row in await connection.fetch(statement, *arguments):
            yield _recorded(row)
        return
    async for row in connection.cursor(statement, *arguments, prefetch=PREFETCHED):
        yield _recorded(row)


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(
        id=row["id"],
        type=row["type"],
        source=f"/services/{row['source']}",
        stream=row["ticket_id"],
        version=row["version"],
        time=row["at"],
        recorded_at=row["at"],
        correlation_id=row["id"],
        causation_id=row["cause"],
        actor=Actor(row["actor_kind"], row["actor_id"]),
        traceparent=None,
        payload=payload_of(row["type"], row["data"], row),
    )


def payload_of(type_name: str, data: dict[str, Any], article: asyncpg.Record | None = None) -> Event:
    """The payload of an event of the history, with what its article holds: the columns ARTICLE_COLUMNS, with
    `article_id` for `id`; null if the event has none."""
    if article is not None and article["article_id"] is not None:
        data = with_article(data, {name: article["article_id" if name == "id" else name] for name in ARTICLE_COLUMNS})
    cls = registered(type_name)
    # The history holds an event in its newest version: no upcaster may see it again.
    return Unknown(data=data) if cls is None else cast("Event", cls.__pydantic_validator__.validate_python(data))
