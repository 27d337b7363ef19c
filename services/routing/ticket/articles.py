"""What agents write on a ticket: replies, notes, calls, and mails that are sent on (requirements A7)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, assert_never
from uuid import UUID

from services.routing.ticket import conditions, lifecycle
from services.routing.ticket.context import CommandContext
from services.routing.ticket.lifecycle import NextState
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    CallRecorded,
    NoteAdded,
    OwnerChanged,
)
from shared.rules.rejected import Rejected
from shared.rules.states import OPEN, SELECTABLE

CLOSE_AFTER_HOURS = 24.0
"""How long a ticket waits in a pending state after a reply if the state's configuration gives no time (A5.07)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers the customer.

    Without `message.to` it goes to the customer, without `message.subject` it has the ticket's title. Without `next`
    the queue's settings decide on the next state. `customer` is the ticket's customer with today's name and address.
    """

    context: CommandContext
    message: Message
    next: NextState | None = None
    owner: PersonRef | None = None
    time_units: float | None = None
    customer: CustomerRef | None = None


@dataclass(frozen=True, slots=True)
class AddNote:
    """`kind`: `note` or `solution`."""

    context: CommandContext
    message: Message
    internal: bool = True
    kind: str = "note"
    next: NextState | None = None
    time_units: float | None = None


@dataclass(frozen=True, slots=True)
class RecordCall:
    context: CommandContext
    message: Message
    direction: Literal["in", "out"]
    next: NextState | None = None
    time_units: float | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """`never_leaves`: the original is an internal note or call, which only the desk may read."""

    context: CommandContext
    message: Message
    original: Message
    never_leaves: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """`never_leaves` as in Forward."""

    context: CommandContext
    bounce: UUID
    to: tuple[Address, ...]
    original: Message
    never_leaves: bool = False


Command = Reply | AddNote | RecordCall | Forward | Bounce


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case Reply():
            return reply(command, ticket)
        case AddNote():
            return add_note(command, ticket)
        case RecordCall():
            return record_call(command, ticket)
        case Forward():
            return forward(command, ticket)
        case Bounce():
            return bounce(command, ticket)
        case _:
            assert_never(command)


def state_after_reply(context: CommandContext) -> NextState:
    """The state after a reply that names none: the queue's (A5.03), or open."""
    configured = context.settings.after_reply
    if configured is None or configured.state.type not in SELECTABLE:
        return NextState(OPEN)
    if not configured.state.type.startswith("pending"):
        return NextState(configured.state)
    hours = configured.close_after_hours
    wait = timedelta(hours=hours if hours is not None else CLOSE_AFTER_HOURS)
    return NextState(configured.state, context.at + wait)


def reply(command: Reply, ticket: Ticket) -> list[Event]:
    """Lock, answer, next state, owner and time are one decision (A7.06, A7.09).

    The reply goes where the customer wants answers, unless its writer names recipients.
    """
    context = command.context
    queue, customer_then = conditions.workable(ticket, context)
    customer = command.customer or customer_then
    own_addresses = ticket.answers_to or _address_of(customer)
    message = _with_subject(command.message, ticket)
    if not message.to:
        if not own_addresses:
            raise Rejected("This ticket's customer has no e-mail address. Name the recipients.")
        message = message.model_copy(update={"to": own_addresses})
    replied = AgentReplied(
        by=context.actor.reference,
        message=message,
        number=ticket.number,
        title=ticket.title,
        queue=queue,
        customer=customer,
        references=ticket.thread,
    )
    next_state = command.next or state_after_reply(context)
    time = conditions.time(command.time_units, context, message)
    if next_state.closes:
        customers = {customer.email, *(each.email for each in own_addresses)}
        informed = any(each.email.lower() in customers for each in (*message.to, *message.cc, *message.bcc))
        closed = lifecycle.next_state(ticket, next_state, context, message.id if informed else None)
        # The replying agent owns the ticket (A6.01) though it is unlocked: if it is reopened, it comes back to them.
        becomes_owner = ticket.locked_by is None and context.takes_lock
        owner = command.owner or (context.actor.reference if becomes_owner else ticket.owner)
        owned = conditions.owner(ticket, owner) if owner is not None else []
        return [replied, *owned, *closed, *conditions.unlocked(ticket, "closed"), *time]
    changed = lifecycle.next_state(ticket, next_state, context)
    handed_over = _hand_over(command.owner, ticket, context) if command.owner is not None else []
    return [*conditions.lock_on_action(ticket, context), replied, *changed, *handed_over, *time]


