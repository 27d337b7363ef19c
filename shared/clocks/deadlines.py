"""The deadlines of a ticket, folded from their events: what the desk, the ticket's readers and the dry run know of them.

A deadline is a clock of the ticket with its times. Every event holds the whole state of its clock, so a reader replaces it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.clocks.working_time import WorkingTime
from shared.contracts.event import Event
from shared.contracts.parts import CalendarRef, SlaRef
from shared.contracts.routing import AnyClock, AnyClockState, DeadlineBroken, DeadlinesChanged, DeadlineWarned

CLOCKS: tuple[AnyClock, ...] = ("first_answer", "update", "solution")
"""The order in which clocks are decided and shown."""
NOTHING = timedelta()


@dataclass(frozen=True, slots=True)
class Deadline:
    """A clock of a ticket. The fields are those of DeadlinesChanged; `at`: since when they have been so.

    A broken clock that has not ended is late now; one that has ended was late.
    """

    clock: AnyClock
    sla: SlaRef
    calendar: CalendarRef | None
    since: datetime
    minutes: float
    used_minutes: float
    at: datetime
    state: AnyClockState
    due_at: datetime | None = None
    warn_at: datetime | None = None
    warned: bool = False
    ended_at: datetime | None = None


Deadlines = Mapping[AnyClock, Deadline]
"""The deadlines of a ticket by clock. A clock that was withdrawn is not there."""


def apply(deadlines: Deadlines, event: Event) -> Deadlines:
    """The deadlines after an event. Events of other types change nothing."""
    match event:
        case DeadlinesChanged(change="withdrawn"):
            return {clock: each for clock, each in deadlines.items() if clock != event.clock}
        case DeadlinesChanged():
            return {**deadlines, event.clock: _of(event)}
        case DeadlineWarned():
            known = deadlines.get(event.clock)
            return deadlines if known is None else {**deadlines, event.clock: replace(known, warned=True)}
        case DeadlineBroken():
            known = deadlines.get(event.clock)
            return deadlines if known is None else {**deadlines, event.clock: replace(known, state="broken")}
        case _:
            return deadlines


def is_over(deadline: Deadline) -> bool:
    """Whether the clock has ended, in time or late."""
    return deadline.ended_at is not None


def escalated(deadlines: Iterable[Deadline]) -> bool:
    """Whether a clock that is not over is warned or broken."""
    return any(not is_over(each) and (each.warned or each.state == "broken") for each in deadlines)


def nearest_due(deadlines: Iterable[Deadline]) -> datetime | None:
    """When the first of the running clocks is due."""
    return min((each.due_at for each in deadlines if each.state == "running" and each.due_at is not None), default=None)


def remaining(deadline: Deadline, at: datetime, working_time: WorkingTime) -> timedelta:
    """How much of the promised working time is left at a moment; nothing once the clock is broken.

    `working_time`: of the calendar version that the deadline names.
    """
    if deadline.state == "broken":
        return NOTHING
    left = timedelta(minutes=deadline.minutes - deadline.used_minutes)
    if deadline.state == "running" and at > deadline.at:
        left -= working_time.between(deadline.at, at)
    return max(left, NOTHING)


def in_order(deadlines: Deadlines) -> list[Deadline]:
    """The deadlines as they are shown."""
    return [deadlines[clock] for clock in CLOCKS if clock in deadlines]


def _of(event: DeadlinesChanged) -> Deadline:
    return Deadline(
        clock=event.clock,
        sla=event.sla,
        calendar=event.calendar,
        since=event.since,
        minutes=event.minutes,
        used_minutes=event.used_minutes,
        at=event.at,
        state=event.state,
        due_at=event.due_at,
        warn_at=event.warn_at,
        warned=event.warned,
        ended_at=event.ended_at,
    )
