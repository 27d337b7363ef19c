"""`set-state`, `close` and `reopen`."""

from services.routing.api.action import Action
from services.routing.api.bodies import ContentBody, PendingBody, Slug, TimeUnits
from services.routing.operations import lifecycle
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.runner import Outcome
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN


class StateBody(PendingBody):
    state: Slug


class CloseBody(ContentBody):
    state: Slug = CLOSED_SUCCESSFUL.slug
    time_units: TimeUnits | None = None


class ReopenBody(ContentBody):
    state: Slug = OPEN.slug
    time_units: TimeUnits | None = None


async def set_state(operations: TicketOperations, request: CommandRequest, body: StateBody) -> Outcome:
    return await lifecycle.set_state(operations, request, body.state, body.pending_until)


async def close(operations: TicketOperations, request: CommandRequest, body: CloseBody) -> Outcome:
    return await lifecycle.close(operations, request, body.state, body.content, body.time_units)


async def reopen(operations: TicketOperations, request: CommandRequest, body: ReopenBody) -> Outcome:
    return await lifecycle.reopen(operations, request, body.state, body.content, body.time_units)


ACTIONS = (
    Action("set-state", set_state, StateBody, "setState", "Change the state"),
    Action("close", close, CloseBody, "closeTicket", "Close a ticket", body_optional=True),
    Action("reopen", reopen, ReopenBody, "reopenTicket", "Open a closed ticket again", body_optional=True),
)
