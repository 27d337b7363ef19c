"""What the processes of every service have in common; a service's `app.py` adds its own parts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from fastapi import APIRouter

from shared.database import READ_SECONDS, Pool, connect_pool
from shared.directory.api import router as directory_router
from shared.directory.copy import DirectoryCopy
from shared.eventstore.migrations import pending
from shared.eventstore.retention import CommandRetention
from shared.eventstore.store import Store
from shared.http.keys import Keys
from shared.http.serving.application import application
from shared.http.serving.health import Health, Probe
from shared.http.serving.process import Process, Role
from shared.messaging.access.account import KafkaAccount
from shared.messaging.announcing import Announcer
from shared.messaging.batching import Batching
from shared.messaging.consuming.consumer import Consumer
from shared.messaging.consuming.handlers import Handler
from shared.messaging.relay import Relay
from shared.runtime.heartbeat import Background


class Settings(Protocol):
    """The settings that every service has."""

    @property
    def database_url(self) -> str: ...
    @property
    def kafka(self) -> KafkaAccount: ...
    @property
    def keys(self) -> Keys: ...


class Assembly:
    """The parts of one process: `serves` HTTP, `works` in the background, or both."""

    def __init__(self, role: Role, health: Health, settings: Settings, pool: Pool) -> None:
        self.serves, self.works = role != "worker", role != "api"
        self.health, self.settings, self.pool = health, settings, pool
        self.store = Store(pool, health.service)
        self._role = role
        self._background: dict[str, Background] = {}
        self._routers: list[APIRouter] = []
        self._reads: Pool | None = None

    async def reads(self, *, largest: int = 8) -> Pool:
        """The pool of routes that only read: their statements end after READ_SECONDS (decision 0105).

        Exports, streams and workers use `pool`, which has no limit.
        """
        if self._reads is None:
            self._reads = await connect_pool(
                self.settings.database_url, smallest=1, largest=largest, statement_seconds=READ_SECONDS
            )
        return self._reads

    async def close(self) -> None:
        """Closes the pools."""
        if self._reads is not None:
            await self._reads.close()
        await self.pool.close()

    async def directory(self) -> DirectoryCopy:
        """This service's copy of the configuration documents, loaded, and kept fresh in the background."""
        copy = DirectoryCopy(self.pool, self.settings.database_url)
        await copy.load()
        self._background["directory"] = copy
        if self.serves:
            self._routers.append(directory_router(copy))
        return copy

    def relay(self, batching: Batching) -> None:
        """Recorded events go to Kafka; a process that does not work itself tells the relays of the others."""
        if self.works:
            self._background["relay"] = Relay(self.store, self.settings.database_url, self.settings.kafka, batching)
            self._background["retention"] = CommandRetention(self.pool)
        else:
            self._background["announcer"] = Announcer(self.store)

    def consumer(
        self,
        part: str,
        *,
        name: str,
        handlers: Mapping[str, Handler],
        batching: Batching,
        replica: str | None,
    ) -> None:
        """Reads the topics that the handlers are for, as the consumer group `name`."""
        consumer = Consumer(
            name=name,
            database_url=self.settings.database_url,
            pool=self.pool,
            kafka=self.settings.kafka,
            handlers=handlers,
            batching=batching,
            replica=replica,
        )
        self.run(part, consumer, ready=consumer.has_its_partitions)

    def run(self, part: str, task: Background, *, ready: Probe | None = None) -> None:
        """Runs a background task. A worker is ready when `ready` says so; an API stays ready while Kafka is down."""
        self._background[part] = task
        if ready is not None and self._role == "worker":
            self.health.check(part, ready)

    def process(self, routers: Sequence[APIRouter] = ()) -> Process:
        """The finished process; without routers it answers probes only."""
        served = [*routers, *self._routers] if self.serves else []
        return Process(application(self.health, keys=self.settings.keys, routers=served), self.background)

    @property
    def background(self) -> Mapping[str, Background]:
        """The background tasks by name, for a process with an application of its own."""
        return self._background


@asynccontextmanager
async def assembled(
    role: Role, health: Health, settings: Settings, migrations: Sequence[Path]
) -> AsyncIterator[Assembly]:
    """Opens what a process of any service needs and closes it at the end. Ready once the database is migrated."""
    pool = await connect_pool(settings.database_url)
    parts = Assembly(role, health, settings, pool)
    try:

        async def migrated() -> bool:
            async with pool.acquire() as connection:
                return not await pending(connection, *migrations)

        health.check("database", migrated)
        yield parts
    finally:
        await parts.close()
