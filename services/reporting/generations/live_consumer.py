"""Fills the live generation of a projection set, and changes over when another one is promoted."""

import asyncio
import contextlib
import logging
from typing import Never

from shared.database import Pool
from shared.messaging.access.account import KafkaAccount
from shared.messaging.consuming.consumer import Consumer
from shared.projections.sets import ProjectionSet, live_shape
from shared.runtime.heartbeat import Heartbeat

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0


class LiveConsumer:
    """Runs the consumer of the live generation, if its tables are those that this code fills.

    While a newer version is being started, the older version must not write into what was built for the newer one.
    """

    def __init__(
        self, projection_set: ProjectionSet, *, database_url: str, pool: Pool, kafka: KafkaAccount, replica: str | None
    ) -> None:
        self.projection_set, self.database_url, self.pool = projection_set, database_url, pool
        self.kafka, self.replica = kafka, replica
        self.running: Consumer | None = None
        self._refused: int | None = None
        self.heartbeat = Heartbeat()

    async def has_its_partitions(self) -> bool:
        """`Consumer.has_its_partitions` of the live generation."""
        return self.running is not None and await self.running.has_its_partitions()

    async def run(self) -> Never:
        """Never ends by itself. Follows a promotion within `LOOK_SECONDS`."""
        while True:
            generation = await self._generation()
            self.heartbeat.beat()
            if generation is None:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            self.running = self.consumer(generation)
            self.heartbeat.parts = [self.running.heartbeat]
            running = asyncio.create_task(self.running.run())
            try:
                while not running.done() and await self._generation() == generation:
                    self.heartbeat.beat()
                    await asyncio.sleep(LOOK_SECONDS)
            finally:
                self.running = None
                self.heartbeat.parts = []
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running

    def consumer(self, generation: int) -> Consumer:
        return Consumer(
            name=self.projection_set.consumer(generation),
            database_url=self.database_url,
            pool=self.pool,
            kafka=self.kafka,
            handlers=self.projection_set.handlers(generation),
            batching=self.projection_set.batching,
            replica=self.replica,
        )

    async def _generation(self) -> int | None:
        """The live generation; None while there is none that this code may fill."""
        async with self.pool.acquire() as connection:
            found = await live_shape(connection, self.projection_set.name)
        if found is None:
            return None
        generation, shape = found
        if shape == self.projection_set.shape:
            return generation
        if generation != self._refused:
            self._refused = generation
            log.error(
                "%s has the tables of another version and is not filled here:"
                " `migrate` of the newer version builds the tables that it needs",
                self.projection_set.schema(generation),
            )
        return None
