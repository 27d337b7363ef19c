"""`PUT /tickets/{ref}/presence`: I look at this ticket, or reply to it (api.md, section 6)."""

from fastapi import APIRouter, Response

from services.reporting.live.presence import Doing, Presence
from services.reporting.tickets.ticket_reader import TicketReader, TicketReference
from shared.http import problems
from shared.http.bodies import Body
from shared.http.identity import Caller
from shared.http.routes import router as strict
from shared.http.serving.limits import SMALL_BODY, body_limit


class PresenceAtTicket(Body):
    """What I do at the ticket; null: nothing any more."""

    doing: Doing | None


def router(reader: TicketReader, presence: Presence) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["live"])

    @routes.put(
        "/{ref}/presence",
        status_code=204,
        operation_id="putPresence",
        summary="Tell the others that I look at a ticket, or reply to it",
        description="It holds 30 s: send it again while it is so. Streams with this ticket in `?tickets=` are told.",
    )
    @body_limit(SMALL_BODY)
    async def put_presence(ref: TicketReference, who: Caller, body: PresenceAtTicket) -> Response:
        found = await reader.ticket(ref, who)
        if not found.as_agent:
            raise problems.forbidden("Only agents of the ticket's queue may do this.")
        await presence.announce(found.row["id"], who.person_id, who.name, body.doing)
        return Response(status_code=204)

    return routes
