"""Events that routing records: everything the desk does with a ticket.

`by` is null where the system acted: a timer, a customer's message. `undoes` names the event that this one takes back.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.directory import Right
from shared.contracts.event import Event, event
from shared.contracts.open_values import Known
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
from shared.contracts.personal import Personal
from shared.contracts.topics import TICKETS

LinkKind = Literal["related", "parent", "duplicate"]
AnyLinkKind = Annotated[str, Known(LinkKind)]
Direction = Literal["in", "out"]

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
    """The ticket stands in its queue and takes commands. `message_id` is the opening mail's, for threading answers; `answers_to` is where its
    sender wants them, if not at the customer's address."""

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
    """The ticket is locked to a person (A6.02), until `expires_at` where the queue has a time-out (A6.06)."""

    by: PersonRef
    taken_over_from: PersonRef | None = None
    reason: Personal[str] = ""
    expires_at: datetime | None = None


@event("helpdesk.TicketUnlocked.v1", owner="routing", topic=TICKETS)
class TicketUnlocked(Event):
    """The lock ended. `because` is `released`, `closed`, `moved`, `merged`, `expired`, `left` (its holder works here no longer) or, later, another word of the desk.

    For one that expired: when it was due to, and when it did.
    """

    was: PersonRef
    because: str = "released"
    due_at: datetime | None = None
    fired_at: datetime | None = None


@event("helpdesk.OwnerChanged.v1", owner="routing", topic=TICKETS)
class OwnerChanged(Event):
    """Somebody else answers for the ticket now (A6.01); null is the system."""

    to: PersonRef | None
    was: PersonRef | None = None


@event("helpdesk.ResponsibleChanged.v1", owner="routing", topic=TICKETS)
class ResponsibleChanged(Event):
    """Somebody else sees to it that the ticket is carried out, and is told what the customer writes (A6.11); null: nobody but its owner."""

    to: PersonRef | None
    was: PersonRef | None = None
    by: PersonRef | None = None


@event("helpdesk.StateChanged.v1", owner="routing", topic=TICKETS)
class StateChanged(Event):
    """The ticket moved to another state. `pending_until` is set for pending states only; a closing by time tells when it was due.

    `at` is when, for rules that count days from a closing. `answer`: of a closing, the one to the customer
    that it came with.
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
    """An agent answered the customer. Carries what notify needs to write the mail: queue, customer, number, title, thread."""

    by: PersonRef
    message: Message
    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    references: Personal[tuple[str, ...]] = ()


@event("helpdesk.NoteAdded.v1", owner="routing", topic=TICKETS)
class NoteAdded(Event):
    """A note; an internal one never leaves the desk (A7.10). `kind` is the form it came from: `note`, `close`, `reopen`, `move`, `assign`
    or `solution` (A21.08)."""

    by: PersonRef
    message: Message
    internal: bool = True
    kind: str = "note"


@event("helpdesk.CustomerAnswered.v1", owner="routing", topic=TICKETS)
class CustomerAnswered(Event):
    """The desk took note of a customer's further message; `article` is that message's id. `answers_to`: where answers go from now on, empty for
    the customer's address; null: as before."""

    article: UUID
    message_id: Personal[str] | None = None
    answers_to: tuple[Address, ...] | None = None


@event("helpdesk.TimeAccounted.v1", owner="routing", topic=TICKETS)
class TimeAccounted(Event):
    """Work on the ticket, in the desk's time units (A16.01)."""

    by: PersonRef
    units: float
    article: UUID | None = None


@event("helpdesk.PriorityChanged.v1", owner="routing", topic=TICKETS)
class PriorityChanged(Event):
    """Another priority (A4.05), 1 very low to 5 immediate."""

    to: int
    was: int
    by: PersonRef | None = None


@event("helpdesk.TicketMoved.v1", owner="routing", topic=TICKETS)
class TicketMoved(Event):
    """Another queue (A3.06). A note of the mover's comes as NoteAdded."""

    to: QueueRef
    was: QueueRef
    by: PersonRef | None = None
    undoes: UUID | None = None


@event("helpdesk.TicketRenamed.v1", owner="routing", topic=TICKETS)
class TicketRenamed(Event):
    """Another title (A7.33)."""

    to: Personal[str]
    was: Personal[str]
    by: PersonRef | None = None


@event("helpdesk.FieldsChanged.v1", owner="routing", topic=TICKETS)
class FieldsChanged(Event):
    """Values of the ticket's fields (A7.27): those that were set, null for one that was removed; `was` holds what stood there before."""

    values: Personal[dict[str, Any]]
    was: Personal[dict[str, Any]] = Field(default_factory=dict)
    by: PersonRef | None = None


