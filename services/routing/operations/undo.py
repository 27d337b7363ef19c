"""Undoing an earlier decision, on one ticket or on two."""

from uuid import UUID

from services.routing.operations import states
from services.routing.operations.request import CommandRequest, TicketCommand
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


async def undo(operations: TicketOperations, request: CommandRequest, ticket: str, event: UUID) -> Outcome:
    stream, state = await operations.current(ticket)
    operations.authorize(request, "undo", state)
    history = await operations.runner.store.load(stream)
    decided = next((each.payload for each in history if each.id == event), None)
    if decided is None:
        raise invalid(FIELD, detail="This is not a decision of the desk on this ticket.")
    if isinstance(decided, StateChanged) and decided.was.type in ("open", "closed"):
        states.named(decided.was.slug, operations.directory.configuration.states, FIELD)
    here = TicketRef(id=stream, number=state.number, title=state.title)
    return await operations.give(request, *_commands(ticket, here, event, decided))


def _commands(ticket: str, here: TicketRef, event: UUID, decided: Event) -> list[TicketCommand]:
    """The command for this ticket and, if the decision concerned two, the one for the other ticket."""
    match decided:
        case TicketMerged(into=into):
            return [
                TicketCommand(ticket, "undo", lambda context, _: Unmerge(context, into, event)),
                TicketCommand(str(into.id), "undo", lambda context, _: Release(context, here), FIELD),
            ]
        case TicketAbsorbed(other=other):
            return [
                TicketCommand(ticket, "undo", lambda context, _: Release(context, other)),
                TicketCommand(str(other.id), "undo", lambda context, _: Unmerge(context, here, event), FIELD),
            ]
        case TicketSplit(into=made):
            return [
                TicketCommand(ticket, "undo", lambda context, _: UndoSplit(context, made, event)),
                TicketCommand(str(made), "undo", lambda context, _: Remove(context), FIELD),
            ]
        case TicketsLinked():
            return _relate(ticket, here, decided, Unlink)
        case TicketsUnlinked():
            return _relate(ticket, here, decided, Link)
        case _:
            return [TicketCommand(ticket, "undo", lambda context, _: Undo(context, event, decided), leads_to=FIELD)]


def _relate(
    ticket: str, here: TicketRef, decided: TicketsLinked | TicketsUnlinked, command: type[Link] | type[Unlink]
) -> list[TicketCommand]:
    kind, other, outgoing = decided.kind, decided.other, decided.outgoing
    outgoing_there = kind == "related" or not outgoing
    return [
        TicketCommand(ticket, "undo", lambda context, _: command(context, other, kind, outgoing)),
        TicketCommand(str(other.id), "read", lambda context, _: command(context, here, kind, outgoing_there), FIELD),
    ]
