"""Composition root of reporting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from zoneinfo import ZoneInfo

from services.reporting.analytics import time_limit
from services.reporting.deadlines.calendars import CalendarKeeping
from services.reporting.dry_runs import dry_runs_api
from services.reporting.dry_runs.running import DryRuns
from services.reporting.exports import exports_api
from services.reporting.exports.export import Exports
from services.reporting.feed import events_api
from services.reporting.feed.feed import Feed
from services.reporting.feed.follower import Follower
from services.reporting.feed.late_events import ReplayHandler
from services.reporting.feed.sealed_places import SealedPlaces
from services.reporting.feed.visible_events import VisibleEvents
from services.reporting.generations.live_consumer import LiveConsumer
from services.reporting.generations.projection_sets import projection_sets
from services.reporting.live import link_api, presence_api
from services.reporting.live.hub import Hub
from services.reporting.live.presence import Presence
from services.reporting.notices import notices_api
from services.reporting.notices.notice_list import NoticeList
from services.reporting.printing import print_api
from services.reporting.printing.pdf_page import typesetters
from services.reporting.reports import reports_api
from services.reporting.schema import MIGRATIONS
from services.reporting.search import api as search_api
from services.reporting.search import export_api, saved_searches_api
from services.reporting.search.index.served import ServedIndex
from services.reporting.search.ticket_search import TicketSearch
from services.reporting.settings import Settings
from services.reporting.stats import api as stats_api
from services.reporting.tickets import articles_api, tickets_api
from services.reporting.tickets.ticket_reader import TicketReader
from shared.blobs.store import BlobStore
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.directory.projection import DirectoryProjection
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role
from shared.messaging.batching import HIGH_THROUGHPUT
from shared.messaging.consuming.handlers import Handler
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
    async with assembled(role, health, settings, MIGRATIONS) as parts, typesetters() as printers:
        copy = await parts.directory()
        if parts.works:
            cut = partial(time_limit.cut, parts.pool)
            parts.run("analysts", Periodic("time limit of analysts", time_limit.LOOK_SECONDS, cut))
            parts.consumer(
                "documents",
                name=DIRECTORY_CONSUMER,
                handlers={DIRECTORY: documents()},
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
            reader = TicketReader(reads, copy, BlobStore(settings.blob_url), settings.zone, settings.language)
            feed = Feed(reads)
            follower = Follower(feed, settings.database_url)
            parts.run("event feed", follower)
            health.when_draining(follower.end)
            presence = Presence(parts.pool, settings.database_url, settings.keys.purpose("presence"))
            parts.run("presence", presence)
            places = SealedPlaces(settings.keys.purpose("places"))
            notices = NoticeList(reads, parts.pool, copy, settings.zone, settings.language)
            hub = Hub(parts.pool, copy, feed, follower, places, presence, notices)
            parts.run("live changes", hub)
            health.when_draining(hub.end)
            counts = stats_api.StatsReader(reads, copy, settings.zone, notices)
            exports = Exports(settings.database_url)
            index = ServedIndex(parts.pool, settings.database_url, settings.search_directory)
            parts.run("search", index)
            search = TicketSearch(reader, index)
            routers = [
                exports_api.router(reader, exports, settings.zone),  # before `/tickets/{ref}`
                print_api.router(reader, printers, settings.zone),
                tickets_api.router(reader),
                articles_api.router(reader),
                stats_api.router(counts),
                notices_api.router(notices),
                presence_api.router(reader, presence),
                link_api.router(hub),
                events_api.router(VisibleEvents(feed, reader), follower, places),
                search_api.router(search),
                saved_searches_api.router(reader),
                export_api.router(search, exports, settings.zone),
                reports_api.router(reader, settings.zone),
                dry_runs_api.router(reader, DryRuns(settings.database_url)),
            ]
        yield parts.process(routers)


def documents() -> Handler:
    """Works through the directory topic."""
    return CalendarKeeping(ProjectionHandler(DirectoryProjection()))


def replayed(consumer: str) -> MakeHandlers | None:
    """The handlers that replay a consumer's parked tickets; None for a consumer that is not reporting's."""
    if consumer == DIRECTORY_CONSUMER:
        return lambda _: {DIRECTORY: documents()}
    for projection_set in projection_sets(ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC"))).values():
        if (generation := projection_set.generation(consumer)) is not None:
            handlers = dict(projection_set.handlers(generation))
            if projection_set.name == "desk":
                handlers[TICKETS] = ReplayHandler(handlers[TICKETS], generation)
            return lambda _: handlers
    return None
