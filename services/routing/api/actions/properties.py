"""`set-priority`, `rename`, `set-fields`, `set-customer`, `tag` and `untag`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from services.routing.api.action import Action
from services.routing.api.bodies import Reference, Title, not_empty
from services.routing.operations import properties
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.properties import Rename, SetPriority, Tag, Untag
from shared.eventstore.runner import Outcome
from shared.http.bodies import Body
from shared.input_types import Flag, Line, Whole

FieldName = Annotated[Line, Field(min_length=1, max_length=80)]
FieldValue = Annotated[Line, Field(max_length=2000)] | Flag | Whole | float | None
Tags = Annotated[
    tuple[Annotated[Line, Field(max_length=80), AfterValidator(not_empty)], ...], Field(min_length=1, max_length=100)
]


class PriorityBody(Body):
    priority: Annotated[Whole, Field(ge=1, le=5)]


class RenameBody(Body):
    title: Title


class FieldsBody(Body):
    """Null removes a field."""

    fields: Annotated[dict[FieldName, FieldValue], Field(min_length=1, max_length=200)]


class CustomerBody(Body):
    """A customer by e-mail address, login or id."""

    customer: Reference


class TagsBody(Body):
    tags: Tags


async def set_priority(operations: TicketOperations, request: CommandRequest, body: PriorityBody) -> Outcome:
    return await operations.give(request, "set-priority", lambda context, _: SetPriority(context, body.priority))


async def rename(operations: TicketOperations, request: CommandRequest, body: RenameBody) -> Outcome:
    return await operations.give(request, "rename", lambda context, _: Rename(context, body.title))


async def set_fields(operations: TicketOperations, request: CommandRequest, body: FieldsBody) -> Outcome:
    return await properties.set_fields(operations, request, body.fields)


async def set_customer(operations: TicketOperations, request: CommandRequest, body: CustomerBody) -> Outcome:
    return await properties.set_customer(operations, request, body.customer)


async def tag(operations: TicketOperations, request: CommandRequest, body: TagsBody) -> Outcome:
    return await operations.give(request, "tag", lambda context, _: Tag(context, body.tags))


async def untag(operations: TicketOperations, request: CommandRequest, body: TagsBody) -> Outcome:
    return await operations.give(request, "untag", lambda context, _: Untag(context, body.tags))


ACTIONS = (
    Action("set-priority", set_priority, PriorityBody, "setPriority", "Change the priority"),
    Action("rename", rename, RenameBody, "renameTicket", "Change the title"),
    Action("set-fields", set_fields, FieldsBody, "setFields", "Set the values of fields"),
    Action("set-customer", set_customer, CustomerBody, "setCustomer", "Change whose ticket it is"),
    Action("tag", tag, TagsBody, "tagTicket", "Add tags"),
    Action("untag", untag, TagsBody, "untagTicket", "Remove tags"),
)
