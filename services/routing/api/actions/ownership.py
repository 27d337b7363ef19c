"""`lock`, `unlock`, `assign` and `set-responsible`."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from services.routing.api.action import Action
from services.routing.api.bodies import Nothing, Reference
from services.routing.operations import ownership
from services.routing.operations.content.composing import Content
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.ownership import Lock, Unlock
from shared.eventstore.runner import Outcome
from shared.http.bodies import Body
from shared.input_types import Flag, Text

PREVIOUS = "previous"


class LockBody(Body):
    """An empty body locks a free ticket; `take_over` with its reason in `text` takes over somebody else's lock."""

    take_over: Flag = False
    text: Annotated[Text, Field(max_length=10_000)] = ""

    @model_validator(mode="after")
    def _has_reason(self) -> Self:
        if self.take_over and not self.text.strip():
            raise ValueError("To take over a lock, give a reason in text.")
        return self


class AssignBody(Body):
    """`owner` is a person, or `previous`."""

    owner: Reference
    text: Text | None = None


class ResponsibleBody(Body):
    """`responsible` is a person, or null for nobody."""

    responsible: Reference | None


async def lock(operations: TicketOperations, request: CommandRequest, body: LockBody) -> Outcome:
    return await operations.give(request, "lock", lambda context, _: Lock(context, body.take_over, body.text))


async def unlock(operations: TicketOperations, request: CommandRequest, _body: Nothing) -> Outcome:
    releases_others = request.identity is None or request.identity.is_admin
    return await operations.give(request, "unlock", lambda context, _: Unlock(context, releases_others))


async def assign(operations: TicketOperations, request: CommandRequest, body: AssignBody) -> Outcome:
    owner = None if body.owner == PREVIOUS else body.owner
    return await ownership.assign(operations, request, owner, Content(body.text))


async def set_responsible(operations: TicketOperations, request: CommandRequest, body: ResponsibleBody) -> Outcome:
    return await ownership.set_responsible(operations, request, body.responsible)


ACTIONS = (
    Action("lock", lock, LockBody, "lockTicket", "Lock a ticket to yourself", body_optional=True),
    Action("unlock", unlock, Nothing, "unlockTicket", "Give a lock back", body_optional=True),
    Action("assign", assign, AssignBody, "assignTicket", "Hand a ticket to another owner, or back"),
    Action(
        "set-responsible",
        set_responsible,
        ResponsibleBody,
        "setResponsible",
        "Name who sees to it that the ticket is carried out",
    ),
)
