"""A ticket's states from its first to its last (requirements A5), and where it stands (A3, A4)."""

from datetime import timedelta
from uuid import UUID

from services.routing.ticket import conditions
from services.routing.ticket.commands import (
    Close,
    Move,
    NextState,
    PendingIsOver,
    QueueTicket,
    Reopen,
    SetPriority,
    SetState,
    TakeCustomerMessage,
)
from services.routing.ticket.state import SPLIT_NOTE, Ticket
from shared.contracts.directory import AnyFollowUp
from shared.contracts.event import Event
from shared.contracts.parts import TicketRef
from shared.contracts.routing import (
    CustomerAnswered,
    FollowUpRejected,
    NoteAdded,
    OwnerChanged,
    PriorityChanged,
    ReminderReached,
    StateChanged,
    TicketMoved,
    TicketQueued,
    TicketsLinked,
    TicketSplit,
)
from shared.rules.rejected import Rejected
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from shared.rules.subjects import title_of


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
    )
    events: list[Event] = [queued]
    if command.note is not None and command.opened_by is not None:
        events.append(NoteAdded(by=command.opened_by, message=command.note, kind=SPLIT_NOTE))
    others = (command.split_from,) if command.split_from is not None else command.also_opened
    events += [TicketsLinked(kind="related", other=other) for other in others]
    if command.state is not None:
        events.append(StateChanged(to=command.state, was=NEW, at=command.at))
    return events


def take_customer_message(command: TakeCustomerMessage, ticket: Ticket) -> list[Event]:
    """A customer's message leaves the state as the desk set it, or closes the ticket if they say so (A5.08, A5.09).

    What was closed opens again (A5.10), unless the queue says otherwise: then the message becomes a ticket of its own, or is refused. One
    that came before the closing, and was under way meanwhile, opens it in any queue. What was to close by itself unless somebody answered
    (A5.07) is open again (decision 0091). Who did not show that they take part changes nothing, unless the queue lets them reopen; whom
    the desk asked opens it in any queue.
    """
    queue, customer = conditions.known(ticket)
    message = command.message
    again: list[Event] = []
    if ticket.state.type in ("closed", "pending_auto_close", "removed"):
        again = [StateChanged(to=OPEN, was=ticket.state, at=command.at)]
    if ticket.state.type == "removed":
        # The split was taken back while this message was under way: hidden with the ticket, nobody would read it.
        return [CustomerAnswered(article=message.id, message_id=message.message_id), *again]
    if command.standing != "participant":
        reopens = command.standing == "outsider" or _lets_anybody_reopen(command, queue.id)
        # Without its Message-ID: no answer to the customer goes on from what somebody else wrote.
        return [CustomerAnswered(article=message.id), *(again if reopens else [])]
    # Another participant's wish moves only what is answered to them, not what the customer is answered.
    own = command.writer is None or customer.email == command.writer.email or customer.id == command.writer.id
    answers_to = message.answers_to if own and message.answers_to != ticket.answers_to else None
    answered = CustomerAnswered(article=message.id, message_id=message.message_id, answers_to=answers_to)
    if ticket.state.type == "closed":
        if command.closes:
            return [answered]
        match _follow_up(command, ticket, queue.id):
            case "new-linked":
                here = TicketRef(id=command.ticket, number=ticket.number, title=ticket.title)
                split = TicketSplit(
                    articles=(message.id,),
                    into=command.becomes,
                    title=title_of(message.subject, ticket.number, *filter(None, ticket.absorbed.values()))
                    or ticket.title,
                    queue=queue,
                    customer=customer,
                    priority=ticket.priority,
                    message=message,
                    origin=here,
                    no_answer=command.no_answer,
                )
                return [answered, split, TicketsLinked(kind="related", other=TicketRef(id=command.becomes))]
            case "reject":
                refused = FollowUpRejected(
                    article=message.id,
                    number=ticket.number,
                    title=ticket.title,
                    queue=queue,
                    customer=command.writer or customer,
                    message_id=message.message_id,
                    no_answer=command.no_answer,
                )
                return [answered, refused]
            case _:  # "reopen", and a rule of tomorrow: so nobody waits for an answer in vain
                return [answered, *again]
    if command.closes and ticket.state.type in ("new", "open", "pending_reminder", "pending_auto_close"):
        closed = StateChanged(to=CLOSED_SUCCESSFUL, was=ticket.state, at=command.at)
        return [answered, closed, *conditions.unlocked(ticket, "closed")]
    return [answered, *again]


