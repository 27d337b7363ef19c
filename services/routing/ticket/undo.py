"""Taking back an earlier decision of one ticket, as a new event (merges and splits concern two: see relations).

What came in between stays. A decision can only be taken back while what it decided still stands.
"""

from services.routing.ticket import conditions
from services.routing.ticket.commands import Undo
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.routing import (
    CustomerChanged,
    FieldsChanged,
    OwnerChanged,
    PriorityChanged,
    ResponsibleChanged,
    StateChanged,
    TagsAdded,
    TagsRemoved,
    TicketMoved,
    TicketRenamed,
)
from shared.rules.rejected import Rejected
from shared.rules.states import OPEN

CHANGED = "it has been changed again since: change it by hand"


def undo(command: Undo, ticket: Ticket) -> list[Event]:
    act = command.act
    conditions.workable(ticket, act)
    match command.decided:
        case TicketMoved() as moved:
            _stands(ticket.queue is not None and ticket.queue.id == moved.to.id)
            return [
                TicketMoved(to=moved.was, was=moved.to, by=act.actor, undoes=command.event),
                *conditions.unlocked(ticket, "moved"),
            ]
        case StateChanged() as changed:
            _stands(ticket.state.slug == changed.to.slug)
            # The date that a pending state waited for is not known to be right any more.
            back = OPEN if changed.was.type.startswith("pending") else changed.was
            conditions.complete(ticket, back, command.required)
            again = StateChanged(to=back, was=ticket.state, by=act.actor, undoes=command.event, at=act.at)
            return [again, *(conditions.unlocked(ticket, "closed") if back.type == "closed" else [])]
        case PriorityChanged() as changed:
            _stands(ticket.priority == changed.to)
            return [PriorityChanged(to=changed.was, was=changed.to, by=act.actor)]
        case TicketRenamed() as renamed:
            _stands(ticket.title == renamed.to)
            return [TicketRenamed(to=renamed.was, was=renamed.to, by=act.actor)]
        case FieldsChanged() as changed:
            _stands(all(ticket.fields.get(name) == value for name, value in changed.values.items()))
            return [FieldsChanged(values=changed.was, was=changed.values, by=act.actor)]
        case CustomerChanged() as changed:
            _stands(ticket.customer == changed.to)
            return [CustomerChanged(to=changed.was, was=changed.to, by=act.actor)]
        case OwnerChanged(to=to, was=was):
            _stands(ticket.owner == to)
            events: list[Event] = [OwnerChanged(to=was, was=to)]
            return events + conditions.unlocked(ticket, "released")
        case ResponsibleChanged(to=to, was=was):
            _stands(ticket.responsible == to)
            return [ResponsibleChanged(to=was, was=to, by=act.actor)]
        case TagsAdded(tags=tags):
            there = tuple(each for each in tags if each in ticket.tags)
            return [TagsRemoved(tags=there, by=act.actor)] if there else []
        case TagsRemoved(tags=tags):
            gone = tuple(each for each in tags if each not in ticket.tags)
            return [TagsAdded(tags=gone, by=act.actor)] if gone else []
        case _:
            raise Rejected("this cannot be taken back")


def _stands(still: bool) -> None:
    if not still:
        raise Rejected(CHANGED)
