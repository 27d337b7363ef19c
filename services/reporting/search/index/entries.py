"""What the index holds of tickets, from their rows in the read model `desk`: a pure function of those rows.

Merges, moves, new titles and what is undone need no code of their own: whatever happened, the rows are read again.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from services.reporting.search.index.file import Entry
from services.reporting.search.index.schema import HAS_INSIDE, KEYS, ROW_COLUMNS, inside, stored
from services.reporting.search.text.language import Guess, language_of
from services.reporting.search.text.words import BOUNDARY, fold, indexed, words
from shared import addresses
from shared.database import Connection

FIELD_MARK = "\ue000"
"""Stands between the slug of a field and a word of its value."""
MOST_TEXT = 4_000_000
"""Characters of a ticket's articles that are indexed, the oldest first. Of an article it is what its event holds, at
most 64 kB: the whole of a longer one is in a blob."""

FAMILIES = """
WITH RECURSIVE up(id, into_id) AS (
    SELECT t.id, t.merged_into_id FROM desk.tickets t WHERE t.id = ANY($1)
     UNION
    SELECT t.id, t.merged_into_id
      FROM up
     CROSS JOIN LATERAL (SELECT id, merged_into_id FROM desk.tickets WHERE id = up.into_id OFFSET 0) AS t
), living AS (
    SELECT id FROM up WHERE into_id IS NULL
), family(id, living) AS (
    SELECT id, id FROM living
     UNION
    SELECT t.id, f.living
      FROM family f
     CROSS JOIN LATERAL (SELECT id FROM desk.tickets WHERE merged_into_id = f.id OFFSET 0) AS t
)
SELECT id, living FROM family
"""
# OFFSET 0: the planner expects so many merged tickets that it would read the whole table for a round, and not the index.
"""The living tickets of these tickets, and everything that was merged into them, directly or not."""
TICKETS = f"""
SELECT id, title, customer_name, fields, event_count, {", ".join(ROW_COLUMNS)} FROM desk.tickets WHERE id = ANY($1)
"""
ARTICLES = """
SELECT ticket_id, internal, subject, text, people, attachments
  FROM desk.articles
 WHERE ticket_id = ANY($1)
 ORDER BY ticket_id, number
"""
PREFETCHED = 200
"""Articles in memory at once."""


class Family:
    """Tickets that were merged with each other, or one alone, whose entries are made from their rows.

    `add` and `entries` take processor time, some 0.2 ms for an article: call them in a thread.
    """

    def __init__(self, living: Mapping[UUID, UUID], rows: Mapping[UUID, Any]) -> None:
        """`living`: each ticket's living one, which may be itself."""
        self.living, self.rows = living, rows
        self._columns: dict[UUID, _Columns] = {}

    def add(self, articles: Iterable[Mapping[str, Any]]) -> None:
        """Adds articles, in their order."""
        for article in articles:
            living = self.living[article["ticket_id"]]
            if living not in self._columns:
                self._columns[living] = _Columns()
            self._columns[living].add_article(article)

    def entries(self) -> list[Entry]:
        merged: dict[UUID, list[UUID]] = {}
        for ticket, living in sorted(self.living.items()):
            if ticket != living:
                merged.setdefault(living, []).append(ticket)
        found = []
        for ticket, living in sorted(self.living.items()):
            row = self.rows.get(ticket)
            if row is None:
                continue
            texts = None
            if ticket == living and row["state_type"] != "removed":
                parts = [self.rows[each] for each in merged.get(ticket, ()) if each in self.rows]
                texts = _texts(self._columns.get(ticket) or _Columns(), row, parts)
            found.append(_entry(row, living if ticket != living else None, texts))
        return found


async def entries(connection: Connection, tickets: Iterable[UUID], run: Callable[..., Awaitable[Any]]) -> list[Entry]:
    """The entries of these tickets and of all tickets that they were merged with, in the order of their ids.

    Tickets without a row are left out. `run` calls a function in a thread. Within a transaction that sees one snapshot.
    """
    living = {row["id"]: row["living"] for row in await connection.fetch(FAMILIES, list(tickets))}
    if not living:
        return []
    rows = {row["id"]: row for row in await connection.fetch(TICKETS, list(living))}
    family = Family(living, rows)
    cursor = await connection.cursor(ARTICLES, list(living))
    while articles := await cursor.fetch(PREFETCHED):
        await run(family.add, articles)
    found: list[Entry] = await run(family.entries)
    return found


def _entry(row: Mapping[str, Any], living: UUID | None, texts: dict[str, str] | None) -> Entry:
    digest = None
    if texts is not None:
        digest = hashlib.blake2b(orjson.dumps(sorted(texts.items())), digest_size=12).digest()
    return Entry(
        ticket=row["id"].bytes,
        living=living.bytes if living is not None else None,
        events=row["event_count"],
        digest=digest,
        row=tuple(stored(row[name]) for name in ROW_COLUMNS),
        texts=texts,
        tags=tuple(row["tags"]) if texts is not None else (),
    )


