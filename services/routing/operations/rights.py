"""The rights that a decision takes, read from its events: whatever command they came from (decision 0092).

A command may do several things at once, an undo does what an older event says, and a bulk command concerns many
tickets. The rights are those of the plain commands (requirements A19.02, A19.05).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.contracts.directory import Right
from shared.contracts.event import Event
from shared.contracts.parts import PersonRef, QueueRef
from shared.contracts.routing import (
    NoteAdded,
    OwnerChanged,
    ResponsibleChanged,
    TagsAdded,
    TagsRemoved,
    TicketLocked,
    TicketMoved,
    TicketsLinked,
    TicketSplit,
    TicketsUnlinked,
    TimeAccounted,
)

NO_WORK: tuple[type[Event], ...] = (
    NoteAdded,
    TagsAdded,
    TagsRemoved,
    TicketsLinked,
    TicketsUnlinked,
    TimeAccounted,
)
"""Events that take no right beside the command's own. Every other event takes the right `work`."""


@dataclass(frozen=True, slots=True)
class NeededRights:
    """The rights that the events of one decision on one ticket take.

    `work`: whether the actor must have this right where the ticket stands. `queues`: the queues that get a ticket, with
    the right that the actor must have there. `workers`: the people who must have the right `work` where the ticket
    stands after the decision.
    """

    work: bool
    queues: tuple[tuple[QueueRef, Right], ...]
    workers: tuple[PersonRef, ...]


def needed_for(events: Iterable[Event]) -> NeededRights:
    work = False
    queues: list[tuple[QueueRef, Right]] = []
    workers: dict[PersonRef, None] = {}
    for event in events:
        work = work or not isinstance(event, NO_WORK)
        match event:
            case TicketMoved(to=queue):
                queues.append((queue, "move_into"))
            case TicketSplit(queue=queue):
                queues.append((queue, "create"))
            case OwnerChanged(to=PersonRef() as person) | ResponsibleChanged(to=PersonRef() as person):
                workers[person] = None
            case TicketLocked(by=person):
                workers[person] = None
            case _:
                pass
    return NeededRights(work, tuple(queues), tuple(workers))
