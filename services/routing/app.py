"""The composition root of routing."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from services.routing import former_agents, policies, rows, timers
from services.routing.api import routes, with_originals
from services.routing.conclusions import Conclusions
from services.routing.matches.idle import IdleTickets
from services.routing.matches.worker import TriggerWorker
from services.routing.operations.tickets import TicketOperations
from services.routing.recording import Recording, write_rows
from services.routing.recounts.requests import RecountRequests
from services.routing.recounts.worker import Recounts
from services.routing.references import customers, numbers
from services.routing.references.assignees import Assignees
from services.routing.runner import runner
from services.routing.schema import MIGRATIONS
from services.routing.settings import Settings
from shared.blobs.store import BlobStore
from shared.blobs.uploads import Uploads
from shared.bounded.processes import Processes
from shared.contracts.envelope import Recorded
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.database import Connection
from shared.directory.copy import DirectoryCopy
from shared.directory.projection import DirectoryProjection
from shared.eventstore.store import Store
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role
from shared.messaging.batching import HIGH_THROUGHPUT, LOW_LATENCY
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.policy_handler import PolicyHandler
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.runtime.periodic import Periodic
from shared.service.assembly import assembled

SERVICE = "routing"
CONSUMER = "routing"


def handlers(
    store: Store,
    copy: DirectoryCopy | None = None,
    wake: Callable[[], None] | None = None,
    matched: Callable[[], None] | None = None,
    recount: Callable[[], None] | None = None,
) -> dict[str, Handler]:
    """What routing's consumer does with each topic.

    `wake` wakes the timers of this process, `matched` its triggers, and `recount` its recounts. On the command line nothing keeps a copy of the
    configuration fresh: then one is loaded once.
    """
    documents = copy or DirectoryCopy(store.pool, Settings.read().database_url)

    async def loaded() -> None:
        if not documents.queues.by_id:
            await documents.load()

    async def write(connection: Connection, events: Sequence[Recorded]) -> None:
        await numbers.remember(connection, events)
        await customers.remember(connection, events)
        await write_rows(connection, events)

    return {
        TICKETS: PolicyHandler(
            name=CONSUMER,
            runner=runner(store, Conclusions(lambda: documents.configuration)),
            producers=policies.LISTENS_TO,
            react=policies.Policies(lambda: documents.queues, lambda: documents.configuration).react,
            inline=write,
            rows=rows.write,
            rows_written=matched,
            follow=policies.continues_in,
            done=wake,
            prepare=loaded,
            begins_with_cause=True,
        ),
        DIRECTORY: RecountRequests(former_agents.LockEnding(ProjectionHandler(DirectoryProjection()), wake), recount),
    }


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    async with assembled(role, health, settings, MIGRATIONS) as parts:
        processes = Processes("shared.bounded.rich_text")
        try:
            copy = await parts.directory()
            conclude = Conclusions(lambda: copy.configuration)
            clock = timers.Timers(parts.store, conclude)

            def wake() -> None:
                clock.wake()
                worker.wake()

            recording = Recording(parts.store, wake)
            uploads = Uploads(BlobStore(settings.blob_url))
            commands = runner(parts.store, conclude, recording)
            assignees = Assignees(parts.pool, copy, settings.zone)
            operations = TicketOperations(parts.pool, commands, copy, uploads, processes, assignees)
            idle = IdleTickets(parts.store, commands.states, lambda: conclude.rules)
            worker = TriggerWorker(commands, operations, conclude.at_depth, idle)
            parts.relay(LOW_LATENCY)
            if parts.works:
                recounts = Recounts(parts.store, conclude, copy)
                made = handlers(parts.store, copy, clock.wake, worker.wake, recounts.wake)
                parts.consumer(
                    "consumer", name=CONSUMER, handlers=made, batching=HIGH_THROUGHPUT, replica=settings.replica
                )
                parts.run("timers", clock)
                parts.run("triggers", worker)
                parts.run("recounts", recounts)
                seconds = former_agents.SWEEP_SECONDS
                sweep = Periodic("locks of former agents", seconds, lambda: former_agents.sweep(parts.pool))
                parts.run("leaving", sweep)
            yield parts.process([routes.router(operations), with_originals.router(operations)])
        finally:
            await processes.close()
