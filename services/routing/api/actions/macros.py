"""`macro`."""

from services.routing.api.action import Action
from services.routing.api.bodies import Slug
from services.routing.operations.automation import macros
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.runner import Outcome
from shared.http.bodies import Body


class MacroBody(Body):
    """A macro by slug or id."""

    macro: Slug


async def macro(operations: TicketOperations, request: CommandRequest, body: MacroBody) -> Outcome:
    return await macros.macro(operations, request, body.macro)


ACTIONS = (Action("macro", macro, MacroBody, "applyMacro", "Do everything that a macro says, or nothing"),)
