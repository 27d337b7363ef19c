"""Adds customers' messages to tickets, over the API: who may add one, and to which ticket it goes after merges."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from services.intake.opening.requests import NewMessage
from services.intake.opening.submissions import Submissions, actor_of
from services.intake.records.customers import first_response, registration
from services.intake.records.recording import Rows
from services.intake.records.records import Records
from services.intake.records.tickets import ResolvedTicket, TicketRow
from services.intake.ticket import Ticket
from services.intake.ticket.commands import ReceiveMessage
from shared.addresses import comparable
from shared.bounded.rich_text import RichText
from shared.contracts.directory import Member
from shared.contracts.parts import Address, Attachment, CustomerRef, Message
from shared.directory.copy import DirectoryCopy
from shared.eventstore.errors import UnknownStream
from shared.eventstore.runner import Outcome, once, replayed, until_recorded
from shared.eventstore.store import CommandId, Context
from shared.rules.access import Access, Identity, TicketFacts, may, rights
from shared.rules.refusals import Forbidden, NotFound, invalid
from shared.rules.subjects import number_in
from shared.telemetry.tracing import traceparent

Received = tuple[UUID | None, Outcome]
"""The ticket whose stream has the message, and the outcome."""


@dataclass(frozen=True, slots=True)
class CustomerMessages:
    records: Records
    directory: DirectoryCopy
    submissions: Submissions

    async def receive(self, reference: str, request: NewMessage, who: Identity, key: CommandId) -> Received:
        """Adds a message to a ticket; the response is `{"version", "article_id"}`. A repeated request gets the first
        response, without the ticket if the person may not see it any more.

        Raises NotFound, Forbidden, Invalid, QuotaExceeded, TooLarge, CommandReused, CommandRunning.
        """
        doing = lambda: self._receive(reference, request, who, key)  # noqa: E731
        return await once(self.records.store, key, doing, lambda response: (None, replayed(response)))

    async def _receive(self, reference: str, request: NewMessage, who: Identity, key: CommandId) -> Received:
        resolved = await self._resolve(reference)
        who = await self.directory.recognised(who)
        stream = resolved.target.ticket_id
        files: tuple[Attachment, ...] | None = None
        rich: RichText | None = None
        context = Context(actor=actor_of(who), traceparent=traceparent())

        async def attempt() -> Received:
            nonlocal files, rich
            unit = self.records.unit()
            await unit.load(stream, resolved.named.ticket_id)
            if not unit.knows(stream):
                raise UnknownStream(stream)
            named = _facts(resolved.named, unit.state(resolved.named.ticket_id), ())
            target = self._target_facts(resolved.target, unit.state(stream))
            email, name, person = _writer(request, who, target, named)
            found = await self.records.customers.find(email, name, key, person)
            if found.fingerprint is not None:
                return stream, first_response(found, key)
            if files is None:
                texts = (request.text or "", request.html or "")
                files = await self.submissions.accept(who, "messages", request.attachments, *texts)
            if rich is None:
                rich = await self.submissions.rich_text(request.html)
            message = await self._article(request, rich, found.customer, files, context)
            unit.decide(stream, ReceiveMessage(found.customer, message, "api", closes=request.close), context)
            version = unit.version(stream)
            response: dict[str, Any] = {"version": version, "article_id": str(message.id)}
            if found.is_new:
                unit.add(registration(found.customer, stream, context))
            rows = Rows(customers=[found.customer] if found.is_new else [])
            appended = await unit.record(self.records.with_rows(rows), command=key, response=response)
            if appended.status == "duplicate":
                return stream, replayed(appended.response)
            return stream, Outcome(version, response)

        return await until_recorded(attempt)

    async def _resolve(self, reference: str) -> ResolvedTicket:
        """The ticket with this id or number, and the one that takes its messages. Raises NotFound."""
        if (number := number_in(reference)) is not None:
            found = await self.records.tickets.resolve(number=number)
        else:
            try:
                found = await self.records.tickets.resolve(ticket_id=UUID(reference))
            except ValueError:
                found = None
        if found is None:
            raise NotFound
        return found

    def _target_facts(self, row: TicketRow, state: Ticket) -> TicketFacts:
        """What decides who may write on a ticket, in the queue where it is now (A3.06, A7.28)."""
        opened_in = state.opened_in.id if state.opened_in else None
        queue = self.directory.queues.by_id.get(row.queue_id or opened_in or UUID(int=0))
        return _facts(row, state, queue.members if queue else ())

    async def _article(
        self,
        request: NewMessage,
        rich: RichText,
        customer: CustomerRef,
        files: tuple[Attachment, ...],
        context: Context,
    ) -> Message:
        text, text_blob = await self.submissions.stored(rich.beside(request.text))
        return Message(
            id=uuid7(),
            channel="web",
            sender=Address(email=customer.email, name=customer.name),
            text=text,
            text_blob=text_blob,
            html=rich.html,
            attachments=files,
            written_at=context.time,
            reading_notes=rich.notes,
        )


def _writer(
    request: NewMessage, who: Identity, target: TicketFacts, named: TicketFacts
) -> tuple[str, str, UUID | None]:
    """The writer's address and name, and their id if they write themselves. Raises NotFound or Forbidden for whoever
    may not add a message.

    Agents need the right in the queue where the message will be. A customer whose ticket was merged into somebody
    else's ticket still writes to it under its own number, as their mails do.
    """
    verdicts = (may(who, "message", target), may(who, "message", named))
    if Access.ALLOWED not in verdicts:
        if Access.FORBIDDEN in verdicts:
            raise Forbidden("You may not add a customer's message here.")
        raise NotFound
    if "note" in rights(who, target.members):
        if request.on_behalf_of is None:
            raise invalid("on_behalf_of", detail="Name the customer who wrote this message.")
        if request.close:
            raise invalid("close", detail="Only customers close a ticket with a message. Close the ticket itself.")
        return request.on_behalf_of, "", None
    if request.on_behalf_of is not None and request.on_behalf_of != comparable(who.email):
        raise invalid("on_behalf_of", detail="Only agents write on behalf of somebody else.")
    return comparable(who.email), who.name, who.person_id


def _facts(row: TicketRow, state: Ticket, members: tuple[Member, ...]) -> TicketFacts:
    """Whose ticket it is: the customer whom the desk has named since, else the one for whom it was opened."""
    if row.has_new_customer:
        return TicketFacts(members=members, customer=row.customer_id, company=row.company)
    customer = state.customer
    return TicketFacts(
        members=members,
        customer=customer.id if customer else None,
        company=customer.company if customer else None,
    )
