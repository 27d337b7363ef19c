"""What intake learns from routing's events: splits become tickets, and messages reach the ticket after merges, its
queue, its customer and the people to whom the desk has written.

Everything here is idempotent: a ticket is opened once, and a row takes only newer values. So the versions seen are not
stored, as they are for policies that decide on every event (decision 0005).
"""

from collections.abc import Sequence
from uuid import UUID

from services.intake import ticket
from services.intake.records.message_ids import hash_of
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import Receipts, receipt_address, receipt_mailbox
from services.intake.ticket.commands import OpenTicket
from shared.addresses import comparable
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.parts import CustomerRef, StateRef
from shared.contracts.routing import (
    AgentReplied,
    ArticleForwarded,
    CustomerChanged,
    MergeUndone,
    StateChanged,
    TicketMerged,
    TicketMoved,
    TicketRemoved,
    TicketSplit,
)
from shared.database import Connection
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Context, Store, utc_now
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.in_order import InOrder
from shared.runtime.failpoints import hit
from shared.telemetry.tracing import span, traceparent

TOLD = """
UPDATE intake.tickets t
   SET queue_id     = coalesce($3, t.queue_id),
       email        = coalesce($4, t.email),
       company      = CASE WHEN $4::text IS NULL THEN t.company ELSE $5 END,
       desk_customer = coalesce($8, t.desk_customer),
       goes_on_in   = CASE $6 WHEN 'merged' THEN $7 WHEN 'alone' THEN NULL WHEN 'removed' THEN t.split_from ELSE t.goes_on_in END,
       desk_version = $2
 WHERE t.ticket_id = $1 AND t.desk_version < $2
"""
KNOWN = "SELECT ticket_id FROM intake.tickets WHERE ticket_id = ANY($1)"
NEW_TICKET = """
INSERT INTO intake.tickets (ticket_id, number, customer_id, split_from, receipt_mailbox, receipt_at)
VALUES ($1, $2, $3, $4, $5, CASE WHEN $5::text IS NOT NULL THEN now() END)
"""
THREAD = """
INSERT INTO intake.message_ids (hash, ticket_id) VALUES ($1, $2)
    ON CONFLICT (hash) DO UPDATE SET ticket_id = excluded.ticket_id
"""

WRITTEN_TO = """
INSERT INTO intake.participants AS p (ticket_id, email, outsider, person_id)
SELECT DISTINCT ON (n.ticket_id, n.email) n.ticket_id, n.email, n.outsider, intake.person_with(n.email)
  FROM unnest($1::uuid[], $2::text[], $3::boolean[]) AS n(ticket_id, email, outsider)
 ORDER BY n.ticket_id, n.email, n.outsider
    ON CONFLICT (ticket_id, email) DO UPDATE SET outsider = false WHERE p.outsider AND NOT excluded.outsider
"""

DESK_NAMED = "SELECT intake.desk_named($1, $2, $3)"

Told = tuple[UUID, int, UUID | None, str | None, str | None, str, UUID | None, UUID | None]


