"""Undoing a decision by a new event, while nobody has changed it again."""

from uuid import UUID

import pytest

from services.routing import ticket
from services.routing.ticket import Command
from services.routing.ticket.lifecycle import Close, NextState, SetState
from services.routing.ticket.ownership import SetResponsible
from services.routing.ticket.properties import Rename, SetFields, SetPriority, Tag, Untag
from services.routing.ticket.queueing import Move
from services.routing.ticket.undo import Undo
from shared.contracts.event import Event
from shared.contracts.routing import NoteAdded, PriorityChanged, StateChanged, TicketMoved
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from tests.specs.routing.desk import BY_KARI, HR, IT, KARI, NILS, QUEUED, given, message

EVENT = UUID(int=9)


@pytest.mark.parametrize(
    "command",
    [
        Move(BY_KARI, HR),
        SetPriority(BY_KARI, 5),
        SetResponsible(BY_KARI, NILS),
        SetState(BY_KARI, NextState(OPEN)),
        Close(BY_KARI, CLOSED_SUCCESSFUL),
        Rename(BY_KARI, "It smokes"),
        SetFields(BY_KARI, {"room": "B 214", "floor": 2}),
        Tag(BY_KARI, ("hse", "hardware")),
    ],
    ids=lambda command: type(command).__name__,
)
def test_undo_restores_the_ticket(command: Command) -> None:
    before = ticket.evolve(ticket.initial(), QUEUED)
    after = before
    decided = ticket.decide(command, before)
    for event in decided:
        after = ticket.evolve(after, event)
    for event in ticket.decide(Undo(BY_KARI, EVENT, decided[-1]), after):
        after = ticket.evolve(after, event)
    for name in ("queue", "priority", "state", "title", "fields", "tags"):
        assert getattr(after, name) == getattr(before, name)


def test_undoing_a_move_names_the_event() -> None:
    moved = TicketMoved(to=HR, was=IT, by=KARI)
    given(QUEUED, moved).when(Undo(BY_KARI, EVENT, moved)).then(TicketMoved(to=IT, was=HR, by=KARI, undoes=EVENT))


@pytest.mark.parametrize(
    ("decided", "since"),
    [
        (TicketMoved(to=HR, was=IT, by=KARI), TicketMoved(to=IT, was=HR, by=KARI)),
        (PriorityChanged(to=5, was=3), PriorityChanged(to=2, was=5)),
        (StateChanged(to=OPEN, was=NEW), StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN)),
    ],
)
def test_a_later_change_prevents_the_undo(decided: Event, since: Event) -> None:
    given(QUEUED, decided, since).when(Undo(BY_KARI, EVENT, decided)).refused("changed later")


def test_a_note_cannot_be_undone() -> None:
    said = NoteAdded(by=KARI, message=message("x"))
    given(QUEUED, said).when(Undo(BY_KARI, EVENT, said)).refused("cannot be undone")


def test_removed_tags_come_back() -> None:
    before = ticket.evolve(
        ticket.evolve(ticket.initial(), QUEUED),
        ticket.decide(Tag(BY_KARI, ("a", "b")), ticket.evolve(ticket.initial(), QUEUED))[0],
    )
    (removed,) = ticket.decide(Untag(BY_KARI, ("a",)), before)
    after = ticket.evolve(before, removed)
    (back,) = ticket.decide(Undo(BY_KARI, EVENT, removed), after)
    assert set(ticket.evolve(after, back).tags) == {"a", "b"}
