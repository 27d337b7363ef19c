"""Setting the state of a ticket, closing and reopening it (requirements A5)."""

from datetime import datetime

from services.routing.operations import states
from services.routing.operations.content import composing
from services.routing.operations.content.composing import Content
from services.routing.operations.request import CommandRequest
from services.routing.operations.responses import with_article
from services.routing.operations.states import NextStep
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.lifecycle import Close, Reopen, SetState
from shared.eventstore.runner import Outcome


async def set_state(
    operations: TicketOperations, request: CommandRequest, state: str, pending_until: datetime | None = None
) -> Outcome:
    wanted = states.next_state(NextStep(state, pending_until), operations.directory.configuration.states)
    assert wanted is not None
    return await operations.give(request, "set-state", lambda context, _: SetState(context, wanted))


async def close(
    operations: TicketOperations,
    request: CommandRequest,
    state: str,
    content: Content,
    time_units: float | None = None,
) -> Outcome:
    closed = states.of_type("closed", state, operations.directory.configuration.states)
    note = await composing.note(operations, request, content)
    return await operations.give(
        request,
        "close",
        lambda context, _: Close(context, closed, note, time_units),
        respond=with_article(note),
    )


async def reopen(
    operations: TicketOperations,
    request: CommandRequest,
    state: str,
    content: Content,
    time_units: float | None = None,
) -> Outcome:
    opened = states.of_type("open", state, operations.directory.configuration.states)
    note = await composing.note(operations, request, content)
    return await operations.give(
        request,
        "reopen",
        lambda context, _: Reopen(context, note, time_units, opened),
        respond=with_article(note),
    )
