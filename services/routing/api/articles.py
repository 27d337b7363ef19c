"""`reply`, `note`, `call`, and `forward` and `bounce`, which come with the article that they are about."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from services.routing.api.action import Action
from services.routing.api.bodies import (
    ContentBody,
    NextStateBody,
    Recipients,
    Reference,
    Slug,
    SomeRecipients,
    TimeUnits,
)
from services.routing.operations import articles
from services.routing.operations.content import composing
from services.routing.operations.content.originals import Original
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.runner import Outcome
from shared.http.bodies import Body, Flag


class ReplyBody(ContentBody, NextStateBody):
    """Without `text` and `html`, `template` names the standard answer that is sent."""

    to: Recipients = ()
    cc: Recipients = ()
    bcc: Recipients = ()
    template: Slug | None = None
    owner: Reference | None = None
    time_units: TimeUnits | None = None


class NoteBody(ContentBody, NextStateBody):
    """`kind` `solution` marks what solved the matter."""

    internal: Flag = True
    kind: Literal["note", "solution"] = "note"
    time_units: TimeUnits | None = None


class CallBody(ContentBody, NextStateBody):
    direction: Literal["in", "out"]
    time_units: TimeUnits | None = None


class ForwardBody(ContentBody):
    article: UUID
    to: SomeRecipients
    cc: Recipients = ()


class BounceBody(Body):
    article: UUID
    to: SomeRecipients


async def reply(operations: TicketOperations, request: CommandRequest, ticket: str, body: ReplyBody) -> Outcome:
    return await articles.reply(
        operations,
        request,
        ticket,
        body.content,
        composing.Recipients(body.to, body.cc, body.bcc),
        template=body.template,
        state=body.state,
        pending_until=body.pending_until,
        owner=body.owner,
        time_units=body.time_units,
    )


async def add_note(operations: TicketOperations, request: CommandRequest, ticket: str, body: NoteBody) -> Outcome:
    return await articles.add_note(
        operations,
        request,
        ticket,
        body.content,
        internal=body.internal,
        kind=body.kind,
        state=body.state,
        pending_until=body.pending_until,
        time_units=body.time_units,
    )


async def record_call(operations: TicketOperations, request: CommandRequest, ticket: str, body: CallBody) -> Outcome:
    return await articles.record_call(
        operations,
        request,
        ticket,
        body.content,
        body.direction,
        state=body.state,
        pending_until=body.pending_until,
        time_units=body.time_units,
    )


async def forward(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    body: ForwardBody,
    originals: Sequence[Original],
) -> Outcome:
    recipients = composing.Recipients(body.to, body.cc)
    return await articles.forward(operations, request, ticket, originals[0], body.content, recipients)


async def bounce(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    body: BounceBody,
    originals: Sequence[Original],
) -> Outcome:
    return await articles.bounce(operations, request, ticket, originals[0], body.to)


ACTIONS = (
    Action("reply", reply, ReplyBody, "replyToTicket", "Answer the customer"),
    Action("note", add_note, NoteBody, "addNote", "Write a note, internal unless told otherwise"),
    Action("call", record_call, CallBody, "recordCall", "Record a telephone call"),
)
