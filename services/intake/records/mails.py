"""The mails that arrived, and what became of each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from shared.database import Pool

_COLUMNS = (
    "mail_id, digest, received_at, envelope_from, envelope_to, blob, size, outcome, reason, ticket_id, number, found"
)
MAIL = f"SELECT {_COLUMNS} FROM intake.mails WHERE mail_id = $1"
NEWEST = f"""
SELECT {_COLUMNS}
  FROM intake.mails
 WHERE $1::uuid IS NULL OR mail_id < $1
 ORDER BY mail_id DESC
 LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that arrived, and what became of it."""

    id: UUID
    digest: bytes
    received_at: datetime
    envelope_from: str
    envelope_to: tuple[str, ...]
    blob: str
    size: int
    outcome: str
    reason: str
    ticket_id: UUID | None
    number: str | None
    found: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mails:
    pool: Pool

    async def get(self, mail_id: UUID) -> Mail | None:
        row = await self.pool.fetchrow(MAIL, mail_id)
        return _mail_in(row) if row else None

    async def newest(self, *, before: UUID | None, limit: int) -> list[Mail]:
        """Mails that arrived before the one with the id `before`, newest first."""
        return [_mail_in(row) for row in await self.pool.fetch(NEWEST, before, limit)]


def columns_of(mail: Mail) -> tuple[Any, ...]:
    """A mail as the statement that records it takes it."""
    return (
        mail.id, mail.digest, mail.received_at, mail.envelope_from, "\n".join(mail.envelope_to), mail.blob, mail.size, mail.outcome,
        mail.reason, mail.ticket_id, mail.number, orjson.dumps(mail.found).decode(),
    )  # fmt: skip


def _mail_in(row: asyncpg.Record) -> Mail:
    return Mail(
        id=row["mail_id"],
        digest=row["digest"],
        received_at=row["received_at"],
        envelope_from=row["envelope_from"],
        envelope_to=tuple(row["envelope_to"]),
        blob=row["blob"],
        size=row["size"],
        outcome=row["outcome"],
        reason=row["reason"],
        ticket_id=row["ticket_id"],
        number=row["number"],
        found=row["found"],
    )
