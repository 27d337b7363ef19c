"""What each event changes in a ticket's row, which fact it is, and which span it ends.

An event that undoes another one is folded like any other; `undone.take_back` then corrects the ticket's facts and spans.
"""

from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from functools import singledispatch
from operator import attrgetter
from typing import Any
from uuid import UUID

from services.reporting.reports.rows import NOBODY, TICKET_COLUMNS, Fact, Kind, Lasting, ReportedTicket, Span
from shared.addresses import comparable
from shared.clocks import deadlines
from shared.clocks.deadlines import CLOCKS, Deadlines
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.intake import AgentMailReceived, CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef, PersonRef
from shared.contracts.routing import (
    MOVED_NOTE,
    AgentReplied,
    CallRecorded,
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
    SplitUndone,
    StateChanged,
    TagsAdded,
    TagsRemoved,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketSplit,
    TicketUnlocked,
    TimeAccounted,
)
from shared.rules.states import MERGED, REMOVED

HANDLED = ("new", "open")
"""Types of states in which the desk works on a ticket and waits for nobody."""
MICROSECOND = timedelta(microseconds=1)
_columns = attrgetter(*TICKET_COLUMNS)
_lasting = attrgetter(*(each.name for each in fields(Lasting)))
_NAMES = (*TICKET_COLUMNS, *(each.name for each in fields(Lasting)))


def fold(before: ReportedTicket | None, event: Recorded) -> ReportedTicket:
    """The row after an event: the one given, changed, or a new one."""
    at = event.time
    if before is None:
        row = ReportedTicket(
            id=event.stream, created_at=at, updated_at=at, since=at, state_since=at, queue_since=at, owner_since=at
        )
    else:
        row = before
        row.updated_at = max(row.updated_at, at)
    change(event.payload, row, event)
    return row


