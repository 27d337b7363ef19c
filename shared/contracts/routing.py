"""Events that routing records: everything that the desk does with a ticket.

`by` is null if the system acted: a timer, a customer's message. `undoes` names the event that this one undoes.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
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
    CalendarRef,
    CustomerRef,
    Message,
    PersonRef,
    QueueRef,
    RuleRef,
    SlaRef,
    StateRef,
    TicketRef,
    TopicRef,
    Writer,
)
from shared.contracts.topics import RULES, TICKETS

Clock = Literal["first_answer", "update", "solution"]
"""What an SLA gives a time for: the first reply, a reply to the customer's oldest unanswered message, the closing."""
ClockState = Literal["running", "paused", "kept", "broken", "withdrawn"]
ClockChange = Literal["set", "moved", "paused", "resumed", "kept", "ended", "withdrawn"]
AnyClock = Annotated[str, Known(Clock)]
AnyClockState = Annotated[str, Known(ClockState)]
AnyClockChange = Annotated[str, Known(ClockChange)]
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
    "macro": "note",
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
    the customer's address. `at`: when the ticket was opened.
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
    at: datetime | None = None


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
    closing. `answer`: the answer to the customer that closed the ticket. `restores`: what is undone is itself an undo;
    the state holds again from when it held before.
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
    restores: bool = False


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

    `answers_to`: where answers go from now on; empty: to the customer's address; null: as before. `at`: when it came.
    """

    article: UUID
    message_id: Personal[str] | None = None
    answers_to: tuple[Address, ...] | None = None
    at: datetime | None = None


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

    Recorded together with its TicketAbsorbed. `at`: when.
    """

    into: TicketRef
    was: StateRef
    by: PersonRef
    at: datetime | None = None


@event("helpdesk.TicketAbsorbed.v1", owner="routing", topic=TICKETS)
class TicketAbsorbed(Event):
    """Another ticket was merged into this one."""

    other: TicketRef
    by: PersonRef


@event("helpdesk.MergeUndone.v1", owner="routing", topic=TICKETS)
class MergeUndone(Event):
    """The merge was undone: the ticket is in `state` again. Recorded together with the other ticket's TicketReleased.

    `pending_until`: the date that it waits for. `at`: when.
    """

    into: TicketRef
    state: StateRef
    by: PersonRef
    undoes: UUID | None = None
    pending_until: datetime | None = None
    at: datetime | None = None


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
    """The ticket is not in any list any more and accepts no commands; its log stays. `because`: `split undone`. `at`: when."""

    because: str
    was: StateRef
    by: PersonRef | None = None
    at: datetime | None = None


@event("helpdesk.ReminderReached.v1", owner="routing", topic=TICKETS)
class ReminderReached(Event):
    """The date of a pending ticket has come (A5.05): when it was due, and when the timer fired."""

    due_at: datetime
    fired_at: datetime


@event("helpdesk.DeadlinesChanged.v1", owner="routing", topic=TICKETS)
class DeadlinesChanged(Event):
    """A clock of the ticket was set, moved, paused, resumed, kept, ended or withdrawn, and is now so.

    `at`: when. `change`: what happened; `moved`: another SLA, calendar or version of them counts from now on, or what
    was undone does not count any more; `ended`: a broken clock ended, such as by a late reply; `withdrawn`: no SLA gives
    such a clock any more. `since`: from when the clock counts. `minutes`: the working time that is promised, and
    `used_minutes` how much of it was used at `at`, by the calendar's hours and without pauses. `due_at`: null while
    the clock is paused. `warn_at`: when the clock warns; null while it is paused. `ended_at`: when it was over.
    """

    clock: AnyClock
    change: AnyClockChange
    at: datetime
    sla: SlaRef
    calendar: CalendarRef | None = None
    since: datetime
    minutes: float
    used_minutes: float
    state: AnyClockState
    due_at: datetime | None = None
    warn_at: datetime | None = None
    warned: bool = False
    ended_at: datetime | None = None


@event("helpdesk.DeadlineWarned.v1", owner="routing", topic=TICKETS)
class DeadlineWarned(Event):
    """A clock of the ticket has reached the part of its time at which its SLA warns.

    `warn_at`: when that was due; `fired_at`: when it happened. `due_at`: when the clock's time is over.
    """

    clock: AnyClock
    due_at: datetime
    sla: SlaRef
    warn_at: datetime
    fired_at: datetime


@event("helpdesk.DeadlineBroken.v1", owner="routing", topic=TICKETS)
class DeadlineBroken(Event):
    """The time of a clock was over at `due_at`. `fired_at`: when that was noticed."""

    clock: AnyClock
    due_at: datetime
    sla: SlaRef
    fired_at: datetime


@event("helpdesk.RuleActionLeftOut.v1", owner="routing", topic=TICKETS)
class RuleActionLeftOut(Event):
    """A trigger could not do one of its actions on this ticket, and did the others. `action`: such as `move`; `all` if
    it did nothing.

    `reason`: a sentence.
    """

    ALL_ACTIONS: ClassVar[str] = "all"

    rule: RuleRef
    action: str
    reason: Personal[str]


@event("helpdesk.RuleNotified.v1", owner="routing", topic=TICKETS)
class RuleNotified(Event):
    """A trigger has a mail sent. `template`: the slug of its template.

    `to`: `customer`, `owner`, `responsible`, `followers`, ids of people, and mail addresses.
    """

    rule: RuleRef
    to: tuple[Personal[str], ...]
    template: str
    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    owner: PersonRef | None = None
    responsible: PersonRef | None = None


@event("helpdesk.RuleSuspended.v1", owner="routing", topic=RULES)
class RuleSuspended(Event):
    """This version of a trigger is switched off, because it cannot do what it says. `reason`: a sentence.

    `ticket`: the ticket on which it failed. Its stream is the trigger's id.
    """

    rule: RuleRef
    reason: str
    ticket: UUID | None = None
