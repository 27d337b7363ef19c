"""What follows from each decision of the desk, in its transaction: the clocks of the ticket, and the rules that match.

One object concludes for commands, for events of other services, and for timers. It is pure: the configuration comes as
data, and every event names the versions that counted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.routing import ticket
from services.routing.ticket import Command, Ticket
from services.routing.ticket.clocks import course as courses
from services.routing.ticket.clocks.promises import Slas, kind_after
from services.routing.ticket.clocks.reckoning import Because, reckon
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.routing import (
    AgentReplied,
    CustomerAnswered,
    CustomerChanged,
    MergeUndone,
    PriorityChanged,
    StateChanged,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
)
from shared.directory.copy import Configuration
from shared.eventstore.store import NewEvent
from shared.eventstore.unit_of_work import Consequences, Decision, Following

CLOCK = Actor("system", "clock")
"""Who records the events of clocks."""
MOVES_CLOCKS = (
    TicketQueued,
    StateChanged,
    AgentReplied,
    CustomerAnswered,
    PriorityChanged,
    TicketMoved,
    CustomerChanged,
    TicketMerged,
    MergeUndone,
    TicketRemoved,
)
"""The events after which the clocks of a ticket are counted anew."""


@dataclass(frozen=True, slots=True)
class Step:
    """An event of a decision, or one that follows from it, with the ticket before and after it."""

    event: NewEvent
    actor: Actor
    before: Ticket
    after: Ticket


class Conclusions:
    """`configuration` returns the newest snapshot."""

    def __init__(self, configuration: Callable[[], Configuration]) -> None:
        self.configuration = configuration
        self._compiled: tuple[Configuration, Slas] | None = None

    def __call__(self, decision: Decision[Command, Ticket], /) -> Consequences:
        events = self._clocks(decision)
        return Consequences(events)

    @property
    def slas(self) -> Slas:
        """The SLAs of the newest snapshot, compiled once for each snapshot."""
        newest = self.configuration()
        if self._compiled is None or self._compiled[0] is not newest:
            self._compiled = (newest, compiled(newest))
        return self._compiled[1]

    def _clocks(self, decision: Decision[Command, Ticket]) -> list[Following]:
        """What each event does to the clocks of the ticket, as if its clocks were decided right behind it."""
        slas, course, following = self.slas, decision.before.course, list[Following]()
        if not slas and not course.deadlines:
            return following
        kind = decision.before.kind
        for new in decision.events:
            course, kind = courses.evolve(course, new.payload), kind_after(kind, new.payload)
            if kind is None or course.opened_at is None or not isinstance(new.payload, MOVES_CLOCKS):
                continue
            promise = slas.choose(kind)
            if promise is None and not course.deadlines:
                continue
            at = course.moment(decision.context.time)
            for event in reckon(course, promise, at, _because(new.payload)):
                course = courses.evolve(course, event)
                following.append(Following(event, new.id, CLOCK))
        return following


def compiled(configuration: Configuration) -> Slas:
    """The SLAs in use. One whose calendar was retired counts by it as it was last."""
    calendars = {**configuration.retired_calendars, **configuration.calendars}
    return Slas(configuration.slas.values(), calendars, configuration.versions)


def _because(event: Event) -> Because:
    if isinstance(event, StateChanged):
        return "state" if event.undoes is None else "undo"
    return "undo" if isinstance(event, MergeUndone) else "other"


def steps(decision: Decision[Command, Ticket], following: list[Following]) -> Iterator[Step]:
    """The events of a decision and what follows from them, in the order of the log."""
    before = decision.before
    for each in decision.events:
        after = ticket.evolve(before, each.payload)
        yield Step(each, decision.context.actor, before, after)
        before = after
    for more in following:
        after = ticket.evolve(before, more.payload)
        yield Step(NewEvent(more.payload, more.id), more.actor, before, after)
        before = after
