"""How fetching from each mailbox goes: rows of `intake.mailboxes`."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.directory import Mailbox
from shared.database import Pool

MOST_LEFT = 200
"""Mails that stay on their server and are listed; there may be more."""

LOAD = "SELECT uid_validity, seen_until FROM intake.mailboxes WHERE mailbox_id = $1 AND place = $2"
BEGIN = """
INSERT INTO intake.mailboxes AS m (mailbox_id, place, uid_validity, seen_until)
VALUES ($1, $2, $3, $4)
    ON CONFLICT (mailbox_id) DO UPDATE SET place = $2, uid_validity = $3, seen_until = $4
"""
COUNT = "UPDATE intake.mailboxes SET taken = taken + $2 WHERE mailbox_id = $1"
SUCCEED = """
UPDATE intake.mailboxes
   SET seen_until = $2, left_there = $3, taken = taken + $4, last_success = now(), failing_since = NULL
 WHERE mailbox_id = $1
"""
FAIL = """
INSERT INTO intake.mailboxes AS m (mailbox_id, last_error, taken, error_at, failing_since) VALUES ($1, $2, $3, now(), now())
    ON CONFLICT (mailbox_id) DO UPDATE
   SET last_error = $2, taken = m.taken + $3, error_at = now(), failing_since = coalesce(m.failing_since, now())
"""
STATUS = """
SELECT last_success, failing_since, last_error, error_at, taken, left_there FROM intake.mailboxes WHERE mailbox_id = $1
"""


@dataclass(frozen=True, slots=True)
class FolderPosition:
    """How far a folder has been read; `seen_until` -1: unknown."""

    uid_validity: int = 0
    seen_until: int = -1


@dataclass(frozen=True, slots=True)
class LeftMail:
    """A mail that stays on its server. `reason` is for an administrator."""

    uid: int
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    last_success: datetime | None = None
    failing_since: datetime | None = None
    last_error: str | None = None
    error_at: datetime | None = None
    taken: int = 0
    left_there: list[dict[str, Any]] = field(default_factory=list)


class Progress:
    """Every write is short and idempotent, except the count of mails: the last mails of a process that died may be
    missing."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def position(self, mailbox: Mailbox) -> FolderPosition:
        row = await self.pool.fetchrow(LOAD, mailbox.id, _location(mailbox))
        return FolderPosition(row["uid_validity"], row["seen_until"]) if row is not None else FolderPosition()

    async def begin(self, mailbox: Mailbox, position: FolderPosition) -> None:
        """Records from where a folder is read, if it is new or its server has renumbered it."""
        await self.pool.execute(BEGIN, mailbox.id, _location(mailbox), position.uid_validity, position.seen_until)

    async def count(self, mailbox: Mailbox, taken: int) -> None:
        await self.pool.execute(COUNT, mailbox.id, taken)

    async def succeed(self, mailbox: Mailbox, seen_until: int, left: list[LeftMail], taken: int) -> None:
        await self.pool.execute(SUCCEED, mailbox.id, seen_until, [asdict(each) for each in left[:MOST_LEFT]], taken)

    async def fail(self, mailbox: Mailbox, error: str, taken: int) -> None:
        await self.pool.execute(FAIL, mailbox.id, error, taken)

    async def status(self, mailbox_id: UUID) -> Status:
        row = await self.pool.fetchrow(STATUS, mailbox_id)
        return Status(**row) if row is not None else Status()


def _location(mailbox: Mailbox) -> str:
    """The folder to which the numbers of mails belong."""
    return f"{mailbox.protocol}://{mailbox.user}@{mailbox.host}:{mailbox.port}/{mailbox.folder}"
