"""Drafts: what people have begun to write, rows of `gateway.drafts`. Every statement names the person they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from shared.database import Pool

MOST_OF_A_PERSON = 500
"""Drafts that one person can keep."""
MOST_BYTES_OF_A_PERSON = 32 << 20
"""Bytes of the bodies of all drafts of a person."""
PAGE_BYTES = 4 << 20
"""A page of the list ends behind the draft with which its bodies reach so many bytes."""
KEPT = timedelta(days=30)
"""From the last change."""
FILES_KEPT = timedelta(days=1)
"""How long intake's word that it keeps the files of a draft is believed; it keeps them far longer."""
AT_ONCE = 1000
"""Drafts that one statement of the purge removes."""

_COLUMNS = "key, ticket, command, body, attachments, version, saved_at, files_kept_at"
LOCK_PERSON = "SELECT pg_advisory_xact_lock(hashtextextended('drafts ' || $1::text, 0))"
ONE = f"SELECT {_COLUMNS} FROM gateway.drafts WHERE person_id = $1 AND key = $2"
LIST = f"""
SELECT {_COLUMNS}, following
  FROM (SELECT {_COLUMNS}, size,
               sum(size) OVER (ORDER BY key) AS bytes,
               lead(key) OVER (ORDER BY key) AS following
          FROM (SELECT *
                  FROM gateway.drafts
                 WHERE person_id = $1 AND ($2::text IS NULL OR key > $2)
                 ORDER BY key
                 LIMIT $3 + 1) AS page) AS summed
 WHERE bytes - size < $4
 ORDER BY key
 LIMIT $3
"""
TOTALS = """
SELECT max(version) FILTER (WHERE key = $2) AS version,
       count(*) FILTER (WHERE key <> $2) AS others,
       coalesce(sum(size) FILTER (WHERE key <> $2), 0) AS bytes
  FROM gateway.drafts
 WHERE person_id = $1
"""
SAVE = f"""
INSERT INTO gateway.drafts (person_id, key, ticket, command, body, attachments, size, files_kept_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (person_id, key) DO UPDATE
   SET ticket = excluded.ticket, command = excluded.command, body = excluded.body, attachments = excluded.attachments,
       size = excluded.size, files_kept_at = excluded.files_kept_at, version = drafts.version + 1, saved_at = now(),
       sent_by = NULL
RETURNING {_COLUMNS}
"""
DELETE = """
DELETE FROM gateway.drafts WHERE person_id = $1 AND key = $2 AND ($3::integer IS NULL OR version = $3) RETURNING version
"""
PURGE = """
DELETE FROM gateway.drafts
 WHERE (person_id, key) IN (SELECT person_id, key FROM gateway.drafts WHERE saved_at < now() - $1::interval LIMIT $2)
"""
BEGIN_SENDING = """
  WITH was AS (SELECT sent_by FROM gateway.drafts WHERE person_id = $1 AND key = $2 FOR UPDATE)
UPDATE gateway.drafts d
   SET sent_by = $3
  FROM was
 WHERE d.person_id = $1 AND d.key = $2
RETURNING was.sent_by IS NOT DISTINCT FROM $3 AS again
"""
SENT = "DELETE FROM gateway.drafts WHERE person_id = $1 AND key = $2 AND sent_by = $3"
NOT_SENT = "UPDATE gateway.drafts SET sent_by = NULL WHERE person_id = $1 AND key = $2 AND sent_by = $3"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as it was saved. `body` is that of the command, as far as it is written."""

    key: str
    ticket: UUID | None
    command: str
    body: dict[str, Any]
    attachments: tuple[UUID, ...]
    version: int
    saved_at: datetime
    files_kept_at: datetime | None


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be saved. `size` are the bytes of the body; `files_kept_at` is when intake last kept the files."""

    ticket: UUID | None
    command: str
    body: dict[str, Any]
    attachments: tuple[UUID, ...]
    size: int
    files_kept_at: datetime | None


class Outdated(Exception):
    """The draft has another version, or is gone."""


class TooMany(Exception):
    """The person keeps MOST_OF_A_PERSON drafts already."""


class TooMuch(Exception):
    """The person's drafts would have more than MOST_BYTES_OF_A_PERSON."""


class Drafts:
    """The drafts of people."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def one(self, person: UUID, key: str) -> Draft | None:
        """The person's draft with this key."""
        row = await self.pool.fetchrow(ONE, person, key)
        return _draft(row) if row is not None else None

    async def listed(self, person: UUID, after: str | None, limit: int) -> tuple[list[Draft], bool]:
        """The person's drafts in the order of their keys, and whether there are more."""
        rows = await self.pool.fetch(LIST, person, after, limit, PAGE_BYTES)
        return [_draft(row) for row in rows], bool(rows) and rows[-1]["following"] is not None

    async def save(self, person: UUID, key: str, content: Content, expected: int | None) -> Draft:
        """Saves a draft; version 1 is a new one. Raises Outdated, TooMany, TooMuch."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(LOCK_PERSON, str(person))  # two requests must not pass a limit together
            kept = await connection.fetchrow(TOTALS, person, key)
            assert kept is not None
            if expected is not None and kept["version"] != expected:
                raise Outdated
            if kept["version"] is None and kept["others"] >= MOST_OF_A_PERSON:
                raise TooMany
            if kept["bytes"] + content.size > MOST_BYTES_OF_A_PERSON:
                raise TooMuch
            row = await connection.fetchrow(
                SAVE, person, key, content.ticket, content.command, content.body, list(content.attachments),
                content.size, content.files_kept_at,
            )  # fmt: skip
            assert row is not None
            return _draft(row)

    async def delete(self, person: UUID, key: str, expected: int | None) -> bool:
        """Deletes a draft. False if it is gone or has another version."""
        return await self.pool.fetchval(DELETE, person, key, expected) is not None

    async def begin_sending(self, person: UUID, key: str, attempt: UUID) -> bool | None:
        """Marks the draft as it is now with the request that sends it.

        True if the same request has marked this version before; None if there is no such draft.
        """
        again: bool | None = await self.pool.fetchval(BEGIN_SENDING, person, key, attempt)
        return again

    async def sent(self, person: UUID, key: str, attempt: UUID) -> None:
        """Deletes the draft unless it was saved, or marked by another request, since `begin_sending`."""
        await self.pool.execute(SENT, person, key, attempt)

    async def not_sent(self, person: UUID, key: str, attempt: UUID) -> None:
        """Takes the mark of `begin_sending` away."""
        await self.pool.execute(NOT_SENT, person, key, attempt)

    async def purge(self) -> int:
        """Deletes drafts that have not changed for KEPT; returns how many."""
        removed = 0
        while True:
            status = await self.pool.execute(PURGE, KEPT, AT_ONCE)
            batch = int(status.rpartition(" ")[2])
            removed += batch
            if batch < AT_ONCE:
                return removed


def _draft(row: asyncpg.Record) -> Draft:
    return Draft(
        row["key"],
        row["ticket"],
        row["command"],
        row["body"],
        tuple(row["attachments"]),
        row["version"],
        row["saved_at"],
        row["files_kept_at"],
    )


def keeps_files(was: Draft | None, attachments: Sequence[UUID], now: datetime) -> bool:
    """Whether the files of a draft are known to be kept, since a recent version of it names all of them."""
    if was is None or was.files_kept_at is None or was.files_kept_at < now - FILES_KEPT:
        return False
    return set(attachments) <= set(was.attachments)
