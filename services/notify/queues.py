"""Makes sure that a mail is written with its queue's document, also when the ticket's event came right behind it."""

from collections.abc import Sequence
from uuid import UUID

from services.notify.policies import Policies
from shared.contracts.directory import Queue
from shared.contracts.intake import TicketOpened
from shared.contracts.routing import AgentReplied
from shared.database import Connection
from shared.directory.copy import DirectoryCopy
from shared.messaging.delivery import Delivered, Parked
from shared.messaging.handlers import Handler

FIND = "SELECT document::text FROM directory.documents WHERE kind = 'queue' AND id = ANY($1)"


class WithQueues:
    """Looks up, before the policies react, the queues that the snapshot lacks: the policies themselves are pure."""

    def __init__(self, inner: Handler, copy: DirectoryCopy, policies: Policies) -> None:
        self.inner, self.copy, self.policies = inner, copy, policies
        self.producers = inner.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        known = self.copy.queues.by_id
        if not known:
            await self.copy.load()  # on the command line nothing keeps the snapshot fresh
            known = self.copy.queues.by_id
        wanted = {
            delivery.event.payload.queue.id
            for delivery in deliveries
            if delivery.event is not None and isinstance(delivery.event.payload, TicketOpened | AgentReplied)
        }
        missing = wanted - known.keys()
        self.policies.late.clear()
        if missing:
            # On the consumer's own connection: it sees the documents that the same batch has just brought.
            for row in await connection.fetch(FIND, list(missing)):
                queue = Queue.model_validate_json(row["document"])
                self.policies.late[queue.id] = queue
        return await self.inner.work(connection, deliveries, parked)

    def committed(self) -> None:
        self.inner.committed()
