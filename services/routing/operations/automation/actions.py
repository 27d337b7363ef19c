"""The actions of rules and macros as commands of the desk: the same operations that agents use (decision 0112)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, assert_never

from pydantic import TypeAdapter

from services.routing.operations import articles, lifecycle, ownership, properties, queueing
from services.routing.operations.automation.collected import CollectedOperations
from services.routing.operations.content import composing
from services.routing.operations.content.composing import Content, Recipients
from services.routing.operations.request import CommandRequest, TicketCommand
from services.routing.operations.states import NextStep
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket import Ticket
from services.routing.ticket.automation.distribution import Candidates, Distribute, Way
from services.routing.ticket.automation.rules import Notify
from services.routing.ticket.ownership import Unassign
from services.routing.ticket.properties import SetPriority, Tag, Untag
from shared.automation import actions
from shared.automation.actions import MacroAction
from shared.contracts.parts import RuleRef
from shared.rules.refusals import invalid

Chosen = Callable[[Ticket], Candidates]
"""The people among whom somebody is found for the ticket as it then is."""
_ACTION: TypeAdapter[MacroAction] = TypeAdapter(MacroAction)


def read_all(documented: Iterable[Mapping[str, Any]]) -> list[MacroAction]:
    """The actions to do, as documents and matches hold them. Raises ValidationError if this version does not know one.

    If several find an owner, only the last one does: each would take the place of the one before.
    """
    read = [_ACTION.validate_python(action) for action in documented]
    finding = [place for place, action in enumerate(read) if way_of(action) is not None]
    return [action for place, action in enumerate(read) if place not in finding[:-1]]


def way_of(action: MacroAction) -> Way | None:
    """How the action finds the ticket's owner; None if it does not."""
    match action:
        case actions.Assign(to="round-robin" | "least-loaded" as way):
            return way
        case _:
            return None


def documents(action: MacroAction) -> list[tuple[str, str]]:
    """The documents that an action names, by kind and slug; people are not among them."""
    match action:
        case actions.Move():
            return [("queue", action.queue), *([("state", action.state)] if action.state is not None else [])]
        case actions.SetState(state=state) | actions.Note(state=str() as state):
            return [("state", state)]
        case actions.SetFields(fields=fields):
            return [("field", name) for name in fields]
        case actions.Notify(template=template) | actions.Reply(template=template):
            return [("template", template)]
        case _:
            return []


async def commands(
    operations: TicketOperations,
    request: CommandRequest,
    document: RuleRef,
    action: MacroAction,
    candidates: Chosen,
) -> list[TicketCommand]:
    """The commands of one action. `document`: the rule or macro. Raises Invalid if something that it names is gone."""
    collected = CollectedOperations.like(operations)
    match action:
        case actions.Move():
            content = Content(action.text, action.html, action.subject)
            step = NextStep(action.state, action.pending_until)
            await queueing.move(collected, request, action.queue, content, step, owner=action.owner)
        case actions.SetPriority(priority=priority):
            await collected.give(request, "set-priority", lambda context, _: SetPriority(context, priority))
        case actions.SetState():
            await lifecycle.set_state(collected, request, action.state, action.pending_until)
        case actions.Assign(to=None):
            owner = None if action.owner == actions.PREVIOUS else action.owner
            await ownership.assign(collected, request, owner, Content(action.text))
        case actions.Assign(to="nobody"):
            unassigned = await composing.note(operations, request, Content(action.text))
            await collected.give(request, "assign", lambda context, _: Unassign(context, unassigned))
        case actions.Assign(to="round-robin" | "least-loaded" as way):
            note = await composing.note(operations, request, Content(action.text))
            await collected.give(
                request, "assign", lambda context, ticket: Distribute(context, way, candidates(ticket), note)
            )
        case actions.Assign():
            raise invalid("to", detail="There is no such way to find an owner.")
        case actions.Tag(tags=tags):
            await collected.give(request, "tag", lambda context, _: Tag(context, tuple(tags)))
        case actions.Untag(tags=tags):
            await collected.give(request, "untag", lambda context, _: Untag(context, tuple(tags)))
        case actions.SetFields(fields=fields):
            await _set_fields(collected, request, fields)
        case actions.Note():
            content = Content(action.text, action.html, action.subject)
            step = NextStep(action.state, action.pending_until)
            await articles.add_note(collected, request, content, step, internal=action.internal, kind=action.kind)
        case actions.SetResponsible():
            await ownership.set_responsible(collected, request, action.responsible)
        case actions.Notify():
            await _notify(collected, request, document, action)
        case actions.Reply(template=template):
            await articles.reply(collected, request, Content(), Recipients(), NextStep(), template=template)
        case _:
            assert_never(action)
    return collected.commands


async def _set_fields(operations: TicketOperations, request: CommandRequest, values: Mapping[str, Any]) -> None:
    gone = [name for name in values if name not in operations.directory.configuration.fields]
    if gone:
        raise invalid("fields", detail=f"The field {gone[0]} is not in use.")
    await properties.set_fields(operations, request, values)


async def _notify(
    operations: TicketOperations, request: CommandRequest, document: RuleRef, action: actions.Notify
) -> None:
    if action.template not in operations.directory.configuration.templates:
        raise invalid("template", detail=f"The template {action.template} is not in use.")
    _, before = await operations.current(request.ticket)
    today = await operations.directory.today(before.customer) if before.customer is not None else None

    def make(_: object, ticket: Ticket) -> Notify:
        return Notify(
            document, tuple(action.to), action.template, today if ticket.customer == before.customer else None
        )

    await operations.give(request, "work", make)
