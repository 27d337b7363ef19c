"""In which queue a ticket stands (requirements A3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from services.routing.ticket import conditions, lifecycle
from services.routing.ticket.context import CommandContext
from services.routing.ticket.lifecycle import NextState
from services.routing.ticket.state import SPLIT_NOTE, Ticket
from shared.contracts.event import Event
from shared.contracts.parts import (
    Address,
    AnyChannel,
    CustomerRef,
    Message,
    PersonRef,
    QueueRef,
    StateRef,
    TicketRef,
    TopicRef,
)
from shared.contracts.routing import (
    MOVED_NOTE,
    NoteAdded,
    StateChanged,
    TicketMoved,
    TicketQueued,
    TicketsLinked,
)
from shared.rules.states import NEW


@dataclass(frozen=True, slots=True)
class QueueTicket:
    """Puts a ticket that intake opened into its queue.

    `state`: the state that a trusted channel asked for. `also_opened`: the tickets that the same mail opened in other
    queues. `answers_to`: where the customer wants answers. `note`: the internal part of the articles that `opened_by`
    split off from another ticket. `text` and `sender` are for the conditions of rules: what was written, and the mail
    address of its writer.
    """

    number: str
    title: str
    queue: QueueRef
    customer: CustomerRef
    priority: int
    channel: AnyChannel
    message_id: str | None
    tags: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    split_from: TicketRef | None = None
    also_opened: tuple[TicketRef, ...] = ()
    state: StateRef | None = None
    at: datetime | None = None
    topic: TopicRef | None = None
    answers_to: tuple[Address, ...] = ()
    opened_by: PersonRef | None = None
    note: Message | None = None
    text: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """`note` is what the actor wrote. Without it, `empty_note` becomes the note that says that the ticket was moved."""

    context: CommandContext
    to: QueueRef
    owner: PersonRef | None = None
    note: Message | None = None
    next: NextState | None = None
    time_units: float | None = None
    empty_note: Message | None = None


Command = QueueTicket | Move


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case QueueTicket():
            return queue(command, ticket)
        case Move():
            return move(command, ticket)
        case _:
            assert_never(command)


def queue(command: QueueTicket, ticket: Ticket) -> list[Event]:
    """An opened ticket stands in its queue (A3.01)."""
    if ticket.queue is not None:
        return []
    queued = TicketQueued(
        number=command.number,
        title=command.title,
        queue=command.queue,
        customer=command.customer,
        state=NEW,
        priority=command.priority,
        channel=command.channel,
        message_id=command.message_id,
        tags=command.tags,
        fields=dict(command.fields),
        split_from=command.split_from,
        topic=command.topic,
        answers_to=command.answers_to,
        at=command.at,
    )
    events: list[Event] = [queued]
    if command.note is not None and command.opened_by is not None:
        events.append(NoteAdded(by=command.opened_by, message=command.note, kind=SPLIT_NOTE))
    others = (command.split_from,) if command.split_from is not None else command.also_opened
    events += [TicketsLinked(kind="related", other=other) for other in others]
    if command.state is not None:
        events.append(StateChanged(to=command.state, was=NEW, at=command.at))
    return events


def move(command: Move, ticket: Ticket) -> list[Event]:
    """The ticket goes to another queue, unlocked, with note, owner and state if they are given (A3.06 to A3.08)."""
    context = command.context
    queue, _ = conditions.workable(ticket, context)
    moves = queue.id != command.to.id
    note = _note(command, moves)
    if not moves and command.owner is None and command.next is None and note is None:
        return []
    events = conditions.note(context, note, "move")
    if moves:
        events.append(TicketMoved(to=command.to, was=queue, by=context.actor.reference))
    events += lifecycle.next_state(ticket, command.next, context)
    if command.owner is not None:
        events += conditions.owner(ticket, command.owner)
    return [*events, *conditions.unlocked(ticket, "moved"), *conditions.time(command.time_units, context, note)]


def _note(command: Move, moves: bool) -> Message | None:
    empty = command.empty_note
    if command.note is None and empty is not None and (moves or empty.attachments):
        return empty.model_copy(update={"text": MOVED_NOTE})
    return command.note


def undo(decided: Event, ticket: Ticket, context: CommandContext, undoes: UUID) -> list[Event] | None:
    """The events that undo a decision of this module; None for any other event."""
    match decided:
        case TicketMoved(to=to, was=was):
            conditions.still_in_force(ticket.queue is not None and ticket.queue.id == to.id)
            back = TicketMoved(to=was, was=to, by=context.actor.reference, undoes=undoes)
            return [back, *conditions.unlocked(ticket, "moved")]
        case _:
            return None
