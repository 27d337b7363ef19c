"""`as_of`: which moment a read asks for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query

from services.reporting.visibility import may_see
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.http import problems
from shared.http.headers.consistency import Written
from shared.rules.access import Identity

AsOf = Annotated[
    str | None,
    Query(
        max_length=64,
        description="A past time (RFC 3339) or the id of an event: shows what was recorded until then."
        " Not together with a consistency token.",
    ),
]
"""`as_of: AsOf = None`"""
CLOCKS_APART = timedelta(seconds=1)
"""How far the caller's clock may be ahead of ours."""
OLDEST = datetime(1900, 1, 1, tzinfo=UTC)
TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
EVENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
EVENT = """
SELECT h.ticket_id, h.number, h.at, t.queue_id, t.customer_id, t.company, t.state_type
  FROM desk.history h
  JOIN desk.tickets t ON t.id = h.ticket_id
 WHERE h.id = $1
 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, with all events of a ticket that its log has before the first later one.

    `ticket` and `number`: the moment is an event. Of its own ticket it has the first `number` events, whatever their
    times.
    """

    at: datetime
    ticket: UUID | None = None
    number: int = 0


async def moment_of(
    pool: Pool, directory: DirectoryCopy, who: Identity, as_of: str | None, written: Sequence[Written]
) -> Moment | None:
    """The moment that a request asks for; None for now.

    Raises Problem 422 for anything that is not a past time or an event of a ticket that this person may see, and for a
    moment together with a consistency token.
    """
    if as_of is None:
        return None
    if written:
        raise _refused("A past moment cannot be combined with a consistency token.")
    if EVENT_ID.fullmatch(as_of):
        row = await pool.fetchrow(EVENT, UUID(as_of))
        if row is None or not may_see(await directory.recognised(who), row, directory.queues):
            raise _refused("No such event.")
        return Moment(row["at"], row["ticket_id"], row["number"])
    return Moment(_time(as_of))


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.upper()) if TIME.fullmatch(text) else None
    except ValueError:
        at = None
    if at is None:
        raise _refused("Must be a time such as 2026-11-23T08:30:00Z, or the id of an event.")
    if at > datetime.now(UTC) + CLOCKS_APART:
        raise _refused("Must not be in the future.")
    if at < OLDEST:
        raise _refused("Must not be before the year 1900.")
    return at.astimezone(UTC)


def _refused(detail: str) -> problems.Problem:
    return problems.invalid("/query/as_of", detail)
