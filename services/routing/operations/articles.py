"""Replies, notes, calls, and mails that are sent on (requirements A7)."""

from dataclasses import replace
from typing import Literal

from uuid_utils.compat import uuid7

from services.routing.operations import states
from services.routing.operations.content import composing
from services.routing.operations.content.composing import Content, Recipients
from services.routing.operations.content.originals import Original
from services.routing.operations.request import CommandRequest
from services.routing.operations.responses import with_article, with_members
from services.routing.operations.states import NextStep
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket import Ticket
from services.routing.ticket.articles import AddNote, Bounce, Forward, RecordCall, Reply
from services.routing.ticket.context import CommandContext
from shared.contracts.parts import Address
from shared.eventstore.runner import Outcome


async def reply(
    operations: TicketOperations,
    request: CommandRequest,
    content: Content,
    recipients: Recipients,
    step: NextStep,
    *,
    template: str | None = None,
    owner: str | None = None,
) -> Outcome:
    """Answers the customer by the name and address that they have today."""
    next_state = states.next_state(step, operations.directory.configuration.states)
    new_owner = await operations.person(owner) if owner is not None else None
    draft = await composing.draft(operations, request, content, template)
    _, before = await operations.current(request.ticket)
    today = await operations.directory.today(before.customer) if before.customer is not None else None

    def make(context: CommandContext, ticket: Ticket) -> Reply:
        if today is not None and ticket.customer == before.customer:
            ticket = replace(ticket, customer=today)
        message = draft
        if template is not None:
            message = composing.filled(operations, draft, ticket, request.actor, template, content)
        message = composing.addressed(operations, message, ticket, recipients)
        return Reply(context, message, next_state, new_owner, step.time_units, ticket.customer)

    return await operations.give(request, "reply", make, respond=with_article(draft))


async def add_note(
    operations: TicketOperations,
    request: CommandRequest,
    content: Content,
    step: NextStep,
    *,
    internal: bool = True,
    kind: Literal["note", "solution"] = "note",
) -> Outcome:
    next_state = states.next_state(step, operations.directory.configuration.states)
    note = await composing.article(operations, request, content, "note")
    return await operations.give(
        request,
        "note",
        lambda context, _: AddNote(context, note, internal, kind, next_state, step.time_units),
        respond=with_article(note),
    )


async def record_call(
    operations: TicketOperations,
    request: CommandRequest,
    content: Content,
    step: NextStep,
    direction: Literal["in", "out"],
) -> Outcome:
    next_state = states.next_state(step, operations.directory.configuration.states)
    call = await composing.article(operations, request, content, "phone")
    return await operations.give(
        request,
        "call",
        lambda context, _: RecordCall(context, call, direction, next_state, step.time_units),
        respond=with_article(call),
    )


async def forward(
    operations: TicketOperations, request: CommandRequest, original: Original, content: Content, recipients: Recipients
) -> Outcome:
    draft = await composing.article(operations, request, content, "email")

    def make(context: CommandContext, ticket: Ticket) -> Forward:
        message = composing.addressed(operations, draft, ticket, recipients)
        return Forward(context, message, original.message, original.never_leaves)

    return await operations.give(request, "forward", make, respond=with_article(draft))


async def bounce(
    operations: TicketOperations, request: CommandRequest, original: Original, to: tuple[str, ...]
) -> Outcome:
    bounced, addresses = uuid7(), tuple(Address(email=each) for each in to)
    return await operations.give(
        request,
        "bounce",
        lambda context, _: Bounce(context, bounced, addresses, original.message, original.never_leaves),
        respond=with_members(article_id=str(bounced)),
    )
