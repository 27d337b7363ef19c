"""Sessions and API tokens: opaque random secrets, of which only the SHA-256 is stored."""

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from services.gateway.signing_in.session_loader import SessionLoader
from shared.contracts.directory import Person
from shared.database import TRANSIENT, Connection, Pool
from shared.eventstore.errors import CommandReused
from shared.eventstore.store import CommandId, utc_now
from shared.rules.access import Identity

log = logging.getLogger(__name__)

Kind = Literal["session", "token"]
PREFIXES: dict[Kind, str] = {"session": "lds_", "token": "ldt_"}
"""How a secret begins, so that people and secret scanners recognise it."""
CACHED = 10_000
"""Principals kept in memory. One is valid while the version of its person is the same."""

PERSON = "SELECT document::text AS document, version FROM gateway.documents WHERE id = $1"
USED = """
UPDATE gateway.sessions
   SET last_used = now()
 WHERE id = $1 AND (last_used IS NULL OR last_used < now() - interval '1 minute')
"""
INSERT = """
INSERT INTO gateway.sessions
    (token_hash, id, person_id, kind, name, scopes, command_id, fingerprint, created_at, expires_at, client, proved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, CASE WHEN $4::text = 'session' THEN $9::timestamptz END)
    ON CONFLICT (command_id) DO NOTHING
"""
FIRST = "SELECT id, person_id, fingerprint, created_at, expires_at FROM gateway.sessions WHERE command_id = $1"
END = "UPDATE gateway.sessions SET ended_at = now() WHERE id = $1 AND ended_at IS NULL"
END_ONE = """
UPDATE gateway.sessions
   SET ended_at = now()
 WHERE id = $1 AND kind = $2 AND ($3::uuid IS NULL OR person_id = $3) AND ended_at IS NULL
"""
REPLACE_SECRET = "UPDATE gateway.sessions SET token_hash = $2 WHERE id = $1"  # pragma: allowlist secret
HOLD_PASSWORD = "SELECT changed_at FROM gateway.credentials WHERE person_id = $1 FOR SHARE"  # pragma: allowlist secret
STILL_VALID = "SELECT EXISTS (SELECT FROM gateway.sessions WHERE id = $1 AND ended_at IS NULL)"
PROVE = "UPDATE gateway.sessions SET proved_at = now() WHERE id = $1"
END_OF_PERSON = """
UPDATE gateway.sessions
   SET ended_at = now()
 WHERE person_id = $1 AND ended_at IS NULL AND (kind = 'session' OR $2) AND id <> $3
"""
LISTED = """
SELECT id, name, scopes, created_at, expires_at, last_used, client
  FROM gateway.sessions
 WHERE person_id = $1 AND kind = $2 AND ended_at IS NULL AND (kind = 'token' OR expires_at > now())
   AND ($3::uuid IS NULL OR id > $3)
 ORDER BY id
 LIMIT $4
"""
PURGE = "DELETE FROM gateway.sessions WHERE least(ended_at, expires_at) < now() - interval '30 days'"
VALID = """
SELECT s.id, s.kind, s.scopes, s.expires_at, s.proved_at, s.person_id, d.version,
       coalesce(c.must_change, false) AS must_change
  FROM gateway.sessions s
  JOIN gateway.documents d ON d.id = s.person_id
  LEFT JOIN gateway.credentials c ON c.person_id = s.person_id
 WHERE s.id = ANY($1) AND s.ended_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > now()) AND NOT d.retired
"""
NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Principal:
    """The sign-in of a request: its session or token, and whose it is.

    `proved_at`: when the person last gave the password of a session. `must_change`: the person has to change the
    password before anything else.
    """

    session: UUID
    kind: Kind
    identity: Identity
    person_version: int
    expires_at: datetime | None
    proved_at: datetime | None
    must_change: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """A secret, to be shown once. `replayed`: it is the first answer to the same request."""

    id: UUID
    secret: str
    created_at: datetime
    expires_at: datetime | None
    replayed: bool


class Superseded(Exception):
    """The password that was given holds no more, or the session that asks for a token has ended."""


