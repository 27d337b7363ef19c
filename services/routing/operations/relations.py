"""What concerns two tickets: links, merges, splits (requirements A7.16 to A7.19)."""

from collections.abc import Sequence
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.operations.content.originals import Original, split_content
from services.routing.operations.request import CommandRequest, TicketCommand
from services.routing.operations.responses import with_members
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.relations import Absorb, Link, MergeInto, Split, Unlink
from shared.contracts.parts import TicketRef
from shared.contracts.routing import AnyLinkKind
from shared.eventstore.runner import Outcome

LONGEST_CHAIN = 100
"""Merges that are followed from the ticket that is named to the living one."""


async def link(operations: TicketOperations, request: CommandRequest, to: str, kind: AnyLinkKind) -> Outcome:
    return await _relate(operations, request, "link", Link, to, kind)


async def unlink(operations: TicketOperations, request: CommandRequest, to: str, kind: AnyLinkKind) -> Outcome:
    return await _relate(operations, request, "unlink", Unlink, to, kind)


async def _relate(
    operations: TicketOperations,
    request: CommandRequest,
    action: str,
    command: type[Link] | type[Unlink],
    to: str,
    kind: AnyLinkKind,
) -> Outcome:
    """Both tickets know the link. For the other one it is an incoming link, unless it has no direction."""
    here, there = await _both(operations, request, to, "to")
    outgoing = kind == "related"
    return await operations.give(
        request,
        action,
        lambda context, _: command(context, there, kind),
        TicketCommand(to, "read", lambda context, _: command(context, here, kind, outgoing), "to"),
    )


async def merge(operations: TicketOperations, request: CommandRequest, into: str) -> Outcome:
    """If the ticket that is named was merged itself, the ticket goes into the one where that continues."""
    here, mine = await operations.current(request.ticket)
    operations.authorize(request, "merge", mine)
    living = into
    for _ in range(LONGEST_CHAIN):
        stream, ticket = await operations.current(living, "into")
        operations.authorize(request, "read", ticket, "into")
        if ticket.merged_into is None or stream == here:
            break
        living = str(ticket.merged_into)
    one, other = await _both(operations, request, living, "into")
    return await operations.give(
        request,
        "merge",
        lambda context, _: MergeInto(context, other),
        TicketCommand(living, "merge", lambda context, _: Absorb(context, one), "into"),
    )


async def split(
    operations: TicketOperations,
    request: CommandRequest,
    articles: tuple[UUID, ...],
    originals: Sequence[Original],
    *,
    queue: str | None = None,
    title: str | None = None,
) -> Outcome:
    stream, before = await operations.current(request.ticket)
    operations.authorize(request, "split", before)
    target = operations.target_queue(queue, request, "create").ref if queue is not None else None
    content = await split_content(operations.uploads.store, originals)
    into = uuid7()
    return await operations.give(
        request,
        "split",
        lambda context, _: Split(
            context,
            articles=articles,
            into=into,
            origin=stream,
            message=content.message,
            queue=target,
            title=title or "",
            writer=content.writer,
            internal=content.internal,
            note=content.note,
        ),
        respond=with_members(ticket={"id": str(into)}),
    )


async def _both(
    operations: TicketOperations, request: CommandRequest, other: str, field: str
) -> tuple[TicketRef, TicketRef]:
    here, mine = await operations.current(request.ticket)
    there, theirs = await operations.current(other, field)
    return (
        TicketRef(id=here, number=mine.number, title=mine.title),
        TicketRef(id=there, number=theirs.number, title=theirs.title),
    )
