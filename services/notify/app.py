"""Where notify's parts are put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.notify import ticket
from services.notify.deciding.closings import Closings
from services.notify.deciding.lookups import Informed
from services.notify.policies import LISTENS_TO, Policies
from services.notify.schema import MIGRATIONS
from services.notify.sending import deliveries, outgoing_api
from services.notify.sending.outgoing import Outgoing
from services.notify.sending.sender import Sender
from services.notify.settings import MailSettings, Settings
from services.notify.ticket.commands import Command
from services.notify.writing.letterhead import Letterhead
from shared.blobs.store import BlobStore
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.database import Pool, connect_pool
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
from shared.messaging.batching import HIGH_THROUGHPUT
from shared.messaging.consumer import Consumer
from shared.messaging.handlers import Handler
from shared.messaging.policy_handler import PolicyHandler
from shared.messaging.projection_handler import ProjectionHandler
from shared.messaging.relay import Relay
from shared.runtime.heartbeat import Background
from shared.settings import env

SERVICE = "notify"
CONSUMER = "notify"


def policies_of(copy: DirectoryCopy, mail: MailSettings) -> Policies:
    """The policies on the newest snapshots; each of those who ask them needs its own, for what was looked up."""
    return Policies(
        Letterhead(
            lambda: copy.queues,
            mail.key,
            mail.domain,
            lambda: copy.configuration,
            mail.zone,
            reply_tags=mail.reply_tags,
        )
    )


def reactions(
    store: Store, policies: Policies, requested: Callable[[], None] | None = None
) -> PolicyHandler[Command, ticket.Ticket]:
    """How what the policies ask for is recorded, with the mails that have to leave."""
    return PolicyHandler(
        name=CONSUMER,
        runner=CommandRunner(store, "ticket", ticket),
        producers=LISTENS_TO,
        react=policies.react,
        inline=deliveries.schedule,
        done=requested,
    )


def handlers(
    store: Store, copy: DirectoryCopy, mail: MailSettings, requested: Callable[[], None] | None = None
) -> dict[str, Handler]:
    """What notify's consumer does with each topic; `requested` is called when mails may wait to be sent."""
    policies = policies_of(copy, mail)
    reacting = reactions(store, policies, requested)
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
        background: dict[str, Background] = {"directory": copy}
        if role != "api":
            sender = Sender(store, settings.transport(), blobs, settings.signer)
            consumer = Consumer(
                name=CONSUMER,
                database_url=settings.database_url,
                pool=pool,
                kafka=settings.kafka,
                handlers=handlers(store, copy, MailSettings.read(), sender.wake),
                batching=HIGH_THROUGHPUT,
                replica=settings.replica,
            )
            relay = Relay(store, settings.database_url, settings.kafka, HIGH_THROUGHPUT)
            closing_words = policies_of(copy, MailSettings.read())
            told = Closings(store, reactions(store, closing_words, sender.wake), closing_words)
            background |= {"relay": relay, "consumer": consumer, "sender": sender, "closings": told}
            background["retention"] = CommandRetention(pool)
            if role == "worker":  # an API stays ready while Kafka is down
                health.check("consumer", consumer.has_its_partitions)
        else:
            background["announcer"] = Announcer(store)
        outgoing = Outgoing(store, "smtp" if settings.smtp_url else "maildir")
        routers = [directory_router(copy), outgoing_api.router(outgoing, copy)] if role != "worker" else []
        yield Process(application(health, keys=settings.keys, routers=routers), background)
    finally:
        if blobs is not None:
            blobs.close()
        await pool.close()


async def _migrated(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        return not await pending(connection, *MIGRATIONS)
