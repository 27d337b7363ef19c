"""Setting the state of a ticket, closing and reopening it (requirements A5)."""

from datetime import datetime

from services.routing.operations import states
from services.routing.operations.content import composing
from services.routing.operations.content.composing import Content
from services.routing.operations.request import CommandRequest, TicketCommand
from services.routing.operations.responses import with_article
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.lifecycle import Close, Reopen, SetState
from shared.eventstore.runner import Outcome


async def set_state(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    state: str,
    pending_until: datetime | None = None,
) -> Outcome:
    wanted = states.required(state, pending_until, operations.directory.configuration.states)
    command = TicketCommand(ticket, "set-state", lambda context, _: SetState(context, wanted))
    return await operations.give(request, command)


async def close(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    state: str,
    content: Content,
    time_units: float | None = None,
) -> Outcome:
    closed = states.of_type(state, "closed", operations.directory.configuration.states)
    note = await composing.note(operations, request, content)
    command = TicketCommand(ticket, "close", lambda context, _: Close(context, closed, note, time_units))
    return await operations.give(request, command, respond=with_article(note))


async def reopen(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    state: str,
    content: Content,
    time_units: float | None = None,
) -> Outcome:
    opened = states.of_type(state, "open", operations.directory.configuration.states)
    note = await composing.note(operations, request, content)
    command = TicketCommand(ticket, "reopen", lambda context, _: Reopen(context, note, time_units, opened))
    return await operations.give(request, command, respond=with_article(note))
