"""Work that is done now and then, by no one's order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Never

from shared.runtime.pulse import Pulse
from shared.runtime.restart import restarting


class Periodic:
    """Does `work` every so many seconds; after a failure it is tried again within seconds."""

    def __init__(self, name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        self.name, self.seconds, self.work = name, seconds, work
        self.pulse = Pulse()

    async def run(self) -> Never:
        """Never ends by itself."""
        await restarting(self.name, self._serve, self.pulse)

    async def _serve(self) -> None:
        while True:
            await self.work()
            self.pulse.beat(rest=self.seconds)
            await asyncio.sleep(self.seconds)