def minutes_between(earlier: datetime, later: datetime) -> float:
    """Minutes, not rounded; 0 if the log has the two in another order than they happened."""
    return max(0, (later - earlier) // MICROSECOND) / 60_000_000


def kind_of_change(was: str, to: str) -> Kind:
    """What a change between two different states is, by their types."""
    if to == "merged":
        return Kind.MERGED
    if to == "closed" and was != "closed":
        return Kind.CLOSED
    return Kind.REOPENED if was == "closed" and to in ("new", "open", *PENDING) else Kind.STATE


PENDING = ("pending_reminder", "pending_auto_close")


def worked(row: ReportedTicket, at: datetime) -> int:
    """Microseconds that the ticket has been new or open until then."""
    return row.handled + (max(0, (at - row.state_since) // MICROSECOND) if row.state_type in HANDLED else 0)


@singledispatch
def change(event: Event, row: ReportedTicket, recorded: Recorded) -> None:
    """An event that nothing is registered for concerns no report."""


def _fact(row: ReportedTicket, recorded: Recorded, kind: Kind, person: PersonRef | None = None, **more: Any) -> Fact:
    row.facts += 1
    columns = dict(zip(TICKET_COLUMNS, _columns(row), strict=True))
    # A rule acts in nobody's name.
    person_id = person.id if person is not None and recorded.actor.kind == "agent" else None
    made = Fact(
        **columns | more, at=recorded.time, event_id=recorded.id, number=row.facts, kind=kind, person_id=person_id
    )
    row.new_facts.append(made)
    if made.undoes is not None:
        row.last_undo = made.event_id
    return made


def _end_span(row: ReportedTicket, at: datetime) -> None:
    """Call it before a column changes. What several events of one moment change ends one span."""
    if at > row.since:
        row.new_spans.append(Span(**dict(zip(_NAMES, (*_columns(row), *_lasting(row)), strict=True)), until=at))
        row.since = at


def _set_customer(row: ReportedTicket, customer: CustomerRef) -> None:
    row.customer_id, row.customer_email = customer.id, comparable(customer.email)
    row.company = customer.company


@change.register
def _(event: TicketOpened, row: ReportedTicket, recorded: Recorded) -> None:
    _take_form(event, row)
    row.created_at = min(row.created_at, recorded.time)
    writer = event.writer.kind if event.writer is not None else None
    by_the_desk = writer == "agent" or (writer is None and event.channel == "email" and event.opened_by is not None)
    # The article that a split copies has come in once.
    _fact(row, recorded, Kind.OPENED, event.opened_by, incoming=not by_the_desk and event.split_from is None)


@change.register
def _(event: TicketQueued, row: ReportedTicket, recorded: Recorded) -> None:
    if not row.number:  # a republished topic can have it before the event of intake
        _take_form(event, row)


def _take_form(event: TicketOpened | TicketQueued, row: ReportedTicket) -> None:
    if row.number:
        return
    row.number, row.queue_id, row.channel, row.priority = event.number, event.queue.id, event.channel, event.priority
    _set_customer(row, event.customer)
    row.tags, row.fields = list(event.tags), event.fields or None
    topic = event.topic if isinstance(event, TicketQueued) else event.form.topic if event.form else None
    row.topic = topic.slug if topic else None


@change.register
def _(event: CustomerMessageReceived, row: ReportedTicket, recorded: Recorded) -> None:
    _fact(row, recorded, Kind.MESSAGE, incoming=True)


@change.register
def _(event: AgentMailReceived, row: ReportedTicket, recorded: Recorded) -> None:
    _fact(row, recorded, Kind.NOTE, event.by)


@change.register
def _(event: AgentReplied, row: ReportedTicket, recorded: Recorded) -> None:
    first = row.first_answer_at is None
    if first:
        row.first_answer_at = recorded.time
    minutes = minutes_between(row.created_at, recorded.time) if first else None
    _fact(row, recorded, Kind.ANSWERED, event.by, minutes=minutes)


@change.register
def _(event: NoteAdded, row: ReportedTicket, recorded: Recorded) -> None:
    if event.kind != "split" and not (event.kind == "move" and event.message.text == MOVED_NOTE):
        _fact(row, recorded, Kind.NOTE, event.by)


@change.register
def _(event: CallRecorded, row: ReportedTicket, recorded: Recorded) -> None:
    _fact(row, recorded, Kind.CALL, event.by)


@change.register
def _(event: TimeAccounted, row: ReportedTicket, recorded: Recorded) -> None:
    # Decimal, so that a sum does not depend on the order of its parts.
    _fact(row, recorded, Kind.TIME, event.by, units=Decimal(str(event.units)))


@change.register
def _(event: TicketMoved, row: ReportedTicket, recorded: Recorded) -> None:
    at = recorded.time
    minutes = minutes_between(row.queue_since, at)
    _fact(row, recorded, Kind.MOVED, event.by, other_id=event.to.id, minutes=minutes, undoes=event.undoes)
    _end_span(row, at)
    row.queue_id, row.queue_since = event.to.id, max(at, row.queue_since)
    row.takes_back |= event.undoes is not None


@change.register
def _(event: OwnerChanged, row: ReportedTicket, recorded: Recorded) -> None:
    at, before = recorded.time, row.owner_id
    _end_span(row, at)
    row.owner_id, row.owner_since = event.to.id if event.to else None, max(at, row.owner_since)
    handed_on = before is not None and row.owner_id is not None
    _fact(row, recorded, Kind.OWNER, other_id=before, undoes=event.undoes, counts=handed_on)
    row.takes_back |= event.undoes is not None


@change.register
def _(event: StateChanged, row: ReportedTicket, recorded: Recorded) -> None:
    removed = row.state_type == "removed"
    _set_state(row, recorded, event.to.slug, event.to.type, event.by, event.undoes)
    row.takes_back |= event.undoes is not None or removed


@change.register
def _(event: TicketMerged, row: ReportedTicket, recorded: Recorded) -> None:
    _set_state(row, recorded, MERGED.slug, MERGED.type, event.by)


@change.register
def _(event: MergeUndone, row: ReportedTicket, recorded: Recorded) -> None:
    _set_state(row, recorded, event.state.slug, event.state.type, event.by, event.undoes or NOBODY)
    row.takes_back = True


def _set_state(
    row: ReportedTicket, recorded: Recorded, slug: str, type_: str, by: PersonRef | None, undoes: UUID | None = None
) -> None:
    at, kind = recorded.time, Kind.SAME_STATE
    minutes = handling = None
    # Even where the state stays: it may be a change once an earlier decision is undone.
    _end_span(row, at)
    row.reminder_due = False
    if slug != row.state_slug:
        kind = kind_of_change(row.state_type, type_)
        row.handled = worked(row, at)
        row.state_slug, row.state_type, row.state_since = slug, type_, max(at, row.state_since)
        if kind is Kind.CLOSED:
            minutes, handling = minutes_between(row.created_at, at), row.handled / 60_000_000
    _fact(row, recorded, kind, by, minutes=minutes, handling=handling, undoes=undoes)


@change.register
def _(event: TicketSplit, row: ReportedTicket, recorded: Recorded) -> None:
    _fact(row, recorded, Kind.SPLIT, event.by)


@change.register
def _(event: SplitUndone, row: ReportedTicket, recorded: Recorded) -> None:
    _fact(row, recorded, Kind.SPLIT, event.by, undoes=event.undoes or NOBODY)
    row.takes_back = True


@change.register
def _(event: TicketRemoved, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    row.handled = worked(row, recorded.time)
    row.state_slug, row.state_type, row.state_since = REMOVED.slug, REMOVED.type, max(recorded.time, row.state_since)
    _fact(row, recorded, Kind.REMOVED, event.by)
    row.takes_back = True


@change.register
def _(event: TicketLocked, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    row.locked_by_id = event.by.id


@change.register
def _(event: TicketUnlocked, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    row.locked_by_id = None


@change.register
def _(event: ResponsibleChanged, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    row.responsible_id = event.to.id if event.to else None


@change.register
def _(event: PriorityChanged, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    row.priority = event.to
    _other_undo(row, recorded, event.undoes)


@change.register
def _(event: FieldsChanged, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    changed = {**(row.fields or {}), **event.values}
    row.fields = {name: value for name, value in changed.items() if value is not None} or None


@change.register
def _(event: TagsAdded, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    row.tags = [*row.tags, *(tag for tag in event.tags if tag not in row.tags)]


@change.register
def _(event: TagsRemoved, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    row.tags = [tag for tag in row.tags if tag not in event.tags]


@change.register
def _(event: CustomerChanged, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    _set_customer(row, event.to)
    _other_undo(row, recorded, event.undoes)


def _other_undo(row: ReportedTicket, recorded: Recorded, undoes: UUID | None) -> None:
    """What is undone may have moved or broken a clock, which then never was so."""
    if undoes is not None and row.deadlines:
        _fact(row, recorded, Kind.OTHER_UNDO, undoes=undoes, counts=False)
        row.takes_back = True


@change.register
def _(event: ReminderReached, row: ReportedTicket, recorded: Recorded) -> None:
    _end_span(row, recorded.time)
    row.reminder_due = True


@change.register
def _(event: DeadlinesChanged, row: ReportedTicket, recorded: Recorded) -> None:
    kind = Kind.KEPT if event.change == "kept" else Kind.ENDED_LATE if event.change == "ended" else Kind.CLOCK
    used = event.used_minutes if event.calendar is not None and _ended_by_its_act(event, row, recorded) else None
    _clock(event, row, recorded, kind, minutes=used)


def _ended_by_its_act(event: DeadlinesChanged, row: ReportedTicket, recorded: Recorded) -> bool:
    """Whether the clock has ended now by what it waits for: the first answer, or a closing. What one command leads to
    has one time."""
    if event.change not in ("kept", "ended"):
        return False
    if event.clock == "first_answer":
        return row.first_answer_at == recorded.time
    return event.clock == "solution" and row.state_type == "closed" and row.state_since == recorded.time


@change.register
def _(event: DeadlineWarned, row: ReportedTicket, recorded: Recorded) -> None:
    _clock(event, row, recorded, Kind.CLOCK)


@change.register
def _(event: DeadlineBroken, row: ReportedTicket, recorded: Recorded) -> None:
    _clock(event, row, recorded, Kind.BROKEN)


def _clock(
    event: DeadlinesChanged | DeadlineWarned | DeadlineBroken,
    row: ReportedTicket,
    recorded: Recorded,
    kind: Kind,
    minutes: float | None = None,
) -> None:
    _end_span(row, recorded.time)
    row.deadlines = deadlines.apply(row.deadlines, event)
    row.running, row.escalated, row.due_at = clock_columns(row.deadlines)
    # What was kept again because something was undone was kept once: before.
    again = row.last_undo is not None and recorded.causation_id == row.last_undo
    _fact(
        row,
        recorded,
        kind,
        clock=event.clock,
        sla=event.sla.slug,
        cause=recorded.causation_id,
        deadline=row.deadlines.get(event.clock),
        minutes=minutes,
        counts=kind is Kind.BROKEN or (kind is not Kind.CLOCK and not again),
    )


def clock_columns(found: Deadlines) -> tuple[list[str] | None, bool, datetime | None]:
    """The columns `running`, `escalated` and `due_at` of a ticket with these clocks."""
    running = [
        f"{clock} {found[clock].sla.slug}" for clock in CLOCKS if clock in found and found[clock].state == "running"
    ]
    return running or None, deadlines.escalated(found.values()), deadlines.nearest_due(found.values())