class DeskNews:
    """The handler of the tickets' topic."""

    def __init__(self, store: Store, numbers: Numbers, receipts: Receipts) -> None:
        self.store, self.numbers, self.receipts = store, numbers, receipts
        self.runner = CommandRunner(store, "ticket", ticket)
        self.producers: frozenset[str] | None = frozenset(("routing",))

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        batch = InOrder(parked, self.producers)
        told: list[Told] = []
        renamed: list[CustomerRef] = []
        written_to: list[tuple[UUID, str, bool]] = []
        known = await self._known(connection, deliveries)
        for delivery in deliveries:
            event = batch.take(delivery)
            if event is None:
                continue
            if unknown := _concerned(event) - known:
                named = ", ".join(sorted(map(str, unknown)))
                batch.park(delivery, f"intake has not opened ticket {named}")
            elif isinstance(event.payload, TicketSplit):
                await self._open(connection, event, event.payload)
                known.add(event.payload.into)
            elif (row := _told(event)) is not None:
                told.append(row)
                if isinstance(event.payload, CustomerChanged):
                    renamed.append(event.payload.to)
            else:
                written_to += _written_to(event)
        if told:
            await connection.executemany(TOLD, told)
        if renamed:
            rows = [(customer.id, comparable(customer.email), customer.name) for customer in renamed]
            await connection.executemany(DESK_NAMED, rows)
        if written_to:
            await connection.execute(WRITTEN_TO, *map(list, zip(*written_to, strict=True)))
        return batch.parked

    async def _known(self, connection: Connection, deliveries: Sequence[Delivered]) -> set[UUID]:
        """The tickets of these events that intake has opened."""
        concerned = {each for d in deliveries if d.event is not None for each in _concerned(d.event)}
        if not concerned:
            return set()
        return {row["ticket_id"] for row in await connection.fetch(KNOWN, sorted(concerned))}

    async def _open(self, connection: Connection, event: Recorded, split: TicketSplit) -> None:
        """Opens the ticket of a split. The desk has chosen its id, so that a second time finds it."""
        if await connection.fetchval(KNOWN, [split.into]) is not None:
            return
        hit("intake.split")
        with span("intake opens a split", kind="consumer", traceparent=event.traceparent, ticket=str(split.into)):
            opening = OpenTicket(
                number=await self.numbers.next(),
                title=split.title,
                queue=split.queue,
                customer=split.customer,
                channel=split.message.channel,
                message=split.message,
                priority=split.priority,
                opened_by=split.by,
                automatic=split.no_answer or await self._gets_no_more_receipts(connection, split),
                split_from=split.origin,
                writer=split.writer,
                internal=split.internal,
                note=split.note,
            )
            context = Context(
                actor=Actor("service", "intake"),
                correlation_id=event.correlation_id,
                causation_id=event.id,
                traceparent=traceparent() or event.traceparent,
                time=utc_now(),
            )
            unit = self.runner.unit(connection)
            opened = unit.decide(split.into, opening, context)
            await unit.record()
        mailbox = receipt_mailbox(opened)
        await connection.execute(NEW_TICKET, split.into, opening.number, split.customer.id, split.origin.id, mailbox)
        if split.by is None and split.message.message_id is not None:
            # The customer's own mail has become this ticket: mails that refer to it belong here.
            await connection.execute(THREAD, hash_of(split.message.message_id), split.into)

    async def _gets_no_more_receipts(self, connection: Connection, split: TicketSplit) -> bool:
        """Whether the customer, whose message on a closed ticket becomes this ticket, gets no more receipts today."""
        if split.by is not None:
            return False
        return bool(await self.receipts.refusal(connection, receipt_address(split.message, split.customer)))

    def committed(self) -> None:
        self.store.appended.set()


def _concerned(event: Recorded) -> set[UUID]:
    """The tickets that intake must have opened before this event."""
    match event.payload:
        case TicketMerged(into=into):
            return {event.stream, into.id}
        case TicketMoved() | CustomerChanged() | MergeUndone() | TicketRemoved() | TicketSplit():
            return {event.stream}
        case StateChanged(was=StateRef(type="removed")):
            return {event.stream}
        case _:
            return set()


def _written_to(event: Recorded) -> list[tuple[UUID, str, bool]]:
    """The people to whom the desk has written: they are participants or, if it was in confidence, outsiders when they
    write back."""
    match event.payload:
        case AgentReplied(message=message):
            outsider = False
        case ArticleForwarded(message=message):
            outsider = True
        case _:
            return []
    return [(event.stream, comparable(each.email), outsider) for each in (*message.to, *message.cc, *message.bcc)]


def _told(event: Recorded) -> Told | None:
    """The changes of an event to where messages of its ticket go and who may write them."""
    here = event.stream, event.version
    match event.payload:
        case TicketMoved(to=queue):
            return (*here, queue.id, None, None, "", None, None)
        case CustomerChanged(to=customer):
            return (*here, None, comparable(customer.email), customer.company, "", None, customer.id)
        case TicketMerged(into=into):
            return (*here, None, None, None, "merged", into.id, None)
        case MergeUndone() | StateChanged(was=StateRef(type="removed")):
            return (*here, None, None, None, "alone", None, None)
        case TicketRemoved():
            return (*here, None, None, None, "removed", None, None)
        case _:
            return None
