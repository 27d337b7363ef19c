"""What the clocks of a ticket count from: its opening, the states that it was in, what waits for an answer.

What is undone never was: an undone stay in a state is taken out. Times never run backwards, whatever the clock of a
machine does: a change that seems to come before an earlier one comes at the same moment.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.clocks import deadlines
from shared.clocks.deadlines import Deadlines
from shared.contracts.event import Event
from shared.contracts.parts import StateRef
from shared.contracts.routing import (
    AgentReplied,
    CustomerAnswered,
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
    FollowUpRejected,
    MergeUndone,
    StateChanged,
    TicketMerged,
    TicketQueued,
    TicketRemoved,
    TicketSplit,
)
from shared.rules.states import MERGED, NEW, REMOVED

ENDED = frozenset(("closed", "merged", "removed"))
"""The types of states in which no clock runs."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in a state, until the next stay."""

    state: str
    type: str
    since: datetime

    @property
    def ended(self) -> bool:
        return self.type in ENDED


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What an undo took out of the stays, and how many it added, so that the undo can be undone."""

    stays: tuple[Stay, ...]
    added: int


@dataclass(frozen=True, slots=True)
class Course:
    """`waits_since`: the time of the customer's oldest message that no reply has followed (`waits_for`: the message).

    `latest`: the newest time that an event has named. An event whose time is not known changes nothing here: routing
    gives each event of an earlier version the time of its envelope (`services.routing.runner`).
    """

    opened_at: datetime | None = None
    stays: tuple[Stay, ...] = ()
    undone: tuple[TakenOut, ...] = ()
    answered: bool = False
    waits_since: datetime | None = None
    waits_for: UUID | None = None
    latest: datetime | None = None
    deadlines: Deadlines = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the ticket is closed, merged or removed."""
        return bool(self.stays) and self.stays[-1].ended

    def moment(self, at: datetime) -> datetime:
        """The time at which something happens now: never before what has happened already."""
        return at if self.latest is None or at > self.latest else self.latest


def evolve(course: Course, event: Event) -> Course:
    """The course after an event. Most events change nothing."""
    change = CHANGES.get(type(event))
    return course if change is None else change(course, event)


def _queued(course: Course, event: TicketQueued) -> Course:
    if event.at is None:
        return course
    return replace(course, opened_at=event.at, latest=event.at, stays=(Stay(NEW.slug, NEW.type, event.at),))


def _state_changed(course: Course, event: StateChanged) -> Course:
    if event.undoes is None:
        return _entered(course, event.to, event.at)
    return _restored(course, event.to, event.at) if event.restores else _taken_out(course, event.to, event.at)


def _merged(course: Course, event: TicketMerged) -> Course:
    return _entered(course, MERGED, event.at)


def _removed(course: Course, event: TicketRemoved) -> Course:
    return _entered(course, REMOVED, event.at)


def _merge_undone(course: Course, event: MergeUndone) -> Course:
    return _taken_out(course, event.state, event.at)


def _entered(course: Course, state: StateRef, at: datetime | None) -> Course:
    if at is None or not course.stays:
        return course
    now = course.moment(at)
    return replace(course, latest=now, stays=(*course.stays, Stay(state.slug, state.type, now)), undone=())


def _taken_out(course: Course, state: StateRef, at: datetime | None) -> Course:
    """The current stay never was. If the ticket is not back in the state before it, it enters this state now."""
    if at is None or not course.stays:
        return course
    now, kept = course.moment(at), course.stays[:-1] or course.stays
    added = () if kept[-1].state == state.slug else (Stay(state.slug, state.type, now),)
    undone = TakenOut(course.stays[len(kept) :], len(added))
    return replace(course, latest=now, stays=(*kept, *added), undone=(*course.undone, undone))


def _restored(course: Course, state: StateRef, at: datetime | None) -> Course:
    """What an undo took out counts again, from when it was."""
    if not course.undone or not course.undone[-1].stays or course.undone[-1].stays[-1].state != state.slug:
        return _entered(course, state, at)
    *undone, last = course.undone
    kept = course.stays[: len(course.stays) - last.added]
    latest = course.latest if at is None else course.moment(at)
    return replace(course, latest=latest, stays=(*kept, *last.stays), undone=tuple(undone))


def _answered(course: Course, event: AgentReplied) -> Course:
    if course.answered and course.waits_since is None:
        return course
    return replace(course, answered=True, waits_since=None, waits_for=None)


def _customer_answered(course: Course, event: CustomerAnswered) -> Course:
    if event.at is None or course.waits_since is not None:
        return course
    since = event.at if course.opened_at is None else max(event.at, course.opened_at)
    return replace(course, waits_since=since, waits_for=event.article, latest=course.moment(since))


def _not_here(course: Course, article: UUID) -> Course:
    """A message that was rejected, or became a ticket of its own, does not wait here."""
    return replace(course, waits_since=None, waits_for=None) if course.waits_for == article else course


def _rejected(course: Course, event: FollowUpRejected) -> Course:
    return _not_here(course, event.article)


def _split(course: Course, event: TicketSplit) -> Course:
    return _not_here(course, event.articles[0]) if event.by is None and event.articles else course


def _changed(course: Course, event: DeadlinesChanged) -> Course:
    return replace(course, deadlines=deadlines.apply(course.deadlines, event), latest=course.moment(event.at))


def _fired(course: Course, event: DeadlineWarned | DeadlineBroken) -> Course:
    return replace(course, deadlines=deadlines.apply(course.deadlines, event), latest=course.moment(event.fired_at))


CHANGES: dict[type[Event], Callable[[Course, Any], Course]] = {
    TicketQueued: _queued,
    StateChanged: _state_changed,
    TicketMerged: _merged,
    MergeUndone: _merge_undone,
    TicketRemoved: _removed,
    AgentReplied: _answered,
    CustomerAnswered: _customer_answered,
    FollowUpRejected: _rejected,
    TicketSplit: _split,
    DeadlinesChanged: _changed,
    DeadlineWarned: _fired,
    DeadlineBroken: _fired,
}
