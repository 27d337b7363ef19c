"""What a decision leads to, and the rights that this takes, whatever command it came from: a plain one, a form that does several things at
once, one for many tickets, or an undo (requirements A19.02, A19.05; decision 0092)."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.contracts.directory import Right
from shared.contracts.event import Event
from shared.contracts.parts import PersonRef, QueueRef
from shared.contracts.routing import (
    CustomerChanged,
    FieldsChanged,
    OwnerChanged,
    PriorityChanged,
    ResponsibleChanged,
    StateChanged,
    TicketLocked,
    TicketMoved,
    TicketRenamed,
    TicketSplit,
)

ACTIONS: dict[type[Event], str] = {
    StateChanged: "set-state",
    OwnerChanged: "assign",
    ResponsibleChanged: "set-responsible",
    TicketLocked: "lock",
    PriorityChanged: "set-priority",
    TicketRenamed: "rename",
    FieldsChanged: "set-fields",
    CustomerChanged: "set-customer",
    TicketMoved: "move",
    TicketSplit: "split",
}
"""The plain command whose right an event takes."""


@dataclass(frozen=True, slots=True)
class Result:
    """`actions`: what the caller must be allowed to do where the ticket stands. `entered`: the queues that get a ticket, and the right that
    the caller needs there. `workers`: who must be able to work where the ticket stands afterwards."""

    actions: tuple[str, ...]
    entered: tuple[tuple[QueueRef, Right], ...]
    workers: tuple[PersonRef, ...]


def result(events: Iterable[Event]) -> Result:
    """What the events of one decision on one ticket lead to."""
    actions: dict[str, None] = {}
    entered: list[tuple[QueueRef, Right]] = []
    workers: dict[PersonRef, None] = {}
    for event in events:
        if (action := ACTIONS.get(type(event))) is not None:
            actions[action] = None
        match event:
            case TicketMoved(to=queue):
                entered.append((queue, "move_into"))
            case TicketSplit(queue=queue):
                entered.append((queue, "create"))
            case OwnerChanged(to=PersonRef() as person) | ResponsibleChanged(to=PersonRef() as person):
                workers[person] = None
            case TicketLocked(by=person):
                workers[person] = None
            case _:
                pass
    return Result(tuple(actions), tuple(entered), tuple(workers))
