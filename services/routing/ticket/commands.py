"""What the desk can be asked to do with a ticket. Times, ids and documents arrive in the command; deciders look nothing up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from shared.contracts.directory import AnyFollowUp
from shared.contracts.event import Event
from shared.contracts.parts import (
    Address,
    AnyChannel,
    AnyStanding,
    CustomerRef,
    Message,
    PersonRef,
    QueueRef,
    StateRef,
    TicketRef,
    TopicRef,
    Writer,
)
from shared.contracts.routing import AnyLinkKind

# What services' events lead to


@dataclass(frozen=True, slots=True)
class QueueTicket:
    """Puts a ticket that intake opened in front of the desk; `state` is the one that a trusted channel asked for, `also_opened` the
    tickets that the same mail opened in other queues, `answers_to` where the customer wants answers; `note` what came out of another ticket
    for the desk alone, `opened_by` whoever took it out."""

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


@dataclass(frozen=True, slots=True)
class FollowUpRule:
    """What a message on a closed ticket does; `days`: it reopens within so many, after that it becomes a ticket of its own. `unverified`:
    whether that is so, too, for somebody who is not known to take part."""

    follow_up: AnyFollowUp
    days: int | None = None
    unverified: bool = False


@dataclass(frozen=True, slots=True)
class TakeCustomerMessage:
    """The customer wrote again. `closes`: they want it closed with this. `rules`: the follow-up rules of queues, by id; `writer` is
    told if they refuse it, unless `no_answer`.

    `ticket` is this ticket, `becomes` the id of the one that the message would open. `standing` is what the writer is to the ticket.
    """

    message: Message
    at: datetime
    ticket: UUID
    becomes: UUID
    closes: bool = False
    writer: CustomerRef | None = None
    no_answer: bool = False
    standing: AnyStanding = "participant"
    rules: Mapping[UUID, FollowUpRule] = field(default_factory=dict)


# What agents do. `lock_until` is when a lock that the command takes would end; `quietly` (a bulk command): it takes none.


@dataclass(frozen=True, slots=True)
class Act:
    """By whom and when, and what a lock would be like that the act takes."""

    actor: PersonRef
    at: datetime | None = None
    lock_until: datetime | None = None
    quietly: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    act: Act
    take_over: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unlock:
    act: Act
    may_release_others: bool = False


@dataclass(frozen=True, slots=True)
class NextState:
    """A state asked for on a form, with its date when it is a pending one."""

    state: StateRef
    pending_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers the customer. Empty `message.to` and `message.subject` stand for the customer and the ticket's title. `customer`: by the name and
    address that they have today, where their record tells them."""

    act: Act
    message: Message
    next: NextState
    owner: PersonRef | None = None
    time_units: float | None = None
    required: tuple[str, ...] = ()
    customer: CustomerRef | None = None


@dataclass(frozen=True, slots=True)
class AddNote:
    """`kind`: `note` or `solution`."""

    act: Act
    message: Message
    internal: bool = True
    kind: str = "note"
    next: NextState | None = None
    time_units: float | None = None
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordCall:
    act: Act
    message: Message
    direction: Literal["in", "out"]
    next: NextState | None = None
    time_units: float | None = None
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forward:
    """`never_leaves`: the original is a note or a call, for the desk alone."""

    act: Act
    message: Message
    original: Message
    never_leaves: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """`never_leaves` as in Forward."""

    act: Act
    bounce: UUID
    to: tuple[Address, ...]
    original: Message
    never_leaves: bool = False


@dataclass(frozen=True, slots=True)
class Assign:
    """Makes somebody the owner; None stands for the previous one."""

    act: Act
    to: PersonRef | None
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class SetResponsible:
    """None: nobody but the owner."""

    act: Act
    to: PersonRef | None


@dataclass(frozen=True, slots=True)
class Move:
    act: Act
    to: QueueRef
    owner: PersonRef | None = None
    message: Message | None = None
    next: NextState | None = None
    time_units: float | None = None
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetPriority:
    act: Act
    priority: int


@dataclass(frozen=True, slots=True)
class SetState:
    act: Act
    next: NextState
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rename:
    act: Act
    title: str


@dataclass(frozen=True, slots=True)
class SetFields:
    """Null removes a field."""

    act: Act
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SetCustomer:
    act: Act
    customer: CustomerRef


@dataclass(frozen=True, slots=True)
class Tag:
    act: Act
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Untag:
    act: Act
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """`required` names the fields that must have a value by then (A7.25)."""

    act: Act
    state: StateRef
    message: Message | None = None
    time_units: float | None = None
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reopen:
    act: Act
    message: Message | None = None
    time_units: float | None = None
    state: StateRef | None = None


# What is decided on two tickets at once: one command for each side


@dataclass(frozen=True, slots=True)
class Link:
    """`outgoing`: the other one is this one's parent, or what it is a duplicate of."""

    act: Act
    other: TicketRef
    kind: AnyLinkKind
    outgoing: bool = True


@dataclass(frozen=True, slots=True)
class Unlink:
    act: Act
    other: TicketRef
    kind: AnyLinkKind
    outgoing: bool = True


@dataclass(frozen=True, slots=True)
class MergeInto:
    act: Act
    into: TicketRef


@dataclass(frozen=True, slots=True)
class Absorb:
    act: Act
    other: TicketRef


@dataclass(frozen=True, slots=True)
class Unmerge:
    act: Act
    into: TicketRef
    undoes: UUID


@dataclass(frozen=True, slots=True)
class Release:
    act: Act
    other: TicketRef


@dataclass(frozen=True, slots=True)
class Split:
    act: Act
    articles: tuple[UUID, ...]
    into: UUID
    origin: UUID
    message: Message
    queue: QueueRef | None = None
    title: str = ""
    writer: Writer | None = None
    internal: bool = False
    note: Message | None = None


@dataclass(frozen=True, slots=True)
class UndoSplit:
    act: Act
    into: UUID
    undoes: UUID


@dataclass(frozen=True, slots=True)
class Remove:
    """Takes away a ticket that a split made."""

    act: Act
    because: str


@dataclass(frozen=True, slots=True)
class Undo:
    """Takes back an earlier decision of this ticket alone: `decided` is its event, `event` the event's id. `required` as in Close, where
    that closes it again."""

    act: Act
    event: UUID
    decided: Event
    required: tuple[str, ...] = ()


# What time does


@dataclass(frozen=True, slots=True)
class PendingIsOver:
    """The date of a pending state has come; `closed` is the state of an automatic closing."""

    due_at: datetime
    fired_at: datetime
    closed: StateRef


@dataclass(frozen=True, slots=True)
class LockIsOver:
    due_at: datetime
    fired_at: datetime


@dataclass(frozen=True, slots=True)
class LockHolderLeft:
    """Some of those who may hold the ticket work here no longer."""

    gone: frozenset[UUID]


Command = (
    QueueTicket | TakeCustomerMessage
    | Lock | Unlock | Reply | AddNote | RecordCall | Forward | Bounce | Assign | SetResponsible | Move | SetPriority | SetState | Rename | SetFields
    | SetCustomer | Tag | Untag | Close | Reopen
    | Link | Unlink | MergeInto | Absorb | Unmerge | Release | Split | UndoSplit | Remove | Undo
    | PendingIsOver | LockIsOver | LockHolderLeft
)  # fmt: skip
