"""Takes out what was undone: neither the decision nor its undo counts, as if the decision had never been made.

The result depends on the ticket's facts and spans alone, and not on how the events came in batches.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from services.reporting.reports.fold import HANDLED, MICROSECOND, clock_columns, kind_of_change, minutes_between
from services.reporting.reports.rows import NOBODY, Fact, Kind, ReportedTicket, Span
from shared.clocks.deadlines import Deadlines
from shared.rules.states import REMOVED

T = TypeVar("T")
CLOCKS = (Kind.KEPT, Kind.BROKEN, Kind.ENDED_LATE, Kind.CLOCK)
CHANGES_OF_STATE = (Kind.CLOSED, Kind.REOPENED, Kind.STATE, Kind.SAME_STATE, Kind.MERGED)


@dataclass
class Track(Generic[T]):
    """The value of one property of a ticket through time, without what was undone."""

    value: T
    since: datetime
    starts: list[datetime] = field(default_factory=list)
    values: list[T] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.starts.append(self.since)
        self.values.append(self.value)

    def set(self, value: T, at: datetime) -> None:
        self.value, self.since = value, max(at, self.since)
        self.starts.append(self.since)
        self.values.append(value)

    def at(self, moment: datetime) -> tuple[T, datetime]:
        """The value at a moment, and since when it was so."""
        n = max(0, bisect_right(self.starts, moment) - 1)
        return self.values[n], self.starts[n]


def take_back(row: ReportedTicket, facts: Sequence[Fact], spans: Sequence[Span]) -> None:
    """Corrects the facts and spans of a ticket, all of them in their order, and its row.

    What was undone, and what undid it, no longer count; times and kinds of changes are what they would be without. Where
    an undo leads to another state than the one before (a pending state is not restored), that state begins with it.
    """
    out = _undone(facts)
    undoing = {fact.event_id for fact in facts if fact.undoes is not None}
    removed = row.state_type == "removed"
    first = next((fact for fact in facts if fact.kind == Kind.OPENED), facts[0])
    opened = row.created_at
    state: Track[tuple[str, str]] = Track(("new", "new"), opened)
    queue, owner = Track(first.queue_id, opened), Track[UUID | None](None, opened)
    clocks: Track[Deadlines] = Track({}, opened)
    handled = 0
    for fact in facts:
        if fact.kind in CLOCKS:
            _take_clock(fact, clocks, out, undoing)
            fact.counts &= not removed
            continue
        fact.undone = fact.event_id in out
        fact.counts = not (fact.undone or fact.undoes is not None or removed)
        if fact.kind in CHANGES_OF_STATE:
            to = (fact.state_slug, fact.state_type)
            changes = not fact.undone and (to[0] != state.value[0])
            if fact.undone or fact.undoes is not None:
                fact.kind, fact.minutes, fact.handling = Kind.STATE, None, None
            else:
                fact.kind = kind_of_change(state.value[1], to[1]) if changes else Kind.SAME_STATE
                fact.minutes = fact.handling = None
            if changes:
                if state.value[1] in HANDLED:
                    handled += max(0, (fact.at - state.since) // MICROSECOND)
                state.set(to, fact.at)
            if fact.kind == Kind.CLOSED:
                fact.minutes, fact.handling = minutes_between(opened, fact.at), handled / 60_000_000
        elif fact.kind == Kind.MOVED:
            fact.minutes = minutes_between(queue.since, fact.at) if fact.undoes is None and not fact.undone else None
            fact.counts &= fact.other_id != queue.value
            if not fact.undone and fact.other_id is not None and fact.other_id != queue.value:
                queue.set(fact.other_id, fact.at)
        elif fact.kind == Kind.OWNER:
            fact.counts &= owner.value is not None and fact.owner_id is not None and fact.owner_id != owner.value
            if not fact.undone and fact.owner_id != owner.value:
                owner.set(fact.owner_id, fact.at)
    for span in spans:
        (slug, type_), span.state_since = state.at(span.since)
        # A removed ticket was never there.
        span.state_slug, span.state_type = (REMOVED.slug, REMOVED.type) if removed else (slug, type_)
        span.queue_id, span.queue_since = queue.at(span.since)
        span.owner_id, span.owner_since = owner.at(span.since)
        span.running, span.escalated, span.due_at = clock_columns(clocks.at(span.since)[0])
        if removed:
            span.running = None
    row.handled = handled
    row.state_since, row.queue_since, row.owner_since = state.since, queue.since, owner.since


def _take_clock(fact: Fact, clocks: Track[Deadlines], out: set[UUID], undoing: set[UUID]) -> None:
    """An event of a clock never was if what led to it never was. `undoing`: the events that undo something."""
    if fact.cause in out:
        out.add(fact.event_id)
        fact.counts = False
        return
    fact.counts = fact.kind == Kind.BROKEN or (fact.kind != Kind.CLOCK and fact.cause not in undoing)
    others = {clock: each for clock, each in clocks.value.items() if clock != fact.clock}
    clocks.set(others if fact.deadline is None else {**others, fact.deadline.clock: fact.deadline}, fact.at)


def _undone(facts: Sequence[Fact]) -> set[UUID]:
    """The events that were undone. Whoever undoes an undo brings the decision back."""
    out: set[UUID] = set()
    for n in range(len(facts) - 1, -1, -1):
        fact = facts[n]
        if fact.undoes is None or fact.event_id in out:
            continue
        undone = fact.undoes
        if undone == NOBODY:  # events of earlier versions do not name what they undo
            kind = Kind.SPLIT if fact.kind == Kind.SPLIT else Kind.MERGED
            undone = next((f.event_id for f in reversed(facts[:n]) if f.kind == kind and f.undoes is None), NOBODY)
        out.add(undone)
    return out
