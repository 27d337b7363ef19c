"""Which event of the desk is which happening: what triggers act on."""

from collections.abc import Iterable

from shared.contracts.directory import Happening
from shared.contracts.event import Event
from shared.contracts.routing import (
    MOVED_NOTE,
    AgentReplied,
    CustomerAnswered,
    DeadlineBroken,
    DeadlineWarned,
    NoteAdded,
    OwnerChanged,
    PriorityChanged,
    ReminderReached,
    StateChanged,
    TagsAdded,
    TicketMoved,
    TicketQueued,
)

_HAPPENINGS: dict[type[Event], Happening] = {
    TicketQueued: "opened",
    CustomerAnswered: "customer-message",
    AgentReplied: "answered",
    NoteAdded: "note",
    StateChanged: "state-changed",
    TicketMoved: "moved",
    OwnerChanged: "owner-changed",
    PriorityChanged: "priority-changed",
    TagsAdded: "tagged",
    DeadlineWarned: "deadline-warned",
    DeadlineBroken: "deadline-broken",
    ReminderReached: "reminder",
}
EVENT_TYPES = frozenset(each.TYPE for each in _HAPPENINGS)
"""The types of the events that can be a happening. `idle` is none of them: it is the absence of events."""
SPLIT_NOTE = "split"


def types_of(happenings: Iterable[str]) -> frozenset[str]:
    """The types of the events that can be one of these."""
    wanted = frozenset(happenings)
    return frozenset(each.TYPE for each, happening in _HAPPENINGS.items() if happening in wanted)


def happening(event: Event) -> Happening | None:
    """What happened, for triggers; None for what they do not act on.

    Taking something back is not a happening: otherwise a trigger would do again what a person has just undone. Nor is
    a note that nobody wrote: of a move without a text, or with which a split-off ticket begins.
    """
    if getattr(event, "undoes", None) is not None:
        return None
    if isinstance(event, NoteAdded) and not _written(event):
        return None
    return _HAPPENINGS.get(type(event))


def _written(note: NoteAdded) -> bool:
    return note.kind != SPLIT_NOTE and not (note.kind == "move" and note.message.text == MOVED_NOTE)
