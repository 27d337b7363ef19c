"""Where routing's parts are put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.routing import api, numbers, policies, ticket
from services.routing.desk import Desk
from services.routing.settings import Settings
from shared import directory, eventstore, messaging
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.database import Pool, connect_pool
from shared.directory.api import router as directory_router
from shared.directory.copy import DirectoryCopy
from shared.directory.projection import DirectoryProjection
from shared.eventstore.migrations import pending
from shared.eventstore.retention import CommandRetention
from shared.eventstore.store import Store
from shared.http.application import application
from shared.http.health import Health
from shared.http.server import Process, Role, Task
from shared.messaging.consumer import SILENCE_SECONDS, Consumer
from shared.messaging.handlers import Handler, PolicyHandler, ProjectionHandler
from shared.messaging.relay import Relay

SERVICE = "routing"
CONSUMER = "routing"
MIGRATIONS = [Path(package.__path__[0]) / "migrations" for package in (eventstore, messaging, directory)] + [
    Path(__file__).parent / "migrations"
]


def handlers(store: Store) -> dict[str, Handler]:
    """What routing's consumer does with each topic."""
    return {
        TICKETS: PolicyHandler(
            name=CONSUMER,
            store=store,
            category="ticket",
            decider=ticket,
            producers=policies.LISTENS_TO,
            react=policies.react,
            inline=numbers.remember,
        ),
        DIRECTORY: ProjectionHandler(DirectoryProjection()),
    }


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    pool = await connect_pool(settings.database_url)
    try:
        store = Store(pool, SERVICE)
        copy = DirectoryCopy(pool, settings.database_url)
        await copy.load()
        health.check("database", lambda: _migrated(pool))
        desk = Desk(pool, store, copy)
        background: dict[str, Task] = {"directory": copy.run}
        if role != "api":
            consumer = Consumer(
                name=CONSUMER,
                database_url=settings.database_url,
                pool=pool,
                bootstrap=settings.kafka,
                handlers=handlers(store),
                replica=settings.replica,
            )
            background |= {"relay": Relay(store, settings.database_url, settings.kafka).run, "consumer": consumer.run}
            background["retention"] = CommandRetention(pool).run
            health.watch("consumer", lambda: consumer.beat, silence=SILENCE_SECONDS)
        routers = [api.router(desk), directory_router(copy)] if role != "worker" else []
        yield Process(application(health, identity_key=settings.identity_key, routers=routers), background)
    finally:
        await pool.close()


async def _migrated(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        return not await pending(connection, *MIGRATIONS)
