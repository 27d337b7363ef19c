"""Fields and customer of a ticket (requirements A7.27, A7.28)."""

from collections.abc import Mapping
from typing import Any

from services.routing.operations.request import CommandRequest, TicketCommand
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.properties import SetCustomer, SetFields
from shared import fields
from shared.eventstore.runner import Outcome


async def set_fields(
    operations: TicketOperations, request: CommandRequest, ticket: str, values: Mapping[str, Any]
) -> Outcome:
    checked = fields.checked(values, operations.directory.configuration.fields)
    command = TicketCommand(ticket, "set-fields", lambda context, _: SetFields(context, checked))
    return await operations.give(request, command)


async def set_customer(operations: TicketOperations, request: CommandRequest, ticket: str, customer: str) -> Outcome:
    await operations.current(ticket)  # somebody who asked a moment ago is known here once their ticket is
    named = await operations.customer(customer)
    command = TicketCommand(ticket, "set-customer", lambda context, _: SetCustomer(context, named))
    return await operations.give(request, command)
