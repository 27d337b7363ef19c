"""What the desk can be asked to do with a ticket. Times, ids and documents arrive in the command; deciders look nothing up."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.contracts.parts import Channel, CustomerRef, Message, PersonRef, QueueRef, StateRef


@dataclass(frozen=True, slots=True)
class QueueTicket:
    """Puts a ticket that intake opened in front of the desk."""

    number: str
    title: str
    queue: QueueRef
    customer: CustomerRef
    priority: int
    channel: Channel
    message_id: str | None


@dataclass(frozen=True, slots=True)
class TakeCustomerMessage:
    """The customer wrote again."""

    article: UUID
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Lock:
    actor: PersonRef
    take_over: bool = False
    reason: str = ""
    may_take_over: bool = False


@dataclass(frozen=True, slots=True)
class Unlock:
    actor: PersonRef
    may_take_over: bool = False


@dataclass(frozen=True, slots=True)
class NextState:
    """A state asked for on a form, with its date when it is a pending one."""

    state: StateRef
    pending_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers the customer. Empty `message.to` and `message.subject` stand for the customer and the ticket's title."""

    actor: PersonRef
    message: Message
    next: NextState
    owner: PersonRef | None = None
    time_units: float | None = None


@dataclass(frozen=True, slots=True)
class AddNote:
    actor: PersonRef
    message: Message
    internal: bool = True
    next: NextState | None = None
    time_units: float | None = None


@dataclass(frozen=True, slots=True)
class Close:
    actor: PersonRef
    state: StateRef
    message: Message | None = None
    time_units: float | None = None


@dataclass(frozen=True, slots=True)
class Reopen:
    actor: PersonRef
    message: Message | None = None
    time_units: float | None = None


Command = QueueTicket | TakeCustomerMessage | Lock | Unlock | Reply | AddNote | Close | Reopen
