"""`reply`, `note`, `call`, and `forward` and `bounce`, which come with the article that they are about."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from services.routing.api.action import Action
from services.routing.api.bodies import (
    ContentBody,
    NextStepBody,
    Recipients,
    Reference,
    Slug,
    SomeRecipients,
)
from services.routing.operations import articles
from services.routing.operations.content import composing
from services.routing.operations.content.originals import Original
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.runner import Outcome
from shared.http.bodies import Body
from shared.input_types import Flag


class ReplyBody(ContentBody, NextStepBody):
    """Without `text` and `html`, `template` names the standard answer that is sent."""

    to: Recipients = ()
    cc: Recipients = ()
    bcc: Recipients = ()
    template: Slug | None = None
    owner: Reference | None = None


class NoteBody(ContentBody, NextStepBody):
    """`kind` `solution` marks what solved the matter."""

    internal: Flag = True
    kind: Literal["note", "solution"] = "note"


class CallBody(ContentBody, NextStepBody):
    direction: Literal["in", "out"]


class ForwardBody(ContentBody):
    article: UUID
    to: SomeRecipients
    cc: Recipients = ()


class BounceBody(Body):
    article: UUID
    to: SomeRecipients


async def reply(operations: TicketOperations, request: CommandRequest, body: ReplyBody) -> Outcome:
    recipients = composing.Recipients(body.to, body.cc, body.bcc)
    return await articles.reply(
        operations, request, body.content, recipients, body.step, template=body.template, owner=body.owner
    )


async def add_note(operations: TicketOperations, request: CommandRequest, body: NoteBody) -> Outcome:
    return await articles.add_note(operations, request, body.content, body.step, internal=body.internal, kind=body.kind)


async def record_call(operations: TicketOperations, request: CommandRequest, body: CallBody) -> Outcome:
    return await articles.record_call(operations, request, body.content, body.step, body.direction)


async def forward(
    operations: TicketOperations, request: CommandRequest, body: ForwardBody, originals: Sequence[Original]
) -> Outcome:
    recipients = composing.Recipients(body.to, body.cc)
    return await articles.forward(operations, request, originals[0], body.content, recipients)


async def bounce(
    operations: TicketOperations, request: CommandRequest, body: BounceBody, originals: Sequence[Original]
) -> Outcome:
    return await articles.bounce(operations, request, originals[0], body.to)


ACTIONS = (
    Action("reply", reply, ReplyBody, "replyToTicket", "Answer the customer"),
    Action("note", add_note, NoteBody, "addNote", "Write a note, internal unless told otherwise"),
    Action("call", record_call, CallBody, "recordCall", "Record a telephone call"),
)