def _lets_anybody_reopen(command: TakeCustomerMessage, queue: UUID) -> bool:
    rule = command.rules.get(queue)
    return rule is not None and rule.unverified


def _follow_up(command: TakeCustomerMessage, ticket: Ticket, queue: UUID) -> AnyFollowUp:
    rule = command.rules.get(queue)
    was_under_way = ticket.closed_at is not None and command.at < ticket.closed_at
    if rule is None or was_under_way:
        return "reopen"
    if rule.follow_up == "reopen" and rule.days is not None and ticket.closed_at is not None:
        return "reopen" if command.at <= ticket.closed_at + timedelta(days=rule.days) else "new-linked"
    return rule.follow_up


def set_state(command: SetState, ticket: Ticket) -> list[Event]:
    act = command.act
    conditions.workable(ticket, act)
    changed = conditions.next_state(ticket, command.next, act, command.required)
    if not changed:
        return []
    if conditions.closes(command.next):
        return [*changed, *conditions.unlocked(ticket, "closed")]
    return [*conditions.lock_on_action(ticket, act), *changed]


def close(command: Close, ticket: Ticket) -> list[Event]:
    """The ticket leaves the queue unlocked, with a note where the form had a text (A5.12)."""
    act = command.act
    conditions.workable(ticket, act)
    return [
        *conditions.remark(act, command.message, "close"),
        *conditions.next_state(ticket, NextState(command.state), act, command.required),
        *conditions.unlocked(ticket, "closed"),
        *conditions.time(command.time_units, act, command.message),
    ]


def reopen(command: Reopen, ticket: Ticket) -> list[Event]:
    """By hand (A5.11)."""
    act = command.act
    conditions.workable(ticket, act)
    if ticket.state.type != "closed":
        raise Rejected(f"the ticket is {ticket.state.name}, not closed")
    return [
        *conditions.remark(act, command.message, "reopen"),
        *conditions.next_state(ticket, NextState(command.state or OPEN), act),
        *conditions.time(command.time_units, act, command.message),
    ]


def pending_is_over(command: PendingIsOver, ticket: Ticket) -> list[Event]:
    """The reminder comes (A5.05), or the ticket closes by itself (A5.07): once, and only for the date that still stands."""
    if ticket.pending_until != command.due_at or ticket.reminded:
        return []
    due, fired = command.due_at, command.fired_at
    match ticket.state.type:
        case "pending_reminder":
            return [ReminderReached(due_at=due, fired_at=fired)]
        case "pending_auto_close":
            closed = StateChanged(to=command.closed, was=ticket.state, at=fired, due_at=due, fired_at=fired)
            return [closed, *conditions.unlocked(ticket, "closed")]
        case _:
            return []


def set_priority(command: SetPriority, ticket: Ticket) -> list[Event]:
    """Its own action (A4.05)."""
    conditions.workable(ticket, command.act)
    if command.priority == ticket.priority:
        return []
    return [PriorityChanged(to=command.priority, was=ticket.priority, by=command.act.actor)]


def move(command: Move, ticket: Ticket) -> list[Event]:
    """To the right unit, unlocked, with a note, an owner and a state where the form names them (A3.06 to A3.08)."""
    act = command.act
    queue, _ = conditions.workable(ticket, act)
    events = conditions.remark(act, command.message, "move")
    if queue.id != command.to.id:
        events.append(TicketMoved(to=command.to, was=queue, by=act.actor))
    elif command.owner is None and command.next is None and command.message is None:
        return []
    events += conditions.next_state(ticket, command.next, act, command.required)
    if command.owner is not None and (ticket.owner is None or ticket.owner.id != command.owner.id):
        events.append(OwnerChanged(to=command.owner, was=ticket.owner))
    return [*events, *conditions.unlocked(ticket, "moved"), *conditions.time(command.time_units, act, command.message)]
