"""What several decisions ask first, and what follows from several: locks, owners, states, time."""

from uuid import UUID

from services.routing.ticket.commands import Act, NextState
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef, StateRef
from shared.contracts.routing import NoteAdded, OwnerChanged, StateChanged, TicketLocked, TicketUnlocked, TimeAccounted
from shared.rules.rejected import Rejected


def known(ticket: Ticket) -> tuple[QueueRef, CustomerRef]:
    """Queue and customer of a ticket that the desk knows, whatever has become of it."""
    if ticket.queue is None or ticket.customer is None:
        raise Rejected("the ticket is not in a queue yet")
    return ticket.queue, ticket.customer


def living(ticket: Ticket) -> tuple[QueueRef, CustomerRef]:
    """Queue and customer of a ticket that can be worked on."""
    found = known(ticket)
    if ticket.merged_into is not None:
        raise Rejected("the ticket was merged: work on the one that it went into")
    if ticket.state.type == "removed":
        raise Rejected("the ticket was removed")
    return found


def not_locked_by_another(ticket: Ticket, act: Act) -> None:
    if ticket.locked_by is not None and ticket.locked_by.id != act.actor.id:
        raise Rejected(f"{ticket.locked_by.name} is working on this ticket")


def workable(ticket: Ticket, act: Act) -> tuple[QueueRef, CustomerRef]:
    """A living ticket that nobody else holds."""
    found = living(ticket)
    not_locked_by_another(ticket, act)
    return found


def locked(act: Act, to: PersonRef, was: PersonRef | None = None, reason: str = "") -> TicketLocked:
    return TicketLocked(by=to, taken_over_from=was, reason=reason, expires_at=act.lock_until)


def lock_on_action(ticket: Ticket, act: Act) -> list[Event]:
    """Who acts on an unlocked ticket holds it and is its owner (A6.05)."""
    if ticket.locked_by is not None or act.quietly:
        return []
    return [locked(act, act.actor), *owner(ticket, act.actor)]


def owner(ticket: Ticket, to: PersonRef) -> list[Event]:
    return [] if ticket.owner is not None and ticket.owner.id == to.id else [OwnerChanged(to=to, was=ticket.owner)]


def unlocked(ticket: Ticket, because: str) -> list[Event]:
    return [TicketUnlocked(was=ticket.locked_by, because=because)] if ticket.locked_by is not None else []


def next_state(
    ticket: Ticket, wanted: NextState | None, act: Act, required: tuple[str, ...] = (), answer: UUID | None = None
) -> list[Event]:
    """The change to a state that a form asks for; `answer` is the one to the customer that a closing comes with. What must have a value when the ticket is closed stands in
    `required` (A7.25)."""
    if wanted is None or (wanted.state.slug == ticket.state.slug and wanted.pending_until == ticket.pending_until):
        return []
    complete(ticket, wanted.state, required)
    return [
        StateChanged(
            to=wanted.state,
            was=ticket.state,
            pending_until=wanted.pending_until,
            by=act.actor,
            at=act.at,
            answer=answer,
        )
    ]


def complete(ticket: Ticket, state: StateRef, required: tuple[str, ...]) -> None:
    """What must have a value before the ticket is closed (A7.25)."""
    missing = [name for name in required if ticket.fields.get(name) in (None, "")]
    if state.type == "closed" and missing:
        raise Rejected(f"before it can be closed, the ticket needs: {', '.join(missing)}")


def closes(wanted: NextState | None) -> bool:
    return wanted is not None and wanted.state.type == "closed"


def remark(act: Act, message: Message | None, kind: str) -> list[Event]:
    """The note of a form that had a text."""
    return [] if message is None else [NoteAdded(by=act.actor, message=message, kind=kind)]


def time(units: float | None, act: Act, message: Message | None) -> list[Event]:
    """Work that was accounted for (A16.01)."""
    return [] if not units else [TimeAccounted(by=act.actor, units=units, article=message.id if message else None)]
