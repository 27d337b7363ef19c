"""Where notify's parts are put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.notify import deliveries, outgoing_api, ticket
from services.notify.letterhead import Letterhead
from services.notify.lookups import Informed
from services.notify.outgoing import Outgoing
from services.notify.policies import LISTENS_TO, Policies
from services.notify.schema import MIGRATIONS
from services.notify.sender import Sender
from services.notify.settings import MailSettings, Settings
from shared.blobs.store import BlobStore
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
from shared.messaging.announcing import announcing
from shared.messaging.consumer import Consumer
from shared.messaging.handlers import Handler, PolicyHandler, ProjectionHandler
from shared.messaging.pace import UNHURRIED
from shared.messaging.relay import Relay
from shared.messaging.restart import SILENCE_SECONDS
from shared.settings import env

SERVICE = "notify"
CONSUMER = "notify"


def handlers(
    store: Store, copy: DirectoryCopy, mail: MailSettings, requested: Callable[[], None] | None = None
) -> dict[str, Handler]:
    """What notify's consumer does with each topic; `requested` is called when mails may wait to be sent."""
    letterhead = Letterhead(
        lambda: copy.queues, mail.key, mail.domain, lambda: copy.settings, mail.zone, reply_tags=mail.reply_tags
    )
    policies = Policies(letterhead)
    reacting = PolicyHandler(
        name=CONSUMER,
        store=store,
        category="ticket",
        decider=ticket,
        producers=LISTENS_TO,
        react=policies.react,
        inline=deliveries.schedule,
        done=requested,
    )
    # Documents first: a ticket of the same batch finds its queue's.
    return {DIRECTORY: ProjectionHandler(DirectoryProjection()), TICKETS: Informed(reacting, copy, policies.known)}


def handlers_for_replay(store: Store) -> dict[str, Handler]:
    """The same for a parked ticket that is worked through from the command line."""
    return handlers(store, DirectoryCopy(store.pool, env("LEDGERDESK_DATABASE_URL")), MailSettings.read())


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    pool = await connect_pool(settings.database_url)
    blobs = BlobStore(settings.blob_url) if settings.blob_url else None
    try:
        store = Store(pool, SERVICE)
        copy = DirectoryCopy(pool, settings.database_url)
        await copy.load()
        health.check("database", lambda: _migrated(pool))
        background: dict[str, Task] = {"directory": copy.run}
        if role != "api":
            sender = Sender(store, settings.transport(), blobs, settings.signer)
            consumer = Consumer(
                name=CONSUMER,
                database_url=settings.database_url,
                pool=pool,
                kafka=settings.kafka,
                handlers=handlers(store, copy, MailSettings.read(), sender.wake),
                pace=UNHURRIED,
                replica=settings.replica,
            )
            relay = Relay(store, settings.database_url, settings.kafka, UNHURRIED)
            background |= {"relay": relay.run, "consumer": consumer.run, "sender": sender.run}
            background["retention"] = CommandRetention(pool).run
            health.watch("relay", lambda: relay.beat, silence=SILENCE_SECONDS)
            health.watch("consumer", lambda: consumer.beat, silence=SILENCE_SECONDS)
            if role == "worker":  # an API stays ready while Kafka is down
                health.check("consumer", consumer.has_its_partitions)
        else:
            background["announcer"] = lambda: announcing(store)
        outgoing = Outgoing(store, "smtp" if settings.smtp_url else "maildir")
        routers = [directory_router(copy), outgoing_api.router(outgoing, copy)] if role != "worker" else []
        yield Process(application(health, identity_key=settings.identity_key, routers=routers), background)
    finally:
        if blobs is not None:
            blobs.close()
        await pool.close()


async def _migrated(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        return not await pending(connection, *MIGRATIONS)
