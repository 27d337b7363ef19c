"""Looks up, before the policies react, what they need beyond an event: queues that came right before it, tickets, people."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from services.notify.deciding import closing_notices, last_messages, ticket_facts
from services.notify.deciding.inputs import Known, Refusals
from services.notify.deciding.people import find
from services.notify.notices.audience import is_colleague, workers
from shared.contracts.directory import Person, Queue
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    FollowUpRejected,
    ReminderReached,
    TicketMoved,
    TicketUnlocked,
)
from shared.database import Connection
from shared.directory.copy import DirectoryCopy
from shared.messaging.delivery import Delivered, Parked
from shared.messaging.handlers import Handler

QUEUES = "SELECT document::text FROM directory.documents WHERE kind = 'queue' AND id = ANY($1)"
REVISION = "SELECT revision FROM directory.revision"
WANTING = """
SELECT document::text
  FROM directory.documents
 WHERE kind = 'person' AND NOT retired AND document -> 'notices' <> '[]'::jsonb
 ORDER BY id
"""
"""Who wants any notice at all; an index of its own has them."""
REFUSALS = """
SELECT stream_id, count(*) FILTER (WHERE recorded_at < now() - interval '10 minutes') AS before_lately,
       count(*) FILTER (WHERE recorded_at < now() - interval '1 day') AS before_today
  FROM es.events
 WHERE stream_id = ANY($1) AND type = 'helpdesk.NotificationRequested.v1' AND data ->> 'kind' = 'follow_up_rejected'
 GROUP BY stream_id
"""

OF_MY_QUEUES = (TicketOpened, CustomerMessageReceived, TicketMoved, TicketUnlocked)
"""What those who follow a queue may want to be told of."""
OF_A_QUEUE = (TicketOpened, AgentReplied, ArticleForwarded, ArticleBounced, FollowUpRejected)


class Informed:
    """A handler whose policies are informed first. On the consumer's own connection: it sees what the same batch has just brought."""

    def __init__(self, inner: Handler, copy: DirectoryCopy, known: Known) -> None:
        self.inner, self.copy, self.known = inner, copy, known
        self._revision = -1
        self.producers = inner.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        if not self.copy.queues.by_id:
            await self.copy.load()  # on the command line nothing keeps the snapshot fresh
        events = [delivery.event for delivery in deliveries if delivery.event is not None]
        self.known.forget()
        await ticket_facts.remember(connection, events)
        await last_messages.remember(connection, events)
        await closing_notices.keep(connection, events)
        answered = [event for event in events if isinstance(event.payload, AgentReplied)]
        if answered:
            self.known.words.update(await last_messages.recall(connection, [each.stream for each in answered]))
            await self._find_readers(connection, answered)
        told = [event for event in events if _is_told(event)]
        if told:
            self.known.tickets.update(await ticket_facts.recall(connection, [event.stream for event in told]))
        await self._find_queues(connection, events)
        if told:
            await self._find_people(connection, told)
        refused = [event.stream for event in events if isinstance(event.payload, FollowUpRejected)]
        if refused:
            await self._find_refusals(connection, refused)
        if any(isinstance(event.payload, OF_MY_QUEUES) for event in events):
            await self._find_wanting(connection)
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
            match event.payload:
                case TicketUnlocked(was=holder):
                    wanted.add(holder.id)
                case CustomerMessageReceived() if ticket is not None:
                    wanted.update(person.id for person in (ticket.responsible, ticket.owner) if person is not None)
                case FollowUpRejected(customer=customer) if ticket is not None and ticket.customer is not None:
                    wanted |= {customer.id, ticket.customer.id}
                case ReminderReached() if ticket is not None:
                    queue = self.copy.queues.by_id.get(ticket.queue.id) or self.known.queues.get(ticket.queue.id)
                    wanted.update(workers(queue))
                    if ticket.owner is not None:
                        wanted.add(ticket.owner.id)
                case _:
                    pass
        self.known.people.update(await find(connection, wanted))
        self.known.people.update(await find(connection, self._stand_ins(events)))

    def _stand_ins(self, events: Sequence[Recorded]) -> set[UUID]:
        """Those who work in the queues of tickets that a customer writes on and all of whose people have left."""
        wanted: set[UUID] = set()
        for event in events:
            ticket = self.known.tickets.get(event.stream)
            if ticket is None or not isinstance(event.payload, CustomerMessageReceived):
                continue
            named = [person.id for person in (ticket.responsible, ticket.owner) if person is not None]
            if named and not any(is_colleague(each, self.known.people) for each in named):
                wanted.update(
                    workers(self.copy.queues.by_id.get(ticket.queue.id) or self.known.queues.get(ticket.queue.id))
                )
        return wanted

    async def _find_readers(self, connection: Connection, answered: Sequence[Recorded]) -> None:
        """The customers who are answered, for their languages."""
        wanted = {cast(AgentReplied, event.payload).customer.id for event in answered}
        self.known.people.update(await find(connection, wanted))

    async def _find_refusals(self, connection: Connection, tickets: Sequence[UUID]) -> None:
        for row in await connection.fetch(REFUSALS, tickets):
            self.known.refusals[row["stream_id"]] = Refusals(row["before_lately"], row["before_today"])

    async def _find_wanting(self, connection: Connection) -> None:
        """Looked for again only when a document has changed."""
        revision: int = await connection.fetchval(REVISION)
        if revision != self._revision:
            rows = await connection.fetch(WANTING)
            self.known.wanting[:] = [Person.model_validate_json(row["document"]) for row in rows]
            self._revision = revision

    def committed(self) -> None:
        self.inner.committed()


def _is_told(event: Recorded) -> bool:
    """Whether people may be told of an event that does not name all that its mail needs."""
    match event.payload:
        case ReminderReached() | TicketUnlocked(because="expired") | CustomerMessageReceived() | TicketMoved():
            return True
        case FollowUpRejected():
            return True
        case _:
            return False
