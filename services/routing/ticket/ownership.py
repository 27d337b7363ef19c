"""Who works on a ticket and who sees to it: locks, their end, owners, the responsible (requirements A6)."""

from uuid import UUID

from services.routing.ticket import conditions
from services.routing.ticket.commands import Assign, Lock, LockHolderLeft, LockIsOver, SetResponsible, Unlock
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import PersonRef
from shared.contracts.routing import OwnerChanged, ResponsibleChanged, TicketUnlocked
from shared.rules.rejected import Rejected


def lock(command: Lock, ticket: Ticket) -> list[Event]:
    """Locking makes you the owner (A6.02). A forgotten lock can be taken over with a reason (A6.06)."""
    conditions.living(ticket)
    act, holder = command.act, ticket.locked_by
    if holder is not None and holder.id == act.actor.id:
        return []  # asking twice is not an error
    if holder is not None and not (command.take_over and command.reason.strip()):
        raise Rejected(f"{holder.name} is working on this ticket")
    taken = conditions.locked(act, act.actor, holder, command.reason if holder else "")
    return [taken, *conditions.owner(ticket, act.actor)]


def unlock(command: Unlock, ticket: Ticket) -> list[Event]:
    """The ticket is everybody's again (A6.04)."""
    conditions.living(ticket)
    if ticket.locked_by is None:
        return []
    if ticket.locked_by.id != command.act.actor.id and not command.may_release_others:
        raise Rejected(f"{ticket.locked_by.name} is working on this ticket")
    return [TicketUnlocked(was=ticket.locked_by)]


def assign(command: Assign, ticket: Ticket) -> list[Event]:
    """Handing a ticket over hands over the lock; the previous owner is remembered (A6.08, A6.10)."""
    act = command.act
    conditions.workable(ticket, act)
    to = command.to if command.to is not None else ticket.previous_owner
    if to is None:
        raise Rejected("nobody owned this ticket before")
    events = conditions.remark(act, command.message, "assign")
    if ticket.owner is not None and ticket.owner.id == to.id:
        return events
    events.append(OwnerChanged(to=to, was=ticket.owner))
    if ticket.locked_by is not None and ticket.locked_by.id != to.id:
        events.append(conditions.locked(act, to, ticket.locked_by))
    return events


def set_responsible(command: SetResponsible, ticket: Ticket) -> list[Event]:
    """Who sees to it that the ticket is carried out (A6.11, A6.12), whoever is working on it."""
    conditions.living(ticket)
    if _id(command.to) == _id(ticket.responsible):
        return []
    return [ResponsibleChanged(to=command.to, was=ticket.responsible, by=command.act.actor)]


def _id(person: PersonRef | None) -> UUID | None:
    return person.id if person is not None else None


def lock_is_over(command: LockIsOver, ticket: Ticket) -> list[Event]:
    """A forgotten lock ends by itself (A6.06), once, and only the one that the timer was set for."""
    if ticket.locked_by is None or ticket.lock_until != command.due_at:
        return []
    return [TicketUnlocked(was=ticket.locked_by, because="expired", due_at=command.due_at, fired_at=command.fired_at)]


def lock_holder_left(command: LockHolderLeft, ticket: Ticket) -> list[Event]:
    """Whoever leaves lets go of their tickets. They stay the owner, so that the desk sees whose work it was."""
    if ticket.locked_by is None or ticket.locked_by.id not in command.gone:
        return []
    return conditions.unlocked(ticket, "left")