def _texts(columns: "_Columns", ticket: Mapping[str, Any], merged: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The columns of `words`; `columns` has the articles already."""
    columns.add_ticket(ticket, public=True)
    for other in merged:
        # What customers or agents of other queues may not know of a merged ticket must not find the living one.
        if other["queue_id"] == ticket["queue_id"]:
            public = (other["customer_id"], other["company"]) == (ticket["customer_id"], ticket["company"])
            columns.add_ticket(other, public=public)
    keys = [customer_key(ticket["customer_id"]), queue_key(ticket["queue_id"])]
    if ticket["company"] is not None:
        keys.append(company_key(ticket["company"]))
    return {KEYS: " ".join(keys), **columns.texts()}


def customer_key(customer: UUID) -> str:
    """The term in `keys` of the tickets of a customer."""
    return f"\ue002{customer.hex}"


def company_key(slug: str) -> str:
    """The term in `keys` of the tickets of a company."""
    return f"\ue003{slug.encode().hex()}"


def queue_key(queue: UUID) -> str:
    """The term in `keys` of the tickets of a queue."""
    return f"\ue004{queue.hex}"


def field_term(slug: str, term: str) -> str:
    """The term of a word in a ticket's field: `term` alone is found anywhere, this one only in that field."""
    return f"{fold(slug)}{FIELD_MARK}{term}"


class _Columns:
    """The terms of each column. Each text ends with a boundary, so that no phrase goes over two of them."""

    def __init__(self) -> None:
        self._terms: dict[str, list[str]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._guess: Guess | None = None
        self._room = MOST_TEXT

    def texts(self) -> dict[str, str]:
        return {column: " ".join(terms) for column, terms in self._terms.items()}

    def add_article(self, article: Mapping[str, Any]) -> None:
        public, people, text = not article["internal"], article["people"], article["text"]
        found = words(text[: self._room])
        guess = language_of(found, self._guess.language if self._guess else "en")
        if self._guess is None or (guess.sure and not self._guess.sure):
            self._guess = guess
        self._add_terms("body" if public else inside("body"), text, indexed(found, guess))
        self._room = max(0, self._room - len(text))
        short = Guess(guess.language, sure=False)
        self._add("subject", article["subject"], short, public=public)
        for attribute, named in (("from", [people["from"]]), ("to", people["to"]), ("cc", people["cc"])):
            for person in named:
                if person:
                    self._add(attribute, shown_person(person), None, public=public)
        for attachment in article["attachments"] or ():
            self._add("attachment", attachment["name"], short, public=public)

    def add_ticket(self, ticket: Mapping[str, Any], *, public: bool) -> None:
        guess = Guess(self._guess.language if self._guess else "en", sure=False)
        self._add("number", ticket["number"], None, public=public)
        self._add("title", ticket["title"], guess, public=public)
        self._add("customer", ticket["customer_name"], None, public=public)
        self._add("customer", addresses.shown(ticket["customer_email"]), None, public=public)
        self._add("company", ticket["company"] or "", None, public=public)
        for tag in ticket["tags"] or ():
            self._add("tag", tag, guess, public=public)
        for slug, value in (ticket["fields"] or {}).items():
            column = "field" if public else inside("field")
            for text in field_texts(value):
                self._add("field", text, guess, public=public)
                terms = indexed(words(text), guess)
                marked = [each if each == BOUNDARY else field_term(slug, each) for each in terms]
                self._terms.setdefault(column, []).extend((*marked, BOUNDARY))
            if isinstance(value, bool):  # found in its field only: it is no text
                self._terms.setdefault(column, []).extend((field_term(slug, flag_text(value)), BOUNDARY))

    def _add(self, attribute: str, text: str, guess: Guess | None, *, public: bool) -> None:
        """Adds a text of an attribute, once: subjects and addresses are the same in most articles of a ticket."""
        column = attribute if public or attribute not in HAS_INSIDE else inside(attribute)
        if text and (column, text) not in self._seen:
            self._add_terms(column, text, indexed(words(text), guess))

    def _add_terms(self, column: str, text: str, terms: list[str]) -> None:
        if text and (column, text) not in self._seen:
            self._seen.add((column, text))
            self._terms.setdefault(column, []).extend((*terms, BOUNDARY))


def shown_person(person: Mapping[str, Any]) -> str:
    """Name and address of somebody in a message."""
    return f"{person.get('name') or ''} {addresses.shown(person['email'])}".strip()


def flag_text(value: bool) -> str:
    """A flag as people ask for it: `field.urgent:true`."""
    return "true" if value else "false"


def field_texts(value: Any) -> list[str]:
    """The texts of a field's value: its own, those of a list, numbers as they are written."""
    if isinstance(value, list):
        return [text for each in value for text in field_texts(each)]
    if isinstance(value, bool) or value is None or isinstance(value, dict):
        return []
    return [str(value)]
