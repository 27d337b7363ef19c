"""Which module decides on which command."""

from typing import assert_never

from services.routing.ticket import (
    articles,
    automation,
    customer_messages,
    lifecycle,
    ownership,
    properties,
    queueing,
    relations,
    undo,
)
from services.routing.ticket.clocks import commands as clocks
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event

Command = (
    queueing.Command
    | customer_messages.Command
    | lifecycle.Command
    | ownership.Command
    | articles.Command
    | properties.Command
    | relations.Command
    | automation.Command
    | undo.Command
    | clocks.Command
)


def decide(command: Command, ticket: Ticket) -> list[Event]:
    """The events that a command leads to; none if nothing is to be done. Raises Rejected if a rule says no."""
    if isinstance(command, queueing.Command):
        return queueing.decide(command, ticket)
    if isinstance(command, customer_messages.Command):
        return customer_messages.decide(command, ticket)
    if isinstance(command, lifecycle.Command):
        return lifecycle.decide(command, ticket)
    if isinstance(command, ownership.Command):
        return ownership.decide(command, ticket)
    if isinstance(command, articles.Command):
        return articles.decide(command, ticket)
    if isinstance(command, properties.Command):
        return properties.decide(command, ticket)
    if isinstance(command, relations.Command):
        return relations.decide(command, ticket)
    if isinstance(command, automation.Command):
        return automation.decide(command, ticket)
    if isinstance(command, undo.Command):
        return undo.decide(command, ticket)
    if isinstance(command, clocks.Command):
        return clocks.decide(command, ticket.timeline, ticket.kind)
    assert_never(command)
