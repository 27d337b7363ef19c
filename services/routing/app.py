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
from shared.database import Connection
from shared.directory.copy import DirectoryCopy
from shared.directory.projection import DirectoryProjection
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Store
from shared.http.serving.health import Health
from shared.http.serving.server import Process, Role
from shared.messaging.handlers import Handler
from shared.messaging.pace import PROMPT, UNHURRIED
from shared.messaging.policy_handler import PolicyHandler
from shared.messaging.projection_handler import ProjectionHandler
from shared.runtime.assembly import assembled
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
    async with assembled(role, health, settings, MIGRATIONS) as parts:
        processes = Processes("shared.bounded.rich_text")
        try:
            copy = await parts.directory()
            clock = timers.Timers(parts.store)
            recording = timers.Recording(parts.store, clock.wake)
            runner = CommandRunner(parts.store, "ticket", ticket, record=recording)
            desk = Desk(parts.pool, runner, copy, Uploads(BlobStore(settings.blob_url)), processes)
            parts.relay(PROMPT)
            if parts.works:
                made = handlers(parts.store, copy, clock.wake)
                parts.consumer("consumer", name=CONSUMER, handlers=made, pace=UNHURRIED, replica=settings.replica)
                parts.run("timers", clock)
                sweep = Periodic("locks of who has left", leaving.SWEEP_SECONDS, lambda: leaving.sweep(parts.pool))
                parts.run("leaving", sweep)
            yield parts.process([api.router(desk), api.internal(desk)])
        finally:
            await processes.close()
