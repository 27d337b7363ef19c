"""What one person may store in a day over the API: tickets, messages, bytes of texts and files (OWASP API4:2023).

A person has one quota for all sessions and tokens, in whichever process they arrive. A day is the last 24 hours, to the
hour.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from shared.database import Pool
from shared.rules.access import Identity
from shared.rules.refusals import QuotaExceeded, TooLarge

Kind = Literal["tickets", "messages", "bytes"]
LEAST_BYTES_OF_A_FILE = 256 * 1024
"""A smaller file counts for this much: many small files cost too."""
PREFETCHED_PARTS = 1_000
"""An agent's quota is taken from the database in this many parts, so that not every ticket and file writes a row."""
PREFETCH_SECONDS = 3_600.0
"""How long a prefetched part may be used."""
MOST_PREFETCHED = 5_000
"""People and kinds for which a process holds a prefetched part."""

USE = "SELECT intake.use($1, $2, $3, $4)"
PURGE = "DELETE FROM intake.used WHERE hour < now() - interval '2 days'"


@dataclass(frozen=True, slots=True)
class Quota:
    """What a person may store in a day; 0: no limit."""

    tickets: int = 0
    messages: int = 0
    bytes: int = 0


@dataclass(slots=True)
class _Prefetched:
    """A part of a quota that this process has taken and its person has not used yet."""

    left: int
    until: float


class Quotas:
    """`customers` and `agents`: the quota of each person of that kind."""

    def __init__(
        self, pool: Pool, customers: Quota, agents: Quota, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pool, self.customers, self.agents, self._clock = pool, customers, agents, clock
        self._prefetched: OrderedDict[tuple[UUID, Kind], _Prefetched] = OrderedDict()

    async def take(self, who: Identity, kind: Kind, amount: int = 1) -> None:
        """Takes an amount from a person's quota. Raises QuotaExceeded if less is left, TooLarge if it is more than a
        whole day's quota."""
        limit = self._limit(who, kind)
        if not limit:
            return
        if amount > limit:
            raise TooLarge(f"This is more than your daily limit of {limit} {kind}.")
        prefetched = self._prefetched.get((who.person_id, kind))
        if prefetched is not None and prefetched.until > self._clock() and prefetched.left >= amount:
            prefetched.left -= amount
            return
        part = limit // PREFETCHED_PARTS if who.is_agent else 0
        if part > amount and not await self.pool.fetchval(USE, who.person_id, kind, part, limit):
            self._keep(who.person_id, kind, part - amount)
            return
        await self._use(who, kind, amount, limit)

    async def require_some(self, who: Identity, kind: Kind) -> None:
        """Raises QuotaExceeded if nothing is left: called before a body is read that could not be stored."""
        limit = self._limit(who, kind)
        if limit and (who.person_id, kind) not in self._prefetched:
            await self._use(who, kind, 0, limit - 1)

    async def purge(self) -> None:
        """Removes rows that no longer count."""
        await self.pool.execute(PURGE)

    async def _use(self, who: Identity, kind: Kind, amount: int, limit: int) -> None:
        wait: int = await self.pool.fetchval(USE, who.person_id, kind, amount, limit)
        if wait:
            limit = self._limit(who, kind)
            raise QuotaExceeded(f"You have reached your daily limit of {limit} {kind}. Try again later.", wait)

    def _limit(self, who: Identity, kind: Kind) -> int:
        if who.kind == "service":
            return 0
        limit: int = getattr(self.agents if who.is_agent else self.customers, kind)
        return limit

    def _keep(self, person: UUID, kind: Kind, left: int) -> None:
        self._prefetched[person, kind] = _Prefetched(left, self._clock() + PREFETCH_SECONDS)
        self._prefetched.move_to_end((person, kind))
        if len(self._prefetched) > MOST_PREFETCHED:
            self._prefetched.popitem(last=False)
