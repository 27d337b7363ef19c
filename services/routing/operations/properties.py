"""Fields and customer of a ticket (requirements A7.27, A7.28)."""

from collections.abc import Mapping
from typing import Any

from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.properties import SetCustomer, SetFields
from shared import fields
from shared.eventstore.runner import Outcome


async def set_fields(operations: TicketOperations, request: CommandRequest, values: Mapping[str, Any]) -> Outcome:
    checked = fields.checked(values, operations.directory.configuration.fields)
    return await operations.give(request, "set-fields", lambda context, _: SetFields(context, checked))


async def set_customer(operations: TicketOperations, request: CommandRequest, customer: str) -> Outcome:
    await operations.current(request.ticket)  # somebody who asked a moment ago is known here once their ticket is
    named = await operations.customer(customer)
    return await operations.give(request, "set-customer", lambda context, _: SetCustomer(context, named))
