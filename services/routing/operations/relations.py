"""What concerns two tickets: links, merges, splits (requirements A7.16 to A7.19)."""

from collections.abc import Sequence
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.operations.content.originals import Original, split_content
from services.routing.operations.request import CommandRequest, TicketCommand
from services.routing.operations.responses import with_members
from services.routing.operations.tickets import TicketOperations, queue_ref
from services.routing.ticket import Ticket
from services.routing.ticket.context import CommandContext
from services.routing.ticket.relations import Absorb, Link, MergeInto, Split, Unlink
from shared.contracts.parts import TicketRef
from shared.contracts.routing import AnyLinkKind
from shared.eventstore.runner import Outcome

LONGEST_CHAIN = 100
"""Merges that are followed from the ticket that is named to the living one."""


async def link(
    operations: TicketOperations, request: CommandRequest, ticket: str, to: str, kind: AnyLinkKind
) -> Outcome:
    return await _relate(operations, request, ticket, to, kind, "link", Link)


async def unlink(
    operations: TicketOperations, request: CommandRequest, ticket: str, to: str, kind: AnyLinkKind
) -> Outcome:
    return await _relate(operations, request, ticket, to, kind, "unlink", Unlink)


async def _relate(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    to: str,
    kind: AnyLinkKind,
    action: str,
    command: type[Link] | type[Unlink],
) -> Outcome:
    """Both tickets know the link. For the other one it is an incoming link, unless it has no direction."""
    here, there = await _both(operations, ticket, to, "to")
    outgoing_there = kind == "related"
    return await operations.give(
        request,
        TicketCommand(ticket, action, lambda context, _: command(context, there, kind)),
        TicketCommand(to, "read", lambda context, _: command(context, here, kind, outgoing_there), "to"),
    )


async def merge(operations: TicketOperations, request: CommandRequest, ticket: str, into: str) -> Outcome:
    """If the ticket that is named was merged itself, the ticket goes into the one where that continues."""
    here, mine = await operations.current(ticket)
    operations.authorize(request, "merge", mine)
    living = into
    for _ in range(LONGEST_CHAIN):
        stream, state = await operations.current(living, "into")
        operations.authorize(request, "read", state, "into")
        if state.merged_into is None or stream == here:
            break
        living = str(state.merged_into)
    one, other = await _both(operations, ticket, living, "into")
    return await operations.give(
        request,
        TicketCommand(ticket, "merge", lambda context, _: MergeInto(context, other)),
        TicketCommand(living, "merge", lambda context, _: Absorb(context, one), "into"),
    )


async def split(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    articles: tuple[UUID, ...],
    originals: Sequence[Original],
    *,
    queue: str | None = None,
    title: str | None = None,
) -> Outcome:
    stream, before = await operations.current(ticket)
    operations.authorize(request, "split", before)
    target = operations.target_queue(queue, request, "create") if queue is not None else None
    content = await split_content(operations.uploads.store, originals)
    into = uuid7()

    def make(context: CommandContext, _: Ticket) -> Split:
        return Split(
            context,
            articles,
            into,
            stream,
            content.message,
            queue_ref(target) if target is not None else None,
            title or "",
            content.writer,
            content.internal,
            content.note,
        )

    command = TicketCommand(ticket, "split", make)
    return await operations.give(request, command, respond=with_members(ticket={"id": str(into)}))


async def _both(operations: TicketOperations, ticket: str, other: str, field: str) -> tuple[TicketRef, TicketRef]:
    here, mine = await operations.current(ticket)
    there, theirs = await operations.current(other, field)
    return (
        TicketRef(id=here, number=mine.number, title=mine.title),
        TicketRef(id=there, number=theirs.number, title=theirs.title),
    )
