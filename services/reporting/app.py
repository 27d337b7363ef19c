"""Composition root of reporting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from zoneinfo import ZoneInfo

from services.reporting.analytics import time_limit
from services.reporting.exports import exports_api
from services.reporting.exports.export import Exports
from services.reporting.generations.live_consumer import LiveConsumer
from services.reporting.generations.projection_sets import projection_sets
from services.reporting.reports import reports_api
from services.reporting.schema import MIGRATIONS
from services.reporting.settings import Settings
from services.reporting.stats import api as stats_api
from services.reporting.tickets import articles_api, tickets_api
from services.reporting.tickets.ticket_reader import TicketReader
from shared.blobs.store import BlobStore
from shared.contracts.topics import DIRECTORY
from shared.directory.projection import DirectoryProjection
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role
from shared.messaging.batching import HIGH_THROUGHPUT
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.messaging.operating.commands import MakeHandlers
from shared.runtime.periodic import Periodic
from shared.service.assembly import assembled
from shared.settings import env

SERVICE = "reporting"
DIRECTORY_CONSUMER = "reporting.directory"


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    async with assembled(role, health, settings, MIGRATIONS) as parts:
        copy = await parts.directory()
        if parts.works:
            cut = partial(time_limit.cut, parts.pool)
            parts.run("analysts", Periodic("time limit of analysts", time_limit.LOOK_SECONDS, cut))
            parts.consumer(
                "documents",
                name=DIRECTORY_CONSUMER,
                handlers={DIRECTORY: ProjectionHandler(DirectoryProjection())},
                batching=HIGH_THROUGHPUT,
                replica=settings.replica,
            )
            for name, projection_set in projection_sets(settings.zone).items():
                live = LiveConsumer(
                    projection_set,
                    database_url=settings.database_url,
                    pool=parts.pool,
                    kafka=settings.kafka,
                    replica=settings.replica,
                )
                parts.run(name, live, ready=live.has_its_partitions)
        routers = []
        if parts.serves:
            reads = await parts.reads()
            reader = TicketReader(reads, copy, BlobStore(settings.blob_url))
            counts = stats_api.StatsReader(reads, copy, settings.zone)
            exports = Exports(settings.database_url)
            routers = [
                exports_api.router(reader, exports, settings.zone),  # before `/tickets/{ref}`
                tickets_api.router(reader),
                articles_api.router(reader),
                stats_api.router(counts),
                reports_api.router(reader, settings.zone),
            ]
        yield parts.process(routers)


def replayed(consumer: str) -> MakeHandlers | None:
    """The handlers that replay a consumer's parked tickets; None for a consumer that is not reporting's."""
    if consumer == DIRECTORY_CONSUMER:
        return lambda _: {DIRECTORY: ProjectionHandler(DirectoryProjection())}
    for projection_set in projection_sets(ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC"))).values():
        if (generation := projection_set.generation(consumer)) is not None:
            handlers = projection_set.handlers(generation)
            return lambda _: handlers
    return None
