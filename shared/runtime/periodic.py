"""Periodic background work."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Never

from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise


class Periodic:
    """Does `work` every `seconds`. After a failure it retries within seconds."""

    def __init__(self, name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        self.name, self.seconds, self.work = name, seconds, work
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise(self.name, self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            await self.work()
            self.heartbeat.beat(rest=self.seconds)
            await asyncio.sleep(self.seconds)
