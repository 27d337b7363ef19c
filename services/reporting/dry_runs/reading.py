"""Reads the history for a dry run.

Tickets come in the order of their ids, a page at a time, each page in statements of its own. So neither memory nor the
time of a statement depends on how much there is, and no snapshot is held open.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from services.reporting.dry_runs.replay import CAUSED, PERSONS, TYPES, WITH_MESSAGES, PastEvent, Told, Wanted
from services.reporting.tickets.moments.folding import payload_of
from shared.automation.happenings import types_of
from shared.contracts.envelope import Actor
from shared.database import OwnConnection

PAGE_TICKETS = 1_000
EVENTS_AT_ONCE = 20_000
"""Events in one statement, unless a single ticket has more."""
PREFETCHED = 200
"""Events in memory at a time; the text of one may have 64 kB."""
WHOLE_TEXT = 1_000_000
BEGINNING = 100
"""Letters of a text that no condition looks at."""
OUTAGE = timedelta(days=1)
"""How long the desk may have been down: what came in before the end of a time, it may have taken up so much later."""
FIRST = UUID(int=0)

Numbers = Mapping[UUID, int]
"""Tickets worth reading, each with the number of its last event that matters."""

PAGE = """
SELECT id, updated_at >= $3 AND created_at < $4 AS touched
  FROM desk.tickets
 WHERE id > $1
 ORDER BY id
 LIMIT $2
"""
"""The next tickets, and whether anything can have happened to them in the time."""
HAPPENED = """
SELECT h.ticket_id, max(h.number) AS number
  FROM desk.history h
  JOIN unnest($2::text[], $3::timestamptz[]) AS wanted(type, until) ON wanted.type = h.type AND h.at < wanted.until
 WHERE h.ticket_id = ANY($1) AND h.at >= $4
 GROUP BY h.ticket_id
"""
"""Of these tickets those with one of these events, each before its time, and the number of the last of them."""
LEFT_ALONE = """
SELECT h.ticket_id, max(h.number) AS number
  FROM desk.history h
 WHERE h.ticket_id = ANY($1) AND h.at < $4
 GROUP BY h.ticket_id
HAVING bool_or(h.source = 'routing' AND h.at >= $2 AND h.at < $3 AND (h.actor_kind = ANY($5) OR h.type = ANY($6)))
"""
"""Of these tickets those on which a person acted in a time, and the number of their last event before the end."""
EVENTS = """
SELECT h.ticket_id, h.id, h.type, h.at, h.actor_kind, h.actor_id, h.cause,
       CASE WHEN h.type = ANY($3) THEN h.data END AS data,
       told.id AS told_id, told.type AS told_type, told.at AS told_at, told.data AS told_data,
       a.id AS article_id, a.channel, a.people, a.written_at, a.reading_notes, a.subject,
       left(a.text, $7) AS text, left(a.new_text, $7) AS new_text, left(a.html, 1) AS html
  FROM unnest($1::uuid[], $2::integer[]) AS wanted(ticket_id, number)
  JOIN desk.history h ON h.ticket_id = wanted.ticket_id AND h.number <= wanted.number
  LEFT JOIN LATERAL (SELECT h.id, h.type, h.at, h.data, h.ticket_id, h.article
                      WHERE h.type = ANY($4)
                      UNION ALL
                     SELECT c.id, c.type, c.at, c.data, c.ticket_id, c.article
                       FROM desk.history c
                      WHERE c.id = h.cause AND h.type = ANY($5)
                      LIMIT 1) AS told ON h.at >= $6
  LEFT JOIN desk.articles a ON a.ticket_id = told.ticket_id AND a.number = told.article
 WHERE h.source = 'routing'
 ORDER BY h.ticket_id, h.number
"""
"""Routing's events of tickets up to a number, with the data of those types ($3) that change what conditions look at.

`told`: the event with what was written, since $6: the event itself ($4), or the one that caused it ($5). Of texts so
many letters ($7).
"""
TITLES = "SELECT id, number, title FROM desk.tickets WHERE id = ANY($1)"
EDGES = """
SELECT (SELECT id FROM desk.tickets ORDER BY id LIMIT 1) AS first,
       (SELECT id FROM desk.tickets ORDER BY id DESC LIMIT 1) AS last
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Some tickets: how many were looked at, the last of them, and those that are worth reading."""

    read: int
    last: UUID
    numbers: Numbers

    def parts(self) -> Iterator[Numbers]:
        """The tickets worth reading, in parts with a bounded number of events."""
        part: dict[UUID, int] = {}
        events = 0
        for ticket, number in self.numbers.items():
            if part and events + number > EVENTS_AT_ONCE:
                yield part
                part, events = {}, 0
            part[ticket] = number
            events += number
        if part:
            yield part


async def pages(connection: OwnConnection, wanted: Wanted) -> AsyncIterator[Page]:
    """All tickets. A page that takes too long is tried again as a shorter one."""
    after, size = FIRST, PAGE_TICKETS
    while True:
        try:
            rows = await connection.fetch(PAGE, after, size, wanted.looked_from, wanted.end)
            touched = [row["id"] for row in rows if row["touched"]]
            numbers = await _numbers(connection, wanted, touched) if touched else {}
        except asyncpg.QueryCanceledError:
            if size == 1:
                raise
            size = max(1, size // 4)
            continue
        if not rows:
            return
        after = rows[-1]["id"]
        yield Page(len(rows), after, numbers)


async def _numbers(connection: OwnConnection, wanted: Wanted, tickets: list[UUID]) -> Numbers:
    rows: list[asyncpg.Record] = []
    if types := list(types_of(wanted.on)):
        untils = [wanted.end + OUTAGE if each in CAUSED else wanted.end for each in types]
        rows += await connection.fetch(HAPPENED, tickets, types, untils, wanted.start)
    if wanted.idle is not None:
        since, until = wanted.looked_from, wanted.end - wanted.idle
        rows += await connection.fetch(LEFT_ALONE, tickets, since, until, wanted.end, list(PERSONS), list(CAUSED))
    numbers: dict[UUID, int] = {}
    for row in rows:
        numbers[row["ticket_id"]] = max(row["number"], numbers.get(row["ticket_id"], 0))
    return numbers


async def events(connection: OwnConnection, wanted: Wanted, numbers: Numbers) -> AsyncGenerator[tuple[UUID, PastEvent]]:
    """The events of tickets up to these numbers, each ticket's in their order."""
    types = types_of(wanted.on)
    arguments = (
        list(numbers),
        list(numbers.values()),
        list(TYPES),
        list(types & WITH_MESSAGES),
        list(CAUSED if wanted.idle is not None else types & CAUSED),
        wanted.looked_from,
        WHOLE_TEXT if wanted.reads_texts else BEGINNING,
    )
    async with connection.transaction(readonly=True):
        async for row in connection.cursor(EVENTS, *arguments, prefetch=PREFETCHED):
            yield row["ticket_id"], _past_event(row)


def _past_event(row: asyncpg.Record) -> PastEvent:
    data = row["data"]
    told = None
    if row["told_id"] is not None:
        told = Told(row["told_id"], row["told_at"], payload_of(row["told_type"], row["told_data"], row))
    return PastEvent(
        id=row["id"],
        type=row["type"],
        at=row["at"],
        actor=Actor(row["actor_kind"], row["actor_id"]),
        cause=row["cause"],
        payload=None if data is None else payload_of(row["type"], data),
        told=told,
    )
