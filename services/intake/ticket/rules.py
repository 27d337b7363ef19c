"""The rules of opening a ticket and of receiving messages for it, as pure functions."""

from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from services.intake.ticket.commands import Command, OpenTicket, ReceiveAgentMail, ReceiveAutomatic, ReceiveMessage
from shared.contracts.event import Event
from shared.contracts.intake import AgentMailReceived, AutomaticMailReceived, CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef, QueueRef
from shared.rules.rejected import Rejected

MOST_AUTOMATIC = 25
"""Automatic mails that one ticket shows; the list of mails has all. Two programs may write to each other without
end."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The state that the rules need. A ticket without a number does not exist yet. `automatic` counts automatic mails;
    `also_opened` are the tickets that its mail opened in other queues."""

    number: str = ""
    customer: CustomerRef | None = None
    opened_in: QueueRef | None = None
    also_opened: tuple[UUID, ...] = ()
    automatic: int = 0


def initial() -> Ticket:
    return Ticket()


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case OpenTicket():
            return _open(command, ticket)
        case ReceiveMessage():
            return _receive(command, ticket)
        case ReceiveAgentMail():
            _require_open(ticket)
            return [AgentMailReceived(number=ticket.number, by=command.by, message=command.message)]
        case ReceiveAutomatic():
            return _receive_automatic(command, ticket)
        case _:
            assert_never(command)


def _open(command: OpenTicket, ticket: Ticket) -> list[Event]:
    if ticket.number:
        raise Rejected(f"Ticket {ticket.number} exists already.")
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
            also_opened=command.also_opened,
            state=command.state,
            form=command.form,
            proven=command.proven or command.opened_by is not None,
            writer=command.writer,
            internal=command.internal,
            note=command.note,
        )
    ]


def _gets_a_receipt(command: OpenTicket) -> bool:
    """Customers get a receipt if they wrote by mail, by form or over the API themselves. They get none if they called
    or were written to, nor for what an agent took out of another ticket. An automatic mail gets no
    automatic reply (RFC 3834)."""
    taken_out = command.split_from is not None and command.opened_by is not None
    if command.automatic or not command.customer.email or taken_out:
        return False
    return command.opened_by is None or command.channel == "web"


def _require_open(ticket: Ticket) -> None:
    if not ticket.number:
        raise Rejected("No such ticket.")


def _receive_automatic(command: ReceiveAutomatic, ticket: Ticket) -> list[Event]:
    _require_open(ticket)
    if ticket.automatic >= MOST_AUTOMATIC:
        return []
    return [
        AutomaticMailReceived(
            number=ticket.number,
            kind=command.kind,
            message=command.message,
            about=command.about,
            recipients=command.recipients,
        )
    ]


def _receive(command: ReceiveMessage, ticket: Ticket) -> list[Event]:
    _require_open(ticket)
    return [
        CustomerMessageReceived(
            number=ticket.number,
            customer=command.customer,
            message=command.message,
            threaded_by=command.threaded_by,
            closes=command.closes,
            no_answer=command.no_answer,
            standing=command.standing,
        )
    ]


def evolve(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case TicketOpened():
            others = tuple(each.id for each in event.also_opened)
            return replace(
                ticket, number=event.number, customer=event.customer, opened_in=event.queue, also_opened=others
            )
        case AutomaticMailReceived():
            return replace(ticket, automatic=ticket.automatic + 1)
        case _:
            return ticket  # messages do not change what the rules need, nor do events of later versions
