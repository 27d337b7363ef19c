"""Hands out ticket numbers from blocks of the day's counter (decision record 0021)."""

import asyncio
import time
from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.intake.records.ticket_number import ticket_number
from shared.database import Pool

LARGEST = 32
QUICK_SECONDS = 1.0
"""A block that is used up sooner was too small."""

TAKE = """
INSERT INTO intake.number_blocks AS b (day, next)
VALUES ($1, 1 + $2)
    ON CONFLICT (day) DO UPDATE SET next = b.next + $2
RETURNING next - $2
"""


class Numbers:
    """One replica's source of ticket numbers. The rest of a block is lost, as a gap, when the process or the day
    ends."""

    def __init__(self, pool: Pool, timezone: ZoneInfo, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._timezone, self._clock = pool, timezone, clock
        self._taking = asyncio.Lock()
        self._day = date.min
        self._free = range(0)
        self._size = 1
        self._taken_at = -QUICK_SECONDS

    def today(self) -> date:
        return datetime.now(self._timezone).date()

    async def next(self) -> str:
        """The next number of today, in the desk's time zone. Raises what the database raises."""
        day = self.today()
        while True:
            if self._day == day and self._free:
                counter, self._free = self._free[0], self._free[1:]
                return ticket_number(day, counter)
            async with self._taking:
                if self._day != day or not self._free:
                    await self._take(day)

    async def _take(self, day: date) -> None:
        """Takes a block. It doubles while numbers are used quickly and shrinks to one otherwise, so that a quiet desk
        has few gaps."""
        now = self._clock()
        self._size = min(2 * self._size, LARGEST) if now - self._taken_at < QUICK_SECONDS else 1
        first: int = await self._pool.fetchval(TAKE, day, self._size)
        self._taken_at = now
        self._day, self._free = day, range(first, first + self._size)
