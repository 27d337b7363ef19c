"""Where reporting's parts are put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

from services.reporting.generations.live_consumer import LiveConsumer
from services.reporting.generations.sets import projection_sets
from services.reporting.schema import MIGRATIONS
from services.reporting.settings import Settings
from services.reporting.stats import api as stats_api
from services.reporting.tickets import articles_api, tickets_api
from services.reporting.tickets.reading import Reading
from shared.blobs.store import BlobStore
from shared.contracts.topics import DIRECTORY
from shared.database import Pool, connect_pool
from shared.directory.api import router as directory_router
from shared.directory.copy import DirectoryCopy
from shared.directory.projection import DirectoryProjection
from shared.eventstore.migrations import pending
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role
from shared.messaging.batching import HIGH_THROUGHPUT
from shared.messaging.consumer import Consumer
from shared.messaging.parking.commands import MakeHandlers
from shared.messaging.projection_handler import ProjectionHandler
from shared.runtime.heartbeat import Background
from shared.settings import env

SERVICE = "reporting"
DIRECTORY_CONSUMER = "reporting.directory"


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    pool = await connect_pool(settings.database_url)
    try:
        copy = DirectoryCopy(pool, settings.database_url)
        await copy.load()
        health.check("database", lambda: _migrated(pool))
        background: dict[str, Background] = {"directory": copy}
        if role != "api":
            documents = Consumer(
                name=DIRECTORY_CONSUMER,
                database_url=settings.database_url,
                pool=pool,
                kafka=settings.kafka,
                handlers={DIRECTORY: ProjectionHandler(DirectoryProjection())},
                batching=HIGH_THROUGHPUT,
                replica=settings.replica,
            )
            background["documents"] = documents
            if role == "worker":  # an API stays ready while Kafka is down
                health.check("documents", documents.has_its_partitions)
            for name, which in projection_sets(settings.zone).items():
                filling = LiveConsumer(
                    which,
                    database_url=settings.database_url,
                    pool=pool,
                    kafka=settings.kafka,
                    replica=settings.replica,
                )
                background[name] = filling
                if role == "worker":
                    health.check(name, filling.has_its_partitions)
        routers = []
        if role != "worker":
            reading = Reading(pool, copy, BlobStore(settings.blob_url))
            counting = stats_api.Counting(pool, copy, settings.zone)
            routers = [
                tickets_api.router(reading),
                articles_api.router(reading),
                stats_api.router(counting),
                directory_router(copy),
            ]
        yield Process(application(health, keys=settings.keys, routers=routers), background)
    finally:
        await pool.close()


def replayed(consumer: str) -> MakeHandlers | None:
    """The handlers of a consumer whose parked tickets can be replayed: of any generation of a set, or of the documents."""
    if consumer == DIRECTORY_CONSUMER:
        return lambda _: {DIRECTORY: ProjectionHandler(DirectoryProjection())}
    for which in projection_sets(ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC"))).values():
        if (generation := which.generation(consumer)) is not None:
            made = which.handlers(generation)
            return lambda _: made
    return None


async def _migrated(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        return not await pending(connection, *MIGRATIONS)