class Sessions:
    """`key` derives the secrets of requests that may be repeated."""

    def __init__(self, pool: Pool, key: bytes, lifetime: timedelta) -> None:
        self.pool, self.lifetime = pool, lifetime
        self._loader = SessionLoader(pool)
        self._key = key
        self._known: OrderedDict[UUID, Principal] = OrderedDict()
        self._marking: set[asyncio.Task[None]] = set()

    async def authenticate(self, secret: str) -> Principal | None:
        """Whose secret this is; None if it is unknown, ended or expired, or if the person is retired."""
        if not secret.startswith(tuple(PREFIXES.values())) or len(secret) > 100:
            return None
        row = await self._loader.load(_digest(secret))
        if row is None:
            return None
        if row["unused"]:
            self._mark_used(row["id"])
        return await self._current(row)

    async def valid(self, sessions: Sequence[UUID]) -> dict[UUID, Principal]:
        """Those of these sessions and tokens that have not ended, as they are now."""
        rows = await self.pool.fetch(VALID, sessions)
        return {row["id"]: await self._current(row) for row in rows}

    async def _current(self, row: asyncpg.Record) -> Principal:
        """The principal of a valid session, from memory unless its person has changed."""
        principal = self._known.get(row["id"])
        known = principal and (principal.person_version, principal.proved_at, principal.must_change)
        if principal is None or known != (row["version"], row["proved_at"], row["must_change"]):
            principal = await self._principal(row)
            self._known[row["id"]] = principal
            if len(self._known) > CACHED:
                self._known.popitem(last=False)
        return principal

    async def issue(
        self,
        person: UUID,
        kind: Kind,
        *,
        name: str = "",
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        client: str = "",
        command: CommandId | None = None,
        by: datetime | UUID,
    ) -> Issued:
        """Makes a session or token. With a command (a request that may be repeated) the secret is derived from it: the
        repeat gets the same answer although the secret is not stored.

        `by`: for a session, since when the password that was given has been that of the person; for a token, the
        session that asks for it. Raises CommandReused, Superseded.
        """
        secret = self._derived(kind, person, command) if command else _random(kind)
        now = utc_now()
        issued = Issued(uuid7(), secret, now, expires_at or (now + self.lifetime if kind == "session" else None), False)
        fingerprint = self.without_secrets(command).fingerprint if command else None
        async with self.pool.acquire() as connection, connection.transaction():
            # A change of the password that runs now waits, and then ends what is made here.
            changed_at = await connection.fetchval(HOLD_PASSWORD, person)
            if not (await still_valid(connection, by) if isinstance(by, UUID) else changed_at == by):
                raise Superseded
            done = await connection.execute(
                INSERT, _digest(secret), issued.id, person, kind, name, scopes, command.id if command else None,
                fingerprint, now, issued.expires_at, client,
            )  # fmt: skip
        if done == "INSERT 0 1" or command is None:
            return issued
        first = await self.pool.fetchrow(FIRST, command.id)
        if first is None or first["fingerprint"] != fingerprint or first["person_id"] != person:
            raise CommandReused
        return Issued(first["id"], secret, first["created_at"], first["expires_at"], True)

    async def end(self, session: UUID) -> None:
        """Ends a session or token at once: every request looks it up."""
        await self.pool.execute(END, session)

    async def end_one(self, signed_in: UUID, kind: Kind, person: UUID | None) -> bool:
        """Ends a session or token of the person (None: of anybody). False if there is none."""
        return bool(await self.pool.execute(END_ONE, signed_in, kind, person) == "UPDATE 1")

    async def replace_secret(self, session: UUID) -> str:
        """A new secret for the session; the old one is dead. The session stays the same, and so do its live streams."""
        secret = _random("session")
        await self.pool.execute(REPLACE_SECRET, session, _digest(secret))
        return secret

    async def prove(self, session: UUID) -> None:
        """Records that the person has given the password now."""
        await self.pool.execute(PROVE, session)

    async def listed(self, person: UUID, kind: Kind, after: UUID | None, limit: int) -> list[asyncpg.Record]:
        """The sessions or tokens of a person in use, oldest first."""
        return await self.pool.fetch(LISTED, person, kind, after, limit)

    def without_secrets(self, command: CommandId) -> CommandId:
        """The command with a keyed fingerprint, which may be stored although the request holds a password."""
        return CommandId(command.id, hmac.digest(self._key, command.fingerprint, hashlib.sha256))

    async def purge(self) -> None:
        """Deletes sessions and tokens that ended more than 30 days ago."""
        await self.pool.execute(PURGE)

    async def _principal(self, row: asyncpg.Record) -> Principal:
        found = await self.pool.fetchrow(PERSON, row["person_id"])
        assert found is not None
        scopes = row["scopes"]
        return Principal(
            session=row["id"],
            kind=row["kind"],
            identity=identity_of(
                Person.model_validate_json(found["document"]), tuple(scopes) if scopes is not None else None
            ),
            person_version=found["version"],
            expires_at=row["expires_at"],
            proved_at=row["proved_at"],
            must_change=row["must_change"],
        )

    def _mark_used(self, session: UUID) -> None:
        task = asyncio.create_task(self._used(session))
        self._marking.add(task)
        task.add_done_callback(self._marking.discard)

    async def _used(self, session: UUID) -> None:
        try:
            await self.pool.execute(USED, session)
        except TRANSIENT as error:  # the request itself must not fail
            log.warning("last use of a session not recorded: %s", type(error).__name__)

    def _derived(self, kind: Kind, person: UUID, command: CommandId) -> str:
        return PREFIXES[kind] + _text(
            hmac.digest(self._key, kind.encode() + person.bytes + command.id.bytes, hashlib.sha256)
        )


async def still_valid(connection: Connection, session: UUID) -> bool:
    """Whether a session has not ended meanwhile."""
    return bool(await connection.fetchval(STILL_VALID, session))


async def end_of_person(connection: Connection, person: UUID, *, tokens: bool, but: UUID | None = None) -> None:
    """Ends all sessions of a person except `but`, and with `tokens` the API tokens too, in the transaction of the
    caller."""
    await connection.execute(END_OF_PERSON, person, tokens, but or NOBODY)


def identity_of(person: Person, scopes: tuple[str, ...] | None) -> Identity:
    """The identity that the services get of a person."""
    kind: Literal["admin", "agent", "customer"] = (
        "admin" if "admin" in person.roles else "agent" if "agent" in person.roles else "customer"
    )
    return Identity(
        person_id=person.id,
        kind=kind,
        login=person.login,
        name=person.name,
        email=person.email,
        roles=person.roles,
        company=person.company,
        scopes=scopes,
        timezone=person.timezone,
    )


def _random(kind: Kind) -> str:
    return PREFIXES[kind] + _text(secrets.token_bytes(32))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
