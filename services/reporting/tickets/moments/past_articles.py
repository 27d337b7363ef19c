"""`GET /tickets/{ref}/articles?as_of=`: the articles that a ticket showed at a moment."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.reporting.tickets.events.registry import change
from services.reporting.tickets.moments.folding import recorded
from services.reporting.tickets.moments.moment import Moment
from services.reporting.tickets.moments.past import Past, past
from services.reporting.tickets.read_model.article_rows import Article
from services.reporting.tickets.read_model.ticket_row import TicketRow
from services.reporting.tickets.ticket_reader import FoundTicket, TicketReader
from shared.http import problems

ARTICLES = """
SELECT a.*, t.number AS ticket_number
  FROM unnest($5::uuid[], $6::integer[]) AS merged(id, articles)
  JOIN desk.tickets t ON t.id = merged.id
 CROSS JOIN LATERAL (
        SELECT *
          FROM {articles} a
         WHERE a.ticket_id = merged.id AND a.number <= merged.articles
           AND a.created_at >= $1 AND (a.created_at, a.ticket_id, a.number) > ($1, $2, $3)
         ORDER BY a.created_at, a.number
         LIMIT $4) AS a
 ORDER BY a.created_at, a.ticket_id, a.number
 LIMIT $4
"""
ABOUT_DELIVERY = "(h.source = 'notify' OR h.type LIKE 'helpdesk.AutomaticMailReceived.%')"
"""The events that say what became of a mail."""
Position = tuple[datetime, UUID, int]


async def articles_then(
    reader: TicketReader, found: FoundTicket, moment: Moment, after: Position, limit: int
) -> tuple[list[asyncpg.Record], dict[UUID, str | None]]:
    """The first `limit` articles behind a position, with those of tickets that were merged into this one; and what was
    known of the delivery of those that have another one now.

    Raises Problem 404 if the ticket did not exist yet.
    """
    async with past(reader.pool, moment) as then:
        merged = await then.with_merged(found.row["id"])
        if found.row["id"] not in merged:
            raise problems.not_found()
        statement = ARTICLES.format(articles=found.articles)
        last = [counted.articles for counted in merged.values()]
        rows = await then.connection.fetch(statement, *after, limit, list(merged), last)
        return rows, await _deliveries(then, rows)


async def _deliveries(then: Past, articles: Sequence[asyncpg.Record]) -> dict[UUID, str | None]:
    """What was known then of the delivery of these articles, for those whose tickets have changed since.

    The rows of articles hold what is known now.
    """
    counts = {
        ticket: counted.events
        for ticket, counted in (await then.counts({article["ticket_id"] for article in articles})).items()
        if not counted.unchanged
    }
    rows = {ticket: TicketRow(id=ticket) for ticket in counts}
    for article in articles:
        if (row := rows.get(article["ticket_id"])) is not None:
            row.articles.append(_not_delivered(article))
    async for event in recorded(then.connection, counts, {}, ABOUT_DELIVERY):
        change(event.payload, rows[event.stream], event)
    # A mail that nobody wrote is there twice: the second one is what its event has added.
    return {article.id: article.delivery for row in rows.values() for article in row.articles}


def _not_delivered(article: asyncpg.Record) -> Article:
    """An article before anything was known of its delivery: only what finds it again."""
    return Article(
        ticket_id=article["ticket_id"],
        id=article["id"],
        number=article["number"],
        created_at=article["created_at"],
        sender="",
        channel="",
        subject="",
        text="",
        author=None,
        people={},
    )
