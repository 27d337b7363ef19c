"""What a ticket is about and whose it is: title, priority, fields, tags, customer (requirements A4, A7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never
from uuid import UUID

from services.routing.ticket import conditions
from services.routing.ticket.context import CommandContext
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef
from shared.contracts.routing import (
    CustomerChanged,
    FieldsChanged,
    PriorityChanged,
    TagsAdded,
    TagsRemoved,
    TicketRenamed,
)
from shared.rules.rejected import Rejected

MOST_TAGS = 100
MOST_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Rename:
    context: CommandContext
    title: str


@dataclass(frozen=True, slots=True)
class SetPriority:
    context: CommandContext
    priority: int


@dataclass(frozen=True, slots=True)
class SetFields:
    """None removes a field."""

    context: CommandContext
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SetCustomer:
    context: CommandContext
    customer: CustomerRef


@dataclass(frozen=True, slots=True)
class Tag:
    context: CommandContext
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Untag:
    context: CommandContext
    tags: tuple[str, ...]


Command = Rename | SetPriority | SetFields | SetCustomer | Tag | Untag


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case Rename():
            return rename(command, ticket)
        case SetPriority():
            return set_priority(command, ticket)
        case SetFields():
            return set_fields(command, ticket)
        case SetCustomer():
            return set_customer(command, ticket)
        case Tag():
            return tag(command, ticket)
        case Untag():
            return untag(command, ticket)
        case _:
            assert_never(command)


def rename(command: Rename, ticket: Ticket) -> list[Event]:
    context = command.context
    conditions.workable(ticket, context)
    if command.title == ticket.title:
        return []
    renamed = TicketRenamed(to=command.title, was=ticket.title, by=context.actor.reference)
    return [*conditions.lock_on_action(ticket, context), renamed]


def set_priority(command: SetPriority, ticket: Ticket) -> list[Event]:
    """The priority is changed without locking the ticket (A4.05)."""
    conditions.workable(ticket, command.context)
    if command.priority == ticket.priority:
        return []
    return [PriorityChanged(to=command.priority, was=ticket.priority, by=command.context.actor.reference)]


def set_fields(command: SetFields, ticket: Ticket) -> list[Event]:
    """Only fields that change are recorded, with their earlier values."""
    context = command.context
    conditions.workable(ticket, context)
    values = {name: value for name, value in command.values.items() if ticket.fields.get(name) != value}
    if not values:
        return []
    if len({*ticket.fields, *values}) > MOST_FIELDS:
        raise Rejected(f"A ticket can have at most {MOST_FIELDS} fields.")
    was = {name: ticket.fields.get(name) for name in values}
    changed = FieldsChanged(values=values, was=was, by=context.actor.reference)
    return [*conditions.lock_on_action(ticket, context), changed]


def set_customer(command: SetCustomer, ticket: Ticket) -> list[Event]:
    context = command.context
    _, customer = conditions.workable(ticket, context)
    if command.customer == customer:
        return []
    changed = CustomerChanged(to=command.customer, was=customer, by=context.actor.reference)
    return [*conditions.lock_on_action(ticket, context), changed]


def tag(command: Tag, ticket: Ticket) -> list[Event]:
    """Somebody else's lock does not prevent tags."""
    conditions.living(ticket)
    added = tuple(each for each in dict.fromkeys(command.tags) if each not in ticket.tags)
    if len(ticket.tags) + len(added) > MOST_TAGS:
        raise Rejected(f"A ticket can have at most {MOST_TAGS} tags.")
    return [TagsAdded(tags=added, by=command.context.actor.reference)] if added else []


def untag(command: Untag, ticket: Ticket) -> list[Event]:
    conditions.living(ticket)
    removed = tuple(each for each in ticket.tags if each in command.tags)
    return [TagsRemoved(tags=removed, by=command.context.actor.reference)] if removed else []


def undo(decided: Event, ticket: Ticket, context: CommandContext, undoes: UUID) -> list[Event] | None:
    """The events that undo a decision of this module; None for any other event."""
    by = context.actor.reference
    match decided:
        case TicketRenamed(to=to, was=was):
            conditions.still_in_force(ticket.title == to)
            return [TicketRenamed(to=was, was=to, by=by, undoes=undoes)]
        case PriorityChanged(to=to, was=was):
            conditions.still_in_force(ticket.priority == to)
            return [PriorityChanged(to=was, was=to, by=by, undoes=undoes)]
        case FieldsChanged(values=values, was=was):
            conditions.still_in_force(all(ticket.fields.get(name) == value for name, value in values.items()))
            return [FieldsChanged(values=was, was=values, by=by, undoes=undoes)]
        case CustomerChanged(to=to, was=was):
            conditions.still_in_force(ticket.customer == to)
            return [CustomerChanged(to=was, was=to, by=by, undoes=undoes)]
        case TagsAdded(tags=tags):
            present = tuple(each for each in tags if each in ticket.tags)
            return [TagsRemoved(tags=present, by=by, undoes=undoes)] if present else []
        case TagsRemoved(tags=tags):
            missing = tuple(each for each in tags if each not in ticket.tags)
            return [TagsAdded(tags=missing, by=by, undoes=undoes)] if missing else []
        case _:
            return None
