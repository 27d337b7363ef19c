"""What a ticket is about and whose it is: title, fields, tags, customer (requirements A7.27, A7.28, A7.33, A7.36)."""

from services.routing.ticket import conditions
from services.routing.ticket.commands import Rename, SetCustomer, SetFields, Tag, Untag
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.routing import CustomerChanged, FieldsChanged, TagsAdded, TagsRemoved, TicketRenamed
from shared.rules.rejected import Rejected

MOST_TAGS = 100
MOST_FIELDS = 200


def rename(command: Rename, ticket: Ticket) -> list[Event]:
    conditions.workable(ticket, command.act)
    if command.title == ticket.title:
        return []
    renamed = TicketRenamed(to=command.title, was=ticket.title, by=command.act.actor)
    return [*conditions.lock_on_action(ticket, command.act), renamed]


def set_fields(command: SetFields, ticket: Ticket) -> list[Event]:
    """Only what differs is recorded, with what stood there before."""
    conditions.workable(ticket, command.act)
    values = {name: value for name, value in command.values.items() if ticket.fields.get(name) != value}
    if not values:
        return []
    if len({*ticket.fields, *values}) > MOST_FIELDS:
        raise Rejected(f"a ticket has at most {MOST_FIELDS} fields")
    was = {name: ticket.fields.get(name) for name in values}
    changed = FieldsChanged(values=values, was=was, by=command.act.actor)
    return [*conditions.lock_on_action(ticket, command.act), changed]


def set_customer(command: SetCustomer, ticket: Ticket) -> list[Event]:
    _, customer = conditions.workable(ticket, command.act)
    if command.customer == customer:
        return []
    changed = CustomerChanged(to=command.customer, was=customer, by=command.act.actor)
    return [*conditions.lock_on_action(ticket, command.act), changed]


def tag(command: Tag, ticket: Ticket) -> list[Event]:
    """Whoever holds the lock."""
    conditions.living(ticket)
    fresh = tuple(each for each in dict.fromkeys(command.tags) if each not in ticket.tags)
    if len(ticket.tags) + len(fresh) > MOST_TAGS:
        raise Rejected(f"a ticket has at most {MOST_TAGS} tags")
    return [TagsAdded(tags=fresh, by=command.act.actor)] if fresh else []


def untag(command: Untag, ticket: Ticket) -> list[Event]:
    conditions.living(ticket)
    gone = tuple(each for each in ticket.tags if each in command.tags)
    return [TagsRemoved(tags=gone, by=command.act.actor)] if gone else []
