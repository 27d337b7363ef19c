"""Opening tickets and adding customers' messages over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from services.intake.opening.bodies import MOST_VALUES, MessageBody, Opened, Received, TicketBody
from services.intake.opening.customer_messages import CustomerMessages
from services.intake.opening.opening import Opening
from shared.http.headers.consistency import HEADER, Written, encode
from shared.http.headers.idempotency import Command as Key
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.routes import router as strict
from shared.http.serving.limits import JSON_BODY, body_limit

Ref = Annotated[str, Path(max_length=64, description="The id or number of the ticket.")]


def router(opening: Opening, messages: CustomerMessages) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["tickets"])

    @routes.post("", operation_id="openTicket", status_code=201, response_model=Opened, summary="Open a ticket")
    @body_limit(JSON_BODY, values=MOST_VALUES)
    async def open_ticket(who: Caller, key: Key, body: TicketBody) -> Response:
        outcome = await opening.open(body.request(), who, key)
        opened = outcome.response
        return json_response(
            opened,
            status=201,
            replayed=outcome.replayed,
            headers={
                "Location": f"/api/v1/tickets/{opened['id']}",
                HEADER: encode(_opening(UUID(opened["id"]), opened["version"])),
            },
        )

    @routes.post(
        "/{ref}/message",
        operation_id="addCustomerMessage",
        response_model=Received,
        summary="Add the customer's own words",
    )
    async def add_message(ref: Ref, who: Caller, key: Key, body: MessageBody) -> Response:
        stream, outcome = await messages.receive(ref, body.request(), who, key)
        headers = {HEADER: encode([Written("intake", stream, outcome.version)])} if stream is not None else None
        return json_response(outcome.response, replayed=outcome.replayed, headers=headers)

    return routes


def _opening(ticket: UUID, version: int) -> list[Written]:
    """An opening is one moment in two services (decision 0110): a read that follows it shows the ticket in its queue,
    and nothing of the opening comes after it."""
    return [Written("intake", ticket, version), Written("routing", ticket, 1)]
