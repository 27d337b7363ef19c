"""Conditions that several commands share, and events that several commands lead to."""

from services.routing.ticket.context import CommandContext
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import NoteAdded, OwnerChanged, TicketLocked, TicketUnlocked, TimeAccounted
from shared.rules.rejected import Rejected


def known(ticket: Ticket) -> tuple[QueueRef, CustomerRef]:
    """Queue and customer of a ticket that has been queued, in whatever state."""
    if ticket.queue is None or ticket.customer is None:
        raise Rejected("The ticket is not in a queue yet.")
    return ticket.queue, ticket.customer


def living(ticket: Ticket) -> tuple[QueueRef, CustomerRef]:
    """Queue and customer of a ticket that is neither merged nor removed."""
    found = known(ticket)
    if ticket.merged_into is not None:
        raise Rejected("The ticket was merged into another one. Work on that one.")
    if ticket.state.type == "removed":
        raise Rejected("The ticket was removed.")
    return found


def workable(ticket: Ticket, context: CommandContext) -> tuple[QueueRef, CustomerRef]:
    """Queue and customer of a living ticket that no other agent has locked."""
    found = living(ticket)
    not_locked_by_another(ticket, context)
    return found


def not_locked_by_another(ticket: Ticket, context: CommandContext) -> None:
    """A lock keeps other agents from working on the ticket. Rules and the system do not wait for it."""
    if ticket.locked_by is not None and context.actor.kind == "agent" and ticket.locked_by.id != context.actor.id:
        raise Rejected(f"{ticket.locked_by.name} is working on this ticket.")


def locked(context: CommandContext, to: PersonRef, was: PersonRef | None = None, reason: str = "") -> TicketLocked:
    timeout = context.settings.lock_timeout
    expires_at = context.at + timeout if timeout is not None else None
    return TicketLocked(by=to, taken_over_from=was, reason=reason, expires_at=expires_at)


def lock_on_action(ticket: Ticket, context: CommandContext) -> list[Event]:
    """An agent who works on an unlocked ticket locks it and becomes its owner (A6.05)."""
    if ticket.locked_by is not None or not context.takes_lock:
        return []
    agent = context.actor.reference
    return [locked(context, agent), *owner(ticket, agent)]


def owner(ticket: Ticket, to: PersonRef) -> list[Event]:
    return [] if ticket.owner is not None and ticket.owner.id == to.id else [OwnerChanged(to=to, was=ticket.owner)]


def unlocked(ticket: Ticket, because: str) -> list[Event]:
    return [TicketUnlocked(was=ticket.locked_by, because=because)] if ticket.locked_by is not None else []


def note(context: CommandContext, message: Message | None, kind: str) -> list[Event]:
    """The note that came with another command, if it had one."""
    return [] if message is None else [NoteAdded(by=context.actor.reference, message=message, kind=kind)]


def time(units: float | None, context: CommandContext, message: Message | None) -> list[Event]:
    """Working time that was entered with a command (A16.01)."""
    article = message.id if message is not None else None
    return [TimeAccounted(by=context.actor.reference, units=units, article=article)] if units else []


def still_in_force(unchanged: bool) -> None:
    """A decision can be undone only while nobody has changed the same value again."""
    if not unchanged:
        raise Rejected("This was changed later, so it cannot be undone. Change it yourself.")
