"""Where intake's parts are put together."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from services.intake.mail.reading_pool import Readers
from services.intake.mail.verification.verifier import Verifier
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom, MailRules
from services.intake.opening import api
from services.intake.opening.customer_messages import CustomerMessages
from services.intake.opening.opening import Opening
from services.intake.opening.quotas import Quotas
from services.intake.opening.submissions import Submissions
from services.intake.policies import DeskNews
from services.intake.records.customer_claims import ClaimAnnouncer, ClaimsHandler
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import Receipts
from services.intake.records.records import Records
from services.intake.schema import MIGRATIONS
from services.intake.settings import Settings
from services.intake.transports import mail_api
from services.intake.transports.lmtp.server import LmtpServer
from services.intake.transports.mailboxes import api as mailboxes_api
from services.intake.transports.mailboxes.fetchers import Fetchers
from services.intake.transports.mailboxes.progress import Progress
from services.intake.uploads import api as blobs_api
from services.intake.uploads.virus_scan import VirusScan
from shared.blobs.store import BlobStore, BlobStoreUnavailable
from shared.blobs.uploads import Uploads
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.directory.projection import DirectoryProjection
from shared.eventstore.store import Store
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role
from shared.messaging.batching import HIGH_THROUGHPUT, LOW_LATENCY
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.runtime.periodic import Periodic
from shared.service.assembly import assembled

log = logging.getLogger(__name__)

SERVICE = "intake"
CONSUMER = "intake"
SWEEP_SECONDS = 3600.0


def handlers(store: Store, numbers: Numbers | None = None, receipts: Receipts | None = None) -> dict[str, Handler]:
    """What intake's consumer does with each topic."""
    numbers = numbers or Numbers(store.pool, Settings.read().timezone)
    receipts = receipts or _receipts(Settings.read())
    return {
        DIRECTORY: ClaimsHandler(ProjectionHandler(DirectoryProjection()), store),
        TICKETS: DeskNews(store, numbers, receipts),
    }


def _receipts(settings: Settings) -> Receipts:
    return Receipts(settings.receipts_a_day, settings.all_receipts_a_day)


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    async with assembled(role, health, settings, MIGRATIONS) as parts, AsyncExitStack() as closing:
        pool, store, copy = parts.pool, parts.store, await parts.directory()
        blobs = BlobStore(settings.blob_url)
        closing.callback(blobs.close)
        readers = Readers()
        closing.push_async_callback(readers.close)
        verifier = None
        if settings.nameservers is not None:
            verifier = Verifier(settings.nameservers, settings.trusted_sealers)
            closing.push_async_callback(verifier.close)
        numbers, uploads = Numbers(pool, settings.timezone), Uploads(blobs)
        receipts = _receipts(settings)
        records = Records(pool, store)
        rules = MailRules(settings.mail_key, settings.trusted_servers, settings.tickets_a_day)
        quotas = Quotas(pool, settings.customers, settings.agents)
        scan = VirusScan(settings.clamd) if settings.clamd else None
        mailroom = Mailroom(records, blobs, numbers, copy, readers, rules, receipts, verifier, scan)
        routers = []
        if parts.serves:
            submissions = Submissions(blobs, uploads, quotas, readers)
            opening = Opening(records, numbers, copy, submissions)
            messages = CustomerMessages(records, copy, submissions)
            routers = [
                api.router(opening, messages),
                blobs_api.router(uploads, store, scan, quotas),
                blobs_api.internal_router(uploads),
                mail_api.router(mailroom),
                mailboxes_api.router(copy, Progress(pool)),
            ]

            async def deliver(raw: bytes, envelope: Envelope) -> str:
                arriving = replace(envelope, trusted=settings.lmtp_trusted)
                return str((await mailroom.take(raw, arriving)).id)

            if settings.lmtp_listen:
                parts.run("lmtp", LmtpServer(settings.lmtp_listen, deliver))
        parts.relay(LOW_LATENCY)
        if parts.works:
            made = handlers(store, numbers, receipts)
            parts.consumer("consumer", name=CONSUMER, handlers=made, batching=HIGH_THROUGHPUT, replica=settings.replica)
            parts.run("identifying", ClaimAnnouncer(store))
            parts.run("uploads", Periodic("sweep of uploads", SWEEP_SECONDS, lambda: _sweep(uploads, quotas)))
            fetchers = Fetchers(mailroom, settings.database_url, settings.secrets, settings.mailbox_hosts)
            parts.run("mailboxes", fetchers)
        yield parts.process(routers)


async def _sweep(uploads: Uploads, quotas: Quotas) -> None:
    """Removes uploads that no ticket has named within a day, and used quotas of earlier days."""
    await quotas.purge()
    try:
        await uploads.sweep()
    except BlobStoreUnavailable as error:
        log.warning("uploads cannot be swept now: %s", error)
