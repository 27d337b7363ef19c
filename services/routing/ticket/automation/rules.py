"""What only rules do on a ticket: they leave out an action that is impossible, and have mails sent (A9.02)."""

from dataclasses import dataclass
from typing import assert_never

from services.routing.ticket import conditions
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, RuleRef
from shared.contracts.routing import RuleActionLeftOut, RuleNotified


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """`action`: what the rule does not do, such as `move`. `reason`: a sentence."""

    rule: RuleRef
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notify:
    """`customer` is the ticket's customer with today's name and address."""

    rule: RuleRef
    to: tuple[str, ...]
    template: str
    customer: CustomerRef | None = None


Command = LeaveOut | Notify


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case LeaveOut():
            return leave_out(command, ticket)
        case Notify():
            return notify(command, ticket)
        case _:
            assert_never(command)


def leave_out(command: LeaveOut, ticket: Ticket) -> list[Event]:
    """The history says what a rule did not do, also on a ticket that was merged or removed."""
    conditions.known(ticket)
    return [RuleActionLeftOut(rule=command.rule, action=command.action, reason=command.reason)]


def notify(command: Notify, ticket: Ticket) -> list[Event]:
    queue, customer = conditions.living(ticket)
    return [
        RuleNotified(
            rule=command.rule,
            to=command.to,
            template=command.template,
            number=ticket.number,
            title=ticket.title,
            queue=queue,
            customer=command.customer or customer,
            owner=ticket.owner,
            responsible=ticket.responsible,
        )
    ]
