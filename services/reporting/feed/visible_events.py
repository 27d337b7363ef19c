"""The events that somebody may see, from a place on: rights are those of this moment, for each event."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.reporting.feed.cloud_events import basic, whole
from services.reporting.feed.feed import LIVE, Feed, Page
from services.reporting.feed.follower import Moved
from services.reporting.feed.for_customers import TYPES, data_for_customers, shown_to_customers
from services.reporting.feed.merging import Change
from services.reporting.feed.place import Place
from services.reporting.tickets.hidden_references import QUEUE_KEYS, tickets_named, without_hidden
from services.reporting.tickets.presentation import event_data
from services.reporting.tickets.read_model.deduplication import ARTICLE_COLUMNS
from services.reporting.tickets.ticket_reader import OTHERS, TicketReader
from services.reporting.visibility import ticket_facts
from shared.contracts.event import parse
from shared.contracts.routing import TicketSplit
from shared.rules.access import Access, Identity, may

ROWS = f"""
SELECT h.*, ({LIVE}) AS generation, a.internal AS article_internal, {", ".join(f"a.{column} AS article_{column}" for column in ARTICLE_COLUMNS)}
  FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS k(ticket_id, number, n)
  JOIN desk.history h USING (ticket_id, number)
  LEFT JOIN desk.articles a ON a.ticket_id = h.ticket_id AND a.number = h.article
 ORDER BY k.n
"""
TICKETS = f"""
SELECT t.id, t.number, t.title, t.queue_id, t.customer_id, t.company, t.state_type, ({LIVE}) AS generation
  FROM desk.tickets t
 WHERE t.id = ANY($1)
"""
MOST_READ = 4_000
"""Changes that one request looks at. Somebody who may see little of the log needs several requests to get through."""
MOST_AT_ONCE = 1_000
AT_ONCE = 32
"""Rows with texts in one statement: each may have a megabyte."""
MOST_BYTES = 4 << 20
"""A page ends when its events have this size together, so that no page takes much memory."""
MOST_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for which events, and for how many at most. No `types`: all."""

    who: Identity
    limit: int
    types: frozenset[str]

    def of_type(self, change: Change) -> bool:
        return not self.types or change.type in self.types


@dataclass(frozen=True, slots=True)
class Found:
    """`place`: after everything that was looked at. `at_end`: there is no more now."""

    events: Sequence[dict[str, Any]]
    place: Place
    at_end: bool


class _Promoted(Exception):
    """Another generation has become live since the page was read."""


