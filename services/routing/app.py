"""Where routing's parts are put together."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from services.routing import leaving, policies, ticket, timers
from services.routing.api import routes as api
from services.routing.operations import customers, numbers
from services.routing.operations.desk import Desk
from services.routing.schema import MIGRATIONS
from services.routing.settings import Settings
from shared.blobs.store import BlobStore
from shared.blobs.uploads import Uploads
from shared.bounded.processes import Processes
from shared.contracts.envelope import Recorded
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.database import Connection, Pool, connect_pool
from shared.directory.api import router as directory_router
from shared.directory.copy import DirectoryCopy
from shared.directory.projection import DirectoryProjection
from shared.eventstore.migrations import pending
from shared.eventstore.retention import CommandRetention
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Store
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role
from shared.messaging.announcing import Announcer
from shared.messaging.batching import HIGH_THROUGHPUT, LOW_LATENCY
from shared.messaging.consumer import Consumer
from shared.messaging.handlers import Handler
from shared.messaging.policy_handler import PolicyHandler
from shared.messaging.projection_handler import ProjectionHandler
from shared.messaging.relay import Relay
from shared.runtime.heartbeat import Background
from shared.runtime.periodic import Periodic

SERVICE = "routing"
CONSUMER = "routing"


def handlers(
    store: Store, copy: DirectoryCopy | None = None, wake: Callable[[], None] | None = None
) -> dict[str, Handler]:
    """What routing's consumer does with each topic. Without a copy of the documents that something keeps fresh, on the command line,
    one is loaded once."""
    documents = copy or DirectoryCopy(store.pool, Settings.read().database_url)

    async def loaded() -> None:
        if not documents.queues.by_id:
            await documents.load()

    async def beside(connection: Connection, events: Sequence[Recorded]) -> None:
        await numbers.remember(connection, events)
        await customers.remember(connection, events)
        await timers.set_timers(connection, events)

    return {
        TICKETS: PolicyHandler(
            name=CONSUMER,
            runner=CommandRunner(store, "ticket", ticket),
            producers=policies.LISTENS_TO,
            react=policies.Policies(lambda: documents.queues, lambda: documents.configuration).react,
            inline=beside,
            follow=policies.goes_on_in,
            done=wake,
            prepare=loaded,
        ),
        DIRECTORY: leaving.Leaving(ProjectionHandler(DirectoryProjection()), wake),
    }


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    pool = await connect_pool(settings.database_url)
    processes = Processes("shared.bounded.rich_text")
    try:
        store = Store(pool, SERVICE)
        copy = DirectoryCopy(pool, settings.database_url)
        await copy.load()
        health.check("database", lambda: _migrated(pool))
        clock = timers.Timers(store)
        uploads = Uploads(BlobStore(settings.blob_url))
        desk = Desk(
            pool,
            CommandRunner(store, "ticket", ticket, record=timers.Recording(store, clock.wake)),
            copy,
            uploads,
            processes,
        )
        background: dict[str, Background] = {"directory": copy}
        if role != "api":
            consumer = Consumer(
                name=CONSUMER,
                database_url=settings.database_url,
                pool=pool,
                kafka=settings.kafka,
                handlers=handlers(store, copy, clock.wake),
                batching=HIGH_THROUGHPUT,
                replica=settings.replica,
            )
            relay = Relay(store, settings.database_url, settings.kafka, LOW_LATENCY)
            background |= {"relay": relay, "consumer": consumer}
            background |= {"retention": CommandRetention(pool), "timers": clock}
            background["leaving"] = Periodic(
                "locks of who has left", leaving.SWEEP_SECONDS, lambda: leaving.sweep(pool)
            )
            if role == "worker":  # an API stays ready while Kafka is down
                health.check("consumer", consumer.has_its_partitions)
        else:
            background["announcer"] = Announcer(store)
        routers = [api.router(desk), api.internal(desk), directory_router(copy)] if role != "worker" else []
        yield Process(application(health, keys=settings.keys, routers=routers), background)
    finally:
        await processes.close()
        await pool.close()


async def _migrated(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        return not await pending(connection, *MIGRATIONS)
