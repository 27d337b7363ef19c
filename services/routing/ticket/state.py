"""The state of a ticket that the desk's rules look at, folded from the desk's own events."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.routing.ticket.clocks import timeline as timelines
from services.routing.ticket.clocks.promises import TicketKind
from services.routing.ticket.clocks.timeline import Timeline
from shared.contracts.event import Event, Unknown
from shared.contracts.parts import Address, AnyChannel, CustomerRef, PersonRef, QueueRef, StateRef
from shared.contracts.routing import (
    AnyLinkKind,
    CustomerAnswered,
    CustomerChanged,
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
    FieldsChanged,
    MergeUndone,
    NoteAdded,
    OwnerChanged,
    PriorityChanged,
    ReminderReached,
    ResponsibleChanged,
    RuleActionLeftOut,
    RuleNotified,
    SplitUndone,
    StateChanged,
    TagsAdded,
    TagsRemoved,
    TicketAbsorbed,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketReleased,
    TicketRemoved,
    TicketRenamed,
    TicketsLinked,
    TicketSplit,
    TicketsUnlinked,
    TicketUnlocked,
)
from shared.rules.states import MERGED, NEW, REMOVED

THREAD_LENGTH = 10
"""How many Message-IDs of the customer a reply refers to: the first one and the newest."""
SPLIT_NOTE = "split"
"""The kind of the note with which a ticket begins if internal articles were split off along with public ones."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket without a queue is not known to the desk yet."""

    number: str = ""
    title: str = ""
    queue: QueueRef | None = None
    customer: CustomerRef | None = None
    channel: AnyChannel = "api"
    priority: int = 3
    state: StateRef = NEW
    pending_until: datetime | None = None
    reminded: bool = False
    closed_at: datetime | None = None
    owner: PersonRef | None = None
    previous_owner: PersonRef | None = None
    responsible: PersonRef | None = None
    locked_by: PersonRef | None = None
    lock_until: datetime | None = None
    thread: tuple[str, ...] = ()
    answers_to: tuple[Address, ...] = ()
    """Where replies go; empty: to the customer."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    topic: str = ""
    """The slug of the topic of the form that opened the ticket."""
    tags: tuple[str, ...] = ()
    links: frozenset[tuple[AnyLinkKind, UUID, bool]] = frozenset()
    merged_into: UUID | None = None
    merged_from: StateRef | None = None
    """The state before the merge, which comes back when the merge is undone."""
    merged_until: datetime | None = None
    """The date of that state, if it was a pending one."""
    absorbed: Mapping[UUID, str] = field(default_factory=dict)
    """The tickets that were merged into this one, with their numbers."""
    split_into: frozenset[UUID] = frozenset()
    timeline: Timeline = field(default_factory=Timeline)
    """What its clocks count from, and its deadlines."""
    touched: bool = False
    """Whether anything but links and clocks has happened to the ticket since it was queued."""

    @property
    def kind(self) -> TicketKind | None:
        """What an SLA looks at; None without a queue."""
        if self.queue is None:
            return None
        company = self.customer.company if self.customer is not None else None
        return TicketKind(self.queue.slug, self.priority, company, self.topic)


UNTOUCHED = (
    TicketsLinked,
    TicketsUnlinked,
    DeadlinesChanged,
    DeadlineWarned,
    DeadlineBroken,
    RuleActionLeftOut,
    RuleNotified,
    Unknown,
)


def initial() -> Ticket:
    return Ticket()


def evolve(ticket: Ticket, event: Event) -> Ticket:
    timeline = timelines.evolve(ticket.timeline, event)
    if isinstance(event, TicketQueued):
        return _queued(ticket, event, timeline)
    after = _changed(ticket, event)
    opened_with_it = isinstance(event, NoteAdded) and event.kind == SPLIT_NOTE
    touched = after.touched or not (opened_with_it or isinstance(event, UNTOUCHED))
    if touched == after.touched and timeline is after.timeline:
        return after
    return replace(after, touched=touched, timeline=timeline)


def _queued(ticket: Ticket, event: TicketQueued, timeline: Timeline) -> Ticket:
    return replace(
        ticket,
        timeline=timeline,
        number=event.number,
        title=event.title,
        queue=event.queue,
        customer=event.customer,
        channel=event.channel,
        priority=event.priority,
        state=event.state,
        thread=_extended((), event.message_id),
        answers_to=event.answers_to,
        tags=event.tags,
        fields=event.fields,
        topic=event.topic.slug if event.topic else "",
    )


def _changed(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case TicketLocked():
            return replace(ticket, locked_by=event.by, lock_until=event.expires_at)
        case TicketUnlocked():
            return replace(ticket, locked_by=None, lock_until=None)
        case OwnerChanged():
            return replace(ticket, owner=event.to, previous_owner=event.was)
        case ResponsibleChanged():
            return replace(ticket, responsible=event.to)
        case StateChanged():
            closed_at = event.at if event.to.type == "closed" else None
            return replace(
                ticket, state=event.to, pending_until=event.pending_until, reminded=False, closed_at=closed_at
            )
        case ReminderReached():
            return replace(ticket, reminded=True)
        case PriorityChanged():
            return replace(ticket, priority=event.to)
        case TicketMoved():
            return replace(ticket, queue=event.to)
        case TicketRenamed():
            return replace(ticket, title=event.to)
        case FieldsChanged():
            known = {**ticket.fields, **event.values}
            return replace(ticket, fields={name: value for name, value in known.items() if value is not None})
        case TagsAdded():
            return replace(ticket, tags=(*ticket.tags, *event.tags))
        case TagsRemoved():
            return replace(ticket, tags=tuple(tag for tag in ticket.tags if tag not in event.tags))
        case CustomerChanged():
            return replace(ticket, customer=event.to, answers_to=())
        case CustomerAnswered():
            answers_to = ticket.answers_to if event.answers_to is None else event.answers_to
            return replace(ticket, thread=_extended(ticket.thread, event.message_id), answers_to=answers_to)
        case TicketsLinked():
            return replace(ticket, links=ticket.links | {(event.kind, event.other.id, event.outgoing)})
        case TicketsUnlinked():
            return replace(ticket, links=ticket.links - {(event.kind, event.other.id, event.outgoing)})
        case TicketMerged():
            before = replace(ticket, merged_from=event.was, merged_until=ticket.pending_until)
            return replace(before, merged_into=event.into.id, state=MERGED, pending_until=None)
        case MergeUndone():
            unmerged = replace(ticket, merged_into=None, merged_from=None, merged_until=None)
            return replace(unmerged, state=event.state, pending_until=event.pending_until, reminded=False)
        case TicketAbsorbed():
            return replace(ticket, absorbed={**ticket.absorbed, event.other.id: event.other.number})
        case TicketReleased():
            left = {other: number for other, number in ticket.absorbed.items() if other != event.other.id}
            return replace(ticket, absorbed=left)
        case TicketSplit():
            return replace(ticket, split_into=ticket.split_into | {event.into})
        case SplitUndone():
            return replace(ticket, split_into=ticket.split_into - {event.into})
        case TicketRemoved():
            return replace(ticket, state=REMOVED, pending_until=None)
        case _:
            return ticket  # replies, notes, calls and time change nothing here, nor do events of later versions


def _extended(thread: tuple[str, ...], message_id: str | None) -> tuple[str, ...]:
    if message_id is None or message_id in thread:
        return thread
    extended = (*thread, message_id)
    return extended if len(extended) <= THREAD_LENGTH else (extended[0], *extended[-(THREAD_LENGTH - 1) :])
