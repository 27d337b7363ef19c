"""Events that routing records: everything that the desk does with a ticket.

`by` is null if the system acted: a timer, a customer's message. `undoes` names the event that this one undoes.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.directory import Right
from shared.contracts.event import Event, event
from shared.contracts.marks.open_values import Known
from shared.contracts.marks.personal import Personal
from shared.contracts.parts import (
    Address,
    AnyChannel,
    Blob,
    CustomerRef,
    Message,
    PersonRef,
    QueueRef,
    StateRef,
    TicketRef,
    TopicRef,
    Writer,
)
from shared.contracts.topics import TICKETS

LinkKind = Literal["related", "parent", "duplicate"]
AnyLinkKind = Annotated[str, Known(LinkKind)]
Direction = Literal["in", "out"]

MOVED_NOTE = "This ticket was moved to the new queue."
"""The note of a move that came without one (A3.08)."""
TICKET_COMMANDS: dict[str, Right] = {
    "reply": "work",
    "call": "work",
    "forward": "work",
    "bounce": "work",
    "lock": "work",
    "unlock": "work",
    "assign": "work",
    "set-responsible": "work",
    "move": "work",
    "set-priority": "work",
    "set-state": "work",
    "rename": "work",
    "close": "work",
    "reopen": "work",
    "set-fields": "work",
    "set-customer": "work",
    "merge": "work",
    "split": "work",
    "undo": "work",
    "note": "note",
    "message": "note",
    "tag": "note",
    "untag": "note",
    "link": "note",
    "unlink": "note",
}
"""The commands on a ticket, in the order of the API, and the right that each needs on the ticket's queue.

