"""Decisions that rules and macros need and that no command of an agent leads to."""

from services.routing.ticket.automation import distribution, rules
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event

Command = distribution.Command | rules.Command


def decide(command: Command, ticket: Ticket) -> list[Event]:
    if isinstance(command, distribution.Command):
        return distribution.decide(command, ticket)
    return rules.decide(command, ticket)
