"""Assigning a ticket to one of several people: in turn, or to whoever has the fewest tickets (A6.08, A9.02)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from services.routing.ticket import conditions, ownership
from services.routing.ticket.context import CommandContext
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import Message, PersonRef
from shared.rules.rejected import Rejected

Way = Literal["round-robin", "least-loaded"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who may get the ticket, as the command met it.

    `queue`: the queue whose members they are. `people`: in the order of their ids. `loads`: how many open tickets each
    owns; none if not named. `turn`: whose order it is, `taken`: how many times somebody was chosen in it, and `last`:
    who was.
    """

    queue: UUID
    people: tuple[PersonRef, ...]
    turn: UUID
    taken: int = 0
    last: UUID | None = None
    loads: Mapping[UUID, int] = field(default_factory=dict)

    def after(self, person: UUID) -> "Candidates":
        """The candidates after somebody was chosen in the same turn."""
        return replace(self, taken=self.taken + 1, last=person)

    def with_load(self, was: UUID | None, now: UUID | None) -> "Candidates":
        """The candidates after a ticket went from one owner to another."""
        changed = dict(self.loads)
        for person, more in ((was, -1), (now, 1)):
            if person is not None:
                changed[person] = changed.get(person, 0) + more
        return replace(self, loads=changed)


@dataclass(frozen=True, slots=True)
class Distribute:
    """Gives the ticket to one of the candidates."""

    context: CommandContext
    way: Way
    candidates: Candidates
    note: Message | None = None


Command = Distribute


def decide(command: Distribute, ticket: Ticket) -> list[Event]:
    queue, _ = conditions.workable(ticket, command.context)
    if queue.id != command.candidates.queue:
        raise Rejected("The ticket was moved to another queue at the same moment.")
    chosen = choose(command.way, command.candidates, ticket)
    if chosen is None:
        raise Rejected("Nobody in this queue can work on the ticket now.")
    return ownership.assign(ownership.Assign(command.context, chosen, command.note), ticket)


def choose(way: Way, candidates: Candidates, ticket: Ticket) -> PersonRef | None:
    """The next one after the last; of the least loaded ones, if the load counts. The ticket itself is no load."""
    if not candidates.people:
        return None
    waiting = in_turn(candidates)
    if way == "round-robin":
        return waiting[0]
    own = ticket.owner.id if ticket.owner is not None and ticket.state.type not in ("closed", "merged") else None
    return min(waiting, key=lambda person: candidates.loads.get(person.id, 0) - (person.id == own))


def in_turn(candidates: Candidates) -> list[PersonRef]:
    """The candidates, beginning after the one who was chosen last, who may have left meanwhile."""
    last = candidates.last
    if last is None:
        return list(candidates.people)
    return sorted(candidates.people, key=lambda person: (person.id <= last, person.id))
