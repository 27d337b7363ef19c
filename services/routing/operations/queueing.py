"""Moving a ticket to another queue (requirements A3.06 to A3.08)."""

from services.routing.operations import states
from services.routing.operations.content import composing
from services.routing.operations.content.composing import Content
from services.routing.operations.request import CommandRequest
from services.routing.operations.responses import with_decided_note
from services.routing.operations.states import NextStep
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.queueing import Move
from shared.eventstore.runner import Outcome


async def move(
    operations: TicketOperations,
    request: CommandRequest,
    queue: str,
    content: Content,
    step: NextStep,
    *,
    owner: str | None = None,
) -> Outcome:
    """With an empty text the ticket moves without a note; without any text the decider writes the note."""
    _, before = await operations.current(request.ticket)
    operations.authorize(request, "move", before)
    target = operations.target_queue(queue, request, "move_into")
    next_state = states.next_state(step, operations.directory.configuration.states)
    new_owner = await operations.person(owner) if owner is not None else None
    unwritten = content.text is None and content.html is None
    note = await composing.note(operations, request, content) if not unwritten else None
    empty = await composing.empty_note(operations, request, content) if unwritten else None
    return await operations.give(
        request,
        "move",
        lambda context, _: Move(context, target.ref, new_owner, note, next_state, step.time_units, empty),
        respond=with_decided_note,
        queue=target,
    )
