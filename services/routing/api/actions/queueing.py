"""`move`."""

from services.routing.api.action import Action
from services.routing.api.bodies import ContentBody, NextStepBody, Reference
from services.routing.operations import queueing
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.runner import Outcome


class MoveBody(ContentBody, NextStepBody):
    """Without `text` and `html` a note says that the ticket was moved; with an empty text there is no note."""

    queue: Reference
    owner: Reference | None = None


async def move(operations: TicketOperations, request: CommandRequest, body: MoveBody) -> Outcome:
    return await queueing.move(operations, request, body.queue, body.content, body.step, owner=body.owner)


ACTIONS = (Action("move", move, MoveBody, "moveTicket", "Move a ticket to another queue"),)
