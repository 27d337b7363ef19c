"""What follows from each decision of the desk, in its transaction: the clocks of the ticket, and the rules that match.

One object concludes for commands, for events of other services, and for timers. It is pure: the configuration comes as
data, and every event names the versions that counted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.routing import ticket
from services.routing.ticket import Command, Ticket
from shared.contracts.envelope import Actor
from shared.directory.copy import Configuration
from shared.eventstore.store import NewEvent
from shared.eventstore.unit_of_work import Consequences, Decision, Following

CLOCK = Actor("system", "clock")
"""Who records the events of clocks."""


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

    def __call__(self, decision: Decision[Command, Ticket], /) -> Consequences:
        events: list[Following] = []
        return Consequences(events)


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
