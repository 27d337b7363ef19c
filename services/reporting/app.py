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
from shared.directory.projection import DirectoryProjection
from shared.http.serving.health import Health
from shared.http.serving.server import Process, Role
from shared.messaging.pace import UNHURRIED
from shared.messaging.parking.commands import MakeHandlers
from shared.messaging.projection_handler import ProjectionHandler
from shared.runtime.assembly import assembled
from shared.settings import env

SERVICE = "reporting"
DIRECTORY_CONSUMER = "reporting.directory"


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    async with assembled(role, health, settings, MIGRATIONS) as parts:
        copy = await parts.directory()
        if parts.works:
            parts.consumer(
                "documents",
                name=DIRECTORY_CONSUMER,
                handlers={DIRECTORY: ProjectionHandler(DirectoryProjection())},
                pace=UNHURRIED,
                replica=settings.replica,
            )
            for name, projection_set in projection_sets(settings.zone).items():
                filling = LiveConsumer(
                    projection_set,
                    database_url=settings.database_url,
                    pool=parts.pool,
                    kafka=settings.kafka,
                    replica=settings.replica,
                )
                parts.run(name, filling, ready=filling.has_its_partitions)
        routers = []
        if parts.serves:
            reading = Reading(parts.pool, copy, BlobStore(settings.blob_url))
            counting = stats_api.Counting(parts.pool, copy, settings.zone)
            routers = [tickets_api.router(reading), articles_api.router(reading), stats_api.router(counting)]
        yield parts.process(routers)


def replayed(consumer: str) -> MakeHandlers | None:
    """The handlers of a consumer whose parked tickets can be replayed: of any generation of a set, or of the documents."""
    if consumer == DIRECTORY_CONSUMER:
        return lambda _: {DIRECTORY: ProjectionHandler(DirectoryProjection())}
    for which in projection_sets(ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC"))).values():
        if (generation := which.generation(consumer)) is not None:
            made = which.handlers(generation)
            return lambda _: made
    return None
