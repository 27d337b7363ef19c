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
from shared.rules.states import MERGED, NEW, OVER, REMOVED


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in a state, until the next stay."""

    state: str
    type: str
    since: datetime

    @property
    def ended(self) -> bool:
        return self.type in OVER


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What an undo took out of the stays, and how many it added, so that the undo can be undone."""

    stays: tuple[Stay, ...]
    added: int


@dataclass(frozen=True, slots=True)
class Timeline:
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


def evolve(timeline: Timeline, event: Event) -> Timeline:
    """The timeline after an event. Most events change nothing."""
    change = CHANGES.get(type(event))
    return timeline if change is None else change(timeline, event)


def _queued(timeline: Timeline, event: TicketQueued) -> Timeline:
    if event.at is None:
        return timeline
    return replace(timeline, opened_at=event.at, latest=event.at, stays=(Stay(NEW.slug, NEW.type, event.at),))


def _state_changed(timeline: Timeline, event: StateChanged) -> Timeline:
    if event.undoes is None:
        return _entered(timeline, event.to, event.at)
    return _restored(timeline, event.to, event.at) if event.restores else _taken_out(timeline, event.to, event.at)


def _merged(timeline: Timeline, event: TicketMerged) -> Timeline:
    return _entered(timeline, MERGED, event.at)


def _removed(timeline: Timeline, event: TicketRemoved) -> Timeline:
    return _entered(timeline, REMOVED, event.at)


def _merge_undone(timeline: Timeline, event: MergeUndone) -> Timeline:
    return _taken_out(timeline, event.state, event.at)


def _entered(timeline: Timeline, state: StateRef, at: datetime | None) -> Timeline:
    if at is None or not timeline.stays:
        return timeline
    now = timeline.moment(at)
    return replace(timeline, latest=now, stays=(*timeline.stays, Stay(state.slug, state.type, now)), undone=())


def _taken_out(timeline: Timeline, state: StateRef, at: datetime | None) -> Timeline:
    """The current stay never was. If the ticket is not back in the state before it, it enters this state now."""
    if at is None or not timeline.stays:
        return timeline
    now, kept = timeline.moment(at), timeline.stays[:-1] or timeline.stays
    added = () if kept[-1].state == state.slug else (Stay(state.slug, state.type, now),)
    undone = TakenOut(timeline.stays[len(kept) :], len(added))
    return replace(timeline, latest=now, stays=(*kept, *added), undone=(*timeline.undone, undone))


def _restored(timeline: Timeline, state: StateRef, at: datetime | None) -> Timeline:
    """What an undo took out counts again, from when it was."""
    if not timeline.undone or not timeline.undone[-1].stays or timeline.undone[-1].stays[-1].state != state.slug:
        return _entered(timeline, state, at)
    *undone, last = timeline.undone
    kept = timeline.stays[: len(timeline.stays) - last.added]
    latest = timeline.latest if at is None else timeline.moment(at)
    return replace(timeline, latest=latest, stays=(*kept, *last.stays), undone=tuple(undone))


def _answered(timeline: Timeline, event: AgentReplied) -> Timeline:
    if timeline.answered and timeline.waits_since is None:
        return timeline
    return replace(timeline, answered=True, waits_since=None, waits_for=None)


def _customer_answered(timeline: Timeline, event: CustomerAnswered) -> Timeline:
    if event.at is None or timeline.waits_since is not None:
        return timeline
    since = event.at if timeline.opened_at is None else max(event.at, timeline.opened_at)
    return replace(timeline, waits_since=since, waits_for=event.article, latest=timeline.moment(since))


def _not_here(timeline: Timeline, article: UUID) -> Timeline:
    """A message that was rejected, or became a ticket of its own, does not wait here."""
    return replace(timeline, waits_since=None, waits_for=None) if timeline.waits_for == article else timeline


def _rejected(timeline: Timeline, event: FollowUpRejected) -> Timeline:
    return _not_here(timeline, event.article)


def _split(timeline: Timeline, event: TicketSplit) -> Timeline:
    return _not_here(timeline, event.articles[0]) if event.by is None and event.articles else timeline


def _changed(timeline: Timeline, event: DeadlinesChanged) -> Timeline:
    return replace(timeline, deadlines=deadlines.apply(timeline.deadlines, event), latest=timeline.moment(event.at))


def _fired(timeline: Timeline, event: DeadlineWarned | DeadlineBroken) -> Timeline:
    return replace(
        timeline, deadlines=deadlines.apply(timeline.deadlines, event), latest=timeline.moment(event.fired_at)
    )


CHANGES: dict[type[Event], Callable[[Timeline, Any], Timeline]] = {
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
