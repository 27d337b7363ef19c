"""Wires notify's parts together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from services.notify import ticket
from services.notify.account_mails import api as account_mails_api
from services.notify.account_mails.letters import Letters
from services.notify.account_mails.sender import AccountMailSender
from services.notify.deciding import held_notices, report_mails, suspended_rules
from services.notify.deciding.closing_notices import ClosingNotices
from services.notify.deciding.handler import TicketHandler
from services.notify.deciding.held_notices import HeldNotices
from services.notify.deciding.report_mails import ReportMails
from services.notify.deciding.suspended_rules import SuspendedRules
from services.notify.policies import LISTENS_TO, Policies
from services.notify.schema import MIGRATIONS
from services.notify.sending import deliveries, report_mails_api
from services.notify.sending.outgoing import outgoing_api
from services.notify.sending.outgoing.outgoing import Outgoing
from services.notify.sending.sender import Sender
from services.notify.settings import MailSettings, Settings
from services.notify.ticket.commands import Command
from services.notify.ticket.rules import follow
from services.notify.writing.mail_builder import MailBuilder
from shared.blobs.store import BlobStore
from shared.contracts.topics import DIRECTORY, REPORTS, RULES, TICKETS
from shared.directory.copy import DirectoryCopy
from shared.directory.projection import DirectoryProjection
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Store
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role
from shared.messaging.batching import HIGH_THROUGHPUT
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.policy_handler import PolicyHandler
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.service.assembly import assembled
from shared.settings import env

SERVICE = "notify"
CONSUMER = "notify"


def builder_of(copy: DirectoryCopy, mail: MailSettings) -> MailBuilder:
    """Reads the directory's copy.

    Each user needs its own, because it holds what was looked up for a batch.
    """
    return MailBuilder(
        lambda: copy.queues,
        mail.key,
        mail.domain,
        lambda: copy.configuration,
        mail.zone,
        reply_tags=mail.reply_tags,
        language=mail.language,
    )


def policies_of(copy: DirectoryCopy, mail: MailSettings) -> Policies:
    return Policies(builder_of(copy, mail))


def reactions(
    store: Store, policies: Policies, wait: timedelta, requested: Callable[[], None] | None = None
) -> PolicyHandler[Command, ticket.Ticket]:
    """Records what the policies request, and queues the mails; those of notices after the `wait`.

    `requested` is called when mails may wait to be sent.
    """
    return PolicyHandler(
        name=CONSUMER,
        runner=CommandRunner(store, "ticket", ticket, conclude=held_notices.rows_of),
        producers=LISTENS_TO,
        react=policies.react,
        inline=deliveries.schedule,
        rows=partial(held_notices.save, wait=wait),
        done=requested,
    )


def reactions_to_reports(
    store: Store, copy: DirectoryCopy, mail: MailSettings, requested: Callable[[], None] | None = None
) -> PolicyHandler[Command, ticket.Ticket]:
    """The same for reports. Each run of a report has a stream of its own."""
    return PolicyHandler(
        name=CONSUMER,
        runner=CommandRunner(store, "report-run", ticket),
        producers=report_mails.PRODUCERS,
        react=ReportMails(builder_of(copy, mail), lambda: copy.queues).react,
        inline=deliveries.schedule,
        done=requested,
        prepare=copy.load,
    )


def reactions_to_rules(
    store: Store, wait: timedelta, requested: Callable[[], None] | None = None
) -> PolicyHandler[Command, ticket.Ticket]:
    """Tells administrators of suspended triggers, on the tickets on which these failed."""
    suspended = SuspendedRules(store.pool)
    return PolicyHandler(
        name=CONSUMER,
        runner=CommandRunner(store, "ticket", ticket, conclude=held_notices.rows_of),
        producers=suspended_rules.PRODUCERS,
        react=suspended.react,
        rows=partial(held_notices.save, wait=wait),
        follow=follow,
        done=requested,
        prepare=suspended.prepare,
    )


def handlers(
    store: Store, copy: DirectoryCopy, mail: MailSettings, requested: Callable[[], None] | None = None
) -> dict[str, Handler]:
    """What notify's consumer does with each topic."""
    policies = policies_of(copy, mail)
    reacting = reactions(store, policies, mail.notices_wait, requested)
    # Documents come first, so that a ticket of the same batch finds its queue.
    return {
        DIRECTORY: ProjectionHandler(DirectoryProjection()),
        TICKETS: TicketHandler(reacting, copy, policies.inputs),
        REPORTS: reactions_to_reports(store, copy, mail, requested),
        RULES: reactions_to_rules(store, mail.notices_wait, requested),
    }


def handlers_for_replay(store: Store) -> dict[str, Handler]:
    """The handlers for a parked ticket that is replayed from the command line."""
    return handlers(store, DirectoryCopy(store.pool, env("LEDGERDESK_DATABASE_URL")), MailSettings.read())


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    async with assembled(role, health, settings, MIGRATIONS) as parts:
        blobs = BlobStore(settings.blob_url) if settings.blob_url else None
        try:
            store, copy = parts.store, await parts.directory()
            parts.relay(HIGH_THROUGHPUT)
            mail = MailSettings.read()
            if parts.works:
                sender = Sender(store, settings.transport(), blobs, settings.signer)
                held = HeldNotices(store, builder_of(copy, mail), mail.notices_wait, sender.wake)
                made = handlers(store, copy, mail, sender.wake)
                parts.consumer(
                    "consumer", name=CONSUMER, handlers=made, batching=HIGH_THROUGHPUT, replica=settings.replica
                )
                parts.run("sender", sender)
                parts.run("account mails", AccountMailSender(parts.pool, settings.transport(), settings.signer))
                closing_policies = policies_of(copy, mail)
                reacting = reactions(store, closing_policies, mail.notices_wait, sender.wake)
                parts.run("held notices", held)
                parts.run("closings", ClosingNotices(store, reacting, closing_policies.to_customers))
            routers = []
            if parts.serves:
                outgoing = Outgoing(store, "smtp" if settings.smtp_url else "maildir", await parts.reads(largest=2))
                routers = [
                    outgoing_api.router(outgoing, copy),
                    report_mails_api.router(store),
                    account_mails_api.router(parts.pool, Letters(mail.key, mail.domain, mail.desk)),
                ]
            yield parts.process(routers)
        finally:
            if blobs is not None:
                blobs.close()