@event("helpdesk.TagsAdded.v1", owner="routing", topic=TICKETS)
class TagsAdded(Event):
    """Words to find the ticket by (A7.36); only those that it did not have."""

    tags: tuple[str, ...]
    by: PersonRef | None = None


@event("helpdesk.TagsRemoved.v1", owner="routing", topic=TICKETS)
class TagsRemoved(Event):
    """Only those that it had."""

    tags: tuple[str, ...]
    by: PersonRef | None = None


@event("helpdesk.CustomerChanged.v1", owner="routing", topic=TICKETS)
class CustomerChanged(Event):
    """The ticket is somebody else's matter (A7.28)."""

    to: CustomerRef
    was: CustomerRef
    by: PersonRef | None = None


@event("helpdesk.CallRecorded.v1", owner="routing", topic=TICKETS)
class CallRecorded(Event):
    """A telephone call about the ticket (A7.13), `in` or `out`; internal to the desk."""

    by: PersonRef
    message: Message
    direction: Annotated[str, Known(Direction)]


@event("helpdesk.ArticleForwarded.v1", owner="routing", topic=TICKETS)
class ArticleForwarded(Event):
    """An article goes to somebody outside (A7.14): the agent's `message` with its recipients, and the article as it stood."""

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
    """A mail is sent on as it came in (A7.15). `raw` is the original; an article that was no mail is written anew from `original`."""

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
    """Two tickets belong together (A7.18); each has the event. `outgoing`: the other is this one's parent, or what it is a duplicate of."""

    kind: AnyLinkKind
    other: TicketRef
    outgoing: bool = True
    by: PersonRef | None = None


@event("helpdesk.TicketsUnlinked.v1", owner="routing", topic=TICKETS)
class TicketsUnlinked(Event):
    """A link ended, on both sides."""

    kind: AnyLinkKind
    other: TicketRef
    outgoing: bool = True
    by: PersonRef | None = None


@event("helpdesk.TicketMerged.v1", owner="routing", topic=TICKETS)
class TicketMerged(Event):
    """This ticket goes on in another one (A7.19); recorded together with that one's TicketAbsorbed."""

    into: TicketRef
    was: StateRef
    by: PersonRef


@event("helpdesk.TicketAbsorbed.v1", owner="routing", topic=TICKETS)
class TicketAbsorbed(Event):
    """Another ticket goes on in this one."""

    other: TicketRef
    by: PersonRef


@event("helpdesk.MergeUndone.v1", owner="routing", topic=TICKETS)
class MergeUndone(Event):
    """The ticket lives by itself again, in `state`; recorded together with the other one's TicketReleased. `pending_until`: the date that
    it goes on waiting for."""

    into: TicketRef
    state: StateRef
    by: PersonRef
    undoes: UUID | None = None
    pending_until: datetime | None = None


@event("helpdesk.TicketReleased.v1", owner="routing", topic=TICKETS)
class TicketReleased(Event):
    """A ticket that went on in this one lives by itself again. What was written meanwhile stays where it is."""

    other: TicketRef
    by: PersonRef


@event("helpdesk.TicketSplit.v1", owner="routing", topic=TICKETS)
class TicketSplit(Event):
    """Articles were taken into a ticket of their own (A7.16), which intake opens: `into` is its id, `message` its first article, made of
    those that were chosen. The articles stay here too. Without `by`, a customer's message on a closed ticket became one of its own;
    `no_answer`: its mail forbids that a machine answers it (RFC 3834).

    `writer` is whose words `message` has; null: the customer's. `internal`: it is for the desk alone. Where articles of both kinds were
    chosen, `message` has those that the customer reads and `note` the others."""

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
    """The queue takes no more messages on a closed ticket: who wrote is told so, unless `no_answer`. `article` is the message that came,
    `customer` its writer."""

    article: UUID
    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    message_id: Personal[str] | None = None
    no_answer: bool = False


@event("helpdesk.SplitUndone.v1", owner="routing", topic=TICKETS)
class SplitUndone(Event):
    """The split was taken back; recorded together with the other one's TicketRemoved."""

    into: UUID
    by: PersonRef
    undoes: UUID | None = None


@event("helpdesk.TicketRemoved.v1", owner="routing", topic=TICKETS)
class TicketRemoved(Event):
    """The ticket leaves every list and takes no commands any more; its log stays. `because`: `split undone`."""

    because: str
    was: StateRef
    by: PersonRef | None = None


@event("helpdesk.ReminderReached.v1", owner="routing", topic=TICKETS)
class ReminderReached(Event):
    """A pending ticket's time has come (A5.05): when it was due, and when it fired."""

    due_at: datetime
    fired_at: datetime
