"""A ticket's life at the desk: every rule of locks, owners, states and answers, as pure functions."""

from dataclasses import dataclass, replace
from typing import assert_never

from services.routing.commands import (
    AddNote,
    Close,
    Command,
    Lock,
    NextState,
    QueueTicket,
    Reopen,
    Reply,
    TakeCustomerMessage,
    Unlock,
)
from shared.contracts.event import Event
from shared.contracts.parts import Address, Channel, CustomerRef, Message, PersonRef, QueueRef, StateRef
from shared.contracts.rejected import Rejected
from shared.contracts.routing import (
    AgentReplied,
    CustomerAnswered,
    NoteAdded,
    OwnerChanged,
    StateChanged,
    TicketLocked,
    TicketQueued,
    TicketUnlocked,
    TimeAccounted,
)
from shared.contracts.states import NEW, OPEN

THREAD_LENGTH = 10
"""How many of the customer's newest Message-IDs an answer refers to; the first one of all is always among them."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the rules look at. A ticket without a queue is not known to the desk yet."""

    number: str = ""
    title: str = ""
    queue: QueueRef | None = None
    customer: CustomerRef | None = None
    channel: Channel = "api"
    priority: int = 3
    state: StateRef = NEW
    owner: PersonRef | None = None
    locked_by: PersonRef | None = None
    thread: tuple[str, ...] = ()


def initial() -> Ticket:
    return Ticket()


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case QueueTicket():
            return _queue(command, ticket)
        case TakeCustomerMessage():
            return _take_customer_message(command, ticket)
        case Lock():
            return _lock(command, ticket)
        case Unlock():
            return _unlock(command, ticket)
        case Reply():
            return _reply(command, ticket)
        case AddNote():
            return _add_note(command, ticket)
        case Close():
            return _close(command, ticket)
        case Reopen():
            return _reopen(command, ticket)
        case _:
            assert_never(command)


def _queue(command: QueueTicket, ticket: Ticket) -> list[Event]:
    if ticket.queue is not None:
        return []
    return [
        TicketQueued(
            number=command.number,
            title=command.title,
            queue=command.queue,
            customer=command.customer,
            state=NEW,
            priority=command.priority,
            channel=command.channel,
            message_id=command.message_id,
        )
    ]


def _take_customer_message(command: TakeCustomerMessage, ticket: Ticket) -> list[Event]:
    """A customer's message reopens what was closed (A5.10) and leaves every other state as the desk set it (A5.09)."""
    _known(ticket)
    answered = CustomerAnswered(article=command.article, message_id=command.message_id)
    if ticket.state.type == "closed":
        return [answered, StateChanged(to=OPEN, was=ticket.state)]
    return [answered]


def _lock(command: Lock, ticket: Ticket) -> list[Event]:
    _known(ticket)
    holder = ticket.locked_by
    if holder == command.actor or (holder is not None and holder.id == command.actor.id):
        return []  # asking twice is not an error
    if holder is not None and not (command.take_over and command.may_take_over and command.reason):
        raise Rejected(f"{holder.name} is working on this ticket")
    locked = TicketLocked(by=command.actor, taken_over_from=holder, reason=command.reason if holder else "")
    return [locked, *_owner(ticket, command.actor)]


def _unlock(command: Unlock, ticket: Ticket) -> list[Event]:
    _known(ticket)
    if ticket.locked_by is None:
        return []
    if ticket.locked_by.id != command.actor.id and not command.may_take_over:
        raise Rejected(f"{ticket.locked_by.name} is working on this ticket")
    return [TicketUnlocked(was=ticket.locked_by)]


def _reply(command: Reply, ticket: Ticket) -> list[Event]:
    """One form is one decision: lock, answer, next state, owner and time."""
    queue, customer = _known(ticket)
    _not_locked_by_another(ticket, command.actor)
    message = command.message
    if not message.to:
        if not customer.email:
            raise Rejected("this ticket's customer has no mail address: name the recipients")
        message = message.model_copy(update={"to": (Address(email=customer.email, name=customer.name),)})
    if not message.subject:
        message = message.model_copy(update={"subject": ticket.title})
    replied = AgentReplied(
        by=command.actor,
        message=message,
        number=ticket.number,
        title=ticket.title,
        queue=queue,
        customer=customer,
        references=ticket.thread,
    )
    events = [*_lock_on_action(ticket, command.actor), replied, *_state(ticket, command.next, command.actor)]
    if command.owner is not None:
        holder = command.actor if ticket.owner is None or ticket.locked_by is None else ticket.owner
        if command.owner.id != holder.id:
            events += [
                OwnerChanged(to=command.owner, was=holder),
                TicketLocked(by=command.owner, taken_over_from=command.actor),
            ]
    return events + _time(command.time_units, command.actor, message)


