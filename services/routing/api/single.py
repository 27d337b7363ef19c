"""A command for one ticket: its route and its response."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from services.routing.api.action import Action, carry_out, request_of, written
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.runner import Outcome
from shared.http import story
from shared.http.bodies import Body, example
from shared.http.headers.consistency import HEADER, encode
from shared.http.headers.etag import IfMatch, etag
from shared.http.headers.idempotency import Command as Key
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller

Ref = Annotated[str, Path(max_length=64, description="The id or number of the ticket.")]


class CommandDone(Body):
    """What a command answers: the ticket's new version and, where one was written, the article's id."""

    model_config = example({"version": 5, "article_id": story.ANSWER})

    version: int
    article_id: UUID | None = None


def add_route(routes: APIRouter, operations: TicketOperations, action: Action) -> None:
    routes.add_api_route(
        f"/{{ref}}/{action.name}",
        _endpoint(operations, action),
        methods=["POST"],
        operation_id=action.operation,
        response_model=CommandDone,
        summary=action.summary,
    )


def _endpoint(operations: TicketOperations, action: Action) -> Callable[..., Awaitable[Response]]:
    async def give(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: Any = None) -> Response:
        form = body if body is not None else action.body()
        request = await request_of(operations, who, ref, key, expected)
        outcome = await carry_out(operations, request, action.name, lambda: action.run(operations, request, form))
        return await response(operations, request, outcome)

    # FastAPI reads the type of the body from the annotation.
    give.__annotations__["body"] = action.body | None if action.body_optional else action.body
    if not action.body_optional:
        give.__defaults__ = None
    return give


async def response(operations: TicketOperations, request: CommandRequest, outcome: Outcome) -> Response:
    headers = {"ETag": etag(outcome.version)}
    if streams := await written(operations, request, outcome):
        headers[HEADER] = encode(streams)
    return json_response(outcome.response, replayed=outcome.replayed, headers=headers)
