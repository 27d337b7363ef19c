"""What becomes of a ticket's clocks: set, moved, paused, resumed, kept, ended, withdrawn, warned, broken (A4.07, A5.17).

Every clock is counted from its beginning over the states that the ticket was in. So it does not matter what was known
when: another SLA, a changed calendar, or an undone closing give the same times as if they had always been.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.routing.ticket.clocks.promises import Limit, Promise
from services.routing.ticket.clocks.timeline import Stay, Timeline
from shared.clocks import deadlines
from shared.clocks.deadlines import CLOCKS, NOTHING, Deadline
from shared.contracts.routing import (
    AnyClock,
    AnyClockState,
    ClockChange,
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
)

ClockEvent = DeadlinesChanged | DeadlineWarned | DeadlineBroken
Because = Literal["state", "undo", "other"]
"""What has happened: the ticket has entered a state, something was undone, or anything else."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Count:
    """What a clock has used, and when it warns and is due: in the past, or if it runs from now on. Null while paused."""

    used: timedelta
    paused: bool
    due_at: datetime | None
    warn_at: datetime | None


def recount(timeline: Timeline, promise: Promise | None, at: datetime, because: Because = "other") -> list[ClockEvent]:
    """The events that bring the clocks up to date with the ticket's timeline and with what is promised now.

    Nothing is done twice: after these events, the same call leads to none. `at` is not before `timeline.latest`.
    """
    return [event for clock in CLOCKS for event in _clock(clock, timeline, promise, at, because)]


def late(known: Deadline, at: datetime) -> list[ClockEvent]:
    """The warning and the breach of a running clock whose time has come."""
    if known.state != "running" or known.due_at is None:
        return []
    events: list[ClockEvent] = []
    if not known.warned and known.warn_at is not None and known.warn_at <= at:
        warned = DeadlineWarned(
            clock=known.clock, due_at=known.due_at, sla=known.sla, warn_at=known.warn_at, fired_at=at
        )
        events.append(warned)
    if known.due_at <= at:
        events.append(DeadlineBroken(clock=known.clock, due_at=known.due_at, sla=known.sla, fired_at=at))
    return events


def _clock(
    clock: AnyClock, timeline: Timeline, promise: Promise | None, at: datetime, because: Because
) -> Iterator[ClockEvent]:
    known = timeline.deadlines.get(clock)
    since = _since(clock, timeline)
    limit = promise.limits.get(clock) if promise is not None else None
    if known is not None and not deadlines.is_over(known):
        fired = late(known, at)
        yield from fired
        known = _after(known, fired)
        if limit is None or promise is None:
            yield _withdrawn(known, at)
            return
        yield from _goes_on(known, timeline, promise, limit, at, because, ends=since != known.since or timeline.ended)
        if since == known.since:
            return
        known = None
    if timeline.ended or since is None:
        return
    if known is not None and known.since == since:  # ended with the ticket, which goes on
        if limit is None or promise is None:
            yield _withdrawn(known, at)
            return
        yield from _resumed(known, timeline, promise, limit, at, because)
    elif limit is not None and promise is not None:
        count = _count(timeline.stays, since, promise, limit, at)
        event = _changed(clock, "set", since, promise, limit, count, at, _state(count, limit, was_broken=False))
        yield event
        yield from late(_after(None, [event]), at)


def _since(clock: AnyClock, timeline: Timeline) -> datetime | None:
    """From when a clock counts; None if nothing waits for what it limits."""
    if clock == "update":
        return timeline.waits_since
    return None if clock == "first_answer" and timeline.answered else timeline.opened_at


def _goes_on(
    known: Deadline, timeline: Timeline, promise: Promise, limit: Limit, at: datetime, because: Because, *, ends: bool
) -> Iterator[ClockEvent]:
    """A clock that is not over: it is counted anew, and ends if it is answered or the ticket has ended."""
    count = _count(timeline.stays, known.since, promise, limit, at)
    if _differs(known, promise, limit, count, ends=ends):
        flips = (known.state == "paused") != count.paused
        change: ClockChange = "moved"
        if because == "state" and flips and not ends:
            change = "paused" if count.paused else "resumed"
        state = _state(count, limit, was_broken=known.state == "broken")
        warned = known.warned and count.used >= limit.warns
        event = _changed(known.clock, change, known.since, promise, limit, count, at, state, warned=warned)
        fired = late(_after(known, [event]), at)
        yield event
        yield from fired
        known = _after(known, [event, *fired])
    if ends:
        broken = known.state == "broken"
        yield _changed(
            known.clock,
            "ended" if broken else "kept",
            known.since,
            promise,
            limit,
            count,
            at,
            "broken" if broken else "kept",
            warned=known.warned,
            ended_at=at,
        )


