"""Mails to people about their sign-in, until notify has them: rows of `gateway.account_mails`.

They take no event and no topic, because others must not see when somebody asks for a new password, nor how.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.database import Connection, Pool

Told = Literal["password_reset", "password_changed", "password_set"]
"""The password was changed by a link, by its person, or by somebody else."""
Kind = Literal["reset_link"] | Told

LEASE = timedelta(minutes=1)
TOLD_WITHIN = timedelta(days=2)
"""So long a mail that tells of a new password is tried."""
RETRY_SECONDS = (2, 5, 10, 20, 30, 60)
"""After each attempt that failed; the last one again and again."""

QUEUE = """
INSERT INTO gateway.account_mails (id, kind, person_id, expires_at) VALUES ($1, $2, $3, now() + $4::interval)
    ON CONFLICT (id) DO NOTHING
"""
CLAIM = """
UPDATE gateway.account_mails
   SET attempts = attempts + 1, due_at = now() + $1::interval
 WHERE id = (SELECT id
               FROM gateway.account_mails
              WHERE due_at <= now()
              ORDER BY due_at
              LIMIT 1
                FOR UPDATE SKIP LOCKED)
RETURNING id, kind, person_id, created_at, expires_at, attempts, expires_at <= now() AS expired
"""
DONE = "DELETE FROM gateway.account_mails WHERE id = $1"
POSTPONE = "UPDATE gateway.account_mails SET due_at = now() + $3::interval WHERE id = $1 AND attempts = $2"


@dataclass(frozen=True, slots=True)
class AccountMail:
    """A mail that a worker has claimed. `expired`: it is no use any more."""

    id: UUID
    kind: Kind
    person_id: UUID
    created_at: datetime
    expires_at: datetime
    attempts: int
    expired: bool


async def queue(
    connection: Connection, person: UUID, kind: Kind, *, mail: UUID | None = None, within: timedelta = TOLD_WITHIN
) -> None:
    """Queues a mail in the transaction of its reason."""
    await connection.execute(QUEUE, mail or uuid7(), kind, person, within)


async def claim(pool: Pool) -> AccountMail | None:
    """The mail that has been due for the longest time, for the length of a lease."""
    row = await pool.fetchrow(CLAIM, LEASE)
    return AccountMail(**row) if row is not None else None


async def done(pool: Pool, mail: AccountMail) -> None:
    """Notify has it, or nobody is to get it."""
    await pool.execute(DONE, mail.id)


async def postpone(pool: Pool, mail: AccountMail) -> None:
    """It is tried again a little later."""
    seconds = RETRY_SECONDS[min(mail.attempts, len(RETRY_SECONDS)) - 1]
    await pool.execute(POSTPONE, mail.id, mail.attempts, timedelta(seconds=seconds))
