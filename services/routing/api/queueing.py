"""`move`."""

from services.routing.api.action import Action
from services.routing.api.bodies import ContentBody, NextStateBody, Reference, TimeUnits
from services.routing.operations import queueing
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.runner import Outcome


class MoveBody(ContentBody, NextStateBody):
    """Without `text` and `html` a note says that the ticket was moved; with an empty text there is no note."""

    queue: Reference
    owner: Reference | None = None
    time_units: TimeUnits | None = None


async def move(operations: TicketOperations, request: CommandRequest, ticket: str, body: MoveBody) -> Outcome:
    return await queueing.move(
        operations,
        request,
        ticket,
        body.queue,
        body.content,
        owner=body.owner,
        state=body.state,
        pending_until=body.pending_until,
        time_units=body.time_units,
    )


ACTIONS = (Action("move", move, MoveBody, "moveTicket", "Move a ticket to another queue"),)