class VisibleEvents:
    def __init__(self, feed: Feed, reader: TicketReader) -> None:
        self.feed, self.reader = feed, reader
        self._tickets_of: OrderedDict[int, Sequence[asyncpg.Record]] = OrderedDict()

    async def after(self, place: Place, asked: Asked) -> Found:
        """The events after a place. Raises UnknownPlace."""
        events: list[dict[str, Any]] = []
        size = looked_at = 0
        at_once = asked.limit
        while True:
            page = await self.feed.changes(place, at_once)
            try:
                async for change, after, event in self._of_page(page, asked):
                    events.append(event)
                    size += len(orjson.dumps(event))
                    place = after
                    if len(events) == asked.limit or size >= MOST_BYTES:
                        last = page.at_end and change is page.changes[-1][0]
                        return Found(events, page.place if last else after, last)
            except _Promoted:
                continue
            place = page.place
            looked_at += len(page.changes)
            if page.at_end or looked_at >= MOST_READ:
                return Found(events, place, page.at_end)
            at_once = min(2 * at_once, MOST_AT_ONCE)

    async def _of_page(self, page: Page, asked: Asked) -> AsyncIterator[tuple[Change, Place, dict[str, Any]]]:
        """What the person may see of a page. Raises _Promoted; what was given until then is right."""
        changes = [(change, after) for change, after in page.changes if asked.of_type(change)]
        if not changes:
            return
        rows = await self.reader.pool.fetch(TICKETS, list({change.ticket for change, _ in changes}))
        _must_be_of(page, rows)
        tickets = {row["id"]: row for row in rows if self.reader.may_see(asked.who, row)}
        seen = [(change, after) for change, after in changes if self._is_seen(change, tickets, asked.who)]
        for first in range(0, len(seen), AT_ONCE):
            some = seen[first : first + AT_ONCE]
            shown = await self._shown(page, [change for change, _ in some], tickets, asked.who)
            for change, after in some:
                if change.id in shown:
                    yield change, after, shown[change.id]

    async def concerns(self, moved: Iterable[Moved], asked: Asked) -> bool:
        """Whether there may be something for this person in it. All who wait share one query for each move."""
        for each in moved:
            changes = [change for change in self._changes(each) if asked.of_type(change)]
            if not changes:
                continue
            rows = {row["id"]: row for row in await self._tickets(each)}
            tickets = {ticket: row for ticket, row in rows.items() if self.reader.may_see(asked.who, row)}
            if any(self._is_seen(change, tickets, asked.who) for change in changes):
                return True
        return False

    def _is_seen(self, change: Change, tickets: dict[UUID, asyncpg.Record], who: Identity) -> bool:
        row = tickets.get(change.ticket)
        return row is not None and (change.type in TYPES or self.reader.is_agent_for(who, row))

    async def _shown(
        self, page: Page, changes: Sequence[Change], tickets: dict[UUID, asyncpg.Record], who: Identity
    ) -> dict[UUID, dict[str, Any]]:
        """The events of these changes, without what the person may not know of."""
        keys = [change.ticket for change in changes], [change.number for change in changes]
        rows = await self.reader.pool.fetch(ROWS, *keys)
        _must_be_of(page, rows)
        data = {row["id"]: event_data(row) for row in rows}
        named = {ticket for each in data.values() for ticket in tickets_named(each)}
        others = await self.reader.pool.fetch(OTHERS, list(named - tickets.keys())) if named else []
        known_tickets = {*tickets, *(row["id"] for row in others if self.reader.may_see(who, row))}
        unheard = named - tickets.keys() - {row["id"] for row in others}
        known_queues = self.reader.known_queues(who)
        shown: dict[UUID, dict[str, Any]] = {}
        for row in rows:
            event = data[row["id"]]
            if who.is_admin:
                shown[row["id"]] = whole(row, event)
            elif self.reader.is_agent_for(who, tickets[row["ticket_id"]]):
                coming = self._coming(row["type"], event, unheard, who)
                shown[row["id"]] = whole(row, without_hidden(event, known_tickets | coming, known_queues))
            elif shown_to_customers(row["type"], row["article_internal"]):
                kept = data_for_customers(row["type"], event, row["article_internal"])
                if "customer" in kept and not _is_own(kept["customer"], who):
                    kept["customer"] = None  # the ticket was somebody else's before
                queues = set(_queues_in(kept))
                shown[row["id"]] = basic(row) | {"data": without_hidden(kept, known_tickets, queues)}
        return shown

    def _coming(self, type_name: str, data: dict[str, Any], unheard: Collection[UUID], who: Identity) -> set[UUID]:
        """The ticket that a split makes, if the person will see it: it is not opened yet when the split is told.

        `unheard`: the tickets named that the read model does not have.
        """
        split = parse(type_name, data) if unheard else None
        if not isinstance(split, TicketSplit) or split.into not in unheard:
            return set()
        facts = ticket_facts(split.queue.id, split.customer.id, split.customer.company, self.reader.directory.queues)
        return {split.into} if may(who, "read", facts) is Access.ALLOWED else set()

    async def _tickets(self, moved: Moved) -> Sequence[asyncpg.Record]:
        found = self._tickets_of.get(moved.number)
        if found is None:
            wanted = {change.ticket for change in self._changes(moved)}
            found = self._tickets_of[moved.number] = await self.reader.pool.fetch(OTHERS, list(wanted))
            while len(self._tickets_of) > MOST_REMEMBERED:
                self._tickets_of.popitem(last=False)
        return found

    @staticmethod
    def _changes(moved: Moved) -> list[Change]:
        return [change for change, _ in moved.changes or ()]


def _must_be_of(page: Page, rows: Sequence[asyncpg.Record]) -> None:
    """Raises _Promoted if the rows are not from the generation that shows the page; it has all of them."""
    if not rows or any(row["generation"] != page.generation for row in rows):
        raise _Promoted


def _is_own(customer: Mapping[str, Any], who: Identity) -> bool:
    """Whether a customer may know of another one: themselves, or somebody of their company."""
    company = customer.get("company")
    return who.is_customer(UUID(customer["id"])) or (company is not None and company == who.company)


def _queues_in(kept: Mapping[str, Any]) -> Iterator[UUID]:
    """The queues that the allowed fields name: the ticket is or was there, which its customer may know."""
    for part in kept.values():
        if isinstance(part, dict) and part.keys() == QUEUE_KEYS:
            yield UUID(part["id"])
