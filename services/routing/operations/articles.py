"""Replies, notes, calls, and mails that are sent on (requirements A7)."""

from dataclasses import replace
from datetime import datetime
from typing import Literal

from uuid_utils.compat import uuid7

from services.routing.operations import states
from services.routing.operations.content import composing
from services.routing.operations.content.composing import Content, Recipients
from services.routing.operations.content.originals import Original
from services.routing.operations.request import CommandRequest, TicketCommand
from services.routing.operations.responses import with_article, with_members
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket import Ticket
from services.routing.ticket.articles import AddNote, Bounce, Forward, RecordCall, Reply
from services.routing.ticket.context import CommandContext
from shared.contracts.parts import Address
from shared.eventstore.runner import Outcome


async def reply(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    content: Content,
    recipients: Recipients,
    *,
    template: str | None = None,
    state: str | None = None,
    pending_until: datetime | None = None,
    owner: str | None = None,
    time_units: float | None = None,
) -> Outcome:
    """Answers the customer by the name and address that they have today."""
    next_state = states.next_state(state, pending_until, operations.directory.configuration.states)
    new_owner = await operations.person(owner) if owner is not None else None
    draft = await composing.draft(operations, request, content, template)
    _, before = await operations.current(ticket)
    today = await operations.directory.today(before.customer) if before.customer is not None else None

    def make(context: CommandContext, now: Ticket) -> Reply:
        if today is not None and now.customer == before.customer:
            now = replace(now, customer=today)
        message = draft
        if template is not None:
            keeps_text = content.has_text
            message = composing.filled(operations, draft, now, request.actor, template, keeps_text=keeps_text)
        message = composing.addressed(operations, message, now, recipients)
        return Reply(context, message, next_state, new_owner, time_units, now.customer)

    return await operations.give(request, TicketCommand(ticket, "reply", make), respond=with_article(draft))


async def add_note(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    content: Content,
    *,
    internal: bool = True,
    kind: Literal["note", "solution"] = "note",
    state: str | None = None,
    pending_until: datetime | None = None,
    time_units: float | None = None,
) -> Outcome:
    next_state = states.next_state(state, pending_until, operations.directory.configuration.states)
    note = await composing.article(operations, request, content, "note")
    command = TicketCommand(
        ticket, "note", lambda context, _: AddNote(context, note, internal, kind, next_state, time_units)
    )
    return await operations.give(request, command, respond=with_article(note))


async def record_call(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    content: Content,
    direction: Literal["in", "out"],
    *,
    state: str | None = None,
    pending_until: datetime | None = None,
    time_units: float | None = None,
) -> Outcome:
    next_state = states.next_state(state, pending_until, operations.directory.configuration.states)
    call = await composing.article(operations, request, content, "phone")
    command = TicketCommand(
        ticket, "call", lambda context, _: RecordCall(context, call, direction, next_state, time_units)
    )
    return await operations.give(request, command, respond=with_article(call))


async def forward(
    operations: TicketOperations,
    request: CommandRequest,
    ticket: str,
    original: Original,
    content: Content,
    recipients: Recipients,
) -> Outcome:
    draft = await composing.article(operations, request, content, "email")

    def make(context: CommandContext, now: Ticket) -> Forward:
        message = composing.addressed(operations, draft, now, recipients)
        return Forward(context, message, original.message, original.never_leaves)

    return await operations.give(request, TicketCommand(ticket, "forward", make), respond=with_article(draft))


async def bounce(
    operations: TicketOperations, request: CommandRequest, ticket: str, original: Original, to: tuple[str, ...]
) -> Outcome:
    bounced, addresses = uuid7(), tuple(Address(email=each) for each in to)
    command = TicketCommand(
        ticket,
        "bounce",
        lambda context, _: Bounce(context, bounced, addresses, original.message, original.never_leaves),
    )
    return await operations.give(request, command, respond=with_members(article_id=str(bounced)))
