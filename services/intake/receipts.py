"""How many receipts leave in a day: to one address, and to all. Who forges senders can make us write to strangers only so often."""

import time
from collections.abc import Callable
from uuid import UUID

from shared.database import Connection, Pool

FRESH_SECONDS = 30.0
"""How old the count of all may be; what this process has granted since is added."""

LATELY = """
SELECT count(*)
  FROM (SELECT FROM intake.tickets WHERE ticket_id >= $1 AND split_from IS NULL AND receipt_at IS NOT NULL LIMIT $2) AS lately
"""


def day_ago() -> UUID:
    """The smallest id (UUID version 7) that a ticket can have that was opened within the last day."""
    return UUID(int=(time.time_ns() // 1_000_000 - 86_400_000) << 80)


class Receipts:
    """`a_day` to one address, `all_a_day` to all of them; 0: any number."""

    def __init__(self, a_day: int, all_a_day: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.a_day, self.all_a_day = a_day, all_a_day
        self._clock = clock
        self._counted_at = float("-inf")
        self._all = 0

    async def refusal(self, connection: Connection | Pool, given: int) -> str:
        """Why a receipt that would be due is not sent, or empty; then it counts as granted. `given`: how many the address had lately."""
        if self.a_day and given >= self.a_day:
            return f"its sender got {given} receipts within a day"
        if not self.all_a_day:
            return ""
        if self._clock() - self._counted_at > FRESH_SECONDS:
            self._counted_at = self._clock()
            self._all = await connection.fetchval(LATELY, day_ago(), self.all_a_day)
        if self._all >= self.all_a_day:
            return f"{self.all_a_day} receipts were sent within a day"
        self._all += 1
        return ""
