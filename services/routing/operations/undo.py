"""Undoing an earlier decision, on one ticket or on two."""

from uuid import UUID

from services.routing.operations import states
from services.routing.operations.request import CommandRequest, Make, TicketCommand
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.relations import Link, Release, Remove, UndoSplit, Unlink, Unmerge
from services.routing.ticket.undo import Undo
from shared.contracts.event import Event
from shared.contracts.parts import TicketRef
from shared.contracts.routing import (
    StateChanged,
    TicketAbsorbed,
    TicketMerged,
    TicketsLinked,
    TicketSplit,
    TicketsUnlinked,
)
from shared.eventstore.runner import Outcome
from shared.rules.refusals import invalid

FIELD = "event"
"""The argument that names the other ticket, and what the undo leads to."""


async def undo(operations: TicketOperations, request: CommandRequest, event: UUID) -> Outcome:
    stream, state = await operations.current(request.ticket)
    operations.authorize(request, "undo", state)
    history = await operations.runner.store.load(stream)
    decided = next((each.payload for each in history if each.id == event), None)
    if decided is None:
        raise invalid(
            FIELD,
            detail="This is not an event of this ticket, or one that cannot be undone, such as a customer's message.",
        )
    if isinstance(decided, StateChanged) and decided.was.type in ("open", "closed"):
        states.named(decided.was.slug, operations.directory.configuration.states, FIELD)
    here = TicketRef(id=stream, number=state.number, title=state.title)
    make, *others = _commands(here, event, decided)
    return await operations.give(request, "undo", make, *others, leads_to=FIELD)


def _commands(here: TicketRef, event: UUID, decided: Event) -> tuple[Make, TicketCommand] | tuple[Make]:
    """The command for this ticket and, if the decision concerned two, the one for the other ticket."""
    match decided:
        case TicketMerged(into=into):
            return (
                lambda context, _: Unmerge(context, into, event),
                TicketCommand(str(into.id), "undo", lambda context, _: Release(context, here), FIELD),
            )
        case TicketAbsorbed(other=other):
            return (
                lambda context, _: Release(context, other),
                TicketCommand(str(other.id), "undo", lambda context, _: Unmerge(context, here, event), FIELD),
            )
        case TicketSplit(into=made):
            return (
                lambda context, _: UndoSplit(context, made, event),
                TicketCommand(str(made), "undo", lambda context, _: Remove(context), FIELD),
            )
        case TicketsLinked():
            return _relate(here, decided, Unlink)
        case TicketsUnlinked():
            return _relate(here, decided, Link)
        case _:
            return (lambda context, _: Undo(context, event, decided),)


def _relate(
    here: TicketRef, decided: TicketsLinked | TicketsUnlinked, command: type[Link] | type[Unlink]
) -> tuple[Make, TicketCommand]:
    kind, other, outgoing = decided.kind, decided.other, decided.outgoing
    there = kind == "related" or not outgoing
    return (
        lambda context, _: command(context, other, kind, outgoing),
        TicketCommand(str(other.id), "read", lambda context, _: command(context, here, kind, there), FIELD),
    )
