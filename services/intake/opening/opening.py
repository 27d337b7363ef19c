"""Opens tickets that people ask for over the API: who may open one, in which queue, and for whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from uuid_utils.compat import uuid7

from services.intake.opening import topic_form
from services.intake.opening.requests import NewTicket
from services.intake.opening.submissions import Submissions, actor_of
from services.intake.records.customers import first_response, registration
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import receipt_mailbox
from services.intake.records.recording import OpenedTicket, Rows
from services.intake.records.records import Records
from services.intake.ticket.commands import NORMAL_PRIORITY, OpenTicket
from shared.addresses import comparable
from shared.contracts.directory import Queue, Topic
from shared.contracts.parts import Address, Attachment, Blob, CustomerRef, Message, PersonRef
from shared.directory.copy import DirectoryCopy
from shared.eventstore.runner import Outcome, once, replayed, until_recorded
from shared.eventstore.store import CommandId, Context
from shared.fields import checked
from shared.rules.access import Identity, rights
from shared.rules.refusals import Forbidden, Unavailable, invalid
from shared.telemetry.tracing import traceparent

OPENED = Counter("ledgerdesk_tickets_opened", "Tickets opened over the API, by channel", ["channel"])


@dataclass(frozen=True, slots=True)
class Opening:
    records: Records
    numbers: Numbers
    directory: DirectoryCopy
    submissions: Submissions

    async def open(self, request: NewTicket, who: Identity, key: CommandId) -> Outcome:
        """Opens a ticket; the response is `{"id", "number", "version"}`. A repeated request gets the first response.

        Raises Forbidden, Invalid, QuotaExceeded, TooLarge, Unavailable while the queues have not arrived,
        CommandReused, CommandRunning.
        """
        return await once(self.records.store, key, lambda: self._open(request, who, key), replayed)

    async def _open(self, request: NewTicket, who: Identity, key: CommandId) -> Outcome:
        configuration = self.directory.configuration
        topic = topic_form.topic_named(request.topic, configuration, who) if request.topic is not None else None
        queue = self._queue(request, topic, who)
        email, name, person = _customer(request, who)
        self._require_offered_priority(request, who)
        checked(request.fields, configuration.fields)
        form = topic_form.filled_form(topic, request, configuration) if topic is not None else None
        files: tuple[Attachment, ...] | None = None
        text, text_blob = "", None
        ticket_id = uuid7()
        context = Context(actor=actor_of(who), traceparent=traceparent())

        async def attempt() -> Outcome:
            nonlocal files, text, text_blob
            found = await self.records.customers.find(email, name, key, person)
            if found.fingerprint is not None:
                return first_response(found, key)
            if files is None:
                files = await self.submissions.accept(who, "tickets", request.attachments, request.body)
                text, text_blob = await self.submissions.stored(request.body)
            number = await self.numbers.next()
            unit = self.records.unit()
            opened = unit.decide(
                ticket_id,
                OpenTicket(
                    number=number,
                    title=request.subject,
                    queue=queue.ref,
                    customer=found.customer,
                    channel=request.channel,
                    message=_first_article(request, found.customer, queue, text, text_blob, files, context),
                    priority=request.priority or NORMAL_PRIORITY,
                    opened_by=PersonRef(id=who.person_id, name=who.name) if who.is_agent else None,
                    fields=dict(request.fields),
                    tags=tuple(dict.fromkeys(request.tags)),
                    form=form,
                    proven=True,
                ),
                context,
            )
            if found.is_new:
                unit.add(registration(found.customer, ticket_id, context))
            version = unit.version(ticket_id)
            response: dict[str, Any] = {"id": str(ticket_id), "number": number, "version": version}
            rows = Rows(
                customers=[found.customer] if found.is_new else [],
                tickets=[OpenedTicket(ticket_id, number, found.customer.id, receipt_mailbox(opened))],
            )
            appended = await unit.record(self.records.with_rows(rows), command=key, response=response)
            if appended.status == "duplicate":
                return replayed(appended.response)
            OPENED.labels(request.channel).inc()
            return Outcome(version, response)

        return await until_recorded(attempt)

    def _queue(self, request: NewTicket, topic: Topic | None, who: Identity) -> Queue:
        """The queue that the request names or its topic leads to. Raises Invalid for a queue that the person may not
        see, as for one that does not exist, and Forbidden if they may not open tickets in it."""
        queues = self.directory.queues
        if topic is not None:
            queue = queues.named(topic.queue)
            if queue is None:
                raise invalid("topic", detail="The queue of this topic is not in use.")
        elif request.queue is None:
            queue = queues.default
            if queue is None:
                raise Unavailable("The system is starting, and the queues are not loaded yet. Try again.")
        else:
            queue = queues.named(request.queue)
            if queue is None or not (rights(who, queue.members) if who.is_agent else self._is_offered(queue)):
                raise invalid("queue", detail="No such queue.")
        if who.is_agent:
            held = rights(who, queue.members)
            if "create" not in held:
                where = f"in {queue.name}" if held else "of this topic" if topic is not None else "in the default queue"
                raise Forbidden(f"You may not open tickets {where}.")
        return queue

    def _is_offered(self, queue: Queue) -> bool:
        """Whether customers may open tickets in a queue: the default queue, queues with an address, to which customers
        may write anyway, and queues of topics that are offered to customers."""
        topics = self.directory.configuration.topics.values()
        offered = {topic.queue for topic in topics if topic.offered_to_customers}
        return queue.address is not None or queue.slug in offered or queue == self.directory.queues.default

    def _require_offered_priority(self, request: NewTicket, who: Identity) -> None:
        """Customers may choose only priorities that are offered to them (A4.07); the default is not their choice."""
        if request.priority is None or who.is_agent:
            return
        priority = self.directory.configuration.priorities.get(str(request.priority))
        if priority is not None and not priority.offered_to_customers:
            raise invalid("priority", detail="This priority is not offered.")


def _customer(request: NewTicket, who: Identity) -> tuple[str, str, UUID | None]:
    """The customer's address and name, and their id if they open the ticket themselves. Customers open tickets only for
    themselves."""
    if who.is_agent:
        if request.customer is None:
            raise invalid("customer", detail="Name the customer.")
        return request.customer.email, request.customer.name, None
    if who.kind != "customer":
        raise Forbidden("Only agents and customers open tickets.")
    email = comparable(who.email)
    if request.customer is not None and request.customer.email != email:
        raise invalid(
            "customer", "email", detail="This is not your address. Leave it out: it is taken from your session."
        )
    if request.channel not in ("web", "api"):
        raise invalid("channel", detail="A customer can choose only web or api.")
    return email, who.name, who.person_id


def _first_article(
    request: NewTicket,
    customer: CustomerRef,
    queue: Queue,
    text: str,
    text_blob: Blob | None,
    files: Sequence[Attachment],
    context: Context,
) -> Message:
    """On the channel `email` the agent writes to the customer; on the others these are the customer's words."""
    person = Address(email=customer.email, name=customer.name)
    desk = Address(email=queue.address, name=queue.display_name or queue.name) if queue.address else None
    is_outgoing = request.channel == "email"
    return Message(
        id=uuid7(),
        channel=request.channel,
        sender=desk if is_outgoing else person,
        to=(person,) if is_outgoing else (),
        subject=request.subject,
        text=text,
        text_blob=text_blob,
        attachments=tuple(files),
        written_at=context.time.astimezone(UTC),
    )
