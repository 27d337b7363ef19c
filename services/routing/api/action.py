"""How a command is given over HTTP, and what its caller gets: the ticket's version, a consistency token, problems."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket.context import Actor
from shared.contracts.parts import PersonRef
from shared.eventstore.errors import PreconditionFailed
from shared.eventstore.runner import Outcome
from shared.eventstore.store import CommandId
from shared.http import problems
from shared.http.bodies import Body
from shared.http.headers.consistency import Written
from shared.rules.access import Access, Identity, may

Run = Callable[[TicketOperations, CommandRequest, Any], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Action:
    """A command that is given to one ticket, or to many at once.

    `body_optional`: the body may be left out. `one_by_one`: the command also writes to a second ticket. All tickets of
    a bulk command share it, so they are worked on one after the other.
    """

    name: str
    run: Run
    body: type[Body]
    operation: str
    summary: str
    body_optional: bool = False
    one_by_one: bool = False


async def request_of(
    operations: TicketOperations, who: Identity, ticket: str, key: CommandId, expected: int | None = None
) -> CommandRequest:
    """The request of a person, as this desk knows them."""
    known = await operations.directory.recognised(who)
    actor = Actor("agent" if known.is_agent else "customer", known.person_id, known.name)
    return CommandRequest(actor, ticket, key, known, expected)


async def carry_out(
    operations: TicketOperations, request: CommandRequest, action: str, attempt: Callable[[], Awaitable[Outcome]]
) -> Outcome:
    """Carries out a command that may come again.

    Customers are refused first: what a body names is looked up for agents only, or customers would learn who and what
    there is.
    """

    async def checked() -> Outcome:
        if request.identity is not None and not request.identity.is_agent:
            _, state = await operations.current(request.ticket)
            operations.authorize(request, action, state)
        return await attempt()

    try:
        return await operations.once(request, checked)
    except PreconditionFailed as failed:
        shown = await _shown(operations, failed.stream, request.identity)
        raise problems.precondition_failed(shown) from failed


async def written(operations: TicketOperations, request: CommandRequest, outcome: Outcome) -> list[Written]:
    """The streams that a read must wait for to show what a command did.

    Whoever repeats a command has not seen the token of its first response, and gets one too. After a split a read also
    waits for the new ticket, which intake opens.
    """
    streams = [Written("routing", stream, version) for stream, version in outcome.written]
    if not streams and (stream := await operations.find(request.ticket)) is not None:
        streams.append(Written("routing", stream, outcome.version))
    if (made := outcome.response.get("ticket")) is not None:
        streams.append(Written("intake", UUID(made["id"]), 1))
    return streams


async def _shown(operations: TicketOperations, stream: UUID, who: Identity | None) -> dict[str, Any] | None:
    """The ticket as it is now, for the problem document of a lost update; None if the sign-in may not read it."""
    if who is None or (who.scopes is not None and "read" not in who.scopes):
        return None
    ticket, version = (await operations.runner.states.newest([stream]))[stream]
    readable = may(who, "read", operations.facts(ticket)) is Access.ALLOWED
    if not readable or ticket.queue is None or ticket.customer is None:
        return None
    return {
        "id": str(stream),
        "number": ticket.number,
        "title": ticket.title,
        "queue": {"id": str(ticket.queue.id), "slug": ticket.queue.slug, "name": ticket.queue.name},
        "state": {"slug": ticket.state.slug, "name": ticket.state.name, "type": ticket.state.type},
        "owner": _person(ticket.owner),
        "lock": {"locked": ticket.locked_by is not None, "by": _person(ticket.locked_by)},
        "versions": {"routing": version},
    }


def _person(person: PersonRef | None) -> dict[str, str] | None:
    return None if person is None else {"id": str(person.id), "name": person.name}
