"""Handing a ticket over (requirements A6.08 to A6.12)."""

from services.routing.operations.content import composing
from services.routing.operations.content.composing import Content
from services.routing.operations.request import CommandRequest
from services.routing.operations.responses import with_article
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.ownership import Assign, SetResponsible
from shared.eventstore.runner import Outcome


async def assign(operations: TicketOperations, request: CommandRequest, owner: str | None, content: Content) -> Outcome:
    """Without an owner, the ticket goes back to the previous one."""
    new_owner = await operations.person(owner) if owner is not None else None
    note = await composing.note(operations, request, content)
    return await operations.give(
        request, "assign", lambda context, _: Assign(context, new_owner, note), respond=with_article(note)
    )


async def set_responsible(operations: TicketOperations, request: CommandRequest, responsible: str | None) -> Outcome:
    person = await operations.person(responsible, "responsible") if responsible is not None else None
    return await operations.give(request, "set-responsible", lambda context, _: SetResponsible(context, person))
