"""Tickets opened and messages given over the API: who may, on which state, in which words; then one decision, recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal
from uuid import UUID

from prometheus_client import Counter
from uuid_utils.compat import uuid7

from services.intake import ticket
from services.intake.opening import topic_form
from services.intake.opening.bodies import MessageBody, TicketBody
from services.intake.opening.quotas import Allowances
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import receipt_mailbox
from services.intake.records.records import OpenedTicket, Place, Raced, Records, Rows, Way
from services.intake.ticket import Ticket
from services.intake.ticket.commands import OpenTicket, ReceiveMessage
from shared.addresses import comparable
from shared.blobs import texts
from shared.blobs.store import BlobStore
from shared.blobs.uploads import UploadMissing, Uploads
from shared.bounded import rich_text
from shared.bounded.processes import Processes
from shared.bounded.rich_text import RichText
from shared.contracts.directory import Member, Queue, Topic
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.intake import CustomerRegistered
from shared.contracts.parts import (
    Address,
    Attachment,
    Blob,
    CustomerRef,
    Message,
    PersonRef,
    QueueRef,
)
from shared.directory.copy import DirectoryCopy
from shared.eventstore.commands import RETRIES, Outcome, once, replayed
from shared.eventstore.errors import CommandReused, UnknownStream, VersionConflict
from shared.eventstore.store import Append, CommandId, Context, NewEvent
from shared.fields import checked
from shared.http import problems
from shared.rules.access import Access, Identity, TicketFacts, may, rights
from shared.rules.subjects import number_in
from shared.telemetry.tracing import traceparent

OPENED = Counter("ledgerdesk_tickets_opened", "Tickets opened over the API, by channel", ["channel"])

Answer = dict[str, Any]


def queue_ref(queue: Queue) -> QueueRef:
    return QueueRef(id=queue.id, slug=queue.slug, name=queue.name)


def registration(customer: CustomerRef, ticket_id: UUID, context: Context) -> Append:
    """The first event of a customer who was never seen before."""
    event = NewEvent(CustomerRegistered(customer=customer, first_ticket=ticket_id))
    return Append(customer.id, "customer", 0, (event,), context)


def actor(who: Identity) -> Actor:
    return Actor("agent" if who.is_agent else "customer", str(who.person_id))


@dataclass(frozen=True, slots=True)
class Opening:
    """What intake does for the API."""

    records: Records
    blobs: BlobStore
    numbers: Numbers
    directory: DirectoryCopy
    uploads: Uploads
    allowances: Allowances
    processes: Processes
    """They read the rich text of messages."""

    async def open(self, body: TicketBody, who: Identity, key: CommandId) -> Outcome:
        """Opens a ticket and answers `{"id", "number", "version"}`; a repeat gets the first answer.

        Raises the problems 403 and 422, 429 and 413 beyond the person's share of a day, 503 while the queues have not arrived, and
        CommandReused, CommandRunning.
        """
        return await once(self.records.store, key, lambda: self._open(body, who, key), replayed)

    async def _open(self, body: TicketBody, who: Identity, key: CommandId) -> Outcome:
        settings = self.directory.configuration
        topic = topic_form.asked_for(body.topic, settings, who) if body.topic is not None else None
        queue = self._queue(body, topic, who)
        email, name, person = self._customer(body, who)
        self._offered(body, who)
        checked(body.fields, settings.fields)
        form = topic_form.filled(topic, body, settings) if topic is not None else None
        files: tuple[Attachment, ...] | None = None
        text, text_blob = "", None
        ticket_id = uuid7()
        context = Context(actor=actor(who), traceparent=traceparent())
        for _ in range(RETRIES + 1):
            found = await self.records.caller(email, name, key, person)
            if found.fingerprint is not None:
                return _first(found.fingerprint, key, found.answer)
            if files is None:
                files = await self._attached(body.attachments, who)
                await self._allowed(who, "tickets", body.body)
                text, text_blob = await texts.stored(self.blobs, body.body)
            number = await self.numbers.next()
            opened = ticket.decide(
                OpenTicket(
                    number=number,
                    title=body.subject,
                    queue=queue_ref(queue),
                    customer=found.customer,
                    channel=body.channel,
                    message=_message(body, found.customer, queue, text, text_blob, files, context),
                    priority=body.priority,
                    opened_by=PersonRef(id=who.person_id, name=who.name) if who.is_agent else None,
                    fields=body.fields,
                    tags=tuple(dict.fromkeys(body.tags)),
                    form=form,
                    proven=True,
                ),
                ticket.initial(),
            )
            appends = [Append(ticket_id, "ticket", 0, _new(opened), context)]
            if found.new_customer:
                appends.append(registration(found.customer, ticket_id, context))
            answer: Answer = {"id": str(ticket_id), "number": number, "version": len(opened)}
            rows = Rows(
                customers=[found.customer] if found.new_customer else [],
                tickets=[OpenedTicket(ticket_id, number, found.customer.id, receipt_mailbox(opened))],
            )
            try:
                appended = await self.records.record(appends, rows, command=key, answer=answer)
            except Raced:
                continue
            if appended.status == "duplicate":
                return Outcome(1, appended.answer or {}, replayed=True)
            OPENED.labels(body.channel).inc()
            return Outcome(1, answer)
        raise problems.version_conflict()

    def _queue(self, body: TicketBody, topic: Topic | None, who: Identity) -> Queue:
        """The queue that a form names, or its topic leads to, if the person may open tickets in it. A queue they may not see is as unknown
        as one that does not exist, and so is one that is not offered to customers for a customer."""
        queues = self.directory.queues
        if topic is not None:
            queue = queues.named(topic.queue)
            if queue is None:
                raise problems.invalid("/topic", "leads to a queue that is not in use")
        elif body.queue is None:
            queue = queues.default
            if queue is None:
                raise problems.unavailable("The queues have not arrived here yet; try again.")
        else:
            queue = queues.named(body.queue)
            if queue is None or not (rights(who, queue.members) if who.is_agent else self._is_offered(queue)):
                raise problems.invalid("/queue", "names no queue")
        if who.is_agent:
            held = rights(who, queue.members)
            if "create" not in held:
                where = f"in {queue.name}" if held else "of this topic" if topic is not None else "in the default queue"
                raise problems.forbidden(f"You may not open tickets {where}.")
        return queue

    def _is_offered(self, queue: Queue) -> bool:
        """Whether customers may put tickets there: the default queue, those with an address, to which they may write anyway, and those to
        which a topic leads that is offered to them."""
        topics = self.directory.configuration.topics.values()
        offered = {topic.queue for topic in topics if topic.offered_to_customers}
        return queue.address is not None or queue.slug in offered or queue == self.directory.queues.default

    def _customer(self, body: TicketBody, who: Identity) -> tuple[str, str, UUID | None]:
        """Address and name of whom the ticket is for, and who they are if they ask themselves: customers open for themselves only."""
        if who.is_agent:
            if body.customer is None:
                raise problems.invalid("/customer", "is missing")
            return body.customer.email, body.customer.name, None
        if who.kind != "customer":
            raise problems.forbidden("Only agents and customers open tickets.")
        email = comparable(who.email)
        if body.customer is not None and body.customer.email != email:
            raise problems.invalid("/customer/email", "is not yours: it is taken from your session")
        if body.channel not in ("web", "api"):
            raise problems.invalid("/channel", "must be web or api")
        return email, who.name, who.person_id

    def _offered(self, body: TicketBody, who: Identity) -> None:
        """Customers choose among the priorities that are offered to them (A4.07); the default is not their choice."""
        if "priority" not in body.model_fields_set:
            return
        priority = self.directory.configuration.priorities.get(str(body.priority))
        if not who.is_agent and priority is not None and not priority.offered_to_customers:
            raise problems.invalid("/priority", "is not offered")

    async def _attached(self, uploads: Sequence[UUID], who: Identity) -> tuple[Attachment, ...]:
        """The files that a form names, which its sender has uploaded. Raises 422 for one that is nobody's or somebody else's."""
        try:
            return tuple(await self.uploads.take(uploads, who.person_id)) if uploads else ()
        except UploadMissing as missing:
            raise problems.invalid(f"/attachments/{missing.index}", "names no blob of yours") from missing

    async def _allowed(self, who: Identity, kind: Literal["tickets", "messages"], *words: str) -> None:
        """Takes one of these and its texts from the person's share. Raises Problem 429 and 413."""
        await self.allowances.take(who, kind)
        await self.allowances.take(who, "bytes", sum(len(each.encode()) for each in words))

    async def find(self, reference: str) -> Way:
        """The ticket with this id or number, and the one that its messages go to. Raises Problem 404."""
        if (number := number_in(reference)) is not None:
            known = await self.records.way(number=number)
        else:
            try:
                known = await self.records.way(ticket_id=UUID(reference))
            except ValueError:
                known = None
        if known is None:
            raise problems.not_found()
        return known

    async def receive(
        self, reference: str, body: MessageBody, who: Identity, key: CommandId
    ) -> tuple[UUID | None, Outcome]:
        """Adds the customer's own words to a ticket and answers the stream and `{"version", "article_id"}`; a repeat gets the first answer,
        without the stream where that is out of sight by now. Raises the problems 403, 404, 422."""
        doing = lambda: self._receive(reference, body, who, key)  # noqa: E731
        return await once(self.records.store, key, doing, lambda told: (None, replayed(told)))

    async def _receive(
        self, reference: str, body: MessageBody, who: Identity, key: CommandId
    ) -> tuple[UUID | None, Outcome]:
        way = await self.find(reference)
        who = await self.directory.recognised(who)
        stream = way.living.ticket_id
        files: tuple[Attachment, ...] | None = None
        rich: RichText | None = None
        context = Context(actor=actor(who), traceparent=traceparent())
        for attempt in range(RETRIES + 1):
            newest = await self.records.newest([stream, way.named.ticket_id])
            if stream not in newest:
                raise UnknownStream(stream)
            state, version = newest[stream]
            before = newest.get(way.named.ticket_id)
            named = _facts(way.named, before.state if before is not None else ticket.initial(), ())
            email, name, person = self._writer(body, who, self._living_facts(way.living, state), named)
            found = await self.records.caller(email, name, key, person)
            if found.fingerprint is not None:
                return stream, _first(found.fingerprint, key, found.answer)
            if files is None:
                files = await self._attached(body.attachments, who)
                await self._allowed(who, "messages", body.text or "", body.html or "")
            if rich is None:
                rich = (await rich_text.read(self.processes, body.html)).at_most(texts.INLINE_BYTES)
            said = await self._words(body, rich, found.customer, context)
            message = said.model_copy(update={"attachments": files})
            decided = ticket.decide(ReceiveMessage(found.customer, message, "api", closes=body.close), state)
            answer: Answer = {"version": version + len(decided), "article_id": str(message.id)}
            appends = [Append(stream, "ticket", version, _new(decided), context)]
            if found.new_customer:
                appends.append(registration(found.customer, stream, context))
            rows = Rows(customers=[found.customer] if found.new_customer else [])
            try:
                appended = await self.records.record(appends, rows, command=key, answer=answer)
            except (Raced, VersionConflict):
                if attempt == RETRIES:
                    raise problems.version_conflict() from None
                continue
            if appended.status == "duplicate":
                answer = appended.answer or {}
            return stream, Outcome(answer.get("version", 0), answer, replayed=appended.status == "duplicate")
        raise AssertionError("unreachable")

    def _living_facts(self, place: Place, state: Ticket) -> TicketFacts:
        """What decides about a ticket's messages, where it stands now (A3.06, A7.28)."""
        opened_in = state.opened_in.id if state.opened_in else None
        queue = self.directory.queues.by_id.get(place.queue_id or opened_in or UUID(int=0))
        return _facts(place, state, queue.members if queue else ())

    def _writer(
        self, body: MessageBody, who: Identity, living: TicketFacts, named: TicketFacts
    ) -> tuple[str, str, UUID | None]:
        """Address and name of whose words they are, and who they are if they write themselves; raises 404 or 403 for who may not add them.

        Agents need the right where the words will stand. A customer whose ticket was merged into another's goes on writing to it under
        its own number, as their mails do.
        """
        verdicts = (may(who, "message", living), may(who, "message", named))
        if Access.ALLOWED not in verdicts:
            if Access.FORBIDDEN in verdicts:
                raise problems.forbidden("You may not add a customer's message here.")
            raise problems.not_found()
        if "note" in rights(who, living.members):
            if body.on_behalf_of is None:
                raise problems.invalid("/on_behalf_of", "is missing: whose words are they?")
            if body.close:
                raise problems.invalid("/close", "is the customer's to say: agents close the ticket itself")
            return body.on_behalf_of, "", None
        if body.on_behalf_of is not None and body.on_behalf_of != comparable(who.email):
            raise problems.invalid("/on_behalf_of", "is for agents")
        return comparable(who.email), who.name, who.person_id

    async def _words(self, body: MessageBody, rich: RichText, customer: CustomerRef, context: Context) -> Message:
        text, text_blob = await texts.stored(self.blobs, rich.beside(body.text))
        return Message(
            id=uuid7(),
            channel="web",
            sender=Address(email=customer.email, name=customer.name),
            text=text,
            text_blob=text_blob,
            html=rich.html,
            written_at=context.time,
            reading_notes=rich.notes,
        )


