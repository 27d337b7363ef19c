"""Who works on a ticket and who is responsible for it: locks, their end, owners (requirements A6)."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.routing.ticket import conditions
from services.routing.ticket.context import CommandContext
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import Message, PersonRef
from shared.contracts.routing import OwnerChanged, ResponsibleChanged, TicketUnlocked
from shared.rules.rejected import Rejected


@dataclass(frozen=True, slots=True)
class Lock:
    context: CommandContext
    take_over: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unlock:
    context: CommandContext
    may_release_others: bool = False


@dataclass(frozen=True, slots=True)
class Assign:
    """Gives the ticket a new owner; None stands for the previous one."""

    context: CommandContext
    to: PersonRef | None
    note: Message | None = None


@dataclass(frozen=True, slots=True)
class Unassign:
    """Takes the owner off, and the lock."""

    context: CommandContext
    note: Message | None = None


@dataclass(frozen=True, slots=True)
class SetResponsible:
    """None: nobody is responsible but the owner."""

    context: CommandContext
    to: PersonRef | None


@dataclass(frozen=True, slots=True)
class LockIsOver:
    """The time of a lock has run out."""

    due_at: datetime
    fired_at: datetime


@dataclass(frozen=True, slots=True)
class LockHolderLeft:
    """People who may have locked the ticket no longer work here."""

    gone: frozenset[UUID]


Command = Lock | Unlock | Assign | Unassign | SetResponsible | LockIsOver | LockHolderLeft


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case Lock():
            return lock(command, ticket)
        case Unlock():
            return unlock(command, ticket)
        case Assign():
            return assign(command, ticket)
        case Unassign():
            return unassign(command, ticket)
        case SetResponsible():
            return set_responsible(command, ticket)
        case LockIsOver():
            return lock_is_over(command, ticket)
        case LockHolderLeft():
            return lock_holder_left(command, ticket)
        case _:
            assert_never(command)


def lock(command: Lock, ticket: Ticket) -> list[Event]:
    """Who locks a ticket becomes its owner (A6.02). A forgotten lock can be taken over with a reason (A6.06)."""
    conditions.living(ticket)
    context, holder = command.context, ticket.locked_by
    if context.actor.kind != "agent":
        raise Rejected("Only an agent can lock a ticket.")
    if holder is not None and holder.id == context.actor.id:
        return []  # locking twice is no error
    if not (command.take_over and command.reason.strip()):
        conditions.not_locked_by_another(ticket, context)
    agent = context.actor.reference
    return [
        conditions.locked(context, agent, holder, command.reason if holder is not None else ""),
        *conditions.owner(ticket, agent),
    ]


def unlock(command: Unlock, ticket: Ticket) -> list[Event]:
    """The ticket is free for everybody again (A6.04)."""
    conditions.living(ticket)
    if ticket.locked_by is None:
        return []
    if not command.may_release_others:
        conditions.not_locked_by_another(ticket, command.context)
    return [TicketUnlocked(was=ticket.locked_by)]


def assign(command: Assign, ticket: Ticket) -> list[Event]:
    """The new owner gets the lock too. The previous owner is remembered (A6.08, A6.10)."""
    context = command.context
    conditions.workable(ticket, context)
    to = command.to if command.to is not None else ticket.previous_owner
    if to is None:
        raise Rejected("This ticket had no owner before.")
    events = conditions.note(context, command.note, "assign")
    if ticket.owner is not None and ticket.owner.id == to.id:
        return events
    events.append(OwnerChanged(to=to, was=ticket.owner))
    if ticket.locked_by is not None and ticket.locked_by.id != to.id:
        events.append(conditions.locked(context, to, ticket.locked_by))
    return events


def unassign(command: Unassign, ticket: Ticket) -> list[Event]:
    """The ticket belongs to nobody and is free for everybody."""
    conditions.workable(ticket, command.context)
    events = conditions.note(command.context, command.note, "assign")
    if ticket.owner is not None:
        events.append(OwnerChanged(to=None, was=ticket.owner))
    return [*events, *conditions.unlocked(ticket, "released")]


def set_responsible(command: SetResponsible, ticket: Ticket) -> list[Event]:
    """Who sees to it that the matter is settled (A6.11, A6.12), whoever is working on the ticket."""
    conditions.living(ticket)
    if _id(command.to) == _id(ticket.responsible):
        return []
    return [ResponsibleChanged(to=command.to, was=ticket.responsible, by=command.context.actor.reference)]


def _id(person: PersonRef | None) -> UUID | None:
    return person.id if person is not None else None


def lock_is_over(command: LockIsOver, ticket: Ticket) -> list[Event]:
    """A forgotten lock ends by itself (A6.06): once, and only the lock that the timer was set for."""
    if ticket.locked_by is None or ticket.lock_until != command.due_at:
        return []
    return [TicketUnlocked(was=ticket.locked_by, because="expired", due_at=command.due_at, fired_at=command.fired_at)]


def lock_holder_left(command: LockHolderLeft, ticket: Ticket) -> list[Event]:
    """An agent who leaves loses their locks. They stay the owner, so that the desk sees whose work it was."""
    if ticket.locked_by is None or ticket.locked_by.id not in command.gone:
        return []
    return conditions.unlocked(ticket, "left")


def undo(decided: Event, ticket: Ticket, context: CommandContext, undoes: UUID) -> list[Event] | None:
    """The events that undo a decision of this module; None for any other event."""
    match decided:
        case OwnerChanged(to=to, was=was):
            conditions.still_in_force(ticket.owner == to)
            return [OwnerChanged(to=was, was=to, undoes=undoes), *conditions.unlocked(ticket, "released")]
        case ResponsibleChanged(to=to, was=was):
            conditions.still_in_force(ticket.responsible == to)
            return [ResponsibleChanged(to=was, was=to, by=context.actor.reference, undoes=undoes)]
        case _:
            return None
