"""Looks up, before the policies react, what they need beyond an event: queues that came right before it, tickets, people."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from services.notify import remembering
from services.notify.audience import workers
from services.notify.known import Known
from shared.contracts.directory import Person, Queue
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    FollowUpRejected,
    ReminderReached,
    TicketUnlocked,
)
from shared.database import Connection
from shared.directory.copy import DirectoryCopy
from shared.messaging.delivery import Delivered, Parked
from shared.messaging.handlers import Handler

QUEUES = "SELECT document::text FROM directory.documents WHERE kind = 'queue' AND id = ANY($1)"
PEOPLE = "SELECT document::text FROM directory.documents WHERE kind = 'person' AND id = ANY($1) AND NOT retired"

OF_A_QUEUE = (TicketOpened, AgentReplied, ArticleForwarded, ArticleBounced, FollowUpRejected)


class Informed:
    """A handler whose policies are informed first. On the consumer's own connection: it sees what the same batch has just brought."""

    def __init__(self, inner: Handler, copy: DirectoryCopy, known: Known) -> None:
        self.inner, self.copy, self.known = inner, copy, known
        self.producers = inner.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        if not self.copy.queues.by_id:
            await self.copy.load()  # on the command line nothing keeps the snapshot fresh
        events = [delivery.event for delivery in deliveries if delivery.event is not None]
        self.known.forget()
        await remembering.remember(connection, events)
        by_time = [event for event in events if _by_time(event)]
        if by_time:
            self.known.tickets.update(await remembering.recall(connection, [event.stream for event in by_time]))
        await remembering.remember_words(connection, events)
        answered = [event for event in events if isinstance(event.payload, AgentReplied)]
        if answered:
            self.known.words.update(await remembering.recall_words(connection, [each.stream for each in answered]))
            await self._find_readers(connection, answered)
        await self._find_queues(connection, events)
        if by_time:
            await self._find_people(connection, by_time)
        return await self.inner.work(connection, deliveries, parked)

    async def _find_queues(self, connection: Connection, events: Sequence[Recorded]) -> None:
        wanted = {
            cast(TicketOpened, event.payload).queue.id for event in events if isinstance(event.payload, OF_A_QUEUE)
        } | {ticket.queue.id for ticket in self.known.tickets.values()}
        missing = wanted - self.copy.queues.by_id.keys()
        if missing:
            for row in await connection.fetch(QUEUES, list(missing)):
                queue = Queue.model_validate_json(row["document"])
                self.known.queues[queue.id] = queue

    async def _find_people(self, connection: Connection, events: Sequence[Recorded]) -> None:
        wanted: set[UUID] = set()
        for event in events:
            ticket = self.known.tickets.get(event.stream)
            if isinstance(event.payload, TicketUnlocked):
                wanted.add(event.payload.was.id)
            elif ticket is not None:
                queue = self.copy.queues.by_id.get(ticket.queue.id) or self.known.queues.get(ticket.queue.id)
                wanted.update(workers(queue))
                if ticket.owner is not None:
                    wanted.add(ticket.owner.id)
        for row in await connection.fetch(PEOPLE, list(wanted)):
            person = Person.model_validate_json(row["document"])
            self.known.people[person.id] = person

    async def _find_readers(self, connection: Connection, answered: Sequence[Recorded]) -> None:
        """The customers who are answered, for their languages."""
        wanted = {cast(AgentReplied, event.payload).customer.id for event in answered}
        for row in await connection.fetch(PEOPLE, list(wanted)):
            person = Person.model_validate_json(row["document"])
            self.known.people[person.id] = person

    def committed(self) -> None:
        self.inner.committed()


def _by_time(event: Recorded) -> bool:
    """Whether time did something that people are told of."""
    match event.payload:
        case ReminderReached() | TicketUnlocked(because="expired"):
            return True
        case _:
            return False
