"""What came in for one ticket: every rule of opening and receiving, as pure functions."""

from dataclasses import dataclass, replace
from typing import assert_never

from services.intake.commands import Command, OpenTicket, ReceiveMessage
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef, QueueRef
from shared.contracts.rejected import Rejected


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the rules look at. A ticket without a number is not open."""

    number: str = ""
    customer: CustomerRef | None = None
    opened_in: QueueRef | None = None


def initial() -> Ticket:
    return Ticket()


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case OpenTicket():
            return _open(command, ticket)
        case ReceiveMessage():
            return _receive(command, ticket)
        case _:
            assert_never(command)


def _open(command: OpenTicket, ticket: Ticket) -> list[Event]:
    if ticket.number:
        raise Rejected(f"ticket {ticket.number} is open already")
    return [
        TicketOpened(
            number=command.number,
            title=command.title,
            queue=command.queue,
            customer=command.customer,
            channel=command.channel,
            priority=command.priority,
            message=command.message,
            opened_by=command.opened_by,
            fields=command.fields,
            tags=command.tags,
            receipt=_gets_a_receipt(command),
            split_from=command.split_from,
        )
    ]


def _gets_a_receipt(command: OpenTicket) -> bool:
    """Who wrote by mail, by form or by themselves gets one; who called, or was written to, does not (api.md, section 3), nor for what an
    agent took out of another ticket. No machine is ever answered by a machine (RFC 3834)."""
    taken_out = command.split_from is not None and command.opened_by is not None
    if command.automatic or not command.customer.email or taken_out:
        return False
    return command.opened_by is None or command.channel == "web"


def _receive(command: ReceiveMessage, ticket: Ticket) -> list[Event]:
    if not ticket.number:
        raise Rejected("the ticket is not open")
    return [
        CustomerMessageReceived(
            number=ticket.number,
            customer=command.customer,
            message=command.message,
            threaded_by=command.threaded_by,
            closes=command.closes,
            no_answer=command.no_answer,
        )
    ]


def evolve(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case TicketOpened():
            return replace(ticket, number=event.number, customer=event.customer, opened_in=event.queue)
        case _:
            return ticket  # further messages change nothing that the rules look at, nor do events of tomorrow
