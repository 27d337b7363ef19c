"""What one person may have us keep in a day over the API: tickets, messages, bytes of texts and files (OWASP API4:2023).

One share holds for all sessions and tokens of a person, whichever process they reach. A day is the last 24 hours, to the hour.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from shared.database import Pool
from shared.http import problems
from shared.rules.access import Identity

Kind = Literal["tickets", "messages", "bytes"]
LEAST_BYTES = 256 * 1024
"""What a file counts for at least: many small ones cost, too."""
BLOCKS = 1_000
"""An agent's share is taken in so many parts: where much goes on, not each bit of it writes a row."""
BLOCK_SECONDS = 3_600.0
REMEMBERED = 5_000

USE = "SELECT intake.use($1, $2, $3, $4)"
PURGE = "DELETE FROM intake.used WHERE hour < now() - interval '2 days'"


@dataclass(frozen=True, slots=True)
class Share:
    """What a person may take in a day; 0: any amount."""

    tickets: int = 0
    messages: int = 0
    bytes: int = 0


@dataclass(slots=True)
class _Block:
    """What this process has taken and not yet given to its person."""

    left: int
    until: float


class Allowances:
    """`customers` and `agents`: the share of each of them."""

    def __init__(
        self, pool: Pool, customers: Share, agents: Share, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pool, self.customers, self.agents, self._clock = pool, customers, agents, clock
        self._blocks: OrderedDict[tuple[UUID, Kind], _Block] = OrderedDict()

    async def take(self, who: Identity, kind: Kind, amount: int = 1) -> None:
        """Takes so much of a person's share. Raises Problem 429 where so much is not left, 413 where it never is."""
        most = self._most(who, kind)
        if not most:
            return
        if amount > most:
            raise problems.too_large(f"This is more than a whole day's share ({most} {kind}).")
        block = self._blocks.get((who.person_id, kind))
        if block is not None and block.until > self._clock() and block.left >= amount:
            block.left -= amount
            return
        part = most // BLOCKS if who.is_agent else 0
        if part > amount and not await self.pool.fetchval(USE, who.person_id, kind, part, most):
            self._keep(who.person_id, kind, part - amount)
            return
        await self._use(who, kind, amount, most)

    async def require_some(self, who: Identity, kind: Kind) -> None:
        """Raises Problem 429 where nothing is left: before a body is read that could not be kept."""
        most = self._most(who, kind)
        if most and (who.person_id, kind) not in self._blocks:
            await self._use(who, kind, 0, most - 1)

    async def purge(self) -> None:
        """Removes what no longer counts."""
        await self.pool.execute(PURGE)

    async def _use(self, who: Identity, kind: Kind, amount: int, most: int) -> None:
        wait: int = await self.pool.fetchval(USE, who.person_id, kind, amount, most)
        if wait:
            raise problems.too_many(wait, f"Your share of a day ({self._most(who, kind)} {kind}) is used up.")

    def _most(self, who: Identity, kind: Kind) -> int:
        if who.kind == "service":
            return 0
        share: int = getattr(self.agents if who.is_agent else self.customers, kind)
        return share

    def _keep(self, person: UUID, kind: Kind, left: int) -> None:
        self._blocks[person, kind] = _Block(left, self._clock() + BLOCK_SECONDS)
        self._blocks.move_to_end((person, kind))
        if len(self._blocks) > REMEMBERED:
            self._blocks.popitem(last=False)
