"""What a ticket says about itself: title, fields, tags, customer."""

from services.reporting.tickets.events import words
from services.reporting.tickets.events.registry import Data, change, summary_of
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.addresses import comparable
from shared.contracts.envelope import Recorded
from shared.contracts.parts import CustomerRef
from shared.contracts.routing import CustomerChanged, FieldsChanged, TagsAdded, TagsRemoved, TicketRenamed


def set_customer(row: TicketRow, customer: CustomerRef) -> None:
    row.customer_id, row.customer_email, row.customer_name = customer.id, comparable(customer.email), customer.name
    row.company = customer.company


@change.register
def _(event: TicketRenamed, row: TicketRow, recorded: Recorded) -> None:
    row.title = event.to


@summary_of(TicketRenamed)
def _(data: Data) -> str:
    return f"Title changed from {data.get('was', '')!r} to {data.get('to', '')!r}{words.by(data)}"


@change.register
def _(event: FieldsChanged, row: TicketRow, recorded: Recorded) -> None:
    changed = {**(row.fields or {}), **event.values}
    row.fields = {name: value for name, value in changed.items() if value is not None} or None


@summary_of(FieldsChanged)
def _(data: Data) -> str:
    changes = (f"{name} is {'empty' if v is None else v}" for name, v in (data.get("values") or {}).items())
    return f"Fields changed: {', '.join(changes)}{words.by(data)}"


@change.register
def _(event: TagsAdded, row: TicketRow, recorded: Recorded) -> None:
    row.tags = [*row.tags, *(tag for tag in event.tags if tag not in row.tags)]


@summary_of(TagsAdded)
def _(data: Data) -> str:
    return f"Tagged {', '.join(data.get('tags', ()))}{words.by(data)}"


@change.register
def _(event: TagsRemoved, row: TicketRow, recorded: Recorded) -> None:
    row.tags = [tag for tag in row.tags if tag not in event.tags]


@summary_of(TagsRemoved)
def _(data: Data) -> str:
    return f"Tags removed: {', '.join(data.get('tags', ()))}{words.by(data)}"


@change.register
def _(event: CustomerChanged, row: TicketRow, recorded: Recorded) -> None:
    set_customer(row, event.to)


@summary_of(CustomerChanged)
def _(data: Data) -> str:
    to, was = words.name(data.get("to")), words.name(data.get("was"))
    return f"Customer is now {to}, was {was}{words.by(data)}"