def _resumed(
    known: Deadline, timeline: Timeline, promise: Promise, limit: Limit, at: datetime, because: Because
) -> Iterator[ClockEvent]:
    """A clock that ended with the ticket goes on with what was left."""
    count = _count(timeline.stays, known.since, promise, limit, at)
    state = _state(count, limit, was_broken=known.state == "broken")
    change: ClockChange = "paused" if state == "paused" else "resumed"
    warned = known.warned and count.used >= limit.warns
    event = _changed(
        known.clock,
        "moved" if because == "undo" else change,
        known.since,
        promise,
        limit,
        count,
        at,
        state,
        warned=warned,
    )
    yield event
    yield from late(_after(known, [event]), at)


def _withdrawn(known: Deadline, at: datetime) -> DeadlinesChanged:
    """No SLA gives such a clock any more. The event has the last times of the clock."""
    return DeadlinesChanged(
        clock=known.clock,
        change="withdrawn",
        at=at,
        sla=known.sla,
        calendar=known.calendar,
        since=known.since,
        minutes=known.minutes,
        used_minutes=known.used_minutes,
        state="withdrawn",
        due_at=known.due_at,
        warn_at=known.warn_at,
        warned=known.warned,
        ended_at=at,
    )


def _changed(
    clock: AnyClock,
    change: ClockChange,
    since: datetime,
    promise: Promise,
    limit: Limit,
    count: _Count,
    at: datetime,
    state: AnyClockState,
    *,
    warned: bool = False,
    ended_at: datetime | None = None,
) -> DeadlinesChanged:
    return DeadlinesChanged(
        clock=clock,
        change=change,
        at=at,
        sla=promise.sla,
        calendar=promise.calendar,
        since=since,
        minutes=limit.minutes,
        used_minutes=count.used / MINUTE,
        state=state,
        due_at=None if state == "paused" else count.due_at,
        warn_at=None if state == "paused" else count.warn_at,
        warned=warned,
        ended_at=ended_at,
    )


def _state(count: _Count, limit: Limit, *, was_broken: bool) -> AnyClockState:
    """The state of a clock that is not over. One whose time is over now runs until its breach is told, in the next event."""
    if count.used >= limit.promised:
        return "broken" if was_broken else "running"
    return "paused" if count.paused else "running"


def _differs(known: Deadline, promise: Promise, limit: Limit, count: _Count, *, ends: bool) -> bool:
    """Whether the clock counts differently now. A new version of an SLA or calendar that changes no time does not."""
    if known.sla.id != promise.sla.id or known.minutes != limit.minutes or _id(known) != _id(promise):
        return True
    over = count.used >= limit.promised
    if known.state == "paused":
        return over or (not ends and (not count.paused or known.used_minutes != count.used / MINUTE))
    return (known.due_at, known.warn_at) != (count.due_at, count.warn_at)


def _id(of: Deadline | Promise) -> object:
    return of.calendar.id if of.calendar is not None else None


def _after(known: Deadline | None, events: Sequence[ClockEvent]) -> Deadline:
    after: deadlines.Deadlines = {known.clock: known} if known is not None else {}
    for event in events:
        after = deadlines.apply(after, event)
    (deadline,) = after.values()
    return deadline


def _count(stays: Sequence[Stay], since: datetime, promise: Promise, limit: Limit, at: datetime) -> _Count:
    """Counts a clock over the stays of its ticket. If the ticket has ended, `due_at` is when it would have been due."""
    working_time, used = promise.working_time, NOTHING
    due_at: datetime | None = None
    warn_at: datetime | None = None
    for start, end in _spans(stays, since, promise.pauses_in, at):
        worked = working_time.between(start, end)
        if warn_at is None and used + worked >= limit.warns:
            warn_at = working_time.after(start, limit.warns - used)
        if due_at is None and used + worked >= limit.promised:
            due_at = working_time.after(start, limit.promised - used)
        used += worked
    paused = bool(stays) and not stays[-1].ended and stays[-1].state in promise.pauses_in
    if not paused:
        warn_at = warn_at or working_time.after(at, limit.warns - used)
        due_at = due_at or working_time.after(at, limit.promised - used)
    return _Count(used, paused, due_at, warn_at)


def _spans(
    stays: Sequence[Stay], since: datetime, pauses_in: frozenset[str], at: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The times that count, from and to, in order: those outside of pausing and ended states."""
    begun: datetime | None = None
    for stay in stays:
        counts = not stay.ended and stay.state not in pauses_in
        if counts and begun is None:
            begun = max(stay.since, since)
        elif not counts and begun is not None:
            if stay.since > begun:
                yield begun, stay.since
            begun = None
    if begun is not None:
        yield begun, max(at, begun)
