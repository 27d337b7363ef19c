"""Fills the live generation of a projection set, and follows it when another one is promoted."""

import asyncio
import contextlib
import time
from typing import Never

from shared.database import Pool
from shared.messaging.consumer import Consumer
from shared.projections.sets import ProjectionSet, live

LOOK_SECONDS = 5.0


class LiveConsumer:
    """Runs the consumer of whichever generation is live."""

    def __init__(
        self, which: ProjectionSet, *, database_url: str, pool: Pool, bootstrap: str, replica: str | None
    ) -> None:
        self.which, self.database_url, self.pool, self.bootstrap, self.replica = (
            which,
            database_url,
            pool,
            bootstrap,
            replica,
        )
        self.running: Consumer | None = None

    @property
    def beat(self) -> float:
        """When the consumer last went round."""
        return self.running.beat if self.running is not None else time.monotonic()

    async def has_its_partitions(self) -> bool:
        """As `Consumer.has_its_partitions`, of the live generation."""
        return self.running is not None and await self.running.has_its_partitions()

    async def run(self) -> Never:
        """Never ends by itself; a promotion is followed within seconds."""
        while True:
            generation = await self._generation()
            if generation is None:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            self.running = self.consumer(generation)
            running = asyncio.create_task(self.running.run())
            try:
                while not running.done() and await self._generation() == generation:
                    await asyncio.sleep(LOOK_SECONDS)
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running

    def consumer(self, generation: int) -> Consumer:
        return Consumer(
            name=self.which.consumer(generation),
            database_url=self.database_url,
            pool=self.pool,
            bootstrap=self.bootstrap,
            handlers=self.which.handlers(generation),
            replica=self.replica,
        )

    async def _generation(self) -> int | None:
        async with self.pool.acquire() as connection:
            return await live(connection, self.which.name)
