"""Mails about sign-ins that wait, and those that have left (`notify.account_mails`)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.contracts.notify import OutgoingMail
from shared.database import Pool

LEASE = timedelta(minutes=6)
"""Longer than an attempt may take."""
Outcome = Literal["sent", "failed", "expired"]

KEEP = """
INSERT INTO notify.account_mails (id, kind, content, domain, expires_at, due_at) VALUES ($1, $2, $3::text::jsonb, $4, $5, now())
    ON CONFLICT (id) DO NOTHING
"""
CLAIM = """
UPDATE notify.account_mails
   SET attempts = attempts + 1, due_at = now() + $1::interval
 WHERE id = (SELECT m.id
               FROM notify.account_mails m
              WHERE m.due_at <= now()
                AND (m.expires_at <= now() OR NOT EXISTS (
                        SELECT FROM notify.pauses p
                         WHERE p.queue_id IS NULL AND (p.domain IS NULL OR p.domain = m.domain)))
              ORDER BY m.due_at
              LIMIT 1
                FOR UPDATE SKIP LOCKED)
RETURNING id, kind, content::text AS content, created_at, attempts, expires_at <= now() AS expired
"""
# Only the newest claim of a row may change it.
FINISH = """
UPDATE notify.account_mails
   SET outcome = $3, last_error = $4, content = NULL, due_at = NULL
 WHERE id = $1 AND attempts = $2 AND outcome IS NULL
"""
POSTPONE = """
UPDATE notify.account_mails
   SET due_at = now() + $3::interval, last_error = $4
 WHERE id = $1 AND attempts = $2 AND outcome IS NULL
"""
PURGE = "DELETE FROM notify.account_mails WHERE outcome IS NOT NULL AND expires_at < now() - interval '2 days'"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that a sender has taken. `expired`: it is no use any more."""

    id: UUID
    kind: str
    mail: OutgoingMail
    created_at: datetime
    attempts: int
    expired: bool


async def keep(pool: Pool, mail_id: UUID, kind: str, mail: OutgoingMail, domain: str, expires_at: datetime) -> None:
    """Queues a mail, once for each id."""
    await pool.execute(KEEP, mail_id, kind, mail.model_dump_json(), domain, expires_at)


async def claim(pool: Pool) -> Claimed | None:
    """The mail that has been due for the longest time, unless an administrator has paused mail to its domain, or all
    mail."""
    row = await pool.fetchrow(CLAIM, LEASE)
    if row is None:
        return None
    mail = OutgoingMail.model_validate_json(row["content"])
    return Claimed(row["id"], row["kind"], mail, row["created_at"], row["attempts"], row["expired"])


async def finish(pool: Pool, claimed: Claimed, outcome: Outcome, error: str = "") -> None:
    """The mail has left, or never will; its text is removed."""
    await pool.execute(FINISH, claimed.id, claimed.attempts, outcome, error)


async def postpone(pool: Pool, claimed: Claimed, seconds: float, error: str) -> None:
    await pool.execute(POSTPONE, claimed.id, claimed.attempts, timedelta(seconds=seconds), error)


async def purge(pool: Pool) -> None:
    """Removes finished rows that nobody asks for any more."""
    await pool.execute(PURGE)
