"""Deletes old commands: an idempotency key is kept for 30 days."""

import asyncio
from typing import Never

from shared.database import Pool
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

DAYS = 30
BATCH = 5_000
EVERY_SECONDS = 3600.0

DELETE = """
DELETE FROM es.commands
 WHERE command_id IN (SELECT command_id FROM es.commands WHERE recorded_at < now() - make_interval(days => $1) LIMIT $2)
"""


class CommandRetention:
    """Deletes old commands every hour, in batches, so that no long transaction blocks others."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("retention of commands", self._hourly, self.heartbeat)

    async def _hourly(self) -> None:
        while True:
            while await self.delete() == BATCH:
                self.heartbeat.beat()
            self.heartbeat.beat(rest=EVERY_SECONDS)
            await asyncio.sleep(EVERY_SECONDS)

    async def delete(self) -> int:
        """Deletes one batch; returns how many commands that were."""
        done: str = await self.pool.execute(DELETE, DAYS, BATCH)
        return int(done.rpartition(" ")[2])
