"""Searches that people have saved: rows of `gateway.searches`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from shared.contracts.directory import Queue
from shared.database import Pool
from shared.rules.access import Identity, rights

MOST_OF_A_PERSON = 500
"""Searches that one person can keep."""
LOCK_PERSON = "SELECT pg_advisory_xact_lock(hashtextextended('searches ' || $1::text, 0))"
COLUMNS = """s.slug, s.owner, s.name, s.document, s.shared_with, s.version,
       p.document ->> 'name' AS owner_name"""
READABLE = "(s.owner = $1 OR s.shared_with && $2::uuid[])"
ONE = f"""
SELECT {COLUMNS}
  FROM gateway.searches s
  JOIN gateway.documents p ON p.id = s.owner
 WHERE s.slug = $3 AND {READABLE}
"""
LIST = f"""
SELECT {COLUMNS}
  FROM gateway.searches s
  JOIN gateway.documents p ON p.id = s.owner
 WHERE {READABLE} AND ($3::text IS NULL OR s.slug > $3)
 ORDER BY s.slug
 LIMIT $4
"""
BEGINNING = f"""
SELECT {COLUMNS}
  FROM gateway.searches s
  JOIN gateway.documents p ON p.id = s.owner
 WHERE {READABLE} AND (s.slug LIKE $3 OR lower(s.name) LIKE $3 OR lower(s.name) LIKE '% ' || $3)
 ORDER BY s.owner <> $1, s.slug
 LIMIT $4
"""
INSERT = """
INSERT INTO gateway.searches (slug, owner, name, document, shared_with)
SELECT $1, $2, $3, $4, $5
 WHERE (SELECT count(*) FROM gateway.searches WHERE owner = $2) < $6
    ON CONFLICT (slug) DO NOTHING
RETURNING version
"""
UPDATE = """
UPDATE gateway.searches
   SET name = $3, document = $4, shared_with = $5, version = version + 1, updated_at = now()
 WHERE slug = $1 AND owner = $2 AND ($6::integer IS NULL OR version = $6)
RETURNING version
"""
DELETE = """
DELETE FROM gateway.searches WHERE slug = $1 AND owner = $2 AND ($3::integer IS NULL OR version = $3) RETURNING version
"""
QUEUES = """
SELECT document::text AS document
  FROM gateway.documents
 WHERE kind = 'queue' AND NOT retired
   AND ($1::uuid IS NULL OR document @> jsonb_build_object(
                                'members', jsonb_build_array(jsonb_build_object('person', $1::text))))
"""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """One search. `content` holds q, filters, sort and columns as they were given; `shared_with` are ids of queues."""

    slug: str
    name: str
    owner: UUID
    owner_name: str
    content: dict[str, Any]
    shared_with: tuple[UUID, ...]
    version: int


class TooMany(Exception):
    """The person keeps MOST_OF_A_PERSON searches already."""


class SlugTaken(Exception):
    """Somebody else has a search of this slug that the person may not see."""


class SavedSearches:
    """What one may read: one's own searches, and those that are shared with a queue that one may read."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def readable_queues(self, who: Identity) -> dict[UUID, Queue]:
        """The queues in use whose tickets this person may read as an agent."""
        if not who.is_agent:
            return {}
        rows = await self.pool.fetch(QUEUES, None if who.is_admin else who.person_id)
        queues = (Queue.model_validate_json(row["document"]) for row in rows)
        return {queue.id: queue for queue in queues if "read" in rights(who, queue.members)}

    async def one(self, who: Identity, slug: str, queues: Sequence[UUID]) -> SavedSearch | None:
        """A search that this person may read; `queues` are those that they may read."""
        row = await self.pool.fetchrow(ONE, who.person_id, list(queues), slug)
        return _search(row) if row is not None else None

    async def listed(self, who: Identity, queues: Sequence[UUID], after: str | None, limit: int) -> list[SavedSearch]:
        """The searches that this person may read, by slug."""
        return [_search(row) for row in await self.pool.fetch(LIST, who.person_id, list(queues), after, limit)]

    async def beginning(self, who: Identity, queues: Sequence[UUID], text: str, limit: int) -> list[SavedSearch]:
        """Those whose slug, or a word of whose name, begins with the text: one's own first."""
        escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        rows = await self.pool.fetch(BEGINNING, who.person_id, list(queues), f"{escaped}%", limit)
        return [_search(row) for row in rows]

    async def add(
        self, who: Identity, slug: str, name: str, content: dict[str, Any], shared_with: Sequence[UUID]
    ) -> int:
        """Saves a new search and returns its version. Raises SlugTaken, TooMany."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK_PERSON, str(who.person_id))  # two requests must not pass the limit together
            made: int | None = await connection.fetchval(
                INSERT, slug, who.person_id, name, content, list(shared_with), MOST_OF_A_PERSON
            )
            if made is not None:
                return made
            if await connection.fetchval("SELECT EXISTS (SELECT FROM gateway.searches WHERE slug = $1)", slug):
                raise SlugTaken
            raise TooMany

    async def change(
        self,
        who: Identity,
        slug: str,
        name: str,
        content: dict[str, Any],
        shared_with: Sequence[UUID],
        expected: int | None,
    ) -> int | None:
        """Replaces one's own search and returns the new version; None if it is gone or has another version."""
        changed: int | None = await self.pool.fetchval(
            UPDATE, slug, who.person_id, name, content, list(shared_with), expected
        )
        return changed

    async def delete(self, who: Identity, slug: str, expected: int | None) -> bool:
        """Deletes one's own search. False if it is gone or has another version."""
        return await self.pool.fetchval(DELETE, slug, who.person_id, expected) is not None


def _search(row: asyncpg.Record) -> SavedSearch:
    return SavedSearch(
        row["slug"],
        row["name"],
        row["owner"],
        row["owner_name"],
        row["document"],
        tuple(row["shared_with"]),
        row["version"],
    )