def _facts(place: Place, state: Ticket, members: tuple[Member, ...]) -> TicketFacts:
    """Whose ticket it is: the customer's that the desk has made it, else of who opened it."""
    if place.renamed:
        return TicketFacts(members=members, customer=place.customer_id, company=place.company)
    opened_for = state.customer
    return TicketFacts(
        members=members,
        customer=opened_for.id if opened_for else None,
        company=opened_for.company if opened_for else None,
    )


def _first(fingerprint: bytes, key: CommandId, answer: Answer | None) -> Outcome:
    """The first answer of a command that was known. Raises CommandReused when it was another request."""
    if fingerprint != key.fingerprint:
        raise CommandReused
    return replayed(answer)


def _new(events: list[Event]) -> tuple[NewEvent, ...]:
    return tuple(NewEvent(event) for event in events)


def _message(
    body: TicketBody,
    customer: CustomerRef,
    queue: Queue,
    text: str,
    text_blob: Blob | None,
    files: tuple[Attachment, ...],
    context: Context,
) -> Message:
    """The first article. On the channel `email` the agent writes to the customer, otherwise these are the customer's words."""
    person = Address(email=customer.email, name=customer.name)
    desk = Address(email=queue.address, name=queue.display_name or queue.name) if queue.address else None
    outgoing = body.channel == "email"
    return Message(
        id=uuid7(),
        channel=body.channel,
        sender=desk if outgoing else person,
        to=(person,) if outgoing else (),
        subject=body.subject,
        text=text,
        text_blob=text_blob,
        attachments=files,
        written_at=context.time.astimezone(UTC),
    )
