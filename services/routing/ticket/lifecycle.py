"""A ticket's states from new to closed and back (requirements A5)."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.routing.ticket import conditions
from services.routing.ticket.context import CommandContext
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import Message, StateRef
from shared.contracts.routing import ReminderReached, StateChanged
from shared.rules.rejected import Rejected
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN


@dataclass(frozen=True, slots=True)
class NextState:
    """The state that a command asks for. A pending state has its date."""

    state: StateRef
    pending_until: datetime | None = None

    @property
    def closes(self) -> bool:
        return self.state.type == "closed"


@dataclass(frozen=True, slots=True)
class SetState:
    context: CommandContext
    next: NextState


@dataclass(frozen=True, slots=True)
class Close:
    context: CommandContext
    state: StateRef = CLOSED_SUCCESSFUL
    note: Message | None = None
    time_units: float | None = None


@dataclass(frozen=True, slots=True)
class Reopen:
    context: CommandContext
    note: Message | None = None
    time_units: float | None = None
    state: StateRef = OPEN


@dataclass(frozen=True, slots=True)
class PendingIsOver:
    """The date of a pending state has come."""

    due_at: datetime
    fired_at: datetime


Command = SetState | Close | Reopen | PendingIsOver


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case SetState():
            return set_state(command, ticket)
        case Close():
            return close(command, ticket)
        case Reopen():
            return reopen(command, ticket)
        case PendingIsOver():
            return pending_is_over(command, ticket)
        case _:
            assert_never(command)


def set_state(command: SetState, ticket: Ticket) -> list[Event]:
    """A closed ticket is unlocked; any other new state locks the ticket (A5.02, A6.05)."""
    conditions.workable(ticket, command.context)
    changed = next_state(ticket, command.next, command.context)
    if not changed:
        return []
    if command.next.closes:
        return [*changed, *conditions.unlocked(ticket, "closed")]
    return [*conditions.lock_on_action(ticket, command.context), *changed]


def close(command: Close, ticket: Ticket) -> list[Event]:
    """A closed ticket is unlocked. The form's text becomes a note (A5.12)."""
    context = command.context
    conditions.workable(ticket, context)
    return [
        *conditions.note(context, command.note, "close"),
        *next_state(ticket, NextState(command.state), context),
        *conditions.unlocked(ticket, "closed"),
        *conditions.time(command.time_units, context, command.note),
    ]


def reopen(command: Reopen, ticket: Ticket) -> list[Event]:
    """An agent opens a closed ticket again (A5.11)."""
    context = command.context
    conditions.workable(ticket, context)
    if ticket.state.type != "closed":
        raise Rejected(f"The ticket is {ticket.state.name}. Only a closed ticket can be reopened.")
    return [
        *conditions.note(context, command.note, "reopen"),
        *next_state(ticket, NextState(command.state), context),
        *conditions.time(command.time_units, context, command.note),
    ]


def pending_is_over(command: PendingIsOver, ticket: Ticket) -> list[Event]:
    """The reminder is due (A5.05), or the ticket closes by itself (A5.07): once, and only for the current date."""
    if ticket.pending_until != command.due_at or ticket.reminded:
        return []
    due, fired = command.due_at, command.fired_at
    match ticket.state.type:
        case "pending_reminder":
            return [ReminderReached(due_at=due, fired_at=fired)]
        case "pending_auto_close":
            closed = StateChanged(to=CLOSED_SUCCESSFUL, was=ticket.state, at=fired, due_at=due, fired_at=fired)
            return [closed, *conditions.unlocked(ticket, "closed")]
        case _:
            return []


def next_state(
    ticket: Ticket, wanted: NextState | None, context: CommandContext, reply: UUID | None = None
) -> list[Event]:
    """The change to a state that a command asks for; `reply` is the reply to the customer that closes the ticket."""
    if wanted is None or (wanted.state.slug == ticket.state.slug and wanted.pending_until == ticket.pending_until):
        return []
    has_required_fields(ticket, wanted.state, context)
    changed = StateChanged(
        to=wanted.state,
        was=ticket.state,
        pending_until=wanted.pending_until,
        by=context.actor.reference,
        at=context.at,
        answer=reply,
    )
    return [changed]


def has_required_fields(ticket: Ticket, state: StateRef, context: CommandContext) -> None:
    """A ticket is closed only when its required fields have values (A7.25)."""
    missing = [name for name in context.settings.required_fields if ticket.fields.get(name) in (None, "")]
    if state.type == "closed" and missing:
        raise Rejected(f"Before the ticket can be closed, these fields need a value: {', '.join(missing)}.")


def undo(decided: Event, ticket: Ticket, context: CommandContext, undoes: UUID) -> list[Event] | None:
    """The events that undo a decision of this module; None for any other event."""
    match decided:
        case StateChanged(to=to, was=was):
            conditions.still_in_force(ticket.state.slug == to.slug)
            # The date of the earlier pending state may have passed, so the ticket is opened instead.
            back = OPEN if was.type.startswith("pending") else was
            has_required_fields(ticket, back, context)
            by = context.actor.reference
            restores = decided.undoes is not None and not decided.restores
            changed = StateChanged(to=back, was=ticket.state, by=by, undoes=undoes, at=context.at, restores=restores)
            return [changed, *(conditions.unlocked(ticket, "closed") if back.type == "closed" else [])]
        case _:
            return None
