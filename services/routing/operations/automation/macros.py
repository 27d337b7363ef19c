"""Macros: several actions that an agent does at once, all or nothing (A8.06)."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from services.routing.operations.automation import actions
from services.routing.operations.request import CommandRequest, Make, TicketCommand
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket import Command, Ticket
from services.routing.ticket.automation.distribution import Candidates, Way
from services.routing.ticket.context import CommandContext
from shared.automation.actions import MacroAction
from shared.contracts.directory import Macro, Queue
from shared.contracts.parts import RuleRef
from shared.eventstore.runner import Outcome
from shared.rules.access import rights
from shared.rules.refusals import Forbidden, Invalid, NotFound, invalid
from shared.rules.rejected import Rejected


async def macro(operations: TicketOperations, request: CommandRequest, slug: str) -> Outcome:
    """Gives the commands of a macro, as if the person gave one after the other.

    Each takes its own right, on the ticket as the ones before left it.
    """
    _, before = await operations.current(request.ticket)
    operations.authorize(request, "macro", before)
    document = _known(operations, request, slug)
    version = operations.directory.configuration.versions.get(document.id, 0)
    ref = RuleRef(id=document.id, name=document.name, version=version)
    found: dict[tuple[UUID, Way], Candidates] = {}
    commands: list[TicketCommand] = []
    ways: list[tuple[Queue | None, Way]] = []
    place: Queue | None = None
    for action in actions.read_all(document.then):
        way = actions.way_of(action)
        if way is not None:
            ways.append((place, way))

        def candidates(ticket: Ticket, way: Way | None = way) -> Candidates:
            known = found.get((ticket.queue.id, way)) if ticket.queue is not None and way is not None else None
            if known is None:
                raise Rejected("The ticket was moved to another queue at the same moment.")
            return known

        with _said_of(action):
            made = await actions.commands(operations, request, ref, action, candidates)
        for command in made:
            commands.append(_authorized(operations, request, document, action, command, first=not commands))
            place = command.queue or place

    async def prepare(ticket: Ticket) -> None:
        """Finds who may get the ticket, in the queue that it is in by then."""
        found.clear()
        for moved_to, way in ways:
            queue = moved_to or operations.queue_of(ticket)
            if queue is not None:
                found[queue.id, way] = await operations.assignees.candidates(queue, way, datetime.now(UTC))

    if not ways:
        return await operations.give_all(request, commands, leads_to="macro")
    async with operations.assignees.choosing:
        return await operations.give_all(request, commands, prepare=prepare, leads_to="macro")


def _known(operations: TicketOperations, request: CommandRequest, slug: str) -> Macro:
    """The macro with this slug or id, if it is offered in a queue of the person's."""
    macros = operations.directory.configuration.macros
    document = macros.get(slug) or next((each for each in macros.values() if str(each.id) == slug), None)
    if document is None or not _offered(operations, request, document):
        raise invalid("macro", detail="No such macro.")
    return document


def _offered(operations: TicketOperations, request: CommandRequest, document: Macro) -> bool:
    who = request.identity
    if who is None or not document.queues:
        return True
    queues = (operations.directory.queues.by_slug.get(slug) for slug in document.queues)
    return any(rights(who, queue.members) for queue in queues if queue is not None)


@contextlib.contextmanager
def _said_of(action: MacroAction) -> Iterator[None]:
    """What an action names is a matter of the macro, and no argument of the request."""
    try:
        yield
    except Invalid as refusal:
        raise Rejected(f"This macro cannot do what it says ({action.do}): {refusal.detail}") from None


def _authorized(
    operations: TicketOperations,
    request: CommandRequest,
    document: Macro,
    action: MacroAction,
    command: TicketCommand,
    *,
    first: bool,
) -> TicketCommand:
    """The command with its own right, looked at when the ones before are decided."""
    make: Make = command.make

    def checked(context: CommandContext, ticket: Ticket) -> Command:
        try:
            operations.authorize(request, command.action, ticket)
        except NotFound:
            if first:
                raise
            raise Forbidden(
                "You do not have the right to do this in the queue that the macro moves the ticket to."
            ) from None
        if first and document.queues and (ticket.queue is None or ticket.queue.slug not in document.queues):
            raise Rejected("This macro is not for tickets of this queue.")
        with _said_of(action):
            return make(context, ticket)

    return TicketCommand(command.ticket, "macro", checked, queue=command.queue)
