"""Handles the events of tickets: updates notify's read models, looks up what the policies need, and lets them react."""

from collections import Counter
from collections.abc import Sequence
from typing import cast
from uuid import UUID

from services.notify.deciding import closing_notices
from services.notify.deciding.rule_mails import people_named
from services.notify.notices.audience import MOST_SUBSTITUTES, MOST_WORKERS, workers
from services.notify.notices.to_agents import notices_about
from services.notify.read_models import last_messages, ticket_facts
from services.notify.read_models.inputs import PolicyInputs, RejectionCounts
from services.notify.read_models.people import find
from shared.addresses import comparable
from shared.contracts.directory import Person, Queue
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    FollowUpRejected,
    OwnerChanged,
    ResponsibleChanged,
    RuleNotified,
)
from shared.database import Connection
from shared.directory.copy import DirectoryCopy
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.handlers import Handler

QUEUES = "SELECT document::text FROM directory.documents WHERE kind = 'queue' AND id = ANY($1)"
REVISION = "SELECT revision FROM directory.revision"
SUBSCRIBERS = """
SELECT document::text
  FROM directory.documents
 WHERE kind = 'person' AND NOT retired AND document -> 'notices' <> '[]'::jsonb
 ORDER BY id
"""
"""Everybody who wants any notice. The index documents_wanting_notices serves it."""
REJECTIONS = """
SELECT stream_id, count(*) FILTER (WHERE recorded_at < now() - interval '10 minutes') AS older_than_ten_minutes,
       count(*) FILTER (WHERE recorded_at < now() - interval '1 day') AS older_than_a_day
  FROM es.events
 WHERE stream_id = ANY($1) AND type = 'helpdesk.NotificationRequested.v1' AND data ->> 'kind' = 'follow_up_rejected'
 GROUP BY stream_id
"""

FOLLOWERS = f"""
SELECT q.id AS queue_id, p.document::text AS document
  FROM unnest($1::uuid[]) AS q(id)
 CROSS JOIN LATERAL
       (SELECT d.document
          FROM directory.documents d
         WHERE d.kind = 'person' AND NOT d.retired AND d.document -> 'follows' @> to_jsonb(q.id::text)
         ORDER BY d.id
         LIMIT {MOST_WORKERS}) AS p
"""
"""The index documents_following serves it."""
OLD_RULE_MAILS = """
SELECT stream_id, data #>> '{mail,to,0,email}' AS address, count(*) AS mails
  FROM es.events
 WHERE stream_id = ANY($1) AND type = 'helpdesk.NotificationRequested.v1'
   AND data ->> 'kind' IN ('rule', 'rule_to_customer') AND recorded_at < now() - interval '1 day'
 GROUP BY 1, 2
"""

NAMES_A_QUEUE = (TicketOpened, AgentReplied, ArticleForwarded, ArticleBounced, FollowUpRejected, RuleNotified)