def _add_note(command: AddNote, ticket: Ticket) -> list[Event]:
    """A note is possible whoever holds the lock; only its next state works on the ticket."""
    _known(ticket)
    events: list[Event] = [NoteAdded(by=command.actor, message=command.message, internal=command.internal)]
    if command.next is not None:
        _not_locked_by_another(ticket, command.actor)
        events += _state(ticket, command.next, command.actor)
    return events + _time(command.time_units, command.actor, command.message)


def _close(command: Close, ticket: Ticket) -> list[Event]:
    """The ticket leaves the queue unlocked, with a note where the form had a text (A5.12)."""
    _known(ticket)
    _not_locked_by_another(ticket, command.actor)
    if ticket.state.type == "closed" and ticket.state.slug == command.state.slug and command.message is None:
        return []
    events: list[Event] = []
    if command.message is not None:
        events.append(NoteAdded(by=command.actor, message=command.message, kind="close"))
    events += _state(ticket, NextState(command.state), command.actor)
    if ticket.locked_by is not None:
        events.append(TicketUnlocked(was=ticket.locked_by, because="closed"))
    return events + _time(command.time_units, command.actor, command.message)


def _reopen(command: Reopen, ticket: Ticket) -> list[Event]:
    _known(ticket)
    _not_locked_by_another(ticket, command.actor)
    if ticket.state.type != "closed":
        raise Rejected(f"the ticket is {ticket.state.name}, not closed")
    events: list[Event] = []
    if command.message is not None:
        events.append(NoteAdded(by=command.actor, message=command.message, kind="reopen"))
    events += _state(ticket, NextState(OPEN), command.actor)
    return events + _time(command.time_units, command.actor, command.message)


def _known(ticket: Ticket) -> tuple[QueueRef, CustomerRef]:
    if ticket.queue is None or ticket.customer is None:
        raise Rejected("the ticket is not in a queue yet")
    return ticket.queue, ticket.customer


def _not_locked_by_another(ticket: Ticket, actor: PersonRef) -> None:
    if ticket.locked_by is not None and ticket.locked_by.id != actor.id:
        raise Rejected(f"{ticket.locked_by.name} is working on this ticket")


def _lock_on_action(ticket: Ticket, actor: PersonRef) -> list[Event]:
    """Who acts on an unlocked ticket holds it (A6.05)."""
    return [] if ticket.locked_by is not None else [TicketLocked(by=actor), *_owner(ticket, actor)]


def _owner(ticket: Ticket, to: PersonRef) -> list[Event]:
    return [] if ticket.owner is not None and ticket.owner.id == to.id else [OwnerChanged(to=to, was=ticket.owner)]


def _state(ticket: Ticket, wanted: NextState, actor: PersonRef) -> list[Event]:
    if wanted.state.slug == ticket.state.slug and wanted.pending_until is None:
        return []
    return [StateChanged(to=wanted.state, was=ticket.state, pending_until=wanted.pending_until, by=actor)]


def _time(units: float | None, actor: PersonRef, message: Message | None) -> list[Event]:
    return [] if not units else [TimeAccounted(by=actor, units=units, article=message.id if message else None)]


def evolve(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case TicketQueued():
            return replace(
                ticket,
                number=event.number,
                title=event.title,
                queue=event.queue,
                customer=event.customer,
                channel=event.channel,
                priority=event.priority,
                state=event.state,
                thread=_longer((), event.message_id),
            )
        case TicketLocked():
            return replace(ticket, locked_by=event.by)
        case TicketUnlocked():
            return replace(ticket, locked_by=None)
        case OwnerChanged():
            return replace(ticket, owner=event.to)
        case StateChanged():
            return replace(ticket, state=event.to)
        case CustomerAnswered():
            return replace(ticket, thread=_longer(ticket.thread, event.message_id))
        case _:
            return ticket  # answers, notes and time change nothing that the rules look at, nor do events of tomorrow


def _longer(thread: tuple[str, ...], message_id: str | None) -> tuple[str, ...]:
    if message_id is None or message_id in thread:
        return thread
    longer = (*thread, message_id)
    return longer if len(longer) <= THREAD_LENGTH else (longer[0], *longer[-(THREAD_LENGTH - 1) :])
