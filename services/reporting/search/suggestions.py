"""What somebody may mean as they type: tickets by title and number, tags, and customers' addresses.

All of them come from the search for the beginnings of words, so that nobody is suggested what they may not see.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.reporting.search.query.finder import COUNTED
from services.reporting.search.ticket_search import TicketSearch
from services.reporting.tickets.list_query import FilterQuery
from services.reporting.visibility import Scope, scope
from shared.rules.access import Identity

MOST_WORDS = 8
"""Typed words that count."""
LENGTH = 16
"""Digits of a ticket's number."""
FEWEST_DIGITS = 4
"""Nearly every number begins with fewer digits alike."""
NUMBERS = """
SELECT id, number, title
  FROM {table} t
 WHERE t.number BETWEEN $1 AND $2 AND t.state_type <> 'removed' AND {may_see}
 ORDER BY t.number DESC
 LIMIT $3
"""
AS_AGENT = "($4 OR t.queue_id = ANY($5::uuid[]))"
AS_CUSTOMER = "(t.customer_id = ANY($4::uuid[]) OR t.company = $5)"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`label` is what to show; `detail` tells it from others of the same label."""

    id: str
    label: str
    detail: str


class Suggestions:
    """Each method gives at most `limit` suggestions. `who` is recognised (`DirectoryCopy.recognised`)."""

    def __init__(self, search: TicketSearch) -> None:
        self.search = search

    async def tickets(self, who: Identity, text: str, limit: int) -> list[Suggestion]:
        """Tickets whose number begins with the text; then those whose title has words that begin so, newest first."""
        found = await self._by_number(who, text, limit) if text.isascii() and text.isdigit() else []
        for row in await self._rows(who, "title", text, limit):
            found.append(Suggestion(str(row["id"]), row["title"], row["number"]))
        return list({each.id: each for each in found}.values())[:limit]

    async def tags(self, who: Identity, text: str, limit: int) -> list[Suggestion]:
        """Tags of the newest tickets of which a word begins so."""
        if not who.is_agent:
            return []
        wanted = text.casefold()
        found = await self._values(who, "tag", text, lambda row: row["tags"])
        return [Suggestion(tag, tag, "") for tag in found if wanted in tag.casefold()][:limit]

    async def addresses(self, who: Identity, text: str, limit: int) -> list[Suggestion]:
        """Addresses of the customers of the newest tickets whose address or name begins so."""
        if not who.is_agent:
            return []
        names: dict[str, str] = {}
        for row in await self._rows(who, "customer", text, COUNTED):
            names.setdefault(row["customer_email"], row["customer_name"])
        return [Suggestion(email, email, name) for email, name in names.items() if email][:limit]

    async def _by_number(self, who: Identity, digits: str, limit: int) -> list[Suggestion]:
        if not FEWEST_DIGITS <= len(digits) <= LENGTH:
            return []
        span = digits.ljust(LENGTH, "0"), digits.ljust(LENGTH, "9")
        visible = scope(who, self.search.reader.directory.queues)
        rows: list[asyncpg.Record] = []
        for table, may_see, arguments in _sources(visible):
            statement = NUMBERS.format(table=table, may_see=may_see)
            rows += await self.search.reader.pool.fetch(statement, *span, limit, *arguments)
        return [Suggestion(str(row["id"]), row["title"], row["number"]) for row in rows]

    async def _values(
        self, who: Identity, attribute: str, text: str, of: Callable[[asyncpg.Record], Sequence[str]]
    ) -> list[str]:
        rows = await self._rows(who, attribute, text, COUNTED)
        return list(dict.fromkeys(value for row in rows for value in of(row)))

    async def _rows(self, who: Identity, attribute: str, text: str, limit: int) -> list[asyncpg.Record]:
        """The newest tickets that have, in this attribute, words that begin like each of the typed ones."""
        typed = [word for word in text.replace('"', " ").split() if word][:MOST_WORDS]
        q = " ".join(f'{attribute}:"{word}"*' for word in typed)
        asked = await self.search.asked(q, FilterQuery(), "-created_at", who)
        if asked.question.is_blank or asked.question.is_empty:
            return []
        hits = (await self.search.find(asked, None, limit)).hits
        rows = await self.search.rows([hit.ticket for hit in hits], who)
        return [rows[hit.ticket].row for hit in hits if hit.ticket in rows]


def _sources(visible: Scope) -> list[tuple[str, str, tuple[bool, list[UUID]] | tuple[list[UUID], str | None]]]:
    """The tables in which a person finds tickets, the condition of what they may see there, and its arguments."""
    found: list[tuple[str, str, tuple[bool, list[UUID]] | tuple[list[UUID], str | None]]] = []
    if visible.everything or visible.queues:
        found.append(("desk.tickets", AS_AGENT, (visible.everything, list(visible.queues))))
    if not visible.everything:
        found.append(("desk.customer_tickets", AS_CUSTOMER, (list(visible.customers), visible.company)))
    return found
