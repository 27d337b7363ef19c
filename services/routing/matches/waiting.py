"""Matches of triggers that wait for a worker: rows of `routing.matches`, and what operators see of those that failed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.contracts.parts import RuleRef
from shared.database import Pool
from shared.messaging.consuming.parking import ParkedStream

NEXT = """
SELECT ticket_id
  FROM (SELECT ticket_id, match_id FROM routing.matches WHERE parked_at IS NULL ORDER BY match_id LIMIT $1) AS m
 GROUP BY ticket_id
 ORDER BY min(match_id)
"""
# The streams of these tickets are locked, so nobody else adds or takes matches of them at the same time.
OF_TICKETS = """
SELECT match_id, ticket_id, trigger_id, version, name, cause, correlation_id, depth, actions, matched_at
  FROM routing.matches
 WHERE ticket_id = ANY($1) AND parked_at IS NULL
 ORDER BY match_id
 LIMIT $2
"""
TAKE = "DELETE FROM routing.matches WHERE match_id = ANY($1)"
PARK = "UPDATE routing.matches SET parked_at = now(), reason = $2 WHERE match_id = $1"
PARKED = """
SELECT ticket_id AS stream, count(*) AS events, min(parked_at) AS since, min(reason) AS reason
  FROM routing.matches
 WHERE parked_at IS NOT NULL
 GROUP BY ticket_id
 ORDER BY since, ticket_id
"""
UNPARK = "UPDATE routing.matches SET parked_at = NULL, reason = NULL WHERE ticket_id = $1 AND parked_at IS NOT NULL"
WAITING = """
SELECT count(*) FILTER (WHERE parked_at IS NULL) AS waiting,
       count(*) FILTER (WHERE parked_at IS NOT NULL) AS parked,
       coalesce(extract(epoch FROM now() - min(matched_at) FILTER (WHERE parked_at IS NULL)), 0)::float AS oldest
  FROM routing.matches
"""


@dataclass(frozen=True, slots=True)
class WaitingMatch:
    """A trigger that is to act on a ticket, as it was when it matched."""

    id: int
    ticket: UUID
    rule: RuleRef
    cause: UUID
    correlation: UUID
    depth: int
    actions: tuple[dict[str, Any], ...]
    matched_at: datetime

    @classmethod
    def of(cls, row: asyncpg.Record) -> "WaitingMatch":
        return cls(
            id=row["match_id"],
            ticket=row["ticket_id"],
            rule=RuleRef(id=row["trigger_id"], name=row["name"], version=row["version"]),
            cause=row["cause"],
            correlation=row["correlation_id"],
            depth=row["depth"],
            actions=tuple(row["actions"]),
            matched_at=row["matched_at"],
        )


class Parked:
    """The triggers' part of `parked` and `replay`, under the name `triggers`."""

    async def parked(self, pool: Pool) -> list[ParkedStream]:
        return [ParkedStream("triggers", **row) for row in await pool.fetch(PARKED)]

    async def replay(self, pool: Pool, stream: UUID) -> int:
        """Lets the ticket's matches be done, which a worker does within a second. Returns their number."""
        return int((await pool.execute(UNPARK, stream)).rpartition(" ")[2])
