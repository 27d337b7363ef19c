"""Who is told what about a ticket: every rule of receipts, answers and their outcomes, as pure functions."""

from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from services.notify.addresses import is_robot, mailable
from services.notify.commands import Command, RecordFailed, RecordSent, RequestAnswer, RequestReceipt
from shared.contracts.event import Event
from shared.contracts.notify import (
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
    OutgoingMail,
)
from shared.contracts.parts import Address
from shared.contracts.rejected import Rejected


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the rules look at: whether the receipt was decided, which articles were, and which notifications wait for their outcome."""

    receipt_decided: bool = False
    articles: frozenset[UUID] = frozenset()
    requested: frozenset[UUID] = frozenset()
    waiting: frozenset[UUID] = frozenset()


def initial() -> Ticket:
    return Ticket()


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case RequestReceipt():
            return _request_receipt(command, ticket)
        case RequestAnswer():
            return _request_answer(command, ticket)
        case RecordSent():
            return _outcome(
                command.notification,
                NotificationSent(
                    notification=command.notification, transport=command.transport, attempts=command.attempts
                ),
                ticket,
            )
        case RecordFailed():
            return _outcome(
                command.notification,
                NotificationFailed(
                    notification=command.notification,
                    transport=command.transport,
                    attempts=command.attempts,
                    reason=command.reason,
                ),
                ticket,
            )
        case _:
            assert_never(command)


def _request_receipt(command: RequestReceipt, ticket: Ticket) -> list[Event]:
    """One receipt a ticket, whatever happens, and never to a machine: two of them would write to each other for ever."""
    if ticket.receipt_decided or command.notification in ticket.requested:
        return []
    reason = _why_no_receipt(command)
    if reason is not None:
        return [NotificationSuppressed(kind="receipt", article=command.notification, reason=reason)]
    return [
        NotificationRequested(
            notification=command.notification, kind="receipt", article=command.notification, mail=command.mail
        )
    ]


def _why_no_receipt(command: RequestReceipt) -> str | None:
    for recipient in command.mail.to:
        if not mailable(recipient.email):
            return "the customer has no usable mail address"
        if recipient.email.lower() in command.own_addresses:
            return "the address is one of our own queues"
        if is_robot(recipient.email):
            return "the address is a machine's"
    return None if command.mail.to else "the customer has no usable mail address"


def _request_answer(command: RequestAnswer, ticket: Ticket) -> list[Event]:
    """An agent's words leave once, to every address that a mail can go to."""
    if command.article in ticket.articles or command.notification in ticket.requested:
        return []
    mail = _to_usable(command.mail)
    if not (mail.to or mail.cc or mail.bcc):
        return [
            NotificationSuppressed(kind="answer", article=command.article, reason="there is no usable mail address")
        ]
    return [NotificationRequested(notification=command.notification, kind="answer", article=command.article, mail=mail)]


def _to_usable(mail: OutgoingMail) -> OutgoingMail:
    return mail.model_copy(update={"to": _usable(mail.to), "cc": _usable(mail.cc), "bcc": _usable(mail.bcc)})


def _usable(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    return tuple(address for address in addresses if mailable(address.email))


def _outcome(notification: UUID, outcome: Event, ticket: Ticket) -> list[Event]:
    """The first outcome counts; a repeat after a crash says nothing new."""
    if notification not in ticket.requested:
        raise Rejected("this notification was never requested")
    return [outcome] if notification in ticket.waiting else []


def evolve(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case NotificationRequested():
            return replace(
                ticket,
                receipt_decided=ticket.receipt_decided or event.kind == "receipt",
                articles=ticket.articles | {event.article},
                requested=ticket.requested | {event.notification},
                waiting=ticket.waiting | {event.notification},
            )
        case NotificationSuppressed():
            return replace(
                ticket,
                receipt_decided=ticket.receipt_decided or event.kind == "receipt",
                articles=ticket.articles | {event.article},
            )
        case NotificationSent() | NotificationFailed():
            return replace(ticket, waiting=ticket.waiting - {event.notification})
        case _:
            return ticket  # events of tomorrow change nothing here
