"""Undoing an earlier decision on one ticket, by a new event (a merge or split concerns two tickets: see `relations`).

Each module of decisions says how its own are undone. What happened since stays.
"""

from dataclasses import dataclass
from uuid import UUID

from services.routing.ticket import conditions, lifecycle, ownership, properties, queueing
from services.routing.ticket.context import CommandContext
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.rules.rejected import Rejected


@dataclass(frozen=True, slots=True)
class Undo:
    """`decided` is the event to undo, `event` its id."""

    context: CommandContext
    event: UUID
    decided: Event


Command = Undo
UNDOES = (queueing.undo, lifecycle.undo, ownership.undo, properties.undo)


def decide(command: Undo, ticket: Ticket) -> list[Event]:
    """Replies, notes and calls have been read, and are not undone."""
    conditions.workable(ticket, command.context)
    for undo in UNDOES:
        events = undo(command.decided, ticket, command.context, command.event)
        if events is not None:
            return events
    raise Rejected("This cannot be undone.")
