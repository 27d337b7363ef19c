"""The rows of the `reports` read model. Their columns are declared here and nowhere else (decision 0097).

The ticket's columns have the names that they have in `desk.tickets`, so that the conditions of the list's filters hold
over each of these tables under the alias `t`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any
from uuid import UUID

from services.reporting.deadlines.stored import as_json, from_json
from shared.clocks.deadlines import Deadline, Deadlines
from shared.messaging.consuming.projection import Seen
from shared.projections.tables import Column, Table

NOBODY = UUID(int=0)


class Kind(IntEnum):
    """What a fact counts. Never renumbered: the numbers are in the table."""

    OPENED = 1
    MESSAGE = 2
    """A further message of the customer."""
    ANSWERED = 3
    NOTE = 4
    CALL = 5
    TIME = 6
    MOVED = 7
    OWNER = 8
    CLOSED = 9
    """The state changed from a type that is not closed to one that is."""
    REOPENED = 10
    """The state changed from a closed one to new, open or pending."""
    STATE = 11
    """The state changed in any other way."""
    SAME_STATE = 12
    """The date of a pending state changed, or nothing."""
    MERGED = 13
    SPLIT = 14
    REMOVED = 15
    KEPT = 16
    """A clock ended in time."""
    BROKEN = 17
    """The time of a clock was over."""
    ENDED_LATE = 18
    """A clock that was broken ended."""
    CLOCK = 19
    """A clock changed in any other way."""
    OTHER_UNDO = 20
    """Something was undone that no report counts, such as a priority, on a ticket with clocks."""


def seen_as_json(seen: Seen) -> dict[str, tuple[int, str]]:
    """In the order of the producers, so that equal rows are equal as text."""
    return {producer: (version, str(event)) for producer, (version, event) in sorted(seen.items())}


def seen_from_json(stored: dict[str, tuple[int, str]]) -> Seen:
    return {producer: (version, UUID(event)) for producer, (version, event) in stored.items()}


def deadline_as_json(deadline: Deadline | None) -> dict[str, Any] | None:
    found = as_json({deadline.clock: deadline}) if deadline is not None else None
    return found[0] if found else None


def deadline_from_json(stored: dict[str, Any] | None) -> Deadline | None:
    return next(iter(from_json([stored]).values())) if stored is not None else None


@dataclass(kw_only=True)
class TicketColumns:
    """What filters and `by` need to know of a ticket, at some moment."""

    id: Annotated[UUID, Column("uuid NOT NULL")]
    queue_id: Annotated[UUID, Column("uuid NOT NULL")] = NOBODY
    created_at: Annotated[datetime, Column("timestamptz NOT NULL")]
    customer_id: Annotated[UUID, Column("uuid NOT NULL")] = NOBODY
    priority: Annotated[int, Column("smallint NOT NULL")] = 3
    reminder_due: Annotated[bool, Column("boolean NOT NULL")] = False
    escalated: Annotated[bool, Column("boolean NOT NULL")] = False
    due_at: Annotated[datetime | None, Column("timestamptz")] = None
    state_slug: Annotated[str, Column("text NOT NULL")] = "new"
    state_type: Annotated[str, Column("text NOT NULL")] = "new"
    channel: Annotated[str, Column("text NOT NULL")] = "api"
    customer_email: Annotated[str, Column("text NOT NULL")] = ""
    tags: Annotated[list[str], Column("text[] NOT NULL")] = field(default_factory=list)
    owner_id: Annotated[UUID | None, Column("uuid")] = None
    responsible_id: Annotated[UUID | None, Column("uuid")] = None
    locked_by_id: Annotated[UUID | None, Column("uuid")] = None
    company: Annotated[str | None, Column("text")] = None
    topic: Annotated[str | None, Column("text")] = None
    fields: Annotated[dict[str, Any] | None, Column("json")] = None


@dataclass(kw_only=True)
class Lasting:
    """Since when the ticket's columns are so, and since when it has its state, its queue and its owner.

    `running`: the clocks that run, each as clock and slug of its SLA with a space between; null for none.
    """

    since: Annotated[datetime, Column("timestamptz NOT NULL")]
    state_since: Annotated[datetime, Column("timestamptz NOT NULL")]
    queue_since: Annotated[datetime, Column("timestamptz NOT NULL")]
    owner_since: Annotated[datetime, Column("timestamptz NOT NULL")]
    running: Annotated[list[str] | None, Column("text[]")] = None


@dataclass(kw_only=True)
class Counted:
    """The event of a fact."""

    at: Annotated[datetime, Column("timestamptz NOT NULL")]
    event_id: Annotated[UUID, Column("uuid NOT NULL")]
    number: Annotated[int, Column("integer NOT NULL")]
    kind: Annotated[int, Column("smallint NOT NULL")]
    incoming: Annotated[bool, Column("boolean NOT NULL")] = False
    undone: Annotated[bool, Column("boolean NOT NULL")] = False
    counts: Annotated[bool, Column("boolean NOT NULL")] = True
    minutes: Annotated[float | None, Column("double precision")] = None
    handling: Annotated[float | None, Column("double precision")] = None
    person_id: Annotated[UUID | None, Column("uuid")] = None
    other_id: Annotated[UUID | None, Column("uuid")] = None
    undoes: Annotated[UUID | None, Column("uuid")] = None
    units: Annotated[Decimal | None, Column("numeric")] = None
    clock: Annotated[str | None, Column("text")] = None
    sla: Annotated[str | None, Column("text")] = None
    cause: Annotated[UUID | None, Column("uuid")] = None
    deadline: Annotated[Deadline | None, Column("json", store=deadline_as_json, restore=deadline_from_json)] = None


@dataclass(kw_only=True)
class Fact(TicketColumns, Counted):
    """A row of `facts`: an event that a report counts, with the ticket right after it (a move: right before it).

    `counts` is false for what was undone (`undone`), for what undoes (`undoes`: the other event), for everything of a
    removed ticket, and for a change of owner from or to nobody. `incoming`: it is an article of the customer.
    `person_id`: the agent who did it. `other_id`: the owner before, or the queue that the ticket moved to. `minutes`:
    of the first answer and of a closing, since the opening; of a move, since the ticket came into the queue.
    `handling`: of a closing, the minutes that the ticket was new or open; of the end of a first answer or solution by
    an answer or a closing, the working time that the clock used, if a calendar applied.

    Of a clock: `clock` and the slug of its `sla`, `cause` the event that led to it, and the `deadline` after it (null: it
    was withdrawn), from which `undone.take_back` counts anew.
    """


@dataclass(kw_only=True)
class Span(TicketColumns, Lasting):
    """A row of `spans`: a time that is over, in which none of the columns changed."""

    until: Annotated[datetime, Column("timestamptz NOT NULL")]


@dataclass(kw_only=True)
class ReportedTicket(TicketColumns, Lasting):
    """A row of `tickets`: a ticket as it is now, which is also its span that is not over.

    `handled`: microseconds in states of the types new and open, up to `state_since`. `facts`: how many there are.
    `deadlines`: the clocks of the ticket. `last_undo`: the newest event that undoes something.
    """

    updated_at: Annotated[datetime, Column("timestamptz NOT NULL")]
    first_answer_at: Annotated[datetime | None, Column("timestamptz")] = None
    last_undo: Annotated[UUID | None, Column("uuid")] = None
    handled: Annotated[int, Column("bigint NOT NULL")] = 0
    facts: Annotated[int, Column("integer NOT NULL")] = 0
    number: Annotated[str, Column("text NOT NULL")] = ""
    deadlines: Annotated[Deadlines, Column("json", store=as_json, restore=from_json)] = field(default_factory=dict)
    seen: Annotated[Seen, Column("json NOT NULL", store=seen_as_json, restore=seen_from_json)] = field(
        default_factory=dict
    )

    # Not columns: whether the row must be inserted, what this batch adds, and whether it takes something back.
    is_new: bool = True
    new_facts: list[Fact] = field(default_factory=list)
    new_spans: list[Span] = field(default_factory=list)
    takes_back: bool = False


FACTS, SPANS, TICKETS = Table(Fact), Table(Span), Table(ReportedTicket)
TICKET_COLUMNS = tuple(Table(TicketColumns).columns)
