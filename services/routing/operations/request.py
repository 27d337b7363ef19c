"""A request to the desk: who gives a command, and to which ticket."""

from collections.abc import Callable
from dataclasses import dataclass

from services.routing.ticket import Command, Ticket
from services.routing.ticket.context import Actor, CommandContext
from shared.contracts.directory import Queue
from shared.eventstore.store import CommandId
from shared.rules.access import Identity

Make = Callable[[CommandContext, Ticket], Command]
"""Makes the command from the ticket as it is when the command is decided."""


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """Who gives a command to a ticket, and how.

    `ticket`: its number or id.
    `identity`: the person whose rights are checked. None for a rule or the system: administrators decide what those do.
    `key`: the request's identity for retries. `expected`: the version that the ticket must have (`If-Match`).
    `lock_on_action`: false for a bulk command.
    """

    actor: Actor
    ticket: str
    key: CommandId
    identity: Identity | None = None
    expected: int | None = None
    lock_on_action: bool = True


@dataclass(frozen=True, slots=True)
class TicketCommand:
    """The command for one ticket of a request.

    `ticket`: its number or id. `action`: what the actor needs the right for. `field`: the argument of the request that
    names the ticket; None for the request's own ticket. `queue`: the queue whose settings apply, if the command moves
    the ticket.
    """

    ticket: str
    action: str
    make: Make
    field: str | None = None
    queue: Queue | None = None