class TicketHandler:
    """Runs before the policy handler `inner`. Both see what the batch brought: they share its transaction."""

    def __init__(self, inner: Handler, copy: DirectoryCopy, inputs: PolicyInputs) -> None:
        self.inner, self.copy, self.inputs = inner, copy, inputs
        self._revision = -1
        self.producers = inner.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        if not self.copy.queues.by_id:
            await self.copy.load()  # on the command line nothing keeps the copy up to date
        events = [delivery.event for delivery in deliveries if delivery.event is not None]
        await ticket_facts.save(connection, events)
        await last_messages.save(connection, events)
        await closing_notices.save(connection, events)
        self.inputs.clear()
        await self._look_up_last_messages(connection, events)
        await self._look_up_customers(connection, events)
        noticed = [event for event in events if _needs_facts(event)]
        if noticed:
            self.inputs.tickets.update(await ticket_facts.load(connection, [event.stream for event in noticed]))
        await self._look_up_queues(connection, events)
        await self._look_up_people(connection, noticed)
        await self._look_up_rejections(connection, events)
        await self._look_up_subscribers(connection, events)
        await self._look_up_for_rules(connection, events)
        if noticed or any(isinstance(event.payload, TicketOpened) for event in events):
            await self._look_up_substitutes(connection)
        return await self.inner.work(connection, deliveries, parked)

    async def _look_up_last_messages(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """What a reply may quote."""
        replies = [event for event in events if isinstance(event.payload, AgentReplied)]
        if replies:
            self.inputs.last_messages.update(await last_messages.load(connection, [each.stream for each in replies]))

    async def _look_up_customers(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """The customers who get a mail about a message, as they may have chosen a language."""
        customers: set[UUID] = set()
        for event in events:
            match event.payload:
                case AgentReplied(customer=customer) | TicketOpened(customer=customer):
                    customers.add(customer.id)
                case _:
                    pass
        self.inputs.people.update(await find(connection, customers))

    async def _look_up_queues(self, connection: Connection, events: Sequence[Recorded]) -> None:
        wanted = {
            cast(TicketOpened, event.payload).queue.id for event in events if isinstance(event.payload, NAMES_A_QUEUE)
        } | {ticket.queue.id for ticket in self.inputs.tickets.values()}
        missing = wanted - self.copy.queues.by_id.keys()
        if missing:
            for row in await connection.fetch(QUEUES, list(missing)):
                queue = Queue.model_validate_json(row["document"])
                self.inputs.queues[queue.id] = queue

    async def _look_up_people(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """First those whom a notice concerns, then those who work in the queues of tickets for which nobody is left."""
        self.inputs.people.update(await find(connection, self._concerned(events)))
        self.inputs.people.update(await find(connection, self._teams(events)))

    def _concerned(self, events: Sequence[Recorded]) -> set[UUID]:
        wanted: set[UUID] = set()
        for event in events:
            ticket = self.inputs.tickets.get(event.stream)
            if ticket is None:
                continue
            for notice in notices_about(event.payload):
                wanted.update(notice.to.candidate_ids(event.payload, ticket))
            if isinstance(event.payload, FollowUpRejected) and ticket.customer is not None:
                wanted |= {event.payload.customer.id, ticket.customer.id}
            if isinstance(event.payload, RuleNotified):
                wanted |= {event.payload.customer.id, *people_named(event.payload)}
        return wanted

    def _teams(self, events: Sequence[Recorded]) -> set[UUID]:
        wanted: set[UUID] = set()
        for event in events:
            ticket = self.inputs.tickets.get(event.stream)
            if ticket is None:
                continue
            queue = self.copy.queues.by_id.get(ticket.queue.id) or self.inputs.queues.get(ticket.queue.id)
            for notice in notices_about(event.payload):
                candidates = notice.to.candidate_ids(event.payload, ticket)
                if notice.to.needs_team(candidates, queue, self.inputs.people):
                    wanted.update(workers(queue))
        return wanted

    async def _look_up_for_rules(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """The followers of queues, if a trigger tells them, and how many mails it has sent to whom."""
        notified = [(event.stream, event.payload) for event in events if isinstance(event.payload, RuleNotified)]
        queues = {payload.queue.id for _, payload in notified if "followers" in payload.to}
        for row in await connection.fetch(FOLLOWERS, list(queues)) if queues else ():
            person = Person.model_validate_json(row["document"])
            self.inputs.followers.setdefault(row["queue_id"], []).append(person)
        for row in await connection.fetch(OLD_RULE_MAILS, [stream for stream, _ in notified]) if notified else ():
            counts = self.inputs.rule_mails.setdefault(row["stream_id"], Counter())
            counts[comparable(row["address"] or "")] += row["mails"]

    async def _look_up_substitutes(self, connection: Connection) -> None:
        """The substitutes of everybody who may have a notice, whether they are away now or not."""
        people = self.inputs.people
        reached = [*people.values(), *self.inputs.subscribers]
        reached += [each for followers in self.inputs.followers.values() for each in followers]
        for _ in range(MOST_SUBSTITUTES):
            absences = [each.absence for each in reached if each.absence is not None and each.absence.active]
            named = {each.substitute for each in absences if each.substitute is not None}
            found = await find(connection, named - people.keys())
            if not found:
                return
            people.update(found)
            reached = list(found.values())

    async def _look_up_rejections(self, connection: Connection, events: Sequence[Recorded]) -> None:
        tickets = [event.stream for event in events if isinstance(event.payload, FollowUpRejected)]
        if tickets:
            for row in await connection.fetch(REJECTIONS, tickets):
                counts = RejectionCounts(row["older_than_ten_minutes"], row["older_than_a_day"])
                self.inputs.rejections[row["stream_id"]] = counts

    async def _look_up_subscribers(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Again only if a document has changed since."""
        if not any(notice.to.subscription for event in events for notice in notices_about(event.payload)):
            return
        revision: int = await connection.fetchval(REVISION)
        if revision != self._revision:
            rows = await connection.fetch(SUBSCRIBERS)
            self.inputs.subscribers[:] = [Person.model_validate_json(row["document"]) for row in rows]
            self._revision = revision

    def committed(self) -> None:
        self.inner.committed()


def _needs_facts(event: Recorded) -> bool:
    """Whether the event may lead to a notice, but does not itself say what the notice needs of the ticket."""
    match event.payload:
        case TicketOpened():
            return False
        case FollowUpRejected() | RuleNotified():
            return True
        case OwnerChanged(to=person) | ResponsibleChanged(to=person):
            # Whoever takes a ticket, as the first one who answers does, is told nothing.
            return person is not None and str(person.id) != event.actor.id
        case _:
            return bool(notices_about(event.payload))
