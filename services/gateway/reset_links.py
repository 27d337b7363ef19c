"""Links to a new password: rows of `gateway.password_resets`, and the requests for them (`gateway.reset_requests`).

A token is an HMAC-SHA256 of its row's id, 256 bits that nobody can guess without the key. So it need not be stored,
and a mail that is tried again holds the same link.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from shared.database import Connection, Pool
from shared.eventstore.store import CommandId

LASTS = timedelta(minutes=30)
MAILS_AN_HOUR = 3
"""To one person, whoever asks."""
MOST_WAITING = 1_000
"""Requests that no worker has looked at; more are refused."""
KEPT = timedelta(days=30)

ASK = """
INSERT INTO gateway.reset_requests (id, login)
SELECT $1, $2
 WHERE (SELECT count(*) FROM (SELECT FROM gateway.reset_requests LIMIT $3) AS waiting) < $3
    ON CONFLICT (id) DO NOTHING
"""
IS_WAITING = "SELECT EXISTS (SELECT FROM gateway.reset_requests WHERE id = $1)"
TAKE = """
DELETE FROM gateway.reset_requests
 WHERE id = (SELECT id FROM gateway.reset_requests ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, login
"""
LOCK = "SELECT FROM gateway.credentials WHERE person_id = $1 FOR UPDATE"
RECENT = """
SELECT count(*)
  FROM gateway.password_resets
 WHERE person_id = $1 AND created_at > now() - interval '1 hour'
"""
END_OF_PERSON = """
UPDATE gateway.password_resets
   SET ended_at = now()
 WHERE person_id = $1 AND created_at > now() - $2::interval AND ended_at IS NULL
"""
MAKE = """
INSERT INTO gateway.password_resets (id, token_hash, person_id, expires_at) VALUES ($1, $2, $3, now() + $4::interval)
    ON CONFLICT (id) DO NOTHING
"""
FIND = """
SELECT id, person_id, ended_at IS NULL AND expires_at > now() AS holds, expires_at, command_id, fingerprint
  FROM gateway.password_resets
 WHERE token_hash = $1
"""
BY_ID = f"{FIND.partition('WHERE')[0]} WHERE id = $1"
USE = """
UPDATE gateway.password_resets
   SET ended_at = now(), command_id = $2, fingerprint = $3
 WHERE id = $1 AND ended_at IS NULL AND expires_at > now()
"""
PURGE = "DELETE FROM gateway.password_resets WHERE created_at < now() - $1::interval"


@dataclass(frozen=True, slots=True)
class ResetLink:
    """A link. `holds`: it may be used now. `command_id` and `fingerprint` are those of the request that used it."""

    id: UUID
    person_id: UUID
    holds: bool
    expires_at: datetime
    command_id: UUID | None
    fingerprint: bytes | None


async def ask(pool: Pool, request: UUID, login: str) -> bool:
    """Keeps a request for a link, once for each id. False if too many wait."""
    if await pool.execute(ASK, request, login, MOST_WAITING) == "INSERT 0 1":
        return True
    return bool(await pool.fetchval(IS_WAITING, request))


async def take(connection: Connection) -> tuple[UUID, str] | None:
    """The id and login of the oldest request, which ends with the transaction."""
    row = await connection.fetchrow(TAKE)
    return (row["id"], row["login"]) if row is not None else None


async def make(connection: Connection, key: bytes, request: UUID, person: UUID) -> bool:
    """Makes a link for a person, which ends the older ones.

    False if the person has no password, has had enough mails within the hour, or if this request led to a link before.
    """
    if await connection.fetchrow(LOCK, person) is None:
        return False  # who cannot sign in does not get a password by a mail
    if await connection.fetchval(RECENT, person) >= MAILS_AN_HOUR:
        return False
    if await connection.fetchrow(BY_ID, request) is not None:
        return False
    await end_of_person(connection, person)
    return bool(await connection.execute(MAKE, request, digest(token(key, request)), person, LASTS) == "INSERT 0 1")


async def find(pool: Pool, given: str) -> ResetLink | None:
    """The link with this token."""
    return _link(await pool.fetchrow(FIND, digest(given)))


async def by_id(pool: Pool, link: UUID) -> ResetLink | None:
    return _link(await pool.fetchrow(BY_ID, link))


async def use(connection: Connection, link: UUID, command: CommandId | None) -> bool:
    """Uses the link up. False if it does not hold any more."""
    used = (link, command.id, command.fingerprint) if command is not None else (link, None, None)
    return bool(await connection.execute(USE, *used) == "UPDATE 1")


async def end_of_person(connection: Connection, person: UUID) -> None:
    """Ends every link of a person."""
    await connection.execute(END_OF_PERSON, person, KEPT)


async def purge(pool: Pool) -> None:
    """Removes rows that nobody needs."""
    await pool.execute(PURGE, KEPT)


def token(key: bytes, link: UUID) -> str:
    """The secret of a link."""
    return base64.urlsafe_b64encode(hmac.digest(key, link.bytes, hashlib.sha256)).decode().rstrip("=")


def digest(given: str) -> bytes:
    return hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()


def _link(row: asyncpg.Record | None) -> ResetLink | None:
    return ResetLink(**row) if row is not None else None