Readers show an agent which of them they may give. `message` is a command of intake's.
"""


@event("helpdesk.TicketQueued.v1", owner="routing", topic=TICKETS)
class TicketQueued(Event):
    """The ticket is in its queue and accepts commands.

    `message_id`: of the opening mail, for threading answers. `answers_to`: where its sender wants answers, if not at
    the customer's address.
    """

    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    state: StateRef
    priority: int
    channel: AnyChannel
    message_id: Personal[str] | None = None
    tags: tuple[str, ...] = ()
    fields: Personal[dict[str, Any]] = Field(default_factory=dict)
    split_from: TicketRef | None = None
    topic: TopicRef | None = None
    answers_to: tuple[Address, ...] = ()


@event("helpdesk.TicketLocked.v1", owner="routing", topic=TICKETS)
class TicketLocked(Event):
    """The ticket is locked to a person (A6.02), until `expires_at` if the queue has a time-out (A6.06)."""

    by: PersonRef
    taken_over_from: PersonRef | None = None
    reason: Personal[str] = ""
    expires_at: datetime | None = None


@event("helpdesk.TicketUnlocked.v1", owner="routing", topic=TICKETS)
class TicketUnlocked(Event):
    """The lock ended.

    `because`: `released`, `closed`, `moved`, `merged`, `expired`, `left` (its holder does not work here any more), or a
    value of a later version. `due_at` and `fired_at`, if it expired: when it was due, and when it happened.
    """

    was: PersonRef
    because: str = "released"
    due_at: datetime | None = None
    fired_at: datetime | None = None


@event("helpdesk.OwnerChanged.v1", owner="routing", topic=TICKETS)
class OwnerChanged(Event):
    """The ticket has another owner (A6.01); null: the system."""

    to: PersonRef | None
    was: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.ResponsibleChanged.v1", owner="routing", topic=TICKETS)
class ResponsibleChanged(Event):
    """Another person is responsible for the ticket and is notified of the customer's messages (A6.11).

    Null: only the owner.
    """

    to: PersonRef | None
    was: PersonRef | None = None
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.StateChanged.v1", owner="routing", topic=TICKETS)
class StateChanged(Event):
    """The ticket has another state. `pending_until` is set for pending states only.

    `due_at` and `fired_at`: of a closing by time. `at`: the time of the change, for rules that count days from a
    closing. `answer`: the answer to the customer that closed the ticket.
    """

    to: StateRef
    was: StateRef
    pending_until: datetime | None = None
    by: PersonRef | None = None
    due_at: datetime | None = None
    fired_at: datetime | None = None
    undoes: UUID | None = None
    at: datetime | None = None
    answer: UUID | None = None


@event("helpdesk.AgentReplied.v1", owner="routing", topic=TICKETS)
class AgentReplied(Event):
    """An agent answered the customer.

    Has what notify needs to write the mail: queue, customer, number, title, thread.
    """

    by: PersonRef
    message: Message
    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    references: Personal[tuple[str, ...]] = ()


@event("helpdesk.NoteAdded.v1", owner="routing", topic=TICKETS)
class NoteAdded(Event):
    """A note. An internal one is never sent outside (A7.10).

    `kind`: the form that it was written in: `note`, `close`, `reopen`, `move`, `assign` or `solution` (A21.08).
    """

    by: PersonRef
    message: Message
    internal: bool = True
    kind: str = "note"


@event("helpdesk.CustomerAnswered.v1", owner="routing", topic=TICKETS)
class CustomerAnswered(Event):
    """A further message of the customer has reached the desk. `article`: its id.

    `answers_to`: where answers go from now on; empty: to the customer's address; null: as before.
    """

    article: UUID
    message_id: Personal[str] | None = None
    answers_to: tuple[Address, ...] | None = None


@event("helpdesk.TimeAccounted.v1", owner="routing", topic=TICKETS)
class TimeAccounted(Event):
    """Work on the ticket, in the time units of the desk (A16.01)."""

    by: PersonRef
    units: float
    article: UUID | None = None


@event("helpdesk.PriorityChanged.v1", owner="routing", topic=TICKETS)
class PriorityChanged(Event):
    """The ticket has another priority (A4.05), from 1 (very low) to 5 (immediate)."""

    to: int
    was: int
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.TicketMoved.v1", owner="routing", topic=TICKETS)
class TicketMoved(Event):
    """The ticket is in another queue (A3.06). A note about the move is a NoteAdded."""

    to: QueueRef
    was: QueueRef
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.TicketRenamed.v1", owner="routing", topic=TICKETS)
class TicketRenamed(Event):
    """The ticket has another title (A7.33)."""

    to: Personal[str]
    was: Personal[str]
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.FieldsChanged.v1", owner="routing", topic=TICKETS)
class FieldsChanged(Event):
    """Fields of the ticket were set (A7.27); a null value removes a field. `was`: the earlier values."""

    values: Personal[dict[str, Any]]
    was: Personal[dict[str, Any]] = Field(default_factory=dict)
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.TagsAdded.v1", owner="routing", topic=TICKETS)
class TagsAdded(Event):
    """Tags were added (A7.36); only those that the ticket did not have."""

    tags: tuple[str, ...]
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.TagsRemoved.v1", owner="routing", topic=TICKETS)
class TagsRemoved(Event):
    """Tags were removed; only those that the ticket had."""

    tags: tuple[str, ...]
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.CustomerChanged.v1", owner="routing", topic=TICKETS)
class CustomerChanged(Event):
    """The ticket has another customer (A7.28)."""

    to: CustomerRef
    was: CustomerRef
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.CallRecorded.v1", owner="routing", topic=TICKETS)
class CallRecorded(Event):
    """A telephone call about the ticket (A7.13), `in` or `out`. Internal to the desk."""

    by: PersonRef
    message: Message
    direction: Annotated[str, Known(Direction)]


@event("helpdesk.ArticleForwarded.v1", owner="routing", topic=TICKETS)
class ArticleForwarded(Event):
    """An article is forwarded to somebody outside (A7.14).

    `message`: the agent's message with its recipients. `original`: the article at that time.
    """

    by: PersonRef
    message: Message
    article: UUID
    original: Message
    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef


@event("helpdesk.ArticleBounced.v1", owner="routing", topic=TICKETS)
class ArticleBounced(Event):
    """A mail is sent on unchanged (A7.15).

    `raw`: the mail; null: an article that was not a mail, written from `original`.
    """

    by: PersonRef
    bounce: UUID
    article: UUID
    to: tuple[Address, ...]
    original: Message
    raw: Blob | None = None
    number: str
    title: Personal[str]
    queue: QueueRef


@event("helpdesk.TicketsLinked.v1", owner="routing", topic=TICKETS)
class TicketsLinked(Event):
    """Two tickets are linked (A7.18); both have the event.

    `outgoing`: the other ticket is the parent of this one, or this one is its duplicate.
    """

    kind: AnyLinkKind
    other: TicketRef
    outgoing: bool = True
    by: PersonRef | None = None


@event("helpdesk.TicketsUnlinked.v1", owner="routing", topic=TICKETS)
class TicketsUnlinked(Event):
    """A link was removed; both tickets have the event."""

    kind: AnyLinkKind
    other: TicketRef
    outgoing: bool = True
    by: PersonRef | None = None


@event("helpdesk.TicketMerged.v1", owner="routing", topic=TICKETS)
class TicketMerged(Event):
    """This ticket was merged into another one (A7.19), and continues there.

    Recorded together with its TicketAbsorbed.
    """

    into: TicketRef
    was: StateRef
    by: PersonRef


@event("helpdesk.TicketAbsorbed.v1", owner="routing", topic=TICKETS)
class TicketAbsorbed(Event):
    """Another ticket was merged into this one."""

    other: TicketRef
    by: PersonRef


@event("helpdesk.MergeUndone.v1", owner="routing", topic=TICKETS)
class MergeUndone(Event):
    """The merge was undone: the ticket is in `state` again. Recorded together with the other ticket's TicketReleased.

    `pending_until`: the date that it waits for.
    """

    into: TicketRef
    state: StateRef
    by: PersonRef
    undoes: UUID | None = None
    pending_until: datetime | None = None


@event("helpdesk.TicketReleased.v1", owner="routing", topic=TICKETS)
class TicketReleased(Event):
    """The merge of another ticket into this one was undone. Articles written meanwhile stay here."""

    other: TicketRef
    by: PersonRef


@event("helpdesk.TicketSplit.v1", owner="routing", topic=TICKETS)
class TicketSplit(Event):
    """Articles were split off into a new ticket (A7.16), which intake opens. They stay here too.

    `into`: the id of the new ticket. `message`: its first article, made of the chosen ones. Without `by`, a customer's
    message on a closed ticket became a new ticket; `no_answer`: its mail forbids automatic answers (RFC 3834).
    `writer`: who wrote `message`; null: the customer. `internal`: it is for the desk only. If both kinds of articles
    were chosen, `message` has those that the customer may read and `note` the others.
    """

    articles: tuple[UUID, ...]
    into: UUID
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    priority: int = 3
    message: Message
    origin: TicketRef
    by: PersonRef | None = None
    no_answer: bool = False
    writer: Writer | None = None
    internal: bool = False
    note: Message | None = None


@event("helpdesk.FollowUpRejected.v1", owner="routing", topic=TICKETS)
class FollowUpRejected(Event):
    """The queue does not accept messages on closed tickets: the writer is notified, unless `no_answer`.

    `article`: the message. `customer`: its writer.
    """

    article: UUID
    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    message_id: Personal[str] | None = None
    no_answer: bool = False


@event("helpdesk.SplitUndone.v1", owner="routing", topic=TICKETS)
class SplitUndone(Event):
    """The split was undone. Recorded together with the other ticket's TicketRemoved."""

    into: UUID
    by: PersonRef
    undoes: UUID | None = None


@event("helpdesk.TicketRemoved.v1", owner="routing", topic=TICKETS)
class TicketRemoved(Event):
    """The ticket is not in any list any more and accepts no commands; its log stays. `because`: `split undone`."""

    because: str
    was: StateRef
    by: PersonRef | None = None


@event("helpdesk.ReminderReached.v1", owner="routing", topic=TICKETS)
class ReminderReached(Event):
    """The date of a pending ticket has come (A5.05): when it was due, and when the timer fired."""

    due_at: datetime
    fired_at: datetime
