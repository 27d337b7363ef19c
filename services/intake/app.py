"""Where intake's parts are put together."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.intake.mail.reading_pool import Readers
from services.intake.mail.verification.verifier import Verifier
from services.intake.mailroom.mailroom import Envelope, Mailroom, MailRules
from services.intake.opening import api
from services.intake.opening.allowances import Allowances
from services.intake.opening.opening import Opening
from services.intake.policies import DeskNews
from services.intake.records.identifying import Claims, Identifying
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import Receipts
from services.intake.records.records import Records
from services.intake.schema import MIGRATIONS
from services.intake.settings import Settings
from services.intake.uploads import api as blobs_api
from services.intake.uploads.virus_scan import VirusScan
from services.intake.ways_in import mail_api
from services.intake.ways_in.lmtp import LmtpServer
from services.intake.ways_in.mailboxes import api as mailboxes_api
from services.intake.ways_in.mailboxes.fetchers import Fetchers
from services.intake.ways_in.mailboxes.progress import Progress
from shared.blobs.store import BlobStore, BlobStoreUnavailable
from shared.blobs.uploads import Uploads
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.database import Pool, connect_pool
from shared.directory.api import router as directory_router
from shared.directory.copy import DirectoryCopy
from shared.directory.projection import DirectoryProjection
from shared.eventstore.migrations import pending
from shared.eventstore.retention import CommandRetention
from shared.eventstore.store import Store
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role
from shared.messaging.announcing import Announcer
from shared.messaging.batching import HIGH_THROUGHPUT, LOW_LATENCY
from shared.messaging.consumer import Consumer
from shared.messaging.handlers import Handler
from shared.messaging.projection_handler import ProjectionHandler
from shared.messaging.relay import Relay
from shared.runtime.heartbeat import Background
from shared.runtime.periodic import Periodic

log = logging.getLogger(__name__)

SERVICE = "intake"
CONSUMER = "intake"


SWEEP_SECONDS = 3600.0


def handlers(store: Store, numbers: Numbers | None = None, receipts: Receipts | None = None) -> dict[str, Handler]:
    """What intake's consumer does with each topic."""
    numbers = numbers or Numbers(store.pool, Settings.read().timezone)
    receipts = receipts or _receipts(Settings.read())
    return {
        DIRECTORY: Identifying(ProjectionHandler(DirectoryProjection()), store),
        TICKETS: DeskNews(store, numbers, receipts),
    }


def _receipts(settings: Settings) -> Receipts:
    return Receipts(settings.receipts_a_day, settings.all_receipts_a_day)


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    pool = await connect_pool(settings.database_url)
    blobs = BlobStore(settings.blob_url)
    readers = Readers()
    verifier = None
    if settings.nameservers is not None:
        verifier = Verifier(settings.nameservers, settings.trusted_sealers)
    try:
        store = Store(pool, SERVICE)
        copy = DirectoryCopy(pool, settings.database_url)
        await copy.load()
        health.check("database", lambda: _migrated(pool))
        background: dict[str, Background] = {"directory": copy}
        routers = []
        numbers, uploads = Numbers(pool, settings.timezone), Uploads(blobs)
        receipts = _receipts(settings)
        records = Records(pool, store)
        rules = MailRules(settings.mail_key, settings.trusted_servers, settings.tickets_a_day)
        allowances = Allowances(pool, settings.customers, settings.agents)
        scan = VirusScan(settings.clamd) if settings.clamd else None
        mailroom = Mailroom(records, blobs, numbers, copy, readers, rules, receipts, verifier, scan)
        if role != "worker":
            opening = Opening(records, blobs, numbers, copy, uploads, allowances, readers)
            routers = [
                api.router(opening),
                blobs_api.router(uploads, store, scan, allowances),
                mail_api.router(mailroom),
                mailboxes_api.router(copy, Progress(pool)),
                directory_router(copy),
            ]

            async def deliver(raw: bytes, envelope: Envelope) -> str:
                arriving = replace(envelope, trusted=settings.lmtp_trusted)
                return str((await mailroom.take(raw, arriving)).id)

            if settings.lmtp_listen:
                background["lmtp"] = LmtpServer(settings.lmtp_listen, deliver)
        if role != "api":
            consumer = Consumer(
                name=CONSUMER,
                database_url=settings.database_url,
                pool=pool,
                kafka=settings.kafka,
                handlers=handlers(store, numbers, receipts),
                batching=HIGH_THROUGHPUT,
                replica=settings.replica,
            )
            relay = Relay(store, settings.database_url, settings.kafka, LOW_LATENCY)
            background |= {"relay": relay, "consumer": consumer}
            background["retention"] = CommandRetention(pool)
            background["identifying"] = Claims(store)
            background["uploads"] = Periodic("sweep of uploads", SWEEP_SECONDS, lambda: _sweep(uploads, allowances))
            background["mailboxes"] = Fetchers(
                mailroom, settings.database_url, settings.secrets, settings.mailbox_hosts
            )
            if role == "worker":  # an API stays ready while Kafka is down
                health.check("consumer", consumer.has_its_partitions)
        else:
            background["announcer"] = Announcer(store)
        yield Process(application(health, keys=settings.keys, routers=routers), background)
    finally:
        await readers.close()
        if verifier is not None:
            await verifier.close()
        blobs.close()
        await pool.close()


async def _sweep(uploads: Uploads, allowances: Allowances) -> None:
    """Removes uploads that no ticket has named within a day, and what people have taken of their shares of other days."""
    await allowances.purge()
    try:
        await uploads.sweep()
    except BlobStoreUnavailable as error:
        log.warning("uploads are not swept now: %s", error)


async def _migrated(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        return not await pending(connection, *MIGRATIONS)
