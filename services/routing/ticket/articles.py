"""What is said on a ticket: answers, notes, calls, and mails that are sent on (requirements A7)."""

from services.routing.ticket import conditions
from services.routing.ticket.commands import AddNote, Bounce, Forward, RecordCall, Reply
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import Address, Message
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    CallRecorded,
    NoteAdded,
    OwnerChanged,
)
from shared.rules.rejected import Rejected


def reply(command: Reply, ticket: Ticket) -> list[Event]:
    """One form is one decision: lock, answer, next state, owner and time (A7.06, A7.09). It goes where the customer wants answers, unless the
    form names recipients."""
    act = command.act
    queue, known = conditions.workable(ticket, act)
    customer = command.customer or known
    message = command.message
    wanted = ticket.answers_to or ((Address(email=customer.email, name=customer.name),) if customer.email else ())
    if not message.to:
        if not wanted:
            raise Rejected("this ticket's customer has no mail address: name the recipients")
        message = message.model_copy(update={"to": wanted})
    message = _titled(message, ticket)
    replied = AgentReplied(
        by=act.actor,
        message=message,
        number=ticket.number,
        title=ticket.title,
        queue=queue,
        customer=customer,
        references=ticket.thread,
    )
    customers = {customer.email, *(each.email for each in wanted)}
    told = any(each.email.lower() in customers for each in (*message.to, *message.cc, *message.bcc))
    closing_answer = message.id if told and conditions.closes(command.next) else None
    changed = conditions.next_state(ticket, command.next, act, command.required, closing_answer)
    time = conditions.time(command.time_units, act, message)
    if conditions.closes(command.next):
        # Who answers is the owner (A6.01), though nobody holds a closed ticket: a message that reopens it comes back to them.
        owner = command.owner or (act.actor if ticket.locked_by is None and not act.quietly else ticket.owner)
        owned = conditions.owner(ticket, owner) if owner is not None else []
        return [replied, *owned, *changed, *conditions.unlocked(ticket, "closed"), *time]
    events = [*conditions.lock_on_action(ticket, act), replied, *changed]
    if command.owner is not None:
        holder = ticket.owner if ticket.locked_by is not None or act.quietly else act.actor
        if holder is None or command.owner.id != holder.id:
            events.append(OwnerChanged(to=command.owner, was=holder))
            if not act.quietly:
                events.append(conditions.locked(act, command.owner, act.actor))
    return [*events, *time]


def add_note(command: AddNote, ticket: Ticket) -> list[Event]:
    """A note is possible whoever holds the lock (A7.10); only its next state works on the ticket."""
    act = command.act
    conditions.living(ticket)
    noted = NoteAdded(by=act.actor, message=command.message, internal=command.internal, kind=command.kind)
    changed = conditions.next_state(ticket, command.next, act, command.required)
    if changed:
        conditions.not_locked_by_another(ticket, act)
    if conditions.closes(command.next):
        changed += conditions.unlocked(ticket, "closed")
    return [noted, *changed, *conditions.time(command.time_units, act, command.message)]


def record_call(command: RecordCall, ticket: Ticket) -> list[Event]:
    """Incoming and outgoing calls stand on the ticket (A7.13)."""
    act = command.act
    conditions.workable(ticket, act)
    called = CallRecorded(by=act.actor, message=command.message, direction=command.direction)
    changed = conditions.next_state(ticket, command.next, act, command.required)
    time = conditions.time(command.time_units, act, command.message)
    if conditions.closes(command.next):
        return [called, *changed, *conditions.unlocked(ticket, "closed"), *time]
    return [*conditions.lock_on_action(ticket, act), called, *changed, *time]


def forward(command: Forward, ticket: Ticket) -> list[Event]:
    """An article goes to somebody outside (A7.14)."""
    act = command.act
    queue, customer = conditions.workable(ticket, act)
    _may_leave(command)
    forwarded = ArticleForwarded(
        by=act.actor,
        message=_titled(command.message, ticket),
        article=command.original.id,
        original=command.original,
        number=ticket.number,
        title=ticket.title,
        queue=queue,
        customer=customer,
    )
    return [*conditions.lock_on_action(ticket, act), forwarded]


def bounce(command: Bounce, ticket: Ticket) -> list[Event]:
    """A mail is sent on as it came in (A7.15)."""
    act = command.act
    queue, _ = conditions.workable(ticket, act)
    _may_leave(command)
    bounced = ArticleBounced(
        by=act.actor,
        bounce=command.bounce,
        article=command.original.id,
        to=command.to,
        original=command.original,
        raw=command.original.raw,
        number=ticket.number,
        title=ticket.title,
        queue=queue,
    )
    return [*conditions.lock_on_action(ticket, act), bounced]


def _may_leave(command: Forward | Bounce) -> None:
    if command.never_leaves:
        raise Rejected("an internal note or call never leaves the desk: write what the other person is to know")


def _titled(message: Message, ticket: Ticket) -> Message:
    return message if message.subject else message.model_copy(update={"subject": ticket.title})
