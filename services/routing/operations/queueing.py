"""Moving a ticket to another queue (requirements A3.06 to A3.08)."""

from datetime import datetime

from services.routing.operations import states
from services.routing.operations.content import composing
from services.routing.operations.content.composing import Content
from services.routing.operations.request import CommandRequest, TicketCommand
from services.routing.operations.responses import with_decided_note
from services.routing.operations.tickets import TicketOperations, queue_ref
from services.routing.ticket import Ticket
from services.routing.ticket.context import CommandContext
from services.routing.ticket.queueing import Move
from shared.eventstore.runner import Outcome


async def move(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    queue: str,
    content: Content,
    *,
    owner: str | None = None,
    state: str | None = None,
    pending_until: datetime | None = None,
    time_units: float | None = None,
) -> Outcome:
    """With an empty text the ticket moves without a note; without any text the decider writes the note."""
    _, before = await operations.current(ticket)
    operations.authorize(request, "move", before)
    target = operations.target_queue(queue, request, "move_into")
    next_state = states.next_state(state, pending_until, operations.directory.configuration.states)
    new_owner = await operations.person(owner) if owner is not None else None
    unwritten = content.text is None and content.html is None
    note = await composing.note(operations, request, content) if not unwritten else None
    empty = await composing.empty_note(operations, request, content) if unwritten else None

    def make(context: CommandContext, _: Ticket) -> Move:
        return Move(context, queue_ref(target), new_owner, note, next_state, time_units, empty)

    command = TicketCommand(ticket, "move", make, queue=target)
    return await operations.give(request, command, respond=with_decided_note)
