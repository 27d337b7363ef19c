"""The events of a decision and what follows from them, one by one, with the ticket before and after each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.routing import ticket
from services.routing.ticket import Command, Ticket
from shared.contracts.envelope import Actor
from shared.eventstore.store import NewEvent
from shared.eventstore.unit_of_work import Decision, Following


@dataclass(frozen=True, slots=True)
class Step:
    """An event of a decision, or one that follows from it, with the ticket before and after it."""

    event: NewEvent
    actor: Actor
    before: Ticket
    after: Ticket


def steps(decision: Decision[Command, Ticket], following: Sequence[Following]) -> Iterator[Step]:
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