def _hand_over(to: PersonRef, ticket: Ticket, context: CommandContext) -> list[Event]:
    """The new owner after a reply, which gets the lock that the replying agent has."""
    agent = context.actor.reference
    owner = agent if ticket.locked_by is None and context.takes_lock else ticket.owner
    if owner is not None and owner.id == to.id:
        return []
    changed = OwnerChanged(to=to, was=owner)
    return [changed, conditions.locked(context, to, agent)] if context.takes_lock else [changed]


def add_note(command: AddNote, ticket: Ticket) -> list[Event]:
    """Somebody else's lock does not prevent a note (A7.10), but it prevents a note with a next state."""
    context = command.context
    conditions.living(ticket)
    by = context.actor.reference
    noted = NoteAdded(by=by, message=command.message, internal=command.internal, kind=command.kind)
    changed = lifecycle.next_state(ticket, command.next, context)
    if changed:
        conditions.not_locked_by_another(ticket, context)
    if command.next is not None and command.next.closes:
        changed += conditions.unlocked(ticket, "closed")
    return [noted, *changed, *conditions.time(command.time_units, context, command.message)]


def record_call(command: RecordCall, ticket: Ticket) -> list[Event]:
    """Incoming and outgoing calls are articles of the ticket (A7.13)."""
    context = command.context
    conditions.workable(ticket, context)
    called = CallRecorded(by=context.actor.reference, message=command.message, direction=command.direction)
    changed = lifecycle.next_state(ticket, command.next, context)
    time = conditions.time(command.time_units, context, command.message)
    if command.next is not None and command.next.closes:
        return [called, *changed, *conditions.unlocked(ticket, "closed"), *time]
    return [*conditions.lock_on_action(ticket, context), called, *changed, *time]


def forward(command: Forward, ticket: Ticket) -> list[Event]:
    """An article goes to somebody outside the desk (A7.14)."""
    context = command.context
    queue, customer = conditions.workable(ticket, context)
    _may_leave(command)
    forwarded = ArticleForwarded(
        by=context.actor.reference,
        message=_with_subject(command.message, ticket),
        article=command.original.id,
        original=command.original,
        number=ticket.number,
        title=ticket.title,
        queue=queue,
        customer=customer,
    )
    return [*conditions.lock_on_action(ticket, context), forwarded]


def bounce(command: Bounce, ticket: Ticket) -> list[Event]:
    """A mail is sent on as it came in (A7.15)."""
    context = command.context
    queue, _ = conditions.workable(ticket, context)
    _may_leave(command)
    bounced = ArticleBounced(
        by=context.actor.reference,
        bounce=command.bounce,
        article=command.original.id,
        to=command.to,
        original=command.original,
        raw=command.original.raw,
        number=ticket.number,
        title=ticket.title,
        queue=queue,
    )
    return [*conditions.lock_on_action(ticket, context), bounced]


def _may_leave(command: Forward | Bounce) -> None:
    if command.never_leaves:
        raise Rejected("An internal note or call cannot be sent outside. Write a new message.")


def _with_subject(message: Message, ticket: Ticket) -> Message:
    return message if message.subject else message.model_copy(update={"subject": ticket.title})


def _address_of(customer: CustomerRef) -> tuple[Address, ...]:
    return (Address(email=customer.email, name=customer.name),) if customer.email else ()
