"""`link`, `unlink`, `merge`, `undo`, and `split`, which comes with the articles that it is about."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.routing.api.action import Action
from services.routing.api.bodies import Reference, Title
from services.routing.operations import relations
from services.routing.operations import undo as undo_operation
from services.routing.operations.content.originals import Original
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.contracts.routing import LinkKind
from shared.eventstore.runner import Outcome
from shared.http.bodies import Body


class LinkBody(Body):
    """`parent`: `to` is this ticket's parent; `duplicate`: this ticket repeats `to`."""

    to: Reference
    kind: LinkKind = "related"


class MergeBody(Body):
    into: Reference


class SplitBody(Body):
    articles: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]
    queue: Reference | None = None
    subject: Title | None = None


class UndoBody(Body):
    """An event of the ticket's history."""

    event: UUID


async def link(operations: TicketOperations, request: CommandRequest, body: LinkBody) -> Outcome:
    return await relations.link(operations, request, body.to, body.kind)


async def unlink(operations: TicketOperations, request: CommandRequest, body: LinkBody) -> Outcome:
    return await relations.unlink(operations, request, body.to, body.kind)


async def merge(operations: TicketOperations, request: CommandRequest, body: MergeBody) -> Outcome:
    return await relations.merge(operations, request, body.into)


async def split(
    operations: TicketOperations,
    request: CommandRequest,
    body: SplitBody,
    originals: Sequence[Original],
) -> Outcome:
    return await relations.split(operations, request, body.articles, originals, queue=body.queue, title=body.subject)


async def undo(operations: TicketOperations, request: CommandRequest, body: UndoBody) -> Outcome:
    return await undo_operation.undo(operations, request, body.event)


ACTIONS = (
    Action("link", link, LinkBody, "linkTickets", "Link two tickets", one_by_one=True),
    Action("unlink", unlink, LinkBody, "unlinkTickets", "End a link", one_by_one=True),
    Action("merge", merge, MergeBody, "mergeTicket", "Merge a ticket into another", one_by_one=True),
    Action("undo", undo, UndoBody, "undoDecision", "Take back an earlier decision"),
)
